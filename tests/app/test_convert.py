# SPDX-License-Identifier: MIT
import random
import resource
import signal
import subprocess

import h5py
import numpy as np

from support import ISOTROPE, SOURCE, CommandLineTest, main

FORMATS = SOURCE / "tests/data/formats"
MPIRUN = SOURCE / ".venv/bin/mpirun"

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 {energy}=-2079.5 charge=0 multiplicity=1 config_type=H2O temperature=300
O 0.0 0.0 0.1 0.0 0.0 1.5
H 0.0 0.75 -0.5 0.0 -0.25 -0.75
H 0.0 -0.75 -0.5 0.0 0.25 -0.75
"""
OXYGEN_ATOM = "1\nenergy=-2042.5 charge=0 multiplicity=3 config_type=IsolatedAtom\nO 0 0 0\n"


class TestConvert(CommandLineTest):
    def test_members_and_census(self):
        self.write("water.xyz", WATER.format(energy="energy"))
        self.write("atom.xyz", OXYGEN_ATOM)
        done = self.run_isotrope("convert", "water.xyz", "atom.xyz", "-o", "data.h5", "--level", "B3LYP/6-31G*")
        self.assertIn("structures    2 (1 to 3 atoms; 0 periodic, 1 isolated atoms)", done.stdout)
        self.assertIn("labels        energy all, forces 1 (1 missing), stress none, charge all, multiplicity all",
                      done.stdout)
        self.assertIn("water.xyz: forces from 'forces' in 1 of 1 structures", done.stderr)
        with h5py.File(self.folder / "data.h5") as data:
            np.testing.assert_array_equal(data["offsets"], [0, 3, 4])
            np.testing.assert_array_equal(data["numbers"], [8, 1, 1, 8])
            np.testing.assert_array_equal(data["positions"][1], [0, 0.75, -0.5])
            np.testing.assert_array_equal(data["forces"][2], [0, 0.25, -0.75])
            self.assertTrue(np.isnan(data["forces"][3]).all())
            np.testing.assert_array_equal(data["energy"], [-2079.5, -2042.5])
            np.testing.assert_array_equal(data["has_forces"], [1, 0])
            np.testing.assert_array_equal(data["charge"], [0, 0])
            np.testing.assert_array_equal(data["multiplicity"], [1, 3])
            names = data["config_type_names"].asstr()[:]
            self.assertEqual([names[i] for i in data["config_type"]], ["H2O", "IsolatedAtom"])
            self.assertNotIn("stress", data)

    def test_group_and_info(self):
        self.write("water.xyz", 2 * WATER.format(energy="energy"))
        self.run_isotrope("-q", "convert", "water.xyz", "-o", "data.h5", "--group", "{temperature}K", "--level", "L")
        info = self.json_of("info", "data.h5", "--json")
        self.assertEqual(info["kind"], "dataset")
        self.assertEqual(info["structures"], 2)
        self.assertEqual(info["atoms"], 6)
        self.assertEqual(info["elements"], ["H", "O"])
        self.assertEqual(info["labels"], {"energy": 2, "forces": 2, "stress": 0, "charge": 2, "multiplicity": 2})
        self.assertEqual(info["groups"], {"300K": 2})
        self.assertEqual(info["provenance"]["level_of_theory"], "L")

    def test_there_and_back(self):
        self.write("water.xyz", WATER.format(energy="energy"))
        for source, target in [("water.xyz", "a.h5"), ("a.h5", "b.xyz"), ("b.xyz", "c.h5")]:
            self.run_isotrope("convert", source, "-o", target, "--level", "L")
        first, last = (self.json_of("info", name, "--json") for name in ("a.h5", "c.h5"))
        self.assertEqual(first["content_hash"], last["content_hash"])

    def test_several_files_and_formats(self):
        self.write("water.dat", WATER.format(energy="energy"))
        self.run_isotrope("convert", "water.dat", "water.dat", "--format", "extxyz", "-o", "data.h5")
        self.assertEqual(self.json_of("info", "data.h5", "--json")["structures"], 2)
        self.assert_error("water.dat: the format cannot be told from the name: say --format (extxyz, isotrope, omol25, pubchemqcr, deepmd, spice, ani, shards)",
                          "convert", "water.dat", "-o", "x.h5")

    def test_labels_in_other_spellings(self):
        self.write("water.xyz", WATER.format(energy="dft_energy"))
        self.assert_error(
            "water.xyz: frame 0 (line 2): found 'dft_energy', which may be the energy: say --energy-key dft_energy to use "
            "it as that, or --energy-key none to leave it out", "convert", "water.xyz", "-o", "data.h5")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["water.xyz"])
        self.run_isotrope("convert", "water.xyz", "-o", "data.h5", "--energy-key", "dft_energy")
        self.assertEqual(self.json_of("info", "data.h5", "--json")["labels"]["energy"], 1)
        self.assert_error("water.xyz: no structure has 'force', which --forces-key names",
                          "convert", "water.xyz", "-o", "x.h5", "--energy-key", "none", "--forces-key", "force")

    def test_bad_input(self):
        self.assert_error("cannot open none.xyz: file not found", "convert", "none.xyz", "-o", "data.h5")
        self.write("empty.xyz", "")
        self.assert_error("empty.xyz: the file has no structures", "convert", "empty.xyz", "-o", "data.h5")
        self.write("nan.xyz", WATER.format(energy="energy").replace("-0.25", "nan"))
        self.assert_error("nan.xyz: frame 0 (line 2): NaN or infinity in the forces of atom 1",
                          "convert", "nan.xyz", "-o", "data.h5")
        self.write("water.xyz", WATER.format(energy="energy"))
        self.assert_error("cannot write none/data.h5: the folder none does not exist",
                          "convert", "water.xyz", "-o", "none/data.h5")
        self.assert_error("data.json: expected an output that ends in .h5 (a data set), .shards (in several files) or .xyz (extended xyz)",
                          "convert", "water.xyz", "-o", "data.json")
        self.assert_error("--stress-sign: expected 'tension' or 'compression' (which of them is positive), found '-'",
                          "convert", "water.xyz", "-o", "data.h5", "--stress-sign", "-")

    def test_omol25_and_pubchemqcr(self):
        self.run_isotrope("convert", FORMATS / "rows.aselmdb", "-o", "a.h5", "--group", "{data_id}", "--level", "wB97M-V")
        with h5py.File(self.folder / "a.h5") as found, h5py.File(FORMATS / "expected_rows.h5") as expected:
            for name in ("offsets", "numbers", "positions", "forces", "energy", "charge", "multiplicity", "cell", "periodic", "stress"):
                np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
            names = found["group_names"].asstr()[:]
            self.assertEqual([names[i] for i in found["group"]], list(expected["group"].asstr()))
        self.run_isotrope("convert", FORMATS / "steps.lmdb", "-o", "b.h5", "--stage", "DFT_1st", "--level", "B3LYP")
        with h5py.File(self.folder / "b.h5") as found, h5py.File(FORMATS / "expected_steps.h5") as expected:
            for name in ("offsets", "numbers", "positions", "forces", "energy", "step"):
                np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
            self.assertFalse(found["has_charge"][:].any())
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["a.h5", "b.h5"])

    def test_bad_entries(self):
        # Of the random molecules some have an odd number of electrons.
        steps = FORMATS / "steps.lmdb"
        options = ("convert", steps, "-o", "data.h5", "--stage", "hf", "--charge", "0", "--multiplicity", "1")
        done = self.run_isotrope(*options, status=1)
        self.assertRegex(done.stderr.splitlines()[-1],
                         "steps.lmdb: key [0-9]{9} hf step 0: multiplicity 1 does not agree with [0-9]+ electrons")
        self.assertEqual(list(self.folder.iterdir()), [])
        done = self.run_isotrope(*options, "--on-error", "skip")
        lines = (self.folder / "data.h5.rejected.log").read_text().splitlines()
        self.assertIn(f"rejected      {len(lines)} entries, see data.h5.rejected.log", done.stdout)
        self.assertTrue(all("steps.lmdb: key 0" in line and "does not agree" in line for line in lines))
        info = self.json_of("info", "data.h5", "--json")
        total = self.run_isotrope("convert", steps, "-o", "all.h5", "--stage", "hf") and self.json_of("info", "all.h5", "--json")
        self.assertEqual(info["structures"] + len(lines), total["structures"])
        self.assertEqual(info["provenance"]["rejected"], len(lines))

    def test_deepmd_spice_and_ani(self):
        cases = [("deepmd", FORMATS / "deepmd/", ()), ("spice", FORMATS / "spice.h5", ("--format", "spice", "--charge-key", "smiles")),
                 ("ani1x", FORMATS / "ani1x.h5", ("--format", "ani", "--part", "2"))]
        for name, path, options in cases:
            self.run_isotrope("convert", path, "-o", "a.h5", "--level", "L", *options)
            with h5py.File(self.folder / "a.h5") as found, h5py.File(FORMATS / f"expected_{name}.h5") as expected:
                for member in ("offsets", "numbers", "positions", "forces", "energy", "cell", "periodic"):
                    np.testing.assert_array_equal(found[member], expected[member], err_msg=f"{name} {member}")
                names = found["group_names"].asstr()[:]
                self.assertEqual([names[i] for i in found["group"]], list(expected["group"].asstr()))
        with h5py.File(self.folder / "x.h5", "w") as file:
            group = file.create_group("h2")
            group["atomic_numbers"], group["conformations"] = [1, 1], np.zeros((1, 2, 3))
            group["conformations"].attrs["units"] = "nanometer"
        self.assert_error("x.h5:/h2/conformations: expected units of bohr or angstrom, found 'nanometer'",
                          "convert", "x.h5", "--format", "spice", "-o", "y.h5")
        with h5py.File(self.folder / "x.h5", "r+") as file:
            file["h2/conformations"][0, 1, 2] = 1.4
            file["h2/conformations"].attrs["units"] = "angstrom"
            file["h2/dft_total_energy"] = [-31.5]
            file["h2/dft_total_energy"].attrs["units"] = np.bytes_("eV")
        self.run_isotrope("convert", "x.h5", "--format", "spice", "-o", "y.h5")
        with h5py.File(self.folder / "y.h5") as file:
            self.assertEqual((file["positions"][1, 2], file["energy"][0]), (1.4, -31.5))
        self.assert_error("cannot open folder: it is a folder", "convert", self.made_folder(), "--format", "extxyz", "-o", "y.h5")

    def made_folder(self):
        (self.folder / "folder").mkdir()
        return "folder"

    def test_shards(self):
        source = SOURCE / "data/ethanol_test.h5"
        done = self.run_isotrope("convert", source, "-o", "set.shards", "--shard", "100", "--level", "L")
        self.assertIn("structures    281", done.stdout)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["set-00000.h5", "set-00001.h5", "set-00002.h5", "set.shards"])
        info = self.json_of("info", "set.shards", "--check", "--json")
        self.assertEqual((info["structures"], info["groups"]), (281, {"300K": 150, "600K": 90, "1000K": 41}))
        self.assertEqual(self.json_of("info", "set-00002.h5", "--json")["structures"], 81)
        self.run_isotrope("convert", "set.shards", "-o", "one.h5", "--level", "L")
        self.assertEqual(self.json_of("info", "one.h5", "--json")["content_hash"],
                         self.json_of("info", source, "--json")["content_hash"])
        model = SOURCE / "potentials/ethanol_b3lyp.h5"
        errors = [self.json_of("evaluate", model, data, "--json") for data in ("set.shards", "one.h5")]
        self.assertEqual(errors[0]["force_rmse_ev_per_angstrom"], errors[1]["force_rmse_ev_per_angstrom"])
        self.run_isotrope("info", "set.shards", "--report", "out")
        self.assert_error("x.h5: --shard needs an output that ends in .shards", "convert", source, "-o", "x.h5", "--shard", "10")
        (self.folder / "set-00001.h5").unlink()
        self.assert_error("set.shards: the shard set-00001.h5 is missing", "info", "set.shards")

    def test_rejections_are_in_the_census(self):
        self.write("water.xyz", 2 * WATER.format(energy="energy") + 3 * WATER.format(energy="energy").replace("-0.25", "nan"))
        done = self.run_isotrope("convert", "water.xyz", "-o", "data.h5", "--on-error", "skip")
        self.assertIn("rejected      3 entries, see data.h5.rejected.log\n  3 times  water.xyz: frame 2 (line 12): NaN or infinity in "
                      "the forces of atom 1\n", done.stdout)
        self.assertIn("  3 times  water.xyz: frame 2", self.run_isotrope("info", "data.h5", "--check").stdout)

    def test_duplicates(self):
        self.write("water.xyz", 3 * WATER.format(energy="energy"))
        done = self.run_isotrope("convert", "water.xyz", "-o", "data.h5")
        self.assertIn("duplicates    2 structures have the elements and positions of an earlier one", done.stdout)

    def test_ranks_make_the_same_file(self):
        options = (FORMATS / "rows.aselmdb", FORMATS / "rows.aselmdb", "--part", "5", "--split", "group", "--split-ratios", "0.5,0,0.5",
                   "--group", "{data_id}", "-o")
        self.run_isotrope("convert", *options, "one.h5")
        if not MPIRUN.exists():
            self.skipTest("no MPI")
        done = subprocess.run([MPIRUN, "-n", "2", ISOTROPE, "convert", *options, "two.h5"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("structures    44", done.stdout)
        one, two = (self.json_of("info", name, "--json") for name in ("one.h5", "two.h5"))
        self.assertEqual(one["content_hash"], two["content_hash"])
        self.assertEqual(one["provenance"], two["provenance"])
        bad = subprocess.run([MPIRUN, "-n", "2", ISOTROPE, "convert", *options, "x.h5", "--multiplicity-key", "none"], cwd=self.folder,
                             capture_output=True, text=True)
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn("no multiplicity ('none' in data)", bad.stderr)
        self.assertFalse((self.folder / "x.h5").exists())

    def test_split_of_the_benchmark(self):
        """The rule in Python: shuffle the trajectories that have a step, int(ratio n) for each set, the rest for the test."""
        self.run_isotrope("convert", FORMATS / "steps.lmdb", "-o", "data.h5", "--stage", "DFT_1st", "--split", "pubchemqcr",
                          "--split-ratios", "0.6,0.2,0.2")
        with h5py.File(self.folder / "data.h5") as data:
            sets, groups = (data[f"{name}_names"].asstr()[:][data[name][:]] for name in ("split", "group"))
        trajectories = list(dict.fromkeys(groups))
        n = len(trajectories)
        order = list(range(n))
        random.seed(42)
        random.shuffle(order)
        train, validation = int(0.6 * n), int(0.2 * n)
        expected = {trajectories[i]: "train" if k < train else "validation" if k < train + validation else "test"
                    for k, i in enumerate(order)}
        self.assertEqual(list(sets), [expected[group] for group in groups])

    def test_goes_on_after_a_kill(self):
        source = FORMATS / "rows.aselmdb"
        options = ["convert", *[source] * 40, "-o", "data.h5", "--part", "1"]
        self.run_isotrope(*options[:41], "-o", "whole.h5")
        running = subprocess.Popen([ISOTROPE, *map(str, options)], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        parts = self.folder / "data.h5.parts"
        while len(list(parts.glob("*.h5"))) < 20:
            self.assertIsNone(running.poll())
        running.kill()
        running.wait()
        self.assertFalse((self.folder / "data.h5").exists())
        self.assert_error("data.h5.parts holds an unfinished conversion of other files or with other options: repeat that one "
                          "to go on with it, or remove the folder to start over", *options, "--charge", "0")
        (parts / "000003.h5").write_bytes((parts / "000003.h5").read_bytes()[:1000])  # as a power cut leaves it
        done = self.run_isotrope(*options)
        self.assertRegex(done.stderr, "going on with data.h5.parts: [0-9]+ of 880 parts are done")
        self.assertIn("000003.h5", done.stderr)
        whole, resumed = (self.json_of("info", name, "--json") for name in ("whole.h5", "data.h5"))
        self.assertEqual(whole["content_hash"], resumed["content_hash"])
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["data.h5", "whole.h5"])

    def test_killed_in_its_only_part(self):
        """What a killed run leaves is cleared away by the next."""
        source = FORMATS / "rows.aselmdb"
        self.run_isotrope("convert", source, "-o", "whole.h5")
        # Writing beyond the limit ends the program by a signal that it does not catch, in the middle of its only part.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))  # noqa: E731
        killed = subprocess.run([ISOTROPE, "convert", source, "-o", "data.h5"], cwd=self.folder, capture_output=True, preexec_fn=limit)
        self.assertEqual(killed.returncode, -signal.SIGXFSZ)
        self.assertFalse((self.folder / "data.h5").exists())
        self.assertTrue(any("tmp" in path.name for path in (self.folder / "data.h5.parts").iterdir()))
        self.run_isotrope("convert", source, "-o", "data.h5")
        whole, again = (self.json_of("info", name, "--json") for name in ("whole.h5", "data.h5"))
        self.assertEqual(whole["content_hash"], again["content_hash"])
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["data.h5", "whole.h5"])

    def test_full_disk(self):
        """Writes beyond a limit fail, as on a full disk: in the only part, in one of several, and when they are joined."""
        def limited(bytes_of_a_file):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_of_a_file, bytes_of_a_file))

        sources = [FORMATS / "rows.aselmdb"] * 5
        for inputs, options, limit, kept in [(sources[:1], [], 20000, False), (sources, [], 20000, False), (sources, ["--part", "4"], 90000, True)]:
            self.run_isotrope("convert", *inputs, "-o", "whole.h5", *options)
            command = [ISOTROPE, "convert", *inputs, "-o", "data.h5", *options]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, preexec_fn=lambda: limited(limit),
                                  restore_signals=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr.splitlines()[-1], r"isotrope: error: .*disk full")
            self.assertFalse((self.folder / "data.h5").exists())
            self.assertEqual((self.folder / "data.h5.parts").exists(), kept)
            done = self.run_isotrope(*command[1:])  # now there is room
            self.assertEqual("going on with data.h5.parts" in done.stderr, kept)
            whole, again = (self.json_of("info", name, "--json") for name in ("whole.h5", "data.h5"))
            self.assertEqual(whole["content_hash"], again["content_hash"])
            (self.folder / "data.h5").unlink()

    def test_numbers_through_extended_xyz(self):
        """Text with all digits: the same bits there and back, labels and all."""
        for source, options in [("rows.aselmdb", ["--group", "{data_id}"]), ("steps.lmdb", ["--stage", "hf"])]:
            self.run_isotrope("convert", FORMATS / source, "-o", "first.h5", *options)
            self.run_isotrope("convert", "first.h5", "-o", "text.xyz")
            self.run_isotrope("convert", "text.xyz", "-o", "second.h5", "--group", "{group}")
            first, second = (self.json_of("info", name, "--json") for name in ("first.h5", "second.h5"))
            self.assertEqual(first["content_hash"], second["content_hash"])

    def test_split_and_error_options(self):
        self.write("water.xyz", WATER.format(energy="energy"))
        for options, message in [
                (["--split", "group"], "--split group: say --split-ratios, for example 0.8,0.1,0.1 (train, validation, test)"),
                (["--split", "random"], "--split: expected structure, group, pubchemqcr or a file of ids that ends in .json, found 'random'"),
                (["--split-ratios", "1,0,0"], "--split-ratios needs --split structure, group or pubchemqcr"),
                (["--split", "ids.json"], "cannot open ids.json: file not found"),
                (["--on-error", "go"], "--on-error: expected 'stop' or 'skip', found 'go'")]:
            self.assert_error(message, "convert", "water.xyz", "-o", "data.h5", *options)


main()
