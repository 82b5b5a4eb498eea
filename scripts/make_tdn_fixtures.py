#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/data/tdn from reference files of the authors' program (docs/theory.md, "TDN"): the models, and of what the
program computed with them the parts that the tests compare.

    python scripts/make_tdn_fixtures.py REFERENCE_FOLDER -o tests/data/tdn

The folder has a.h5, b.h5 and c.h5: weights, cases with energies, forces and intermediates in double precision, and a
training section with gradients and ten steps of Adam (not in c).
"""
import argparse
import os

import h5py
import numpy as np

import import_tdn

ELEMENTS = ["H", "C", "N", "O", "S", "Cl"]
NUMBERS = [1, 6, 7, 8, 16, 17]
NODE = ["input", "norm1", "after_attn", "norm2", "output"]
# What is compared in the cases with full intermediates; larger ones keep their outputs.
INTERMEDIATE = (["edge_length", "edge_sh", "rbf", "degree/radial_weight", "final_norm", "force_head/alpha",
                 "block0/radial_weight", "block0/tp1", "block0/lin_alpha_scalar", "block0/lin_value", "block0/aggregated",
                 "block0/ffn_gate"]
                + [f"block{i}/{name}" for i in range(4) for name in NODE + ["alpha"]])
WITH_INTERMEDIATES = {"a": ["thiazole"], "b": ["water"], "c": ["water"]}
WITH_GRADIENT = {"a": ["gradient", "direct"], "b": ["gradient"]}  # losses in both
CASES = {"a": ["water", "ethanol", "thiazole", "adamantylmethanol", "batch3", "isolated"],
         "b": ["water", "ethanol", "thiazole", "adamantylmethanol", "batch3", "isolated"],
         "c": ["water", "thiazole", "adamantylmethanol"]}


def put(group, name, values):
    values = np.asarray(values)
    compress = {"compression": "gzip", "shuffle": True} if values.size > 200 else {}
    group.create_dataset(name, data=values, **compress)


def copy_case(source, target, with_intermediates):
    for name in ["numbers", "positions", "batch", "edge_index", "node_mask", "energy", "forces", "forces_direct",
                 "exact_cg/energy", "exact_cg/forces", "exact_cg/forces_direct"]:
        values = source[name][()]
        put(target, name, values.astype(np.int32) if values.dtype.kind in "iu" else values)
    for name in INTERMEDIATE if with_intermediates else []:
        if name in source["intermediate"]:
            put(target, "intermediate/" + name.replace("/", "."), source["intermediate"][name][()])


def copy_training(source, target, state, mode, with_gradient):
    """Gradients in the order of our parameters, and the two losses before each step and after the last."""
    gradients = {name: np.zeros_like(values) for name, values in state.items()}
    gradients.update({import_tdn.clean(name): values[()] for name, values in source["grads"].items()})
    pairs = import_tdn.parameters(import_tdn.Checkpoint(gradients), NUMBERS, mode)
    if with_gradient:
        put(target, "gradient", np.concatenate([values.reshape(-1) for _, values in pairs]))
    put(target, "losses", source["loss_energy_force_per_step"][()])


def make(name, folder, output):
    path = os.path.join(folder, f"{name}.h5")
    state = import_tdn.read_state(path)
    import_tdn.export(state, os.path.join(output, f"{name}.h5"), ELEMENTS, 4.5, 18.6, 36.6, "both",
                      {"weights": "random", "program": "divelab/AIRS OpenMol/TDN"})
    with h5py.File(path) as source, h5py.File(os.path.join(output, f"{name}_expected.h5"), "w") as target:
        put(target, "tensor", source["cp/approximated"][()])
        put(target, "exact_tensor", source["cp/exact"][()])
        for case in CASES[name]:
            copy_case(source["cases"][case], target.create_group(f"cases/{case}"), case in WITH_INTERMEDIATES[name])
        if "training" in source:
            training = target.create_group("training")
            put(training, "label_energy", source["training/label_energy"][()])
            put(training, "label_forces", source["training/label_forces"][()])
            for mode in ["gradient", "direct"]:
                copy_training(source[f"training/{mode}_force"], training.create_group(mode), state, mode,
                              mode in WITH_GRADIENT[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", help="folder with a.h5, b.h5 and c.h5")
    parser.add_argument("-o", "--output", required=True, help="folder of the fixtures")
    arguments = parser.parse_args()
    os.makedirs(arguments.output, exist_ok=True)
    for name in "abc":
        make(name, arguments.reference, arguments.output)


if __name__ == "__main__":
    main()
