# SPDX-License-Identifier: MIT
import json
import subprocess
import sys

import h5py
import numpy as np

from support import SOURCE, CommandLineTest, main


class TestInfo(CommandLineTest):
    def test_reference_data(self):
        info = self.json_of("info", SOURCE / "data/ethanol_test.h5", "--json")
        self.assertEqual(info["structures"], 281)
        self.assertEqual(info["elements"], ["H", "C", "O"])
        self.assertEqual(info["groups"], {"300K": 150, "600K": 90, "1000K": 41})
        text = self.run_isotrope("info", SOURCE / "data/ethanol_test.h5").stdout
        self.assertIn("groups        1000K 41, 300K 150, 600K 90\n", text)
        readme = (SOURCE / "data/README.md").read_text()
        for path in sorted((SOURCE / "data").glob("*.h5")):
            content_hash = self.json_of("info", path, "--json")["content_hash"]
            self.assertIn(f"| `{path.name}` | {content_hash} |", readme)

    def test_json_to_a_file(self):
        done = self.run_isotrope("info", SOURCE / "data/ethanol_test.h5", "--json", "info.json")
        self.assertIn("structures    281", done.stdout)
        self.assertEqual(json.loads((self.folder / "info.json").read_text())["kind"], "dataset")

    def test_bad_files(self):
        self.assert_error("cannot open model.h5: file not found", "info", "model.h5")
        self.write("text.h5", "not HDF5")
        self.assert_error("cannot open text.h5: truncated or not an HDF5 file", "info", "text.h5")
        content = (SOURCE / "data/ethanol_test.h5").read_bytes()
        self.write("cut.h5", content[: len(content) // 2])
        self.assert_error("cannot open cut.h5: truncated or not an HDF5 file", "info", "cut.h5")
        with h5py.File(self.folder / "other.h5", "w") as other:
            other["x"] = np.zeros(3)
        self.assert_error("other.h5: expected a model or a data set of isotrope, found another HDF5 file", "info", "other.h5")

    def test_changed_data(self):
        self.write("data.h5", (SOURCE / "data/ethanol_test.h5").read_bytes())
        self.run_isotrope("info", "data.h5", "--check")
        with h5py.File(self.folder / "data.h5", "r+") as data:
            data["energy"][3] += 1e-6
        done = self.run_isotrope("info", "data.h5", "--check", status=1)
        self.assertIn("data.h5: the content does not match its hash (stated f17e5f5825a652e3, found ", done.stderr)
        with h5py.File(self.folder / "data.h5", "r+") as data:
            data["forces"][7] = np.nan
            data.attrs["format_version"] = 2
        self.assert_error("data.h5: data set format version 2 is newer than 1, the newest that this isotrope reads: use a "
                          "newer isotrope", "info", "data.h5")

    def test_census_is_kept_and_checked(self):
        source = SOURCE / "data/omol_level.h5"
        counted = self.run_isotrope("info", source)
        self.assertIn("no census in the file, counted now", counted.stderr)
        self.run_isotrope("convert", source, "-o", "data.h5", "--level", "L")
        kept, checked = self.run_isotrope("info", "data.h5"), self.run_isotrope("info", "data.h5", "--check")
        self.assertEqual(kept.stderr, "")
        lines = counted.stdout.splitlines()
        self.assertEqual(kept.stdout.splitlines()[1 : len(lines) - 4], lines[1 : len(lines) - 4])
        self.assertTrue(checked.stdout.endswith(", which the content has\n"))
        self.assertEqual(self.json_of("info", "data.h5", "--json")["checked"], False)
        self.assertEqual(self.json_of("info", "data.h5", "--check", "--json")["checked"], True)
        with h5py.File(self.folder / "data.h5", "r+") as data:
            census = json.loads(data.attrs["census"])
            census["labels"]["forces"] -= 1
            data.attrs["census"] = json.dumps(census)
        self.run_isotrope("info", "data.h5")
        done = self.run_isotrope("info", "data.h5", "--check", status=1)
        self.assertIn("data.h5: the census in the file states labels = ", done.stderr)
        with h5py.File(self.folder / "data.h5", "r+") as data:
            data.attrs["census"] = json.dumps({"structures": census["structures"], "atoms": census["atoms"]})
        self.assert_error("data.h5: attribute 'census': not a census of isotrope; `isotrope convert` writes a new file with a "
                          "right one", "info", "data.h5")

    def test_fast_look_finds_damage(self):
        self.run_isotrope("convert", SOURCE / "data/omol_level.h5", "-o", "data.h5", "--level", "L")
        content = (self.folder / "data.h5").read_bytes()
        self.write("cut.h5", content[:-1000])
        self.assert_error("cannot open cut.h5: truncated or not an HDF5 file", "info", "cut.h5")
        with h5py.File(self.folder / "data.h5", "r+") as data:
            count = data["energy"].shape[0]
            data["energy"].resize((count - 1,))
        self.assert_error(f"data.h5:/energy: expected shape [{count}], found [{count - 1}]", "info", "data.h5")

    def test_report(self):
        for name, options in [("ethanol_test", ()), ("relaxations", ("--isolated-atoms", SOURCE / "data/isolated_atoms_b3lyp.h5"))]:
            self.run_isotrope("info", SOURCE / f"data/{name}.h5", "--report", "out", *options)
            with h5py.File(SOURCE / f"data/{name}.h5") as data:
                offsets, numbers, energy = (data[member][:] for member in ("offsets", "numbers", "energy"))
                norms = np.linalg.norm(data["forces"][:], axis=1)
            table = lambda file: np.loadtxt(self.folder / f"out/{file}.csv", delimiter=",", skiprows=1, ndmin=2)
            sizes, sizes_counts = table("sizes"), np.diff(offsets)
            self.assertEqual(sizes[:, 2].sum(), len(energy))
            if len(sizes) < 60:
                for low, high, count in sizes[1:-1]:
                    self.assertEqual(count, ((sizes_counts >= low) & (sizes_counts < high)).sum())
            for low, high, count in table("forces"):
                self.assertLessEqual(abs(count - ((norms >= low) & (norms < high)).sum()), 1)
            elements = {row.split(",")[1]: row.split(",")[2:] for row in (self.folder / "out/elements.csv").read_text().splitlines()[1:]}
            for number in np.unique(numbers):
                self.assertEqual(int(elements[str(number)][0]), (numbers == number).sum())
            summary = json.loads((self.folder / "out/summary.json").read_text())
            reference = summary["reference_energies_ev"]
            symbols = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 16: "S", 17: "Cl"}
            relative = np.array([(e - sum(reference[symbols[z]] for z in numbers[a:b])) / (b - a)
                                 for e, a, b in zip(energy, offsets, offsets[1:])])
            bins = table("energies")
            self.assertEqual(bins[:, 2].sum(), len(energy))
            for low, high, count in bins[1:-1]:
                self.assertLessEqual(abs(count - ((relative >= low) & (relative < high)).sum()), 2)
            self.assertTrue(summary["energy_reference"].startswith("fit" if not options else "isolated atoms of "))
            done = subprocess.run([sys.executable, SOURCE / "scripts/plot_census.py", "out"], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.stdout, "out/census.png\n", done.stderr)
        self.assert_error("model.h5: --report is of data sets, found a model", "info",
                          self.copy_model(), "--report", "out")

    def copy_model(self):
        self.write("model.h5", (SOURCE / "tests/data/mace/l2_c5_residual.h5").read_bytes())
        return "model.h5"

    def test_model(self):
        # A fixture that the Python importer wrote: its hash was computed there.
        path = SOURCE / "tests/data/mace/l2_c5_residual.h5"
        info = self.json_of("info", path, "--json")
        self.assertEqual(info["kind"], "model")
        self.assertEqual(info["architecture"], "mace")
        with h5py.File(path) as model:
            self.assertEqual(info["cutoff_angstrom"], model["cutoff"][()])
            self.assertEqual(info["parameters"], sum(array.size for array in model["parameters"].values()))
            self.assertEqual(info["content_hash"], model.attrs["content_hash"])
            self.assertEqual(list(info["atomic_energies_ev"].values()), list(model["atomic_energies"]))
        self.assertEqual(info["elements"], ["H", "O"])
        self.assertIn("cutoff        4 Å\n", self.run_isotrope("info", path).stdout)

    def test_newer_model(self):
        with h5py.File(self.folder / "model.h5", "w") as model:
            model.attrs["format"] = np.bytes_("isotrope-model")  # a string of fixed length
            model.attrs["format_version"] = 3
        self.assert_error("model.h5: model format version 3 is newer than 1, the newest that this isotrope reads: use a "
                          "newer isotrope", "info", "model.h5")


main()
