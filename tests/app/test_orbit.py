# SPDX-License-Identifier: MIT
import csv
import json
import subprocess
import sys

import numpy as np

from support import SOURCE, CommandLineTest, main

MODEL = SOURCE / "tests/data/mace/l1_c12.h5"
DATA = SOURCE / "data/ethanol_test.h5"
ORBITS = {"rotation": 3 * 8 * 5, "reflection": 3 * 4 * 2, "translation": 63, "permutation": 64}
COLUMNS = {"energy_ev": "energy_{}_ev", "force_ev_per_angstrom": "force_{}_ev_per_angstrom"}


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class TestOrbit(CommandLineTest):
    def test_an_exact_model_is_flat_and_the_summary_is_that_of_the_tables(self):
        done = self.run_isotrope("orbit", MODEL, DATA, "--structures", 3, "--step", 45, "--report", "report", "--json",
                                 "orbit.json")
        result = json.loads((self.folder / "orbit.json").read_text())
        self.assertEqual(result, json.loads((self.folder / "report/summary.json").read_text()))
        self.assertEqual((result["structures"], result["step_degrees"]), (3, 45))
        self.assertEqual(list(result["groups"]), sorted(ORBITS))
        for name, elements in ORBITS.items():
            group = result["groups"][name]
            self.assertEqual(group["elements"], elements)
            self.assertRegex(done.stdout, rf"\n{name} +{elements}  consensus .*\n{name} +{elements}  labels ")
            rows = rows_of(self.folder / f"report/{name}.csv")
            self.assertEqual(len(rows), 3 * elements)
            for key, column in COLUMNS.items():
                self.assertLess(group[key]["max"], 1e-9)
                self.assertLess(group["against_labels"][key]["std"], 1e-9)
                for against, found in [("consensus", group[key]), ("label", group["against_labels"][key])]:
                    errors = np.array([float(row[column.format(against)]) for row in rows]).reshape(3, elements)
                    expected = [errors.mean(), errors.max(), np.sqrt(errors.var(axis=1).mean())]
                    # Of differences that are all 4,000 eV the std is rounding.
                    np.testing.assert_allclose([found[word] for word in ("mean", "max", "std")], expected, rtol=1e-7,
                                               atol=1e-14 * max(1, errors.max()))

    def test_errors_against_labels_are_those_of_evaluate(self):
        self.run_isotrope("convert", DATA, "-o", "all.xyz")
        few = 12 * (2 + 9)  # lines
        self.write("few.xyz", "".join((self.folder / "all.xyz").read_text().splitlines(keepends=True)[:few]))
        orbit = self.json_of("orbit", MODEL, "few.xyz", "--structures", 0, "--step", 180, "--json")
        errors = self.json_of("evaluate", MODEL, "few.xyz", "--json")
        labels = orbit["groups"]["rotation"]["against_labels"]
        self.assertEqual(orbit["structures"], 12)
        np.testing.assert_allclose(labels["energy_ev"]["mean"], 9 * errors["energy_mae_ev_per_atom"], rtol=1e-9)
        self.assertGreater(labels["force_ev_per_angstrom"]["mean"], errors["force_mae_ev_per_angstrom"])

    def test_missing_labels(self):
        self.write("water.xyz", "3\n\nO 0 0 0\nH 0 0.8 0.5\nH 0 -0.8 0.5\n")
        done = self.run_isotrope("orbit", MODEL, "water.xyz", "--step", 90, "--json", "orbit.json")
        self.assertNotIn("labels", done.stdout)
        labels = json.loads((self.folder / "orbit.json").read_text())["groups"]["rotation"]["against_labels"]
        self.assertEqual(labels["energy_ev"], {"mean": None, "max": None, "std": None})

    def test_bad_input(self):
        self.write("atom.xyz", "1\n\nO 0 0 0\n")
        self.assert_error("atom.xyz: expected structures of two atoms or more, found none", "orbit", MODEL, "atom.xyz")
        self.write("salt.xyz", "2\n\nNa 0 0 0\nCl 0 0 2.4\n")
        self.assert_error("salt.xyz: structure 0 has the element Na, which the model does not know: it was made for H, C, "
                          "N, O", "orbit", MODEL, "salt.xyz")
        self.assert_error("--step: expected a divisor of 180 degrees, found 7", "orbit", MODEL, DATA, "--step", 7)
        self.assert_error("--structures: expected 0 (all) or more, found -1", "orbit", MODEL, DATA, "--structures", -1)

    def plot(self, *arguments, status=0):
        done = subprocess.run([sys.executable, SOURCE / "scripts/plot_orbit.py", *map(str, arguments)], cwd=self.folder,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_picture(self):
        self.run_isotrope("orbit", MODEL, DATA, "--structures", 4, "--step", 45, "--report", "report")
        for arguments in (["report"], ["report", "--against", "label", "--structure", 0]):
            self.plot(*arguments)
            self.assertGreater((self.folder / "report/orbit.png").stat().st_size, 10000)
            (self.folder / "report/orbit.png").unlink()
        self.assertIn("structure 1 is not in the report", self.plot("report", "--structure", 1, status=1).stderr)
        self.write("water.xyz", "3\n\nO 0 0 0\nH 0 0.8 0.5\nH 0 -0.8 0.5\n")
        self.run_isotrope("orbit", MODEL, "water.xyz", "--step", 90, "--report", "few")
        self.plot("few")
        self.assertIn("nothing to draw", self.plot("few", "--against", "label", status=1).stderr)


main()
