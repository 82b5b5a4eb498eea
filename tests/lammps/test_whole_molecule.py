# SPDX-License-Identifier: MIT
"""Full attention, also averaged over frames: the numbers of the PyTorch twin on any number of ranks, charge and
multiplicity, and what is refused."""
import unittest
from pathlib import Path

import h5py
import numpy as np
from lammps_run import SYMBOLS, Run, System, rms

MODELS = Path(__file__).resolve().parent.parent / "data/transip"
MODEL = MODELS / "gradient_1x12.h5"


class Molecule:
    """A structure of the fixture in a box with open boundaries."""

    def __init__(self, group):
        self.name, self.numbers, self.forces = group.attrs["name"], group["numbers"][:], group["forces"][:]
        self.interaction = float(group["energy"][()])
        self.charge, self.multiplicity = int(group["charge"][()]), int(group["multiplicity"][()])
        kinds = sorted(set(self.numbers))
        self.elements = " ".join(SYMBOLS[z] for z in kinds)
        types = 1 + np.array([kinds.index(z) for z in self.numbers])
        self.system = System(types, group["positions"][:] + 10, np.diag([30.0, 30.0, 30.0]), "f f f")

    def into(self, run, name, model=MODEL, precision="double"):
        """Its lines in an input script, which may have those of others before."""
        style = f"isotrope precision {precision} charge {self.charge} multiplicity {self.multiplicity}"
        run.start(self.system, model, self.elements, style)
        run.script += ["compute E all pair isotrope", "thermo_style custom step pe c_E[1] c_E[2] pxx pxy",
                       "thermo_modify format float %.17g"]
        return run.measure_forces(name)


def molecules(model=MODEL):
    with h5py.File(str(model)[:-3] + "_expected.h5") as file:
        return [Molecule(group) for group in file["structures"].values()]


class WholeMolecule(unittest.TestCase):
    def agrees_with_the_twin(self, name):
        model = MODELS / f"{name}.h5"
        known = molecules(model)
        for ranks in (1, 2, 4):
            run = Run(ranks)
            for k, molecule in enumerate(known):
                molecule.into(run, f"m{k}", model)
            energies = [row["c_E[1]"] for row in run.go().thermo()]
            self.assertEqual(len(energies), len(known))
            for k, molecule in enumerate(known):
                with self.subTest(model=name, molecule=molecule.name, ranks=ranks):
                    self.assertLess(abs(energies[k] - molecule.interaction), 1e-11)
                    self.assertLess(np.abs(run.forces(f"m{k}") - molecule.forces).max(), 1e-12 + 1e-12 * rms(molecule.forces))

    def test_ranks_and_the_twin_agree(self):
        self.agrees_with_the_twin("gradient_1x12")
        self.agrees_with_the_twin("direct_3x6")

    def test_frames(self):
        for name in ("frames_so3", "frames_fading", "frames_o3_direct"):
            self.agrees_with_the_twin(name)

    def test_ranks_without_atoms(self):
        """Four slabs, of which the molecule fills one or two."""
        molecule = molecules()[4]
        run = molecule.into(Run(4), "one")
        run.script.insert(1, "processors 4 1 1")
        run.go()
        self.assertLess(np.abs(run.forces("one") - molecule.forces).max(), 1e-12)

    def test_single_precision(self):
        molecule = molecules()[4]
        run = molecule.into(Run(2), "one", precision="single").go()
        self.assertLess(np.abs(run.forces("one") - molecule.forces).max(), 1e-4)

    def test_pressure_is_the_derivative_of_the_energy(self):
        """Of the box: the virial is the sum of x f."""
        molecule = molecules()[0]
        run = molecule.into(Run(2), "one").go()
        pressure = 1.6021765e6 * np.einsum("ia,ib->ab", molecule.system.positions, molecule.forces) / molecule.system.volume
        self.assertLess(abs(run.thermo()[0]["Pxx"] - pressure[0, 0]), 1e-6 * np.abs(pressure).max())
        self.assertLess(abs(run.thermo()[0]["Pxy"] - (pressure[0, 1] + pressure[1, 0]) / 2), 1e-6 * np.abs(pressure).max())

    def fails(self, run, message):
        run.execute()
        self.assertNotEqual(run.code, 0, run.output)
        self.assertIn(f"ERROR: isotrope: {message} (pair_isotrope.cpp:", run.output.replace("\n", " ") + run.errors)

    def refused(self, style, message, boundary="f f f", lines=("run 0",)):
        water = molecules()[0]
        system = System(water.system.types, water.system.positions, water.system.cell, boundary)
        self.fails(Run(2).start(system, MODEL, water.elements, style).add(*lines), message)

    def test_what_it_refuses(self):
        good = "isotrope charge 0 multiplicity 1"
        self.refused("isotrope", f"the model '{MODEL}' (transip) depends on the total charge and the spin: write 'pair_style isotrope "
                                 "charge Q multiplicity M', with M = 2S+1")
        self.refused("isotrope charge 3 multiplicity 1", f"the model '{MODEL}' does not know the charge 3: it was made for -1, 0, 2")
        self.refused("isotrope charge 0 multiplicity 4", f"the model '{MODEL}' does not know the multiplicity 4: it was made for 1, 2, 3")
        self.refused("isotrope charge 0 multiplicity 2",
                     "pair_style: multiplicity 2 does not agree with 10 electrons (charge 0): 2S+1 is odd for an even number of electrons "
                     "and even for an odd one")
        self.refused(good, "the model (transip) sees the whole molecule and takes no periodic box: write 'boundary f f f' (or s, m), or use "
                           "its local variant, which has a cutoff", boundary="p p p")
        self.refused(good, "a model that sees the whole molecule has no virial of single atoms: take compute stress/atom out of the input",
                     lines=("compute s all stress/atom NULL virial", "dump d all custom 1 d.dump id c_s[1]", "run 0"))


if __name__ == "__main__":
    unittest.main()
