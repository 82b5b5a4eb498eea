# SPDX-License-Identifier: MIT
import csv
import json
import math
import subprocess
import sys

import h5py
import numpy as np

from support import SOURCE, CommandLineTest, main

MODEL = SOURCE / "tests/data/mace/l1_c12.h5"
DATA = SOURCE / "data/ethanol_test.h5"
KEYS = ["energy_mae_ev_per_atom", "energy_rmse_ev_per_atom", "energy_rmse_ev", "force_mae_ev_per_angstrom",
        "force_rmse_ev_per_angstrom", "structures"]
WATER = """3
Properties=species:S:1:pos:R:3{forces_column} {energy}config_type=H2O group=300K
O 0.0 0.0 0.1{forces}
H 0.0 0.75 -0.5{forces}
H 0.0 -0.75 -0.5{forces}
"""


def water(energy=None, forces=None):
    return WATER.format(energy="" if energy is None else f"energy={energy} ",
                        forces_column="" if forces is None else ":forces:R:3",
                        forces="" if forces is None else " " + forces)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class TestEvaluate(CommandLineTest):
    def test_errors_are_those_of_the_tables(self):
        done = self.run_isotrope("evaluate", MODEL, DATA, "--report", "report", "--json", "errors.json")
        self.assertRegex(done.stdout, r"\n300K +150 .*\n600K +90 .*\n1000K +41 .*\ntotal +281 ")
        result = json.loads((self.folder / "errors.json").read_text())
        self.assertEqual(result, json.loads((self.folder / "report/summary.json").read_text()))
        self.assertEqual(sorted(result["groups"]), ["1000K", "300K", "600K"])
        self.assertEqual(result["labels"], {"energy": 281, "forces": 281, "stress": 0})
        self.assertIsNone(result["stress_mae_ev_per_cubic_angstrom"])
        structures, atoms = rows_of(self.folder / "report/energies.csv"), rows_of(self.folder / "report/forces.csv")
        self.assertEqual((len(structures), len(atoms)), (281, 2529))
        for group, found in [(None, result), *result["groups"].items()]:
            mine = [row for row in structures if group in (None, row["group"])]
            error = np.array([float(row["predicted_ev"]) - float(row["reference_ev"]) for row in mine])
            size = np.array([int(row["atoms"]) for row in mine])
            force = np.array([[float(row["predicted_" + x]) - float(row["reference_" + x]) for x in "xyz"]
                              for row in atoms if group in (None, row["group"])])
            expected = [np.abs(error / size).mean(), np.sqrt(((error / size) ** 2).mean()), np.sqrt((error**2).mean()),
                        np.abs(force).mean(), np.sqrt((force**2).mean()), len(mine)]
            np.testing.assert_allclose([found[key] for key in KEYS], expected, rtol=1e-10)
        with h5py.File(DATA) as data:
            np.testing.assert_allclose([float(row["reference_ev"]) for row in structures], data["energy"], rtol=1e-15)
            reference = [[float(row["reference_" + x]) for x in "xyz"] for row in atoms]
            np.testing.assert_array_equal(reference, data["forces"])

    def test_batches_precision_and_groups(self):
        whole = self.json_of("evaluate", MODEL, DATA, "--json")
        single = self.json_of("evaluate", MODEL, DATA, "--batch-atoms", 1, "--group-by", "none", "--json")
        np.testing.assert_allclose([single[key] for key in KEYS], [whole[key] for key in KEYS], rtol=1e-12)
        self.assertEqual(single["groups"], {})
        molecules = self.json_of("evaluate", MODEL, DATA, "--group-by", "config_type", "--json")
        self.assertEqual(list(molecules["groups"]), ["CH3CH2OH"])
        rough = self.json_of("evaluate", MODEL, DATA, "--precision", "single", "--json")
        self.assertEqual((whole["precision"], rough["precision"]), ("double", "single"))
        self.assertNotEqual(rough["force_mae_ev_per_angstrom"], whole["force_mae_ev_per_angstrom"])
        self.assertTrue(math.isclose(rough["force_mae_ev_per_angstrom"], whole["force_mae_ev_per_angstrom"], rel_tol=1e-4))

    def test_radial_tables(self):
        exact, tabulated = (self.json_of("evaluate", MODEL, DATA, "--radial", radial, "--json") for radial in ("exact", "tabulated"))
        self.assertEqual((exact["radial"], tabulated["radial"]), ("exact", "tabulated"))
        difference = abs(exact["force_rmse_ev_per_angstrom"] - tabulated["force_rmse_ev_per_angstrom"])
        self.assertTrue(0 < difference <= 1e-5, difference)
        self.assertEqual(self.json_of("evaluate", MODEL, DATA, "--json")["radial"], "exact")
        self.assert_error("--radial: expected 'exact' or 'tabulated', found 'spline'", "evaluate", MODEL, DATA, "--radial", "spline")

    def test_missing_labels_are_counted_and_said(self):
        self.write("some.xyz", water(energy=-2079.5) + water(energy=-2079, forces="0 0 0") + water())
        done = self.run_isotrope("evaluate", MODEL, "some.xyz", "--json", "errors.json", "--report", "report")
        self.assertIn("1 of 3 structures have no energy: they do not enter its errors", done.stderr)
        self.assertIn("2 of 3 structures have no forces: they do not enter its errors", done.stderr)
        result = json.loads((self.folder / "errors.json").read_text())
        self.assertEqual(result["labels"], {"energy": 2, "forces": 1, "stress": 0})
        self.assertEqual([row["reference_ev"] for row in rows_of(self.folder / "report/energies.csv")],
                         ["-2079.5", "-2079", ""])
        self.write("forces.xyz", water(forces="0 0 0"))
        self.assertIsNone(self.json_of("evaluate", MODEL, "forces.xyz", "--json")["energy_mae_ev_per_atom"])

    def test_bad_input(self):
        self.write("bare.xyz", water())
        self.assert_error("bare.xyz: none of its 1 structures has energy, forces or stress: nothing to compare with",
                          "evaluate", MODEL, "bare.xyz", "--report", "report")
        self.assertEqual(list((self.folder / "report").iterdir()), [])
        self.write("chlorine.xyz", water(energy=-1.0) + water(energy=-1.0).replace("\nO", "\nCl"))
        self.assert_error("chlorine.xyz: structure 1 has the element Cl, which the model does not know: it was "
                          "made for H, C, N, O", "evaluate", MODEL, "chlorine.xyz")
        self.write("empty.xyz", "")
        self.assert_error("empty.xyz: the file has no structures", "evaluate", MODEL, "empty.xyz")
        self.assert_error("cannot open none.h5: file not found", "evaluate", "none.h5", DATA)
        self.assert_error(f"{DATA}: expected a model as the first argument, found another HDF5 file", "evaluate", DATA, DATA)
        self.assert_error("--precision: expected 'single' or 'double', found 'half'", "evaluate", MODEL, DATA,
                          "--precision", "half")
        self.assert_error("--group-by: expected 'group', 'config_type' or 'none', found 'x'", "evaluate", MODEL, DATA,
                          "--group-by", "x")
        self.assert_error("--batch-atoms: expected 1 or more, found 0", "evaluate", MODEL, DATA, "--batch-atoms", 0)

    def test_picture(self):
        self.run_isotrope("evaluate", MODEL, DATA, "--report", "report")
        self.write("some.xyz", water(forces="0 0 0.1") + water())
        self.run_isotrope("evaluate", MODEL, "some.xyz", "--report", "few")
        for folder in ("report", "few"):
            done = subprocess.run([sys.executable, SOURCE / "scripts/plot_parity.py", self.folder / folder],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater((self.folder / folder / "parity.png").stat().st_size, 10000)


main()
