#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What scripts/import_mace.py refuses, by the text of its messages, and heads, checks and provenance of what it writes.

    python tests/reference/mace_importer.py [ISOTROPE]      ISOTROPE: build/isotrope

Needs the environment of the importer (mace-torch), so it is run by scripts/test_peers.sh and not by ctest.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
warnings.filterwarnings("ignore")

import h5py  # noqa: E402
import mace_model  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from mace import modules  # noqa: E402
from e3nn import o3  # noqa: E402, I001
from model_file import Unsupported  # noqa: E402


def model(kind="ScaleShiftMACE", first="RealAgnosticInteractionBlock", later="RealAgnosticResidualInteractionBlock",
          hidden="4x0e+4x1o", **options):
    torch.manual_seed(0)
    blocks = modules.interaction_classes
    heads = options.get("heads", ["Default"])
    scale = {"atomic_inter_scale": [1.0] * len(heads), "atomic_inter_shift": [0.0] * len(heads)}
    defaults = {"num_interactions": 2, "distance_transform": "None", "radial_type": "bessel", "correlation": 2,
                "use_reduced_cg": False, "gate": torch.nn.functional.silu}
    return getattr(modules, kind)(
        r_max=4.0, num_bessel=5, num_polynomial_cutoff=5, max_ell=2, interaction_cls=blocks[later],
        interaction_cls_first=blocks[first], num_elements=2, hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps("3x0e"), atomic_energies=np.arange(2.0 * len(heads)).reshape(len(heads), 2),
        avg_num_neighbors=9.5, atomic_numbers=[1, 8], radial_MLP=[6],
        **(scale if kind == "ScaleShiftMACE" else {}), **(defaults | options))


SUPPORTED_BLOCKS = ("RealAgnosticDensityInteractionBlock, RealAgnosticDensityResidualInteractionBlock, "
                    "RealAgnosticInteractionBlock, RealAgnosticResidualInteractionBlock")
REFUSED = [
    (dict(num_interactions=1), "a single interaction (its only readout is linear; at least 2 interactions are needed)"),
    (dict(distance_transform="Soft"), "the distance transform is a SoftTransform (supported: AgnesiTransform)"),
    (dict(radial_type="gaussian"), "the radial basis is a GaussianBasis (supported: BesselBasis)"),
    (dict(radial_type="chebyshev"), "the radial basis is a ChebychevBasis (supported: BesselBasis)"),
    (dict(gate=torch.tanh), "an activation other than silu in the last readout"),
    (dict(correlation=[2, 1]), "a correlation that differs between layers: [2, 2, 1]"),
    (dict(edge_irreps=o3.Irreps("2x0e+2x1o")),
     "edge_irreps = 2x0e+2x1o: edges with another number of channels than the atoms (only None is supported)"),
    (dict(edge_irreps=o3.Irreps("2x0e+2x1o"), use_edge_irreps_first=True),
     "use_edge_irreps_first = True: edges with another number of channels than the atoms (only False is supported)"),
    (dict(use_so3=True, hidden="4x0e"), "use_so3 = True: features without natural parity (only False is supported)"),
    (dict(embedding_specs={"total_charge": {"type": "continuous", "emb_dim": 4, "in_dim": 1, "per": "graph"}}),
     "joint embedding (embedding_specs): features of charge, spin and the like"),
    (dict(keep_last_layer_irreps=True), "a last layer that keeps 4x0e+4x1o (only scalars are supported)"),
    (dict(first="RealAgnosticDensityInteractionBlock"), "density normalisation that differs between layers: [True, False]"),
    (dict(first="RealAgnosticResidualNonLinearInteractionBlock", later="RealAgnosticResidualNonLinearInteractionBlock",
          edge_irreps=None),
     f"interaction 0 is a RealAgnosticResidualNonLinearInteractionBlock (supported: {SUPPORTED_BLOCKS})"),
    (dict(readout_cls=modules.NonLinearBiasReadoutBlock),
     "the last readout is a NonLinearBiasReadoutBlock (supported: NonLinearReadoutBlock)"),
    (dict(hidden="4x0e+4x1o+4x1e"), "hidden irreps 4x0e+4x1o+4x1e (only 0e, 1o, 2e, ... without gaps are supported)"),
    (dict(hidden="4x0e+4x2e"), "hidden irreps 4x0e+4x2e (only 0e, 1o, 2e, ... without gaps are supported)"),
]


def message(options):
    try:
        built = model(**options)
    except Exception as error:  # mace-torch itself refuses: then nobody can have such a model
        return f"not a model of this mace-torch: {type(error).__name__}: {error}"
    try:
        mace_model.check_supported(built)
        mace_model.hyperparameters(built)
    except Unsupported as error:
        return str(error)
    return "nothing"


def check_refusals():
    failures = 0
    for options, expected in REFUSED:
        found = message(options)
        failures += found != expected
        print(f"{'ok    ' if found == expected else 'FAILED'} {found}" + ("" if found == expected else f"\n  not {expected}"))
    return failures


def run(*arguments):
    command = [sys.executable, str(ROOT / "scripts/import_mace.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr.strip().splitlines()[-1:] or [""]


def check_program(isotrope, folder):
    """Two heads: which one has to be said, and it is converted, compared and described."""
    path, out = folder / "two.model", folder / "two.h5"
    torch.save(model(heads=["pt_head", "Default"], use_agnostic_product=True), path)
    failures = 0
    for arguments, text in (([], "has several heads: add --head, one of pt_head, Default"),
                            (["--head", "default"], "has no head default: it has pt_head, Default")):
        code, _, last = run(path, "-o", out, "--isotrope", isotrope, *arguments)
        failures += report(code == 1 and last == [f"import_mace: {path} {text}"] and not out.exists(), last[0])
    code, _, last = run(path, "-o", out, "--head", "Default", "--isotrope", folder / "nothing")
    failures += report(code == 1 and last[0].endswith("or leave the check out with --no-check"), last[0])
    code, printed, last = run(path, "-o", out, "--head", "Default", "--isotrope", isotrope)
    failures += report(code == 0, f"{printed.strip()} {last[0]}")
    with h5py.File(out) as file:
        written = json.loads(file.attrs["training"])
        energies = file["atomic_energies"][:].tolist()
    failures += report(written["head"] == "Default" and energies == [2.0, 3.0], f"head {written['head']}, E0 {energies}")
    worst = written["check"]["isotrope double"]
    failures += report(worst["energy_ev_per_atom"] <= 1e-10 and worst["force_ev_per_angstrom"] <= 1e-9, str(worst))
    return failures


def report(good, text):
    print(f"{'ok    ' if good else 'FAILED'} {text}")
    return not good


def main():
    isotrope = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/isotrope").resolve()
    torch.set_default_dtype(torch.float64)
    with tempfile.TemporaryDirectory() as folder:
        failures = check_refusals() + check_program(isotrope, Path(folder))
    sys.exit(f"{failures} failures" if failures else 0)


if __name__ == "__main__":
    main()
