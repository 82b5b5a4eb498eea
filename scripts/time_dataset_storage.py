#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes and reading rates of one data set, stored in several ways: what docs/dataset-format.md says of them.

    .venv/bin/python scripts/time_dataset_storage.py FOLDER --structures 100000 [--isotrope build/isotrope]

Makes a set in FOLDER (molecules of 10 to 60 atoms along short trajectories, forces and energies with all their digits) with
each filter, in the chunks that isotrope writes, and reads it by h5py in blocks of 1024 structures, in order; with --isotrope
also by `isotrope info`, which counts, as the file has no census. Seconds of the processor (not of the clock), best of three, from the page cache.
"""
import argparse
import pathlib
import resource
import subprocess

import h5py
import numpy as np

FILTERS = {
    "as it is": {},
    "fletcher32": {"fletcher32": True},
    "deflate 1": {"compression": "gzip", "compression_opts": 1},
    "shuffle, deflate 1": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "shuffle, deflate 4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "shuffle, deflate 6": {"compression": "gzip", "compression_opts": 6, "shuffle": True},
}
STEPS = 25  # of a trajectory
OF_ATOMS = ("numbers", "positions", "forces")


def made_set(structures):
    """Name -> array."""
    rng = np.random.default_rng(4)
    sizes = np.repeat(rng.integers(10, 61, structures // STEPS), STEPS)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    numbers, positions = np.empty(offsets[-1], "i4"), np.empty((offsets[-1], 3))
    for begin in range(0, len(sizes), STEPS):
        n, rows = sizes[begin], slice(offsets[begin], offsets[begin + STEPS])
        numbers[rows] = np.tile(rng.choice([1, 6, 7, 8], n, p=[0.5, 0.35, 0.07, 0.08]), STEPS)
        walk = rng.normal(size=(n, 3)) * 4 + 0.02 * np.cumsum(rng.normal(size=(STEPS, n, 3)), axis=0)
        positions[rows] = walk.reshape(-1, 3)
    count = len(sizes)
    zeros = np.zeros(count, "i4")
    arrays = {"offsets": offsets.astype("i8"), "numbers": numbers, "positions": positions, "forces": rng.normal(size=positions.shape),
              "energy": rng.normal(size=count) * 1e4, "charge": zeros, "multiplicity": zeros, "config_type": zeros,
              "group": (np.arange(count) // STEPS).astype("i4"), "weight": np.ones(count), "cell": np.zeros((count, 3, 3)),
              "periodic": np.zeros((count, 3), "u1")}
    for label in ("energy", "forces", "stress", "charge", "multiplicity"):
        arrays[f"has_{label}"] = np.full(count, label in ("energy", "forces"), "u1")
    return arrays


def write(path, arrays, filters):
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "isotrope-dataset", 1
        file.attrs["provenance"], file.attrs["content_hash"] = "{}", "0" * 16
        for name, values in arrays.items():
            rows = 16384 if name in OF_ATOMS else 470
            file.create_dataset(name, data=values, chunks=(min(rows, len(values)), *values.shape[1:]), **filters)
        file["config_type_names"], file["group_names"] = [""], [f"{i:09d}" for i in range(arrays["group"][-1] + 1)]


def read(path, block=1024):
    with h5py.File(path) as file:
        offsets = file["offsets"][:]
        members = [(data, name in OF_ATOMS) for name, data in file.items() if data.chunks is not None and name != "offsets"]
        for begin in range(0, len(offsets) - 1, block):
            end = min(begin + block, len(offsets) - 1)
            for data, of_atoms in members:
                data[offsets[begin] : offsets[end]] if of_atoms else data[begin:end]


def best(action):
    def used():
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    times = []
    for _ in range(3):
        begin = used()
        action()
        times.append(used() - begin)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--structures", type=int, default=100_000)
    parser.add_argument("--isotrope", help="the program")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    arrays, path = made_set(options.structures), options.folder / "stored.h5"
    for name, filters in FILTERS.items():
        write(path, arrays, filters)
        line = f"{name:20}{path.stat().st_size / 2**20:6.0f} MiB   h5py {options.structures / best(lambda: read(path)):8.0f} /s"
        if options.isotrope:
            command = [options.isotrope, "-q", "info", "--json", path.with_suffix(".json"), path]
            count = best(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
            line += f"   isotrope info, counting {options.structures / count:8.0f} /s"
        print(line, flush=True)
    path.unlink()


main()
