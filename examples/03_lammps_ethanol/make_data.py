# SPDX-License-Identifier: MIT
"""Makes ethanol.data (one molecule) and box.data (eight, apart from each other) from DFT snapshots at 300 K.

Run in this folder with ../../.venv/bin/python; the two files are in the repository, so you need it only to change them.
"""
import itertools

import h5py
import numpy as np

MASSES = {6: 12.011, 1: 1.008, 8: 15.999}
TYPES = {6: 1, 1: 2, 8: 3}  # the order of the elements in pair_coeff: C H O
FILE = "../../data/ethanol_test.h5"


def snapshots(count):
    """Evenly spaced snapshots of the 300 K trajectory: [(numbers, centred positions)]."""
    with h5py.File(FILE) as file:
        at_300 = np.flatnonzero(file["group"][:] == list(file["group_names"].asstr()).index("300K"))
        for i in at_300[np.linspace(0, len(at_300) - 1, count).astype(int)]:
            rows = slice(*file["offsets"][i:i + 2])
            positions = file["positions"][rows]
            yield file["numbers"][rows], positions - positions.mean(axis=0)


def random_rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def write_data(path, comment, edge, molecules):
    atoms = [(TYPES[number], x % edge) for numbers, positions in molecules for number, x in zip(numbers, positions)]
    lines = [comment, "", f"{len(atoms)} atoms", "3 atom types", ""]
    lines += [f"0 {edge} {axis}lo {axis}hi" for axis in "xyz"]
    lines += ["", "Masses", ""] + [f"{kind} {MASSES[number]}" for number, kind in TYPES.items()]
    lines += ["", "Atoms # atomic", ""]
    lines += [f"{i} {kind} {x[0]:.8f} {x[1]:.8f} {x[2]:.8f}" for i, (kind, x) in enumerate(atoms, 1)]
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


def main():
    (numbers, positions), = snapshots(1)
    write_data("ethanol.data", "one ethanol molecule, held-out DFT snapshot at 300 K (make_data.py)", 20.0,
               [(numbers, positions + 10.0)])

    # A lattice with 13 Å between centres: molecules do not see each other (see in.box). The first ones straddle the
    # faces of the box.
    rng = np.random.default_rng(0)
    centres = [13.0 * np.array(cell) for cell in itertools.product(range(2), repeat=3)]
    molecules = [(numbers, positions @ random_rotation(rng) + centre)
                 for (numbers, positions), centre in zip(snapshots(8), centres)]
    write_data("box.data", "eight ethanol molecules, 13 Å apart (make_data.py)", 26.0, molecules)


main()
