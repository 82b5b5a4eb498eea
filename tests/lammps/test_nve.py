# SPDX-License-Identifier: MIT
"""Molecular dynamics with the shipped potential of ethanol: the total energy neither drifts nor depends on more than the
square of the time step."""
import csv
import sys
import unittest
from pathlib import Path

import h5py
import numpy as np
from lammps_run import Run, System

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "potentials/ethanol_b3lyp.h5"
sys.path.insert(0, str(ROOT / "scripts"))
from energy_drift import energy_drift  # noqa: E402

TYPES = {6: 1, 1: 2, 8: 3}


def ethanol():
    """A snapshot of the 300 K trajectory, in a box that its images do not reach."""
    with h5py.File(ROOT / "data/ethanol_test.h5") as file:
        positions = file["positions"][:9] - file["positions"][:9].mean(axis=0) + 10
        return System(np.array([TYPES[z] for z in file["numbers"][:9]]), positions, 20 * np.eye(3))


def run_nve(seed, step, duration):
    """(time in ps, total energy in eV) of NVE at about 300 K."""
    run = Run().start(ethanol(), MODEL, "C H O")
    run.add("mass 1 12.011", "mass 2 1.008", "mass 3 15.999", f"velocity all create 300 {seed} mom yes rot yes",
            "fix integrate all nve", f"timestep {step}",
            # Densely, so that block averages take the vibrations out (a C-H bond swings in 11 fs).
            f'fix record all print {round(0.001 / step)} "$(step*dt:%.5f),$(etotal:%.12f)" file energy.csv '
            'title "time,energy" screen no', "thermo 100000", f"run {round(duration / step)}")
    run.go()
    with open(run.folder / "energy.csv", newline="") as file:
        rows = [(float(row["time"]), float(row["energy"])) for row in csv.DictReader(file)]
    return np.array(rows).T


class Nve(unittest.TestCase):
    def test_energy_does_not_drift(self):
        # The energy that velocity Verlet conserves differs from the true one by a term that oscillates with the bonds and
        # wanders as they exchange energy, 1e-4 eV/atom here: over 5 ps that may look like a slope of up to 2e-5 eV/atom/ps
        # (docs/performance.md has longer runs). Forces that were not the derivative of the energy would heat without bound.
        for seed in (1, 2):
            drift = energy_drift(*run_nve(seed, 0.0005, 5.0), 9)
            self.assertLessEqual(abs(drift.slope) + 2 * drift.sigma, 2e-5)
            self.assertLessEqual(drift.fluctuation, 2e-4)

    def test_fluctuation_is_of_second_order(self):
        coarse, fine = (energy_drift(*run_nve(1, step, 0.5), 9).fluctuation for step in (0.0005, 0.00025))
        self.assertGreater(fine, 0)
        self.assertLessEqual(abs(coarse / fine - 4), 0.4)


if __name__ == "__main__":
    unittest.main()
