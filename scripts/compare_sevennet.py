#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares SevenNet models in sevenn and in isotrope: numbers and speed, as tables for docs/performance.md.

    python scripts/compare_sevennet.py FOLDER                          all public checkpoints: parity, then speed
    python scripts/compare_sevennet.py FOLDER --models 7net-0 --speed

Needs the environment of scripts/import_sevennet.py. Models are converted into FOLDER where they are not there yet; the
tables go to the screen and to FOLDER/sevennet.md.

Parity: largest differences from sevenn run fully in double, in eV/atom, eV/Å and eV/Å^3 (stress: root mean square of
isotrope's), of isotrope in double, of sevenn as shipped, in float32, and of isotrope in single precision; radial
networks evaluated exactly. Fails where isotrope in double differs by more than 1e-10 eV/atom or 1e-9 eV/Å, or isotrope
in single precision by more than three times what sevenn's own float32 does (1e-7 eV/atom at least).

Speed: energy and forces, microseconds per atom, best of several, one thread each, alternating; sevenn in float32.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ase
import ase.io
import import_check
import import_sevennet
import numpy as np
import torch
from ase.build import add_adsorbate, bulk, fcc111, molecule
from sevennet_model import Original

# Name of the file, what sevenn calls the checkpoint, modality.
CHECKPOINTS = [("7net-0", "7net-0", None), ("7net-0-22may2024", "7net-0_22may2024", None),
               ("7net-l3i5", "7net-l3i5", None), ("7net-mf-0-pbe", "7net-mf-0", "PBE"),
               ("7net-mf-0-r2scan", "7net-mf-0", "R2SCAN")]
ROUNDING = 1e-7  # eV/atom of float32 in energies of a few eV; the total of one structure can be closer by chance
EXACT = {"energy_ev_per_atom": 1e-10, "force_ev_per_angstrom": 1e-9}


# ---- systems -----------------------------------------------------------------------------------------------------

def nacl(n=3):
    box = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (n, n, n)
    box.rattle(0.05, seed=1)
    return [box]


def water(n=4):
    rng = np.random.default_rng(1)
    box = ase.Atoms(cell=[3.105 * n] * 3, pbc=True)
    for place in np.ndindex(n, n, n):
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.translate(-one.positions.mean(0) + 3.105 * (np.array(place) + 0.5))
        box += one
    box.rattle(0.02, seed=3)
    return [box]


def molecules():
    found = [molecule(name) for name in ("CH3CH2OH", "C6H6", "SiH4", "CH3SH", "NaCl", "BF3")]
    for seed, atoms in enumerate(found):
        atoms.rattle(0.05, seed=seed)
    return found


def surface():
    slab = fcc111("Pt", (3, 3, 3), vacuum=8.0)
    add_adsorbate(slab, molecule("CO"), 1.9, "ontop", mol_index=1)
    slab.rattle(0.05, seed=2)
    return [slab]


SYSTEMS = {"NaCl crystal, 216 atoms": nacl, "water, 192 atoms": water, "six molecules": molecules,
           "CO on Pt(111)": surface, "20 elements in a random cell": None}


# ---- parity ------------------------------------------------------------------------------------------------------

def parity(name, label, modality, path, isotrope):
    """Rows of the table; whether all are within their bounds."""
    checkpoint, config = import_sevennet.load(label, modality)
    originals = {dtype: Original(checkpoint.build_model, config, modality, dtype)
                 for dtype in (torch.float32, torch.float64)}
    elements = sorted(config["_type_map"])
    rows, sound = [], True
    for system, make in SYSTEMS.items():
        structures = make() if make else import_check.random_structures(elements)[1:2]
        result = import_check.compare(path, "sevenn", originals, structures, isotrope)
        theirs, double, single = (result[k] for k in ("sevenn float32", "isotrope double", "isotrope single"))
        good = all(double[k] <= bound for k, bound in EXACT.items())
        good &= single["energy_ev_per_atom"] <= 3 * max(theirs["energy_ev_per_atom"], ROUNDING)
        good &= single["force_ev_per_angstrom"] <= 3 * theirs["force_ev_per_angstrom"]
        sound &= good
        rows.append(f"| {name} | {system} | {cell(double)} | {cell(theirs)} | "
                    f"{cell(single)} |{'' if good else ' **outside**'}")
        print(rows[-1], flush=True)
    return rows, sound


def cell(row):
    stress = row["stress_ev_per_cubic_angstrom"]
    return " ".join(f"{x:.0e}" if x is not None else "-"
                    for x in (row["energy_ev_per_atom"], row["force_ev_per_angstrom"], stress))


PARITY_HEAD = ["| model | system | isotrope, double | sevenn, float32 | isotrope, single |",
               "|---|---|---|---|---|"]


# ---- speed -------------------------------------------------------------------------------------------------------

def speed(name, label, modality, path, isotrope, repeats):
    checkpoint, config = import_sevennet.load(label, modality)
    original = Original(checkpoint.build_model, config, modality, torch.float32)
    rows = []
    for system in list(SYSTEMS)[:2]:
        atoms, = SYSTEMS[system]()
        original.evaluate(atoms)  # warm-up
        kinds = {"double": ("double",), "exact": ("single", "--radial", "exact"), "single": ("single",)}
        best = {"sevenn": np.inf} | {kind: np.inf for kind in kinds}
        for seed in range(repeats):
            atoms.rattle(0.001, seed=seed)
            best["sevenn"] = min(best["sevenn"], seconds(original, atoms) * 1e6 / len(atoms))
            for kind, options in kinds.items():
                best[kind] = min(best[kind], benchmark(isotrope, path, atoms, *options))
        rows.append(f"| {name} | {system} | {best['sevenn']:.0f} | {best['double']:.0f} | {best['exact']:.0f} | "
                    f"**{best['single']:.0f}** | {best['sevenn'] / best['single']:.0f} |")
        print(rows[-1], flush=True)
    return rows


def seconds(original, atoms):
    begin = time.perf_counter()
    original.evaluate(atoms)
    return time.perf_counter() - begin


def benchmark(isotrope, model, atoms, precision, *options):
    """Microseconds per atom of `isotrope benchmark`."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "system.xyz", Path(folder) / "time.json"
        bare = atoms.copy()
        bare.calc = None
        ase.io.write(data, bare, format="extxyz")
        subprocess.run([isotrope, "benchmark", model, data, "--precision", precision, "--repeats", "5", "--json", out,
                        *options], check=True, capture_output=True, text=True)
        return json.loads(out.read_text())["microseconds_per_atom"]


SPEED_HEAD = ["| model | system | sevenn | isotrope, double | single, exact | single, tables | faster than sevenn |",
              "|---|---|---|---|---|---|---|"]


# ---- command line ------------------------------------------------------------------------------------------------

def converted(folder, name, label, modality, isotrope):
    path = folder / f"{name}.h5"
    if not path.exists():
        command = [sys.executable, import_sevennet.__file__, label, "-o", path, "--isotrope", isotrope]
        subprocess.run(command + (["--modality", modality] if modality else []), check=True)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where converted models and tables go")
    names = [name for name, _, _ in CHECKPOINTS]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--parity", action="store_true", help="parity only")
    parser.add_argument("--speed", action="store_true", help="speed only")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--isotrope", default=str(import_check.ROOT / "build/isotrope"))
    a = parser.parse_args()
    torch.set_num_threads(1)
    a.folder.mkdir(parents=True, exist_ok=True)
    tables, sound = [], True
    wanted = [(c, converted(a.folder, *c, a.isotrope)) for c in CHECKPOINTS if c[0] in a.models]
    if not a.speed or a.parity:
        tables += PARITY_HEAD
        for checkpoint, path in wanted:
            rows, good = parity(*checkpoint, path, a.isotrope)
            tables += rows
            sound &= good
        tables.append("")
    if not a.parity or a.speed:
        tables += SPEED_HEAD
        for checkpoint, path in wanted:
            tables += speed(*checkpoint, path, a.isotrope, a.repeats)
    (a.folder / "sevennet.md").write_text("\n".join(tables) + "\n")
    print(f"{a.folder}/sevennet.md")
    if not sound:
        sys.exit("compare_sevennet: isotrope does not give sevenn's numbers: see the lines that say 'outside'")


if __name__ == "__main__":
    main()
