#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reading rates and sizes of one data set, stored in several ways: what is said in docs/dataset-format.md.

    .venv/bin/python scripts/time_dataset_storage.py FOLDER build/isotrope --structures 200000

Makes a set in FOLDER (molecules of 10 to 60 atoms along short trajectories, forces and energies with all their digits),
writes it again with each filter by h5py, and reads it in blocks of 1024 structures, in order. Best of three.
"""
import argparse
import pathlib
import subprocess
import time

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


def write_set(path, program, structures):
    """Extended xyz would take minutes: the arrays are written here, and isotrope rewrites them with its own chunks."""
    rng = np.random.default_rng(4)
    trajectories = structures // 25
    sizes = np.repeat(rng.integers(10, 61, trajectories), 25)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    numbers, positions = np.empty(offsets[-1], "i4"), np.empty((offsets[-1], 3))
    for i in range(trajectories):
        n, begin = sizes[25 * i], offsets[25 * i]
        numbers[begin : begin + 25 * n] = np.tile(rng.choice([1, 6, 7, 8], n, p=[0.5, 0.35, 0.07, 0.08]), 25)
        start = rng.normal(size=(n, 3)) * 4
        positions[begin : begin + 25 * n] = (start + 0.02 * np.cumsum(rng.normal(size=(25, n, 3)), axis=0)).reshape(-1, 3)
    count = len(sizes)
    charge = np.zeros(count, "i4")
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "isotrope-dataset", 1
        file.attrs["provenance"], file.attrs["content_hash"] = "{}", "0" * 16
        file["offsets"], file["numbers"], file["positions"] = offsets.astype("i8"), numbers, positions
        file["forces"], file["energy"] = rng.normal(size=positions.shape), rng.normal(size=count) * 1e4
        file["charge"], file["multiplicity"] = charge, charge
        file["cell"], file["periodic"] = np.zeros((count, 3, 3)), np.zeros((count, 3), "u1")
        file["config_type"], file["group"] = charge, (np.arange(count) // 25).astype("i4")
        file["config_type_names"], file["group_names"] = [""], [f"{i:09d}" for i in range(trajectories)]
        file["weight"] = np.ones(count)
        for label in ("energy", "forces", "stress", "charge", "multiplicity"):
            file[f"has_{label}"] = np.full(count, label in ("energy", "forces"), "u1")
    own = path.with_name("own.h5")
    subprocess.run([program, "-q", "convert", path, "-o", own], check=True, stdout=subprocess.DEVNULL)
    path.unlink()
    return own


def rewrite(source, target, filters):
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name, value in old.attrs.items():
            new.attrs[name] = value
        for name, data in old.items():
            if data.chunks is None:
                old.copy(data, new)
            else:
                new.create_dataset(name, data=data[:], chunks=data.chunks, maxshape=data.maxshape, **filters)


def read(path, block=1024):
    with h5py.File(path) as file:
        offsets = file["offsets"][:]
        arrays = [(data, name in ("numbers", "positions", "forces")) for name, data in file.items() if data.chunks is not None and name != "offsets"]
        for begin in range(0, len(offsets) - 1, block):
            end = min(begin + block, len(offsets) - 1)
            for data, of_atoms in arrays:
                data[offsets[begin] : offsets[end]] if of_atoms else data[begin:end]
    return len(offsets) - 1


def best(action):
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - begin)
    return result, min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("program")
    parser.add_argument("--structures", type=int, default=200_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    own = write_set(options.folder / "arrays.h5", options.program, options.structures)
    for name, filters in FILTERS.items():
        path = options.folder / "stored.h5"
        rewrite(own, path, filters)
        count, seconds = best(lambda: read(path))
        _, checked = best(lambda: subprocess.run([options.program, "-q", "info", "--check", path], check=True, stdout=subprocess.DEVNULL))
        print(f"{name:20} {path.stat().st_size / 2**20:7.0f} MiB   blocks by h5py {count / seconds:9.0f} /s   info --check {count / checked:8.0f} /s", flush=True)


main()
