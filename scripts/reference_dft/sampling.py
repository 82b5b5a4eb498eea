# SPDX-License-Identifier: MIT
"""Where geometries come from: Langevin dynamics with GFN2-xTB, or relaxations at the level of the labels."""
import zlib

import ase.units
import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import BFGS

from .structures import InputError


def generator(seed, *words):
    """Random numbers of a species: others in the same run do not change them."""
    return np.random.default_rng([seed, *(zlib.crc32(str(word).encode()) for word in words)])


def run_dynamics(frame, temperature, options):
    """Frames of one trajectory, in order. options: of the command line (times in fs)."""
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from tblite.ase import TBLite

    if len(frame.numbers) == 1:
        return [frame.moved(frame.positions, temperature=temperature)]
    rng = generator(options.seed, frame.name, temperature)
    atoms = frame.atoms()
    atoms.calc = TBLite(method="GFN2-xTB", charge=frame.charge, multiplicity=frame.multiplicity, verbosity=0)
    try:
        BFGS(atoms, logfile=None).run(fmax=0.05, steps=200)
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        # fixcm=False: the centre of mass moves as well; holding it spoils the temperature of small molecules.
        dynamics = Langevin(atoms, options.timestep * ase.units.fs, temperature_K=temperature, friction=0.02 / ase.units.fs, rng=rng,
                            fixcm=False)
        dynamics.run(round(options.equilibration / options.timestep))
        frames = []
        for _ in range(options.frames):
            dynamics.run(round(options.interval / options.timestep))
            frames.append(frame.moved(atoms.positions - atoms.get_center_of_mass(), temperature=temperature))
    except Exception as error:  # tblite has no class of its own for a calculation that failed
        raise InputError(f"{frame.name}: GFN2-xTB dynamics at {temperature:g} K failed: {error}") from error
    return frames


def displaced(frame, sigma, seed):
    """Normal displacements of every coordinate."""
    return frame.moved(frame.positions + sigma * generator(seed, frame.name).normal(size=frame.positions.shape), step=0)


class LabelCalculator(Calculator):
    """ASE's view of label(positions) -> Label."""
    implemented_properties = ["energy", "forces"]

    def __init__(self, label):
        super().__init__()
        self.compute_label = label

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        label = self.compute_label(atoms.positions.copy())
        self.results = {"energy": label.energy, "forces": label.forces}


def relax(start, label_step, options):
    """BFGS from a displaced geometry; label_step(frame) -> Label is called once a step, in order. What it throws ends the
    relaxation and is handed on."""
    step = -1

    def label(positions):
        nonlocal step
        step += 1
        return label_step(start.moved(positions, step=step))

    atoms = start.atoms()
    atoms.calc = LabelCalculator(label)
    BFGS(atoms, logfile=None).run(fmax=options.fmax, steps=options.steps - 1)
