#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares MACE models in mace-torch, symmetrix-xl and isotrope: numbers and speed, as tables for docs/performance.md.

    python scripts/compare_mace.py FOLDER                        all models: parity, then speed
    python scripts/compare_mace.py FOLDER --models 96x0e --speed

Needs the environment of scripts/import_mace.py; where symmetrix-xl can be imported it is timed too. The models have
random weights (public checkpoints do the same arithmetic); they are made in FOLDER where they are not there yet and
converted by scripts/import_mace.py. The tables go to the screen and to FOLDER/mace.md.

Parity: largest differences from mace-torch in double, in eV/atom, eV/Å and eV/Å^3 (stress: root mean square of
isotrope's), of isotrope in double, of mace-torch in float32, and of isotrope in single precision; radial networks
evaluated exactly. Fails where isotrope in double differs by more than 1e-10 eV/atom or 1e-9 eV/Å, or isotrope in single
precision by more than three times what mace-torch's own float32 does (energies: largest of the model's systems, and
1e-7 eV/atom at least).

Speed: energy and forces of water, microseconds per atom, best of several, one thread each, alternating. mace-torch and
symmetrix-xl are called through ASE and make their neighbour lists within the time; isotrope's is added to its time.
"""
import argparse
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import import_check
import import_mace
import numpy as np
import peer_comparison
import torch
from mace import modules  # before e3nn: it lets torch load e3nn's constants
from e3nn import o3  # noqa: I001
from mace.calculators import MACECalculator
from mace_model import Original, default_dtype

try:
    import symmetrix
except ImportError:
    symmetrix = None


# ---- models ------------------------------------------------------------------------------------------------------

@dataclass
class Shape:
    hidden: str
    elements: tuple = (1, 6, 7, 8)
    timed: bool = True
    first: str = "RealAgnosticInteractionBlock"
    later: str = "RealAgnosticResidualInteractionBlock"
    options: dict = field(default_factory=dict)


PLAIN = {"r_max": 5.0, "num_bessel": 8, "num_polynomial_cutoff": 5}
# As MACE-MP-0b3: all elements, 6 Å, Agnesi transform, ZBL, density normalisation; narrower, for it is not timed.
MP0B = {"r_max": 6.0, "num_bessel": 10, "num_polynomial_cutoff": 5, "pair_repulsion": True, "distance_transform": "Agnesi"}
SHAPES = {
    "64x0e": Shape("64x0e"), "96x0e": Shape("96x0e"), "128x0e+128x1o": Shape("128x0e+128x1o"),
    "residual 32x0e+32x1o+32x2e": Shape("32x0e+32x1o+32x2e", timed=False, first="RealAgnosticResidualInteractionBlock"),
    "as MP-0b3, 32x0e+32x1o": Shape("32x0e+32x1o", tuple(range(1, 90)), False, "RealAgnosticDensityInteractionBlock",
                                    "RealAgnosticDensityResidualInteractionBlock", MP0B),
}


def make(shape, path):
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        blocks = modules.interaction_classes
        model = modules.ScaleShiftMACE(
            max_ell=3, interaction_cls=blocks[shape.later], interaction_cls_first=blocks[shape.first], num_interactions=2,
            num_elements=len(shape.elements), hidden_irreps=o3.Irreps(shape.hidden), MLP_irreps=o3.Irreps("16x0e"),
            gate=torch.nn.functional.silu, atomic_energies=-np.arange(1.0, 1 + len(shape.elements)),
            avg_num_neighbors=20.0, atomic_numbers=list(shape.elements), correlation=3, atomic_inter_scale=1.0, atomic_inter_shift=0.0,
            radial_type="bessel", radial_MLP=[64, 64, 64], use_reduced_cg=False, **(PLAIN | shape.options))
        forces = Original(model, 0, torch.float64).evaluate(import_check.random_structures(shape.elements)[1])[1]
        model.scale_shift.scale /= forces.square().mean().sqrt()  # forces near 1 eV/Å
    torch.save(model, path)


def files(folder, name, isotrope):
    """The model of mace-torch, of symmetrix-xl (None without it) and of isotrope."""
    stem = str(folder / name.replace(" ", "_").replace(",", ""))
    original, ours, theirs = f"{stem}.model", f"{stem}.h5", f"{stem}.json"
    if not os.path.exists(original):
        make(SHAPES[name], original)
    if not os.path.exists(ours):
        subprocess.run([sys.executable, import_mace.__file__, original, "-o", ours, "--isotrope", isotrope], check=True)
    if symmetrix is None or not SHAPES[name].timed:
        return original, None, ours
    if not os.path.exists(theirs):
        program = Path(sys.executable).parent / "symmetrix_extract_mace"
        subprocess.run([program, "--model", original, "--output", theirs], check=True, capture_output=True)
    return original, theirs, ours


# ---- parity ------------------------------------------------------------------------------------------------------

def parity(name, paths, isotrope):
    original, _, ours = paths
    originals = {dtype: Original(import_mace.load(original), 0, dtype) for dtype in (torch.float64, torch.float32)}
    return peer_comparison.parity(ours, name, SHAPES[name].elements, "mace-torch", originals, isotrope)


# ---- speed -------------------------------------------------------------------------------------------------------

def speed(name, paths, isotrope, precision, repeats):
    """A row of the table, and what symmetrix-xl says about its run-time compilation."""
    original, theirs, ours = paths
    dtype = {"single": "float32", "double": "float64"}[precision]
    systems = {"mace": warm(MACECalculator(model_paths=original, device="cpu", default_dtype=dtype))}
    if theirs:
        try:
            systems["symmetrix"] = warm(symmetrix.Symmetrix(theirs, dtype=dtype))
        except RuntimeError as error:  # its compiler takes minutes, and may be stopped by its limit
            print(f"symmetrix-xl is not timed with {name} in {dtype}: {error}", flush=True)
    best = dict.fromkeys([*systems, "exact", "tabulated"], np.inf)
    atoms, = peer_comparison.water()
    for seed in range(repeats):
        for who, moved in systems.items():
            for k in range(1 if who == "mace" else 5):
                moved.rattle(0.001, seed=10 * seed + k)
                best[who] = min(best[who], peer_comparison.seconds(moved.get_forces) * 1e6 / len(moved))
        for kind in ("exact", "tabulated"):
            best[kind] = min(best[kind], peer_comparison.benchmark(isotrope, ours, atoms, precision, "--radial", kind,
                                                                   neighbour_list=True))
    ratio = {who: f"{best[who] / best['tabulated']:.1f}" for who in systems}
    shown = {who: f"{t:.0f}" if t >= 100 else f"{t:.1f}" for who, t in best.items()}
    times = " | ".join(shown.get(who, "-") for who in ("mace", "symmetrix", "exact"))
    row = f"| {name} | {precision} | {times} | **{shown['tabulated']}** | {ratio['mace']} | {ratio.get('symmetrix', '-')} |"
    print(row, flush=True)
    return row, getattr(getattr(systems.get("symmetrix"), "calc", None), "jit_status", None)


def warm(calculator):
    """Water with a calculator that has been called once: what compiles has done so."""
    atoms, = peer_comparison.water()
    atoms.calc = calculator
    atoms.get_forces()
    return atoms


SPEED_HEAD = ["| model | precision | mace-torch | symmetrix-xl | isotrope, exact | isotrope, tabulated | faster than "
              "mace-torch | than symmetrix-xl |", "|---|---|---|---|---|---|---|---|"]


# ---- command line ------------------------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where models and tables go")
    parser.add_argument("--models", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--parity", action="store_true", help="parity only")
    parser.add_argument("--speed", action="store_true", help="speed only")
    parser.add_argument("--precision", nargs="+", choices=["single", "double"], default=["single", "double"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--isotrope", default=str(import_check.ROOT / "build/isotrope"))
    a = parser.parse_args()
    torch.set_num_threads(1)
    a.folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: files(a.folder, name, a.isotrope) for name in a.models}
    tables, sound = [], True
    if not a.speed or a.parity:
        tables += peer_comparison.parity_head("mace-torch")
        for name, paths in wanted.items():
            rows, good = parity(name, paths, a.isotrope)
            tables += rows
            sound &= good
        tables.append("")
    if not a.parity or a.speed:
        print("symmetrix-xl is not timed: it is not installed" if symmetrix is None else "", flush=True)
        tables += SPEED_HEAD
        for name in [name for name in wanted if SHAPES[name].timed]:
            for precision in a.precision:
                row, compiled = speed(name, wanted[name], a.isotrope, precision, a.repeats)
                tables.append(row)
                if compiled is not None:
                    print(f"symmetrix-xl: run-time compilation {compiled}")
    (a.folder / "mace.md").write_text("\n".join(tables) + "\n")
    print(f"{a.folder}/mace.md")
    if not sound:
        sys.exit("compare_mace: isotrope does not give mace-torch's numbers: see the lines that say 'outside'")


if __name__ == "__main__":
    main()
