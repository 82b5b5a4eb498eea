# SPDX-License-Identifier: MIT
"""Atoms that change ranks, come and go: every step's forces are those of a fresh start from the same positions."""
import unittest

import numpy as np
from lammps_run import MODELS, Run, random_system, rms

CELL = np.diag([13.0, 11.0, 10.0])
MODEL = {"model": MODELS / "l1_c20_three_layers.h5", "elements": "O Al Cu"}
STYLES = {"brick": ("", "", "shift xyz 5 1.0"), "tiled": ("comm_style tiled", "balance 1.0 rcb", "rcb")}


class ChangingGhosts(unittest.TestCase):
    def check_fresh_start(self, run):
        """The last frame of a run, and the same atoms after a new setup."""
        rows, found, fresh = run.thermo(), run.atoms("end"), run.atoms("fresh")
        self.assertEqual(len(found.id), len(fresh.id))
        self.assertLessEqual(abs(rows[1]["PotEng"] - rows[2]["PotEng"]), 1e-9)
        self.assertLessEqual(np.abs(found.forces - fresh.forces).max(), 1e-9 * rms(fresh.forces))
        self.assertLessEqual(np.abs(found.virial - fresh.virial).max(), 1e-9)
        self.assertGreater(rms(fresh.forces), 1e-2)
        return found

    def runs(self, system, steps, *lines):
        """`steps` steps of the fixes in `lines` on one, two and four ranks, domains balanced between them, then a new setup."""
        for style, (before, after, balance) in STYLES.items():
            for ranks in (1, 2, 4):
                run = Run(ranks).start(system, before=before, **MODEL).add(after, "neighbor 0.3 bin", *lines)
                run.add("neigh_modify delay 0 every 1 check yes", f"fix b all balance 7 1.0 {balance}")
                run.measure("end", lines=(f"dump_modify end delay {steps}", f"thermo {steps}", f"run {steps}", "undump end"))
                run.dump("fresh").add("run 0")
                with self.subTest(style=style, ranks=ranks):
                    yield run.go(), self.check_fresh_start(run)

    def test_atoms_move_between_ranks(self):
        """Hot atoms: the forces are those on one rank, too."""
        system, one = random_system(60, CELL, 21, closest=1.8), None
        for run, found in self.runs(system, 60, "velocity all create 20000 5", "fix n all nve", "timestep 0.001"):
            self.assertGreater(int(run.output.split("Neighbor list builds =")[1].split()[0]), 5)
            one = one or found
            self.assertLessEqual(np.abs(found.forces - one.forces).max(), 1e-6 * rms(one.forces))

    def test_atoms_come_and_go(self):
        """Lists are built several times within a step."""
        system = random_system(40, CELL, 22, closest=1.8)
        for _, found in self.runs(system, 12, "fix mc all gcmc 2 6 6 3 77 20000 -3 0.5 full_energy overlap_cutoff 1.2"):
            self.assertGreater(abs(len(found.id) - len(system.types)), 2)


if __name__ == "__main__":
    unittest.main()
