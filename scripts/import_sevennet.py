#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts a SevenNet model (NequIP architecture) into an isotrope model file and checks the result.

    python scripts/import_sevennet.py 7net-0 -o sevennet-0.h5
    python scripts/import_sevennet.py 7net-mf-0 --modality PBE -o sevennet-mf-pbe.h5
    python scripts/import_sevennet.py my_checkpoint.pth -o my.h5 --isotrope build/isotrope

Needs an environment with sevenn, h5py and xxhash (pip install sevenn h5py xxhash); isotrope itself never does. Written
against sevenn 0.13.0 and e3nn 0.6.0. The first argument is a name that sevenn knows or a checkpoint. What the file
holds is said in docs/model-format.md. Anything that an isotrope model cannot express is refused by name.

Couplings, Bessel frequencies, denominators and activation constants are read from the original, never assumed. After
writing, random structures of the model's elements go through the original (in float32 as shipped, and fully in double)
and through `isotrope evaluate`; the differences are printed and kept in the file (scripts/import_check.py).
"""
import argparse
import sys

import import_check
import sevenn
import sevenn._keys as KEY
import torch
from model_file import Unsupported
from sevennet_model import Converted, Original


# ---- command line ------------------------------------------------------------------------------------------------

def load(name, modality):
    """The checkpoint, and a function that builds a fresh module of it."""
    from sevenn.util import load_checkpoint
    checkpoint = load_checkpoint(name)
    config = checkpoint.config
    modal_map = config.get(KEY.MODAL_MAP) if config.get(KEY.USE_MODALITY, False) else None
    if modal_map and modality not in modal_map:
        sys.exit(f"import_sevennet: {name} has several modalities: add --modality, one of {', '.join(modal_map)}")
    if not modal_map and modality:
        sys.exit(f"import_sevennet: {name} has no modalities: leave --modality out")
    return checkpoint, config


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a name that sevenn knows (7net-0, 7net-l3i5, 7net-mf-0, ...) or a checkpoint")
    parser.add_argument("-o", "--output", required=True, help="the isotrope model file to write")
    parser.add_argument("--modality", help="of a multi-fidelity model: which one")
    import_check.add_options(parser)
    arguments = parser.parse_args()
    import_check.expect_program(arguments, "import_sevennet")
    checkpoint, config = load(arguments.model, arguments.modality)
    originals = {dtype: Original(checkpoint.build_model, config, arguments.modality, dtype)
                 for dtype in (torch.float32, torch.float64)}
    try:
        converted = Converted(config, originals[torch.float64].model, arguments.modality)
        training = {"imported_from": arguments.model, "program": f"sevenn {sevenn.__version__}",
                    "checkpoint_hash": checkpoint.hash, "modality": arguments.modality}
        digest = converted.write(arguments.output, training)
    except Unsupported as error:
        sys.exit(f"import_sevennet: {arguments.model} cannot be converted: it has {error}")
    print(f"{arguments.output}: {len(converted.elements)} elements, content hash {digest}")
    import_check.check(arguments.output, "sevenn", originals, converted.elements, arguments, training, "import_sevennet")


if __name__ == "__main__":
    main()
