# SPDX-License-Identifier: MIT
"""Writes isotrope model files (docs/model-format.md), for the scripts that import models of other programs."""
import json
import os

import h5py
import numpy as np
import xxhash


class Unsupported(Exception):
    """A model has something that the model file cannot express."""


def write(path, architecture, hyper, elements, atomic_energies, cutoff, params, table, training):
    """Writes a model file, by way of a temporary. `params` is a list of (name, array) in the order of the flat
    parameters, `table` a dictionary. Returns the content hash."""
    text = json.dumps(hyper)
    digest = content_hash(architecture, text, elements, atomic_energies, cutoff, params, table)
    temporary = f"{path}.tmp"
    with h5py.File(temporary, "w") as file:
        file.attrs["format"] = "isotrope-model"
        file.attrs["format_version"] = np.int32(1)
        file.attrs["architecture"] = architecture
        file.attrs["hyperparameters"] = text
        file.attrs["training"] = json.dumps(training)
        file.attrs["content_hash"] = digest
        file["elements"] = np.asarray(elements, np.int32)
        file["atomic_energies"] = np.asarray(atomic_energies, float)
        file["cutoff"] = float(cutoff)
        group = file.create_group("parameters", track_order=True)
        for name, values in params:
            dataset(group, name, values)
        group = file.create_group("tables")
        for name in sorted(table):
            dataset(group, name, table[name])
    os.replace(temporary, path)
    return digest


def dataset(group, name, values):
    compress = {"compression": "gzip", "shuffle": True} if values.size > 200 else {}
    group.create_dataset(name, data=np.asarray(values, np.float64), **compress)


def content_hash(architecture, text, elements, atomic_energies, cutoff, params, table):
    """XXH64 (seed 0) over everything that the model computes with, in the order of docs/model-format.md."""
    state = xxhash.xxh64(seed=0)
    state.update(architecture.encode())
    state.update(text.encode())
    state.update(np.asarray(elements, "<i4").tobytes())
    state.update(np.asarray(atomic_energies, "<f8").tobytes())
    state.update(np.asarray(cutoff, "<f8").tobytes())
    for name, values in [*params, *sorted(table.items())]:
        state.update(name.encode())
        state.update(np.asarray(values, "<f8").tobytes())
    return state.hexdigest()
