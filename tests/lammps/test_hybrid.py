# SPDX-License-Identifier: MIT
"""Beside other pair styles: hybrid with NULL types, hybrid/overlay, buffers that LAMMPS sizes for the other style."""
import unittest

import numpy as np
from lammps_run import MODEL, MODELS, Run, System, random_system, rms

BOX = [[10.0, 0, 0], [1.5, 9.5, 0], [-1.0, 2.0, 10.5]]
WIDE = MODELS / "l1_c20_three_layers.h5"  # O Al Cu, 3.8 Å, three layers


class Hybrid(unittest.TestCase):
    def compare(self, found, expected, atoms=slice(None)):
        scale = rms(expected.forces)
        self.assertGreater(scale, 1e-2)
        self.assertLessEqual(np.abs(found.forces[atoms] - expected.forces).max(), 1e-10 * scale)
        self.assertLessEqual(np.abs(found.energy[atoms] - expected.energy).max(), 1e-10)
        self.assertLessEqual(np.abs(found.centroid[atoms] - expected.centroid).max(), 1e-10)
        self.assertLessEqual(np.abs(found.virial[atoms] - expected.virial).max(), 1e-10)

    def test_null_types_are_not_there(self):
        """Types 1, 2 are the model's; type 3 has lj/cut. Without the third type the model says the same."""
        system = random_system(48, BOX, 21, closest=1.2)
        ours = system.types < 3
        subset = System(system.types[ours], system.positions[ours], system.cell)
        reference = Run().start(subset, elements="O C").measure("subset").go().atoms("subset")
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for newton in ("on", "off"):
                lj = "lj/cut 3.0"
                run.start(system, style=f"hybrid isotrope {lj}", before=f"newton {newton}",
                          coefficients=[f"* * isotrope {MODEL} O C NULL", "1*3 3 lj/cut 0.0 1.0"]).measure(newton)
            run.go()
            for newton in ("on", "off"):
                with self.subTest(ranks=ranks, newton=newton):
                    found = run.atoms(newton)
                    self.compare(found, reference, ours)
                    self.assertLessEqual(np.abs(found.forces[~ours]).max(), 0)
                    self.assertLessEqual(np.abs(found.energy[~ours]).max(), 0)

    def test_overlay_adds(self):
        """Model + lj/cut = model alone + lj/cut alone, with the style that knows no halo in front."""
        system = random_system(40, BOX, 22, closest=1.3)
        alone = Run().start(system).measure_forces("model")
        alone.start(system, style="lj/cut 4.0", coefficients=["* * 0.02 2.0"]).measure_forces("lj").go()
        expected = alone.forces("model") + alone.forces("lj")
        self.assertGreater(rms(alone.forces("lj")), 1e-2)
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for newton in ("on", "off"):
                run.start(system, style="hybrid/overlay lj/cut 4.0 isotrope", before=f"newton {newton}",
                          coefficients=["* * lj/cut 0.02 2.0", f"* * isotrope {MODEL} H C O"]).measure_forces(newton)
            self.check_forces(run.go(), expected)

    def check_forces(self, run, expected):
        for newton in ("on", "off"):
            with self.subTest(ranks=run.ranks, newton=newton):
                self.assertLessEqual(np.abs(run.forces(newton) - expected).max(), 1e-10 * rms(expected))

    def test_two_models_of_different_width(self):
        """Narrow and wide model over the same atoms: types are O Al for one and H C for the other."""
        system = random_system(40, BOX, 23, closest=1.3, types=2)
        single = Run().start(system, elements="H C").measure_forces("narrow")
        single.start(system, model=WIDE, elements="O Al").measure_forces("wide").go()
        expected = single.forces("narrow") + single.forces("wide")
        self.assertGreater(min(rms(single.forces("narrow")), rms(single.forces("wide"))), 1e-2)
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for newton in ("on", "off"):
                run.start(system, style="hybrid/overlay isotrope isotrope precision double", before=f"newton {newton}",
                          coefficients=[f"* * isotrope 1 {MODEL} H C", f"* * isotrope 2 {WIDE} O Al"])
                run.measure_forces(newton)
            self.check_forces(run.go(), expected)

    def test_null_alone_is_refused(self):
        run = Run().start(random_system(6, BOX, 24), elements="H NULL O").execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("isotrope: NULL in pair_coeff leaves an atom type to another pair style, but this is the only one", run.output)


if __name__ == "__main__":
    unittest.main()
