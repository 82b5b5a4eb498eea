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
and through `isotrope evaluate`; the differences are printed and kept in the file (`training.check`).
"""
import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import ase
import h5py
import numpy as np
import sevenn
import sevenn._keys as KEY
import torch
from model_file import Unsupported
from sevennet_model import Converted, Original

ROOT = Path(__file__).resolve().parent.parent


# ---- the check ---------------------------------------------------------------------------------------------------

def random_structures(elements, cutoff, seed=1):
    """Ordered and disordered crystals, and a cluster, of random elements of the model."""
    rng = np.random.default_rng(seed)
    structures = []
    for atoms, periodic, kinds in ((8, True, 2), (20, True, 20), (12, True, 4), (10, False, 4)):
        chosen = rng.choice(elements, min(kinds, len(elements)), replace=False)
        numbers = rng.choice(chosen, atoms)
        numbers[:min(len(chosen), atoms)] = chosen[:atoms]
        edge = (18.0 * atoms) ** (1 / 3)
        cell = np.diag([edge] * 3) + rng.normal(scale=0.3, size=(3, 3))
        structure = ase.Atoms(numbers=numbers, cell=cell, pbc=periodic)
        structure.positions = apart(rng, atoms, cell, periodic)
        if not periodic:
            structure.cell = None
        structures.append(structure)
    return structures


def apart(rng, count, cell, periodic, closest=1.7):
    """Places of which no two (images included) are closer than `closest`."""
    images = np.array(np.meshgrid(*[[-1, 0, 1] if periodic else [0]] * 3)).reshape(3, -1).T @ cell
    placed = np.zeros((0, 3))
    while len(placed) < count:
        trial = rng.uniform(0, 1, 3) @ cell
        if np.linalg.norm(placed[:, None] + images - trial, axis=-1).min(initial=np.inf) > closest:
            placed = np.vstack([placed, trial])
    return placed


def compare(path, originals, structures, isotrope):
    """{precision: largest differences} of `isotrope evaluate` from the original in double; and of the original itself."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "check.xyz"
        exact = [originals[torch.float64].evaluate(s) for s in structures]
        write_labelled(data, structures, exact)
        for precision in ("double", "single"):
            report = Path(folder) / precision
            subprocess.run([isotrope, "evaluate", path, data, "--precision", precision, "--report", report, "--json",
                            report.with_suffix(".json")], check=True, capture_output=True, text=True)
            results[f"isotrope {precision}"] = differences(report)
    if torch.float32 in originals:
        results["sevenn float32"] = own_differences(originals[torch.float32], structures, exact)
    return results


def write_labelled(path, structures, results):
    """Extended xyz with every digit."""
    with open(path, "w") as file:
        for atoms, (energies, forces, stress, _) in zip(structures, results):
            header = f"Properties=species:S:1:pos:R:3:forces:R:3 energy={energies.sum().item()!r}"
            header += f' pbc="{" ".join("T" if p else "F" for p in atoms.pbc)}"'
            if any(atoms.pbc):
                header += f' Lattice="{numbers(atoms.cell.array)}"'
            if stress is not None:
                header += f' stress="{numbers(stress.detach().numpy())}"'
            print(f"{len(atoms)}\n{header}", file=file)
            for symbol, place, force in zip(atoms.symbols, atoms.positions, forces.detach().double().numpy()):
                print(symbol, numbers(place), numbers(force), file=file)


def numbers(array):
    return " ".join(repr(float(x)) for x in np.asarray(array).reshape(-1))


def differences(report):
    def rows(name):
        with open(report / name, newline="") as file:
            return list(csv.DictReader(file))
    energy = max(abs(float(r["predicted_ev"]) - float(r["reference_ev"])) / int(r["atoms"]) for r in rows("energies.csv"))
    force = max(abs(float(r[f"predicted_{k}"]) - float(r[f"reference_{k}"])) for r in rows("forces.csv") for k in "xyz")
    summary = json.loads(report.with_suffix(".json").read_text())
    return {"energy_ev_per_atom": energy, "force_ev_per_angstrom": force,
            "stress_ev_per_cubic_angstrom": summary["stress_rmse_ev_per_cubic_angstrom"]}


def own_differences(original, structures, exact):
    energy, force, stress = 0.0, 0.0, None
    for atoms, (e, f, s, _) in zip(structures, exact):
        e32, f32, s32, _ = original.evaluate(atoms)
        energy = max(energy, abs((e32.double().sum() - e.sum()).item()) / len(atoms))
        force = max(force, (f32.double() - f).abs().max().item())
        if s is not None:
            stress = max(stress or 0.0, (s32.double() - s).abs().max().item())
    return {"energy_ev_per_atom": energy, "force_ev_per_angstrom": force, "stress_ev_per_cubic_angstrom": stress}


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
    parser.add_argument("--isotrope", default=str(ROOT / "build/isotrope"), help="the program that checks the result")
    arguments = parser.parse_args()
    if not Path(arguments.isotrope).exists():
        sys.exit(f"import_sevennet: no program {arguments.isotrope} to check the result with: build isotrope, or name it "
                 "with --isotrope")
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
    results = compare(arguments.output, originals, random_structures(converted.elements, config[KEY.CUTOFF]),
                      arguments.isotrope)
    print("largest differences from the original in double   eV/atom       eV/Å    eV/Å^3")
    for who, row in results.items():
        print(f"  {who:<45}{row['energy_ev_per_atom']:10.1e} {row['force_ev_per_angstrom']:10.1e} "
              f"{row['stress_ev_per_cubic_angstrom'] or 0:9.1e}")
    with h5py.File(arguments.output, "r+") as file:
        file.attrs["training"] = json.dumps(training | {"check": results})
    exact = results["isotrope double"]
    if not (exact["energy_ev_per_atom"] <= 1e-9 and exact["force_ev_per_angstrom"] <= 1e-8):
        sys.exit(f"import_sevennet: {arguments.output} does not give the original's numbers; do not use it")


if __name__ == "__main__":
    main()
