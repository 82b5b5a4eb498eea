# SPDX-License-Identifier: MIT
"""LAMMPS with the fixtures of mace-torch and sevenn: the same energies, forces and stress to 1e-10."""
import unittest

import numpy as np
from lammps_run import MODELS, NEQUIP_MODELS, PRESSURE, Run, expected_structures, rms


class Expected(unittest.TestCase):
    def test_every_fixture(self):
        fixtures = sorted([*MODELS.glob("*_expected.h5"), *NEQUIP_MODELS.glob("*_expected.h5")])
        self.assertGreater(len(fixtures), 8)
        for path in fixtures:
            model = path.with_name(path.name.replace("_expected", ""))
            structures = expected_structures(model)
            if model.name.startswith("so3"):
                structures = [s for s in structures if not s.mirrored]
            for ranks in (1, 2):
                run = Run(ranks)
                for k, expected in enumerate(structures):
                    run.start(expected.system, model=model, elements=expected.elements).measure(f"k{k}")
                run.go()
                for k, (expected, row) in enumerate(zip(structures, run.thermo(), strict=True)):
                    with self.subTest(model=model.name, structure=expected.name, ranks=ranks):
                        self.compare(expected, run.atoms(f"k{k}"), row)

    def test_tabulated_radial_functions_are_close(self):
        model = MODELS / "l1_c12.h5"
        structures = expected_structures(model)
        run = Run(2)
        for k, expected in enumerate(structures):
            run.start(expected.system, model=model, elements=expected.elements,
                      style="isotrope precision double radial tabulated").measure(f"k{k}")
        run.go()
        self.assertRegex(run.output, r"radial functions from tables of \d+ knots, relative error \de-\d\d")
        errors = [np.abs(run.atoms(f"k{k}").forces - expected.forces).max() / max(1.0, rms(expected.forces))
                  for k, expected in enumerate(structures)]
        self.assertLessEqual(max(errors), 1e-5)
        self.assertGreater(max(errors), 1e-12)  # they are tables

    def compare(self, expected, found, row):
        atoms = len(expected.forces)
        self.assertLessEqual(abs(row["c_E[1]"] - expected.interaction) / atoms, 1e-10)
        self.assertLessEqual(np.abs(found.forces - expected.forces).max(), 1e-10 * max(1.0, rms(expected.forces)))
        if expected.stress is not None:
            six = expected.stress[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
            pressure = np.array([row[f"c_P[{k}]"] for k in range(1, 7)])
            self.assertLessEqual(np.abs(pressure / PRESSURE + six).max(), 1e-10 * max(1.0, rms(six)))


if __name__ == "__main__":
    unittest.main()
