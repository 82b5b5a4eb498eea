# SPDX-License-Identifier: MIT
import h5py
import numpy as np

from support import CommandLineTest, main

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
        self.assert_error("water.dat: the format cannot be told from the name: say --format (extxyz, isotrope, omol25, pubchemqcr)",
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
        self.assert_error("data.json: expected an output that ends in .h5 (a data set) or .xyz (extended xyz)",
                          "convert", "water.xyz", "-o", "data.json")
        self.assert_error("--stress-sign: expected 'tension' or 'compression' (which of them is positive), found '-'",
                          "convert", "water.xyz", "-o", "data.h5", "--stress-sign", "-")


main()
