# SPDX-License-Identifier: MIT
"""Structures of the fixtures that are made with other programs (make_mace_fixtures.py, make_sevennet_fixtures.py)."""
import ase
import ase.neighborlist
import numpy as np
from ase.build import molecule


def named(atoms, name):
    atoms.info["name"] = name
    return atoms


def rattled(formula, seed, name, amplitude=0.08):
    atoms = molecule(formula)
    atoms.rattle(amplitude, seed=seed)
    return named(atoms, name)


def random_cell(symbols, cell, seed, name, periodic=True, closest=0.95):
    """Atoms at random places of a cell, no two (images included) closer than `closest`."""
    rng = np.random.default_rng(seed)
    while True:
        places = rng.uniform(-0.2, 1.2, (len(ase.Atoms(symbols)), 3))
        atoms = ase.Atoms(symbols, cell=cell, pbc=periodic, scaled_positions=places)
        if len(ase.neighborlist.neighbor_list("i", atoms, closest)) == 0:
            break
    atoms.cell[~atoms.pbc] = 0
    return named(atoms, name)


def isolated(symbol, name="isolated atom"):
    return named(ase.Atoms(symbol, positions=[[0.3, -0.2, 0.1]]), name)


TRICLINIC = [[3.1, 0.0, 0.0], [0.7, 3.4, 0.0], [-0.4, 0.9, 3.8]]
LEFT_HANDED = [[0.2, 4.1, 0.3], [4.3, -0.5, 0.1], [0.4, 0.6, 4.6]]
