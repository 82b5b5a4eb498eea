# SPDX-License-Identifier: MIT
"""Forces and pressure are derivatives of the energy, in LAMMPS itself; NVE conserves it."""
import unittest

import numpy as np
from lammps_run import PRESSURE, Run, random_system

BOX = [[7.0, 0, 0], [1.2, 6.5, 0], [-0.8, 1.4, 7.5]]
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}  # fourth order


class Physics(unittest.TestCase):
    def test_forces_are_minus_the_gradient(self):
        system, step, atoms = random_system(20, BOX, 31, closest=1.2), 1e-3, (1, 8, 18)
        run = Run(2).start(system).measure("start")
        for atom in atoms:
            run.add(f"group moved id {atom}")
            for direction in np.eye(3):
                for k in STENCIL:
                    there = " ".join(f"{k * step * d:.17g}" for d in direction)
                    back = " ".join(f"{-k * step * d:.17g}" for d in direction)
                    run.add(f"displace_atoms moved move {there}", "run 0", f"displace_atoms moved move {back}")
            run.add("group moved delete")
        rows = run.go().thermo()
        energies = np.array([row["c_E[1]"] for row in rows[1:]]).reshape(len(atoms), 3, len(STENCIL))
        expected = -energies @ np.array(list(STENCIL.values())) / step
        first = run.atoms("start").forces[np.array(atoms) - 1]
        self.assertGreater(np.abs(first).max(), 0.1)
        self.assertLessEqual(np.abs(first - expected).max(), 1e-7 * max(1, np.abs(first).max()))

    def test_pressure_is_the_derivative_by_strain(self):
        system, step = random_system(20, BOX, 32, closest=1.2), 1e-4
        (lx, ly, lz), (xy, xz, yz) = np.diag(system.cell), (BOX[1][0], BOX[2][0], BOX[2][1])
        start = f"x final 0 {lx} y final 0 {ly} z final 0 {lz} xy final {xy} xz final {xz} yz final {yz}"

        def strained(component, e):
            """The box after x -> x + e x_b in direction a: what change_box needs."""
            return {"xx": f"x final 0 {lx * (1 + e)} xy final {xy * (1 + e)} xz final {xz * (1 + e)}",
                    "yy": f"y final 0 {ly * (1 + e)} yz final {yz * (1 + e)}", "zz": f"z final 0 {lz * (1 + e)}",
                    "xy": f"xy final {xy + e * ly} xz final {xz + e * yz}", "xz": f"xz final {xz + e * lz}",
                    "yz": f"yz final {yz + e * lz}"}[component]

        components = ("xx", "yy", "zz", "xy", "xz", "yz")
        run = Run(2).start(system).measure("start")
        for component in components:
            for k in STENCIL:
                run.add(f"change_box all {strained(component, k * step)} remap units box", "run 0",
                        f"change_box all {start} remap units box")
        rows = run.go().thermo()
        energies = np.array([row["c_E[1]"] for row in rows[1:]]).reshape(6, len(STENCIL))
        virial = -energies @ np.array(list(STENCIL.values())) / step
        found = np.array([rows[0][f"c_P[{k}]"] for k in range(1, 7)]) * system.volume / PRESSURE
        self.assertGreater(np.abs(virial).min(), 1e-2)
        self.assertLessEqual(np.abs(found - virial).max(), 1e-7 * max(1, np.abs(virial).max()))

    def test_energy_is_conserved_to_second_order_in_the_step(self):
        spread = {}
        for steps, time in ((100, 2e-4), (200, 1e-4)):
            run = Run(2).start(random_system(16, BOX, 33, closest=1.4))
            run.add("thermo_style custom step etotal temp", "thermo_modify format float %.17g", "min_style cg",
                    "minimize 0 1e-2 100 200", "reset_timestep 0", "velocity all create 300 991 loop all", "fix nve all nve",
                    f"thermo {steps // 50}", f"timestep {time}", f"run {steps}")
            energies = [row["TotEng"] for row in run.go().thermo()][-51:]
            spread[steps] = np.std(energies)
        self.assertGreater(spread[100], 1e-9, "nothing moved")
        self.assertLess(spread[100] / 16, 1e-4)
        self.assertGreater(spread[100] / spread[200], 3)
        self.assertLess(spread[100] / spread[200], 5)


if __name__ == "__main__":
    unittest.main()
