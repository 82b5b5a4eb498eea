# SPDX-License-Identifier: MIT
import json

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
        with h5py.File(self.folder / "data.h5", "r+") as data:
            data["energy"][3] += 1e-6
        done = self.run_isotrope("info", "data.h5", status=1)
        self.assertIn("data.h5: the content does not match its hash (stated f17e5f5825a652e3, found ", done.stderr)
        with h5py.File(self.folder / "data.h5", "r+") as data:
            data["forces"][7] = np.nan
            data.attrs["format_version"] = 2
        self.assert_error("data.h5: data set format version 2 is newer than 1, the newest that this isotrope reads: use a "
                          "newer isotrope", "info", "data.h5")

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
