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
in single precision by more than three times what sevenn's own float32 does (energies: largest of the model's systems,
and 1e-7 eV/atom at least).

Speed: energy and forces, microseconds per atom, best of several, one thread each, alternating; sevenn in float32.
"""
import argparse
import subprocess
import sys
from pathlib import Path

import import_check
import import_sevennet
import numpy as np
import peer_comparison
import torch
from sevennet_model import Original

# Name of the file, what sevenn calls the checkpoint, modality.
CHECKPOINTS = [("7net-0", "7net-0", None), ("7net-0-22may2024", "7net-0_22may2024", None),
               ("7net-l3i5", "7net-l3i5", None), ("7net-mf-0-pbe", "7net-mf-0", "PBE"),
               ("7net-mf-0-r2scan", "7net-mf-0", "R2SCAN")]


# ---- parity ------------------------------------------------------------------------------------------------------

def parity(name, label, modality, path, isotrope):
    """Rows of the table; whether all are within their bounds."""
    checkpoint, config = import_sevennet.load(label, modality)
    originals = {dtype: Original(checkpoint.build_model, config, modality, dtype)
                 for dtype in (torch.float32, torch.float64)}
    return peer_comparison.parity(path, name, sorted(config["_type_map"]), "sevenn", originals, isotrope)


# ---- speed -------------------------------------------------------------------------------------------------------

def speed(name, label, modality, path, isotrope, repeats):
    checkpoint, config = import_sevennet.load(label, modality)
    original = Original(checkpoint.build_model, config, modality, torch.float32)
    rows = []
    for system, make in ((peer_comparison.NACL, peer_comparison.nacl), (peer_comparison.WATER, peer_comparison.water)):
        atoms, = make()
        original.evaluate(atoms)  # warm-up
        kinds = {"double": ("double",), "exact": ("single", "--radial", "exact"), "single": ("single",)}
        best = {"sevenn": np.inf} | {kind: np.inf for kind in kinds}
        for seed in range(repeats):
            atoms.rattle(0.001, seed=seed)
            best["sevenn"] = min(best["sevenn"], peer_comparison.seconds(lambda: original.evaluate(atoms)) * 1e6 / len(atoms))
            for kind, options in kinds.items():
                best[kind] = min(best[kind], peer_comparison.benchmark(isotrope, path, atoms, *options))
        rows.append(f"| {name} | {system} | {best['sevenn']:.0f} | {best['double']:.0f} | {best['exact']:.0f} | "
                    f"**{best['single']:.0f}** | {best['sevenn'] / best['single']:.0f} |")
        print(rows[-1], flush=True)
    return rows


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
        tables += peer_comparison.parity_head("sevenn")
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
