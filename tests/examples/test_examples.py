# SPDX-License-Identifier: MIT
"""The inputs and configurations of examples/ run as they are, for a few steps."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
MODEL = ROOT / "tests/data/mace/l1_c12.h5"  # H C N O
TDN = ROOT / "potentials/ethanol_b3lyp_tdn.h5"  # H C O, both kinds of forces
SALT_MODEL = ROOT / "tests/data/nequip/so3_modality.h5"  # Na Cl, random weights
BIN = Path(os.environ["ISOTROPE_VENV"]) / "bin"
sys.path.insert(0, str(ROOT / "scripts"))
from energy_drift import read_run  # noqa: E402
from plot_rdf import read_rdf  # noqa: E402

STEPS = 40


def lammps(script, ranks, out, model=MODEL, variables=(), steps=STEPS):
    """Runs an input in its folder; hands back its output."""
    command = [BIN / "mpiexec", "-n", str(ranks), BIN / "lmp", "-in", script.name, "-log", "none",
               "-var", "plugin", os.environ["ISOTROPE_PLUGIN"], "-var", "model", model, "-var", "steps", str(steps),
               "-var", "out", out, *variables]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, timeout=240)
    if done.returncode != 0 or "WARNING" in done.stdout:
        raise AssertionError(f"{script}: exit code {done.returncode}\n{done.stderr}\n{done.stdout[-3000:]}")
    return done.stdout


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="isotrope_examples_")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_lammps_inputs(self):
        scripts = sorted(path for path in EXAMPLES.glob("*/in.*") if path.parent.name != "05_nacl_sevennet")
        self.assertGreaterEqual(len(scripts), 4)
        for script in scripts:
            with self.subTest(script=script.name):
                out = self.folder / f"{script.name}.csv"
                lammps(script, 2 if script.name == "in.box" else 1, out, TDN if script.name == "in.direct" else MODEL)
                run = read_run(out)
                self.assertEqual(run["atoms"][0], 72 if script.name == "in.box" else 9)
                self.assertAlmostEqual(run["time_ps"][-1], STEPS * 0.0005)

    def test_molecules_of_the_box_stay_where_they_are(self):
        """No molecule moves as a whole, and none sees another: the energy is that of eight single ones."""
        text = lammps(EXAMPLES / "03_lammps_ethanol/in.box", 2, self.folder / "box.csv")
        neighbours = [line for line in text.splitlines() if line.startswith("Total # of neighbors")]
        self.assertEqual(len(neighbours), 1)
        self.assertLessEqual(int(neighbours[0].split("=")[1]), 8 * 9 * 8)

    def test_melting_salt(self):
        """A smaller crystal and random weights: that it runs, on two ranks, and writes what it says."""
        out = self.folder / "melt.csv"
        files = {name: self.folder / name for name in ("crystal", "rdf", "trajectory")}
        lammps(EXAMPLES / "05_nacl_sevennet/in.melt", 2, out, model=SALT_MODEL, steps=120,
               variables=["-var", "cells", "3", "-var", "temperature", "600",
                          *(word for name, path in files.items() for word in ("-var", name, path))])
        run = read_run(out)
        self.assertEqual(run["atoms"][0], 216)
        self.assertAlmostEqual(run["time_ps"][-1], 120 * 0.002)
        for name in ("crystal", "rdf"):
            distance, pairs = read_rdf(files[name])
            self.assertEqual((len(distance), len(pairs)), (160, 3))
        self.assertTrue(all(np.argmax(g) in range(30, 160) for g in pairs))  # no pairs closer than 1.5 Å stand out
        picture = self.folder / "melt.png"
        subprocess.run([BIN / "python", ROOT / "scripts/plot_rdf.py", picture, f"{files['crystal']}=crystal",
                        f"{files['rdf']}=melt", "--run", out], check=True)
        self.assertGreater(picture.stat().st_size, 10000)

    def test_salt_at_constant_energy(self):
        out = self.folder / "nve.csv"
        lammps(EXAMPLES / "05_nacl_sevennet/in.nve", 1, out, model=SALT_MODEL, variables=["-var", "cells", "2"])
        run = read_run(out)
        self.assertEqual(run["atoms"][0], 64)
        self.assertAlmostEqual(run["time_ps"][-1], STEPS * 0.001)

    def test_training_files(self):
        configurations = sorted(EXAMPLES.glob("*/*.yaml"))
        self.assertTrue(configurations)
        for path in configurations:
            with self.subTest(path=path.name):
                done = subprocess.run([os.environ["ISOTROPE_PROGRAM"], "train", path, "--dry-run"], cwd=self.folder,
                                      capture_output=True, text=True, timeout=240)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(list(self.folder.iterdir()), [], "a dry run writes nothing")


if __name__ == "__main__":
    unittest.main()
