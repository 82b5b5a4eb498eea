# SPDX-License-Identifier: MIT
"""How importers check what they wrote: random structures of the model's elements go through the original program and
through `isotrope evaluate`. The differences are printed and kept in the file (`training.check`)."""
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import ase
import h5py
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
SOUND = {"energy_ev_per_atom": 1e-9, "force_ev_per_angstrom": 1e-8}  # isotrope in double; rounding is a tenth or less


# ---- command line ------------------------------------------------------------------------------------------------

def add_options(parser):
    parser.add_argument("--isotrope", default=str(ROOT / "build/isotrope"), help="the program that checks the result")
    parser.add_argument("--no-check", action="store_true", help="write the file without comparing it with the original")


def expect_program(arguments, importer):
    """Before anything is loaded: the program that the check needs."""
    if not arguments.no_check and not Path(arguments.isotrope).exists():
        sys.exit(f"{importer}: no program {arguments.isotrope} to check the result with: build isotrope, or name it with "
                 "--isotrope, or leave the check out with --no-check")


def check(path, program, originals, elements, arguments, training, importer):
    """Compares, prints, and keeps the figures in the file; ends the importer where isotrope has other numbers."""
    if arguments.no_check:
        print(f"{path}: not compared with {program} (--no-check)")
        return
    results = compare(path, program, originals, random_structures(elements), arguments.isotrope)
    print("largest differences from the original in double   eV/atom       eV/Å    eV/Å^3")
    for who, row in results.items():
        print(f"  {who:<45}{row['energy_ev_per_atom']:10.1e} {row['force_ev_per_angstrom']:10.1e} "
              f"{row['stress_ev_per_cubic_angstrom'] or 0:9.1e}")
    with h5py.File(path, "r+") as file:
        file.attrs["training"] = json.dumps(training | {"check": results})
    if not all(results["isotrope double"][key] <= bound for key, bound in SOUND.items()):
        sys.exit(f"{importer}: {path} does not give the original's numbers; do not use it")


# ---- structures --------------------------------------------------------------------------------------------------

def random_structures(elements, seed=1):
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


# ---- comparison --------------------------------------------------------------------------------------------------

def compare(path, program, originals, structures, isotrope):
    """{who: largest differences from the original in double}: isotrope in both precisions, and the original in float32
    where `originals` ({dtype: object with evaluate(atoms)}) has it."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "check.xyz"
        exact = [originals[torch.float64].evaluate(s) for s in structures]
        write_labelled(data, structures, exact)
        for precision in ("double", "single"):
            report = Path(folder) / precision
            run = subprocess.run([isotrope, "evaluate", path, data, "--precision", precision, "--report", report, "--json",
                                  report.with_suffix(".json")], capture_output=True, text=True)
            if run.returncode:
                sys.exit(f"{isotrope} evaluate {path} failed: {run.stderr.strip()}")
            results[f"isotrope {precision}"] = differences(report)
    if torch.float32 in originals:
        results[f"{program} float32"] = own_differences(originals[torch.float32], structures, exact)
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
