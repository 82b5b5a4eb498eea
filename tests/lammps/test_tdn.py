# SPDX-License-Identifier: MIT
"""TDN in LAMMPS: both kinds of forces on any number of ranks; what direct forces do not have is refused or said."""
import unittest

import numpy as np
from lammps_run import MODEL, MODELS, Run, random_system, rms

TDN = MODELS.parent / "tdn/a.h5"  # H C N O S Cl, both kinds of forces, gradient forces are the answer
BOXES = {"orthogonal": random_system(40, np.diag([11.0, 10.0, 9.5]), 71, closest=1.2),
         "triclinic": random_system(40, [[10.5, 0, 0], [2.5, 10.0, 0], [-1.8, 3.0, 11.0]], 72, closest=1.2),
         "small": random_system(12, [[6.1, 0, 0], [0.7, 5.6, 0], [-0.4, 1.1, 6.5]], 73, closest=1.2),
         "empty_rank": random_system(20, np.diag([40.0, 40.0, 40.0]), 74, closest=1.2, boundary="f f p",
                                     region=((0.01, 0.01, 0.01), (0.2, 0.2, 0.3)))}


def start(run, system, style="", newton="on"):
    return run.start(system, model=TDN, elements="H C O", style=f"isotrope precision double {style}", before=f"newton {newton}")


class Tdn(unittest.TestCase):
    def test_gradient_forces_on_every_decomposition(self):
        runs = {}
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for name, system in BOXES.items():
                for newton in ("on", "off"):
                    start(run, system, newton=newton).measure(f"{name}_{newton}")
            runs[ranks] = run.go()
        for name in BOXES:
            base = runs[1].atoms(f"{name}_on")
            scale = rms(base.forces)
            self.assertGreater(scale, 1e-3, "a comparison of nothing")
            for ranks, run in runs.items():
                for newton in ("on", "off"):
                    with self.subTest(name=name, ranks=ranks, newton=newton):
                        found = run.atoms(f"{name}_{newton}")
                        self.assertLessEqual(np.abs(found.forces - base.forces).max(), 1e-10 * scale)
                        self.assertLessEqual(np.abs(found.energy - base.energy).max(), 1e-11)
                        self.assertLessEqual(np.abs(found.virial - base.virial).max(), 1e-10)

    def test_direct_forces_on_every_decomposition(self):
        found = {}
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for name, system in BOXES.items():
                for net in ("keep", "remove"):
                    start(run, system, f"forces direct net_force {net}").add("thermo_style custom step pe")
                    run.measure_forces(f"{name}_{net}")
            run.go()
            self.assertIn("isotrope: direct forces: not the derivative of the energy", run.output)
            found[ranks] = {(name, net): run.forces(f"{name}_{net}") for name in BOXES for net in ("keep", "remove")}
        for name in BOXES:
            kept = found[1][name, "keep"]
            self.assertGreater(np.abs(kept.sum(axis=0)).max(), 1e-3 * rms(kept), "nothing to remove")
            for ranks in found:
                with self.subTest(name=name, ranks=ranks):
                    self.assertLessEqual(np.abs(found[ranks][name, "keep"] - kept).max(), 1e-10 * rms(kept))
                    self.assertLessEqual(np.abs(found[ranks][name, "remove"] - (kept - kept.mean(axis=0))).max(),
                                         1e-10 * rms(kept))

    def test_single_precision(self):
        """Tables are the default there."""
        for forces in ("gradient", "direct"):
            double = start(Run(), BOXES["triclinic"], f"forces {forces}").add("thermo_style custom step pe")
            double = double.measure_forces("f").go().forces("f")
            run = Run(2).start(BOXES["triclinic"], model=TDN, elements="H C O",
                               style=f"isotrope precision single radial exact forces {forces}")
            single = run.add("thermo_style custom step pe").measure_forces("f").go().forces("f")
            self.assertLessEqual(np.abs(single - double).max(), 1e-4 * rms(double))

    def test_what_direct_forces_do_not_have(self):
        no_virial = ("ERROR: isotrope: direct forces have no virial: take barostats and per-atom stress out of the input, or use a "
                     "model with gradient forces")
        system = BOXES["small"]
        barostat = "fix f all npt temp 300 300 0.1 iso 0 0 1"
        for lines in ([barostat, "run 0"],
                      ["thermo_style custom step pe", "compute s all stress/atom NULL", "dump d all custom 1 d.dump id c_s[1]", "run 0"]):
            with self.subTest(lines=lines):
                run = start(Run(2), system, "forces direct").add(*lines).execute()
                self.assertNotEqual(run.code, 0)
                self.assertIn(no_virial, run.output.replace("\n", " "))
        printed = start(Run(), system, "forces direct").add("thermo_style custom step press", "run 0").go().thermo()
        self.assertTrue(np.isnan(float(printed[-1]["Press"])))
        moving = ["thermo_style custom step pe", "velocity all create 100 1"]
        run = start(Run(), system, "forces direct").add(*moving, "fix f all nve", "run 2").go()
        self.assertIn("WARNING: isotrope: direct forces are not the derivative of the energy, so that fix f (nve) will not "
                      "conserve it: use a thermostat", run.output)
        run = start(Run(), system, "forces direct").add(*moving, "fix f all nvt temp 100 100 0.1", "run 2").go()
        self.assertNotIn("WARNING", run.output)

    def test_settings(self):
        for style, model, message in (
                ("forces up", TDN, "pair_style: forces is gradient or direct, found 'up'"),
                ("net_force half", TDN, "pair_style: net_force is keep or remove, found 'half'"),
                ("net_force remove", TDN, f"pair_style: net_force remove is for direct forces; those of '{TDN}' are the gradient of "
                                          "its energy and sum to zero already"),
                ("forces direct", MODEL, f"{MODEL}: the model (mace) has no direct forces: its forces are gradient ones: leave "
                                         "'forces' out of pair_style")):
            with self.subTest(style=style):
                run = Run(2).start(BOXES["small"], model=model, elements="H C O", style=f"isotrope {style}").execute()
                self.assertNotEqual(run.code, 0)
                self.assertIn(f"ERROR: isotrope: {message} (pair_isotrope.cpp:", run.output.replace("\n", " ") + run.errors)


if __name__ == "__main__":
    unittest.main()
