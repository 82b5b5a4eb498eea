#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what `isotrope convert` makes of OMol25 and PubChemQCR files with what ase.db and pickle read from them: every
number of every entry, bit for bit.

    formats/bin/python scripts/make_dataset_fixtures.py odd --structures 10000 --odd
    formats/bin/python scripts/compare_dataset_readers.py odd build/isotrope
"""
import gzip
import pathlib
import pickle
import subprocess
import sys
import tempfile

import ase.data
import ase.db
import h5py
import lmdb
import numpy as np

from make_dataset_fixtures import BOHR, HARTREE, STAGES, cube


class DataSet:
    """A data set in memory, one structure after the other."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.data = {name: file[name].asstr()[:] if name.endswith("_names") else file[name][:] for name in file}
        self.place = 0
        self.numbers = 0

    def next(self, where, **expected):
        """Compares the next structure; a label of None must be missing."""
        i, data = self.place, self.data
        self.place += 1
        atoms = slice(data["offsets"][i], data["offsets"][i + 1])
        for name, value in expected.items():
            per_atom = name in ("numbers", "positions", "forces")
            if f"has_{name}" in data and data[f"has_{name}"][i] != (value is not None):
                sys.exit(f"{where}: {name} is {'missing' if value is not None else 'there'}")
            if value is None:
                continue
            if name == "group":
                same = data["group_names"][data["group"][i]] == value
            else:
                found = np.asarray(data[name][atoms] if per_atom else data[name][i])
                value = np.asarray(value, dtype=found.dtype).reshape(found.shape)
                same = found.tobytes() == value.tobytes()
                self.numbers += found.size
            if not same:
                sys.exit(f"{where}: {name} differs")

    def end(self):
        if self.place != len(self.data["energy"]):
            sys.exit(f"{len(self.data['energy'])} structures, expected {self.place}")
        print(f"{self.place} structures, {self.numbers} numbers equal", flush=True)


def converted(program, path, *options):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "-q", "convert", path, "-o", f"{folder}/out.h5", "--level", "none", *options], check=True,
                       stdout=subprocess.DEVNULL)
        return DataSet(f"{folder}/out.h5")


def compare_rows(program, path):
    found = converted(program, path, "--group", "{data_id}", "--config-type", "{source}")
    sources = found.data["config_type_names"][found.data["config_type"]]
    for row in ase.db.connect(path, type="aselmdb", readonly=True, use_lock_file=False).select():
        where = f"{path}: key {row.id}"
        if sources[found.place] != row.data["source"]:
            sys.exit(f"{where}: config type differs")
        found.next(where, numbers=row.numbers, positions=row.positions, energy=row.get("energy"), forces=row.get("forces"),
                   charge=row.data["charge"], multiplicity=row.data["spin"], group=row.data["data_id"],
                   cell=np.where(row.pbc[:, None], row.cell, 0), periodic=row.pbc, stress=cube(row.stress) if "stress" in row else None)
    found.end()


def compare_steps(program, path, stage):
    found = converted(program, path, "--stage", stage)
    with lmdb.open(str(path), readonly=True, subdir=False, lock=False) as env, env.begin() as txn:
        for key, value in txn.cursor():
            for index, step in enumerate(pickle.loads(gzip.decompress(value)).get(stage) or []):
                if step["energy"] is None or step["gradient"] is None:
                    continue
                found.next(f"{path}: key {key.decode()} {stage} step {index}",
                           numbers=[ase.data.atomic_numbers[atom["atom"].capitalize()] for atom in step["coordinates"]],
                           positions=[[atom[c] for c in ("x", "y", "z")] for atom in step["coordinates"]],
                           energy=step["energy"] * HARTREE,
                           forces=[[-HARTREE / BOHR * atom[c] for c in ("dx", "dy", "dz")] for atom in step["gradient"]],
                           group=key.decode(), step=index, charge=None, multiplicity=None, stress=None)
    found.end()


def main():
    folder, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    print("OMol25:", end=" ", flush=True)
    compare_rows(program, folder / "rows.aselmdb")
    for stage in STAGES:
        print(f"PubChemQCR {stage}:", end=" ", flush=True)
        compare_steps(program, folder / "steps.lmdb", stage)


main()
