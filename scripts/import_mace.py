#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts a model trained with mace-torch into an isotrope model file and checks the result.

    python scripts/import_mace.py my.model -o mace.h5
    python scripts/import_mace.py multihead.model --head Default -o mace.h5

Needs an environment with mace-torch, h5py and xxhash (pip install mace-torch h5py xxhash); isotrope itself never
does. Written against mace-torch 0.3.16 and e3nn 0.4.4. What the file holds is said in docs/model-format.md, what is
supported and what is not in docs/importing.md. Anything that an isotrope model cannot express is refused by name: a
converted model gives the same numbers or does not exist.

Coupling tensors, Bessel frequencies, covalent radii and the constants of the distance transform and of the pair
repulsion are read from the model, never computed again. After writing, random structures of the model's elements go
through the original (in float32, and in double with the 3j symbols of its convolutions in double) and through `isotrope
evaluate`; the differences are printed and kept in the file (scripts/import_check.py).
"""
import argparse
import os
import sys

import import_check
import torch
from mace_model import Original, check_supported, export, heads_of
from model_file import Unsupported


def load(path):
    if not os.path.exists(path):
        sys.exit(f"import_mace: no such file: {path}")
    model = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(model, torch.nn.Module):
        sys.exit(f"import_mace: {path} holds a {type(model).__name__}, not a model; give the .model file that "
                 "mace_run_train writes, not a checkpoint")
    return model


def choose_head(model, arguments):
    """Its number; of several heads the user says which."""
    heads = heads_of(model)
    if arguments.head is None and len(heads) > 1:
        sys.exit(f"import_mace: {arguments.model} has several heads: add --head, one of {', '.join(heads)}")
    if arguments.head is not None and arguments.head not in heads:
        sys.exit(f"import_mace: {arguments.model} has no head {arguments.head}: it has {', '.join(heads)}")
    return heads.index(arguments.head) if arguments.head is not None else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model saved by mace_run_train (torch.save of the whole module)")
    parser.add_argument("-o", "--output", required=True, help="the isotrope model file to write")
    parser.add_argument("--head", help="of a model with several heads: which one")
    import_check.add_options(parser)
    arguments = parser.parse_args()
    import_check.expect_program(arguments, "import_mace")
    model = load(arguments.model)
    head = choose_head(model, arguments)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    training = {"imported_from": os.path.basename(arguments.model), "program": "mace-torch", "saved_as": dtype,
                "head": heads_of(model)[head]}
    try:
        check_supported(model)
        originals = {torch.float64: Original(model, head, torch.float64),
                     torch.float32: Original(load(arguments.model), head, torch.float32)}
        digest = export(model, arguments.output, training, head)
    except Unsupported as error:
        sys.exit(f"import_mace: {arguments.model} cannot be converted: it has {error}")
    elements = model.atomic_numbers.tolist()
    print(f"{arguments.output}: {dtype} model of {len(elements)} elements, content hash {digest}")
    import_check.check(arguments.output, "mace-torch", originals, elements, arguments, training, "import_mace")


if __name__ == "__main__":
    main()
