# SPDX-License-Identifier: MIT
"""Every mistake in an input has one sentence that says what to write instead, on any number of ranks, and no rank hangs."""
import os
import shutil
import unittest

import h5py
import numpy as np
from lammps_run import MODEL, Run, System, random_system

SYSTEM = random_system(8, np.diag([8.0, 7.5, 7.0]), 51, closest=1.2)
OTHER_PLUGIN = os.environ["ISOTROPE_OTHER_PLUGIN"]


class Errors(unittest.TestCase):
    def fails(self, run, message):
        """`message` is the whole text after "ERROR: isotrope: "."""
        run.execute()
        self.assertNotEqual(run.code, 0, run.output)
        self.assertIn(f"ERROR: isotrope: {message} (pair_isotrope.cpp:", run.output.replace("\n", " ") + run.errors)

    def test_settings(self):
        for style, message in {
                "cutoff 5.0": "pair_style: unknown keyword 'cutoff'; the keywords are precision, radial, charge, multiplicity, forces, net_force",
                "precision": "pair_style: precision needs a value",
                "precision half": "pair_style: precision is single or double, found 'half'",
                "charge 1.5": "pair_style: charge needs an integer, found '1.5'",
                "multiplicity 0": "pair_style: multiplicity is 2S+1, 1 or larger, found 0"}.items():
            with self.subTest(style=style):
                self.fails(Run(2).start(SYSTEM, style=f"isotrope {style}"), message)

    def test_coefficients(self):
        m = MODEL
        for coefficients, message in {
                "* *": "pair_coeff needs a model file and one element per atom type: pair_coeff * * model.h5 C H O",
                f"* * {m} H C": f"expected 3 elements after '{m}' in pair_coeff, one per atom type (NULL for those of other pair "
                                "styles), found 2",
                f"* * {m} H C Xx": '"Xx" is not the symbol of an element; expected one of H, He, Li, ... Og.',
                f"* * {m} H C cl": '"cl" is not the symbol of an element: write "Cl".',
                f"* * {m} H C Cu": f"the model '{m}' does not know Cu; its elements are: H C N O",
                f"* * {m} H C NULL": "NULL in pair_coeff leaves an atom type to another pair style, but this is the only one: name an "
                                     "element, or use pair_style hybrid or hybrid/overlay",
                "* * absent.h5 H C O": "cannot open absent.h5: file not found"}.items():
            with self.subTest(coefficients=coefficients):
                self.fails(Run(2).start(SYSTEM, coefficients=[coefficients]), message)

    def test_new_settings_need_new_coefficients(self):
        run = Run().start(SYSTEM).add("run 0", "pair_style isotrope precision single", "run 0").execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("ERROR: All pair coeffs are not set", run.output)

    def test_single_pairs(self):
        """LAMMPS itself refuses them, except under hybrid styles."""
        run = Run().start(SYSTEM, coefficients=[f"1 2 {MODEL} H C O"]).execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("ERROR: Pair_coeff must start with * * for pair style isotrope", run.output)
        self.fails(Run().start(SYSTEM, style="hybrid isotrope lj/cut 3.0", coefficients=[f"1 2 isotrope {MODEL} H C O"]),
                   f"expected 'pair_coeff * * {MODEL}', found 'pair_coeff 1 2 ...': a model covers all pairs; write NULL for the atom "
                   "types of other pair styles")

    def test_charge_that_the_model_ignores(self):
        self.fails(Run().start(SYSTEM, style="isotrope charge -1"),
                   f"the model '{MODEL}' (mace) does not depend on charge or multiplicity: leave these keywords out of pair_style")

    def test_all_null(self):
        self.fails(Run().start(SYSTEM, style="hybrid isotrope lj/cut 3.0", coefficients=[f"* * isotrope {MODEL} NULL NULL NULL"]),
                   "every atom type is NULL in pair_coeff: name the element of at least one")

    def test_damaged_and_newer_files(self):
        run = Run(2).start(SYSTEM, model="newer.h5")
        shutil.copy(MODEL, run.folder / "newer.h5")
        with h5py.File(run.folder / "newer.h5", "r+") as file:
            file.attrs.modify("format_version", np.int32(99))
        run.execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("ERROR: isotrope: newer.h5", run.output)
        self.assertIn("99", run.output)

        run = Run(2).start(SYSTEM, model="short.h5")
        (run.folder / "short.h5").write_bytes(MODEL.read_bytes()[:1000])
        run.execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("ERROR: isotrope: cannot open short.h5", run.output)

    def test_units(self):
        run = Run(2).start(SYSTEM).add("run 0")
        run.script = [line.replace("units metal", "units lj") for line in run.script]
        self.fails(run, "expected 'units metal' (or real), found 'units lj': change the input")

    def test_heat_flux(self):
        self.fails(Run(2).start(SYSTEM).add("compute ke all ke/atom", "compute pe all pe/atom",
                                            "compute s all centroid/stress/atom NULL virial", "compute J all heat/flux ke pe s", "run 0"),
                   "compute J (heat/flux) needs derivatives of per-atom energies, which message passing models do not give yet: take it "
                   "out of the input")

    def test_bonds_that_hide_neighbours(self):
        run = Run(2).start(System(np.array([1, 1]), np.array([[1.0, 1, 1], [2.2, 1, 1]]), np.diag([9.0, 9, 9])), elements="C")
        run.script = [line.replace("atom_style atomic", "atom_style bond") for line in run.script]
        data = next(run.folder.glob("*.data"))
        text = data.read_text().replace("1 atom types", "1 atom types\n1 bonds\n1 bond types\n1 extra bond per atom")
        text = text.replace("# atomic", "# bond").replace("\n1 1 1", "\n1 1 1 1").replace("\n2 1 2.2", "\n2 1 1 2.2")
        data.write_text(text + "\nBonds\n\n1 1 1 2\n")
        run.script.insert(run.script.index("atom_style bond") + 1, "bond_style zero")
        run.add("bond_coeff *")
        lines = list(run.script)
        self.fails(run.add("run 0"),
                   "special_bonds takes bonded atoms out of the neighbour lists, so that the model would not see them: add "
                   "'special_bonds lj/coul 1 1 1', or read the atoms without bonds")
        run.script = [*lines, "special_bonds lj/coul 1 1 1", "run 0"]
        run.go()

    def test_overlapping_atoms_on_one_rank(self):
        """Only one of the ranks sees them: all end together."""
        positions = np.array([[1.0, 1, 1], [1.0, 1, 1], [15.0, 1, 1], [16.2, 1, 1]])
        run = Run(2).start(System(np.array([1, 2, 1, 2]), positions, np.diag([20.0, 9, 9])), elements="C O")
        self.fails(run.add("run 0"),
                   "every pair of atoms needs a finite distance above zero, but atoms are at (1, 1, 1) and (1, 1, 1): look for "
                   "overlapping atoms in the input, or a time step that is too long")

    def test_plugin_of_another_version(self):
        self.assertNotEqual(Run(2).start(SYSTEM, plugin=OTHER_PLUGIN).execute().code, 0)
        # LAMMPS aborts each rank by itself here, and mpiexec may drop what a rank says while another one ends: read one rank alone.
        run = Run(1).start(SYSTEM, plugin=OTHER_PLUGIN).execute()
        self.assertNotEqual(run.code, 0)
        self.assertIn("isotrope: this plug-in was built for LAMMPS 1 Jan 2020 (stable_1Jan2020), but this is LAMMPS 22 Jul 2025 (", run.errors)
        self.assertIn("): configure with -DISOTROPE_VENV=<the environment of this LAMMPS> and build again", run.errors)


if __name__ == "__main__":
    unittest.main()
