#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times SevenNet models in sevenn and in isotrope on the same structures, alternating, one thread each.

    python scripts/time_sevennet.py 7net-0 --model sevennet-0.h5 --systems nacl water

Needs the environment of scripts/import_sevennet.py, which makes the model file. Energy and forces, microseconds per
atom, best of several; sevenn in float32 as shipped. Also compares the numbers: the largest differences of isotrope in
double, isotrope in single and sevenn in float32 from sevenn run fully in double.
"""
import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import ase
import ase.io
import import_sevennet
import numpy as np
import torch
from ase.build import bulk, molecule
from sevennet_model import Original


def nacl(n=3):
    box = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (n, n, n)
    box.rattle(0.05, seed=1)
    return box


def water(n=4):
    rng = np.random.default_rng(1)
    box = ase.Atoms(cell=[3.105 * n] * 3, pbc=True)
    for place in np.ndindex(n, n, n):
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.translate(-one.positions.mean(0) + 3.105 * (np.array(place) + 0.5))
        box += one
    box.rattle(0.02, seed=3)
    return box


def small_molecule():
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=1)
    return atoms


SYSTEMS = {"nacl": nacl, "water": water, "ethanol": small_molecule}


def best_time(original, atoms, repeats):
    """Seconds; structures slightly moved."""
    atoms = atoms.copy()
    original.evaluate(atoms)
    times = []
    for seed in range(repeats):
        atoms.rattle(0.001, seed=seed)
        begin = time.perf_counter()
        original.evaluate(atoms)
        times.append(time.perf_counter() - begin)
    return min(times)


def benchmark(isotrope, model, atoms, precision, folder, *options):
    """Microseconds per atom of `isotrope benchmark`."""
    data, out = Path(folder) / "system.xyz", Path(folder) / "time.json"
    bare = atoms.copy()
    bare.calc = None
    ase.io.write(data, bare, format="extxyz")
    subprocess.run([isotrope, "benchmark", model, data, "--precision", precision, "--json", out, *options], check=True,
                   capture_output=True, text=True)
    return json.loads(out.read_text())["microseconds_per_atom"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="what scripts/import_sevennet.py was given")
    parser.add_argument("--model", required=True, help="the file that it wrote")
    parser.add_argument("--modality")
    parser.add_argument("--systems", nargs="+", choices=[*SYSTEMS, "random"], default=[*SYSTEMS, "random"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compare", action="store_true", help="compare numbers only, time nothing")
    parser.add_argument("--isotrope", default=str(import_sevennet.ROOT / "build/isotrope"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint, config = import_sevennet.load(arguments.name, arguments.modality)
    originals = {dtype: Original(checkpoint.build_model, config, arguments.modality, dtype)
                 for dtype in ((torch.float32, torch.float64) if arguments.compare else (torch.float32,))}
    elements = sorted(config["_type_map"])
    for name in arguments.systems:
        atoms = (import_sevennet.random_structures(elements, config["cutoff"])[1] if name == "random" else
                 SYSTEMS[name]())
        if arguments.compare:
            for who, row in import_sevennet.compare(arguments.model, originals, [atoms], arguments.isotrope).items():
                print(f"{name:8} {who:18} {row['energy_ev_per_atom']:9.1e} eV/atom {row['force_ev_per_angstrom']:9.1e} "
                      f"eV/Å {row['stress_ev_per_cubic_angstrom'] or 0:9.1e} eV/Å^3", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            ours = {}
            for label, options in (("single", ()), ("single, exact", ("--radial", "exact")), ("double", ())):
                ours[label] = benchmark(arguments.isotrope, arguments.model, atoms, label.split(",")[0], folder, *options)
            theirs = 1e6 * best_time(originals[torch.float32], atoms, arguments.repeats) / len(atoms)
            ours["single"] = min(ours["single"], benchmark(arguments.isotrope, arguments.model, atoms, "single", folder))
        print(f"{name}, {len(atoms)} atoms: sevenn {theirs:.0f} us/atom, isotrope "
              + ", ".join(f"{label} {t:.0f}" for label, t in ours.items())
              + f"; {theirs / ours['single']:.0f} times faster", flush=True)


if __name__ == "__main__":
    main()
