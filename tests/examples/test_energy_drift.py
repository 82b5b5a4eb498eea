# SPDX-License-Identifier: MIT
"""scripts/energy_drift.py on series whose drift is known."""
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from energy_drift import energy_drift, mean_drift, read_run  # noqa: E402

ATOMS = 9
TIME = np.arange(2000) * 0.01


class EnergyDrift(unittest.TestCase):
    def test_a_line(self):
        drift = energy_drift(TIME, -4200 + ATOMS * 3e-5 * TIME, ATOMS)
        self.assertAlmostEqual(drift.slope, 3e-5, delta=1e-11)
        self.assertLess(drift.sigma, 1e-10)
        self.assertAlmostEqual(drift.duration, 19.99)

    def test_vibrations_do_not_drift(self):
        drift = energy_drift(TIME, -4200 + ATOMS * 1e-3 * np.sin(60 * TIME), ATOMS)
        self.assertLess(abs(drift.slope), 1e-6)
        self.assertAlmostEqual(drift.fluctuation, 1e-3 / np.sqrt(2), delta=1e-5)

    def test_sigma_is_the_scatter_of_the_slope(self):
        rng = np.random.default_rng(0)
        drifts = [energy_drift(TIME, ATOMS * rng.normal(size=len(TIME)), ATOMS) for _ in range(400)]
        scatter = np.std([drift.slope for drift in drifts])
        sigma = np.sqrt(np.mean([drift.sigma**2 for drift in drifts]))
        self.assertAlmostEqual(sigma / scatter, 1, delta=0.15)

    def test_several_runs_together(self):
        """The mean of many runs that scatter about a slope is that slope within its error, which scatters as stated."""
        rng = np.random.default_rng(1)
        means = [mean_drift([energy_drift(TIME, ATOMS * (1e-4 * TIME + rng.normal(size=len(TIME))), ATOMS) for _ in range(10)])
                 for _ in range(40)]
        deviations = np.array([(mean.slope - 1e-4) / mean.sigma for mean in means])
        self.assertLess(abs(deviations.mean()), 0.6)
        self.assertAlmostEqual(deviations.std(), 1.13, delta=0.4)  # Student's t with 9 degrees of freedom
        self.assertAlmostEqual(means[0].duration, 199.9)

    def test_an_exploded_run_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "nve.csv"
            path.write_text("time_ps,conserved_energy_ev,atoms\n0,-1,9\n0.1,nan,9\n")
            with self.assertRaisesRegex(SystemExit, "exploded"):
                read_run(path)
            path.write_text("time_ps,atoms\n0,9\n")
            with self.assertRaisesRegex(SystemExit, "conserved_energy_ev"):
                read_run(path)

    def test_too_few_samples(self):
        with self.assertRaisesRegex(SystemExit, "blocks"):
            energy_drift(TIME[:30], TIME[:30], ATOMS)


if __name__ == "__main__":
    unittest.main()
