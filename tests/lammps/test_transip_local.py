# SPDX-License-Identifier: MIT
"""The local variant of TransIP: the same numbers on any number of ranks, in periodic boxes and without, and the twin's."""
import unittest
from pathlib import Path

import h5py
import numpy as np
from lammps_run import SYMBOLS, Run, System, random_system, rms

MODELS = Path(__file__).resolve().parent.parent / "data/transip"
MODEL = MODELS / "local.h5"  # H C O, 2.6 Å


def lattice(edge, seed):
    """edge^3 atoms, 1.4 Å apart and shaken."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.arange(edge)] * 3), -1).reshape(-1, 3)
    return System(1 + rng.integers(0, 3, len(places)), 1.4 * (places + 0.5) + 0.15 * rng.normal(size=places.shape),
                  np.diag([1.4 * edge] * 3))


BOXES = {"2197 atoms": lattice(13, 1),
         "triclinic": random_system(40, [[8.5, 0, 0], [2.5, 8.0, 0], [-1.8, 3.0, 9.0]], 72, closest=1.2),
         "small": random_system(9, [[4.1, 0, 0], [0.7, 3.6, 0], [-0.4, 1.1, 4.5]], 73, closest=1.2),
         "empty rank": random_system(20, np.diag([40.0, 40.0, 40.0]), 74, closest=1.2, boundary="f f p",
                                     region=((0.01, 0.01, 0.01), (0.12, 0.12, 0.2)))}
STYLE = "isotrope precision double charge {} multiplicity {}"


class Local(unittest.TestCase):
    def runs(self, model, collect):
        """collect(run, name, newton) after one run a number of ranks."""
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for name, system in BOXES.items():
                for newton in ("on", "off"):
                    multiplicity = 1 if self.electrons(system) % 2 == 0 else 2
                    run.start(system, model, "H C O", STYLE.format(0, multiplicity), before=f"newton {newton}")
                    run.measure_forces(f"{name.replace(' ', '_')}_{newton}") if "direct" in model.name else run.measure(
                        f"{name.replace(' ', '_')}_{newton}")
            run.go()
            for name in BOXES:
                for newton in ("on", "off"):
                    collect(run, name, newton, f"{name.replace(' ', '_')}_{newton}")

    @staticmethod
    def electrons(system):
        return sum((1, 6, 8)[t - 1] for t in system.types)

    def test_every_decomposition(self):
        base = {}

        def compare(run, name, newton, dump):
            found = run.atoms(dump)
            first = base.setdefault(name, found)
            self.assertGreater(rms(first.forces), 1e-3, "a comparison of nothing")
            with self.subTest(name=name, ranks=run.ranks, newton=newton):
                self.assertLessEqual(np.abs(found.forces - first.forces).max(), 1e-12 * max(1, rms(first.forces)))
                self.assertLessEqual(np.abs(found.energy - first.energy).max(), 1e-12)
                self.assertLessEqual(np.abs(found.virial - first.virial).max(), 1e-11)
        self.runs(MODEL, compare)

    def test_direct_forces_on_every_decomposition(self):
        base = {}

        def compare(run, name, newton, dump):
            found = run.forces(dump)
            first = base.setdefault(name, found)
            with self.subTest(name=name, ranks=run.ranks, newton=newton):
                self.assertLessEqual(np.abs(found - first).max(), 1e-12 * max(1, rms(first)))
        self.runs(MODELS / "local_direct.h5", compare)

    def test_the_twin_agrees(self):
        with h5py.File(MODELS / "local_expected.h5") as file:
            for group in file["structures"].values():
                if "cell" in group or len(group["numbers"]) < 2:
                    continue
                numbers, elements = group["numbers"][:], sorted(set(group["numbers"][:]))
                system = System(1 + np.array([elements.index(z) for z in numbers]), group["positions"][:] + 10,
                                np.diag([30.0, 30.0, 30.0]), "f f f")
                style = STYLE.format(group["charge"][()], group["multiplicity"][()])
                run = Run(2).start(system, MODEL, " ".join(SYMBOLS[z] for z in elements), style)
                run.measure_forces("one").go()
                with self.subTest(group.attrs["name"]):
                    self.assertLess(np.abs(run.forces("one") - group["forces"][:]).max(), 1e-12)


if __name__ == "__main__":
    unittest.main()
