# SPDX-License-Identifier: MIT
"""The same energies, forces and virials on 1, 2 and 4 ranks, whatever the box, newton and communication style."""
import unittest

import numpy as np
from lammps_run import CUTOFF, MODELS, NEQUIP_MODELS, PRESSURE, Run, random_system, rms

ORTHOGONAL = np.diag([11.0, 10.0, 9.5])
TRICLINIC = [[10.5, 0, 0], [2.5, 10.0, 0], [-1.8, 3.0, 11.0]]
SMALL = [[6.1, 0, 0], [0.7, 5.6, 0], [-0.4, 1.1, 6.5]]  # less than two cutoffs
SHORT = np.diag([3.3, 4.1, 12.0])                       # less than one
CORNER = np.diag([40.0, 40.0, 40.0])


def cases():
    """name -> system, lines before the box, lines after it."""
    orthogonal, triclinic = random_system(60, ORTHOGONAL, 1), random_system(60, TRICLINIC, 2)
    small, short = random_system(14, SMALL, 3), random_system(9, SHORT, 4)
    corner = random_system(30, CORNER, 5, boundary="f f p", region=((0.01, 0.01, 0.01), (0.2, 0.2, 0.3)))
    one = random_system(1, CORNER, 6)
    blocks = random_system(220, np.diag([17.0, 16.0, 15.5]), 7)  # several blocks of receivers on one rank, one on four
    off, mixed, tiled = "newton off", "newton off on", "comm_style tiled"
    rcb = "balance 1.0 rcb"
    return {
        "orthogonal": (orthogonal, "newton on", ""), "orthogonal_off": (orthogonal, off, ""),
        "orthogonal_mixed": (orthogonal, mixed, ""), "orthogonal_tiled": (orthogonal, tiled, rcb),
        "orthogonal_tiled_off": (orthogonal, f"{off}\n{tiled}", rcb),
        "triclinic": (triclinic, "newton on", ""), "triclinic_off": (triclinic, off, ""),
        "triclinic_tiled": (triclinic, tiled, rcb),
        "small": (small, "newton on", ""), "small_off": (small, off, ""), "short": (short, "newton on", ""),
        "empty_rank": (corner, "processors * 1 1", ""), "empty_rank_off": (corner, f"{off}\nprocessors * 1 1", ""),
        "empty_rank_tiled": (corner, f"{off}\n{tiled}\nprocessors * 1 1", ""),
        "one_atom": (one, "newton on", ""), "one_atom_off": (one, off, ""),
        "blocks": (blocks, "newton on", ""),
    }


class Ranks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runs = {}
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for name, (system, before, after) in cases().items():
                run.start(system, before=before, elements=" ".join("HCO"[:max(system.types)])).add(after).measure(name)
            cls.runs[ranks] = run.go()

    def check(self, name, reference):
        atoms = len(cases()[name][0].types)
        index = list(cases())
        base, totals = self.runs[1].atoms(reference), self.runs[1].thermo()[index.index(reference)]
        scale = rms(base.forces) if atoms > 1 else 1.0
        self.assertTrue(atoms == 1 or scale > 1e-2, "a comparison of nothing")
        for ranks, run in self.runs.items():
            with self.subTest(name=name, ranks=ranks):
                found, row = run.atoms(name), run.thermo()[index.index(name)]
                self.assertEqual(len(found.id), atoms)
                self.assertLessEqual(abs(row["c_E[1]"] - totals["c_E[1]"]) / atoms, 1e-12)
                self.assertLessEqual(np.abs(found.forces - base.forces).max(), 1e-10 * scale)
                self.assertLessEqual(np.abs(found.virial - base.virial).max(), 1e-10)
                self.assertLessEqual(np.abs(found.centroid - base.centroid).max(), 1e-10)
                self.assertLessEqual(np.abs(found.energy - base.energy).max(), 1e-11)

    def test_same_on_every_decomposition(self):
        for name in cases():
            self.check(name, reference=name.replace("_tiled", "").replace("_off", "").replace("_mixed", ""))

    def test_boxes_are_what_they_claim(self):
        self.assertLess(np.linalg.norm(SMALL, axis=1).max(), 2 * CUTOFF)
        self.assertLess(SHORT[0, 0], CUTOFF)
        self.assertEqual(self.fewest("empty_rank"), 0)
        self.assertGreater(self.fewest("orthogonal"), 0)

    def fewest(self, name):
        """Atoms on the emptiest of four ranks, from "Nlocal:  15 ave  20 max  10 min"."""
        lines = [line.split() for line in self.runs[4].output.splitlines() if line.startswith("Nlocal:")]
        return int(lines[list(cases()).index(name)][5])

    def test_totals_are_the_sums_over_atoms(self):
        for ranks, run in self.runs.items():
            for (name, (system, _, _)), row in zip(cases().items(), run.thermo()):
                with self.subTest(name=name, ranks=ranks):
                    atoms = run.atoms(name)
                    self.assertLessEqual(abs(atoms.energy.sum() - row["PotEng"]), 1e-9)
                    self.assertLessEqual(abs(row["c_E[1]"] + row["c_E[2]"] - row["PotEng"]), 1e-9)
                    pressure = np.array([row[f"c_P[{k}]"] for k in range(1, 7)])
                    virial = pressure * system.volume / PRESSURE
                    self.assertLessEqual(np.abs(atoms.virial.sum(axis=0) - virial).max(), 1e-9)
                    nine = atoms.centroid.sum(axis=0)
                    self.assertLessEqual(np.abs(nine[:6] - virial).max(), 1e-9)
                    self.assertLessEqual(np.abs(nine[6:] - virial[3:]).max(), 1e-9)
                    self.assertLessEqual(np.abs(atoms.forces.sum(axis=0)).max(), 1e-9)

    def test_single_precision(self):
        """Two floats travel in one double; this model has an odd number of them (5 channels, nine components)."""
        model, system = MODELS / "l2_c5_residual.h5", random_system(40, TRICLINIC, 7, types=2)
        options = {"model": model, "elements": "H O"}
        reference = Run().start(system, **options).measure("double").go().atoms("double").forces
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for newton in ("on", "off"):
                run.start(system, style="isotrope precision single", before=f"newton {newton}", **options).measure(newton)
            run.go()
            for newton in ("on", "off"):
                with self.subTest(ranks=ranks, newton=newton):
                    self.assertLessEqual(np.abs(run.atoms(newton).forces - reference).max(), 1e-4 * rms(reference))


class OtherModels(unittest.TestCase):
    """The same for a model of another architecture, whose layers exchange blocks of different widths, and for three
    layers of MACE: what ghosts show of the second is kept for the way back, on ranks without atoms too."""

    MODELS = {NEQUIP_MODELS / "so3_xplor.h5": "C H N", MODELS / "l1_c20_three_layers.h5": "O Al Cu"}

    def test_same_on_every_decomposition(self):
        cell = np.diag([12.0, 11.0, 10.0])
        systems = {"orthogonal": random_system(50, cell, 8), "triclinic": random_system(50, TRICLINIC, 9),
                   "empty": random_system(20, CORNER, 5, boundary="f f p", region=((0.01, 0.01, 0.01), (0.2, 0.2, 0.3)))}
        for model, elements in self.MODELS.items():
            for precision, tolerance in (("double", 1e-10), ("single", 1e-4)):
                self.check(systems, model, elements, precision, tolerance)

    def check(self, systems, model, elements, precision, tolerance):
        runs = {}
        for ranks in (1, 2, 4):
            runs[ranks] = Run(ranks)
            for name, system in systems.items():
                runs[ranks].start(system, model=model, elements=elements, style=f"isotrope precision {precision}",
                                  before="processors * 1 1").measure(name)
            runs[ranks].go()
        for name, system in systems.items():
            base = runs[1].atoms(name)
            self.assertGreater(rms(base.forces), 1e-2)
            for ranks in (2, 4):
                with self.subTest(name=name, ranks=ranks, precision=precision, model=model.stem):
                    found = runs[ranks].atoms(name)
                    scale = tolerance * rms(base.forces)
                    self.assertLessEqual(np.abs(found.forces - base.forces).max(), scale)
                    self.assertLessEqual(np.abs(found.virial - base.virial).max(), 10 * scale)
                    self.assertLessEqual(np.abs(found.energy - base.energy).max(), scale)


if __name__ == "__main__":
    unittest.main()
