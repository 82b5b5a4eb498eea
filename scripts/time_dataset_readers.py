#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Structures per second of `isotrope convert` (reading, checking, writing HDF5) against reading alone in Python.

    formats/bin/python scripts/make_dataset_fixtures.py big --structures 10000 --atoms 10 200
    taskset -c 0 formats/bin/python scripts/time_dataset_readers.py big build/isotrope
"""
import gzip
import pathlib
import pickle
import resource
import subprocess
import sys
import tempfile

import ase.db
import lmdb
import numpy as np

STAGE = "DFT_1st"


def read_rows(path):
    """ase.db with ase-db-backends; the arrays of a row are made when it is decoded."""
    structures = 0
    for row in ase.db.connect(path, type="aselmdb", readonly=True, use_lock_file=False).select():
        structures += len(row.forces) == len(row.numbers)
    return structures


def read_atoms(path):
    """The same as Atoms with their calculator, and the entries of `data`: what training programs do."""
    structures = 0
    for row in ase.db.connect(path, type="aselmdb", readonly=True, use_lock_file=False).select():
        atoms = row.toatoms()
        atoms.info.update(row.data)
        structures += len(atoms.get_forces(apply_constraint=False)) == len(atoms)
    return structures


def entries(path):
    with lmdb.open(str(path), readonly=True, subdir=False, lock=False) as env, env.begin() as txn:
        for _, value in txn.cursor():
            yield pickle.loads(gzip.decompress(value))


def read_pickles(path):
    """gzip and pickle alone: dicts of Python."""
    return sum(len(entry[STAGE]) for entry in entries(path))


def read_steps(path):
    """gzip and pickle, and the arrays that a training program needs."""
    structures = 0
    for entry in entries(path):
        for step in entry[STAGE]:
            np.array([[atom["x"], atom["y"], atom["z"]] for atom in step["coordinates"]])
            np.array([[atom["dx"], atom["dy"], atom["dz"]] for atom in step["gradient"]])
            structures += 1
    return structures


def convert(program, path, *options):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "-q", "convert", path, "-o", f"{folder}/out.h5", "--level", "none", *options], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds(action):
    """Time of the processor, user and system, of this process and of the programs that it ran: other users of the machine
    count less than in the time of the clock. What waits for the disk does not count."""
    def used():
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    begin = used()
    action()
    return used() - begin


def compare(name, structures, ours, *theirs):
    """Alternating; the best of three."""
    times = [[seconds(action) for action in (ours, *theirs)] for _ in range(3)]
    best = [min(column) for column in zip(*times)]
    print(f"{name}: {structures} structures; isotrope convert {structures / best[0]:.0f} /s", end="")
    for action, t in zip(theirs, best[1:]):
        print(f"; {action.__name__} {structures / t:.0f} /s (ratio {t / best[0]:.1f})", end="")
    print()


def main():
    folder, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    rows, steps = folder / "rows.aselmdb", folder / "steps.lmdb"

    def ase_db():
        read_rows(rows)

    def ase_db_atoms():
        read_atoms(rows)

    def gzip_pickle():
        read_pickles(steps)

    def gzip_pickle_arrays():
        read_steps(steps)

    compare("OMol25", read_rows(rows), lambda: convert(program, rows), ase_db, ase_db_atoms)
    compare("PubChemQCR", read_pickles(steps), lambda: convert(program, steps, "--stage", STAGE), gzip_pickle, gzip_pickle_arrays)


main()
