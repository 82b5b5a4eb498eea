#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time and memory of a potential on rock salt of several sizes, in `isotrope benchmark` and in LAMMPS.

    .venv/bin/python scripts/time_salt.py build sevennet-0.h5 --cells 3 5 8 14 23          microseconds per atom
    .venv/bin/python scripts/time_salt.py build sevennet-0.h5 --cells 8 14 --ranks 1 2     the same with LAMMPS
    .venv/bin/python scripts/time_salt.py build sevennet-0.h5 --cells 23 --memory          kB per atom above LAMMPS

A crystal has 8 N^3 ions, moved by 0.05 Å. Energy and forces in single precision, radial functions tabulated; programs
alternate, the best of --rounds counts. LAMMPS: time of a step in `run`, NVE, with N ranks; memory: the peak of a
process that computes forces once, less that of the same input with pair style zero.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ase.build import bulk
from ase.io import write

BIN = Path(__file__).resolve().parents[1] / ".venv/bin"
INPUT = """
units metal
atom_style atomic
lattice custom 5.64 a1 1 0 0 a2 0 1 0 a3 0 0 1 basis 0 0 0 basis 0 0.5 0.5 basis 0.5 0 0.5 basis 0.5 0.5 0 &
        basis 0.5 0.5 0.5 basis 0.5 0 0 basis 0 0.5 0 basis 0 0 0.5
region crystal block 0 {cells} 0 {cells} 0 {cells}
create_box 2 crystal
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
displace_atoms all random 0.087 0.087 0.087 1 units box
mass 1 22.990
mass 2 35.453
{pair}
neighbor 1.0 bin
velocity all create 300 1
fix nve all nve
timestep 0.001
thermo {steps}
run {steps}
"""
ISOTROPE = "plugin load {plugin}\npair_style isotrope precision single\npair_coeff * * {model} {elements}"
ZERO = "pair_style zero {cutoff} full\npair_coeff * *"


def benchmark(arguments, folder, cells, repeats):
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (cells, cells, cells)
    salt.rattle(0.05, seed=1)
    path = folder / f"salt{cells}.xyz"
    write(path, salt, format="extxyz")
    command = [arguments.build / "isotrope", "-q", "benchmark", arguments.model, path, "--precision", "single", "--atoms",
               len(salt), "--repeats", repeats, "--json"]
    return json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)


def lammps(folder, cells, pair, steps, ranks=1):
    """Seconds a step, and the peak of resident memory in bytes (of the largest process)."""
    script = folder / "in.salt"
    script.write_text(INPUT.format(cells=cells, pair=pair, steps=steps))
    words = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    with open(folder / "lammps.out", "w+") as out:
        child = subprocess.Popen([*words, str(BIN / "lmp"), "-in", str(script), "-log", "none"], stdout=out,
                                 stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    loop = re.search(r"Loop time of (\S+) on", text)
    if child.returncode != 0 or not loop:
        sys.exit(f"LAMMPS failed:\n{text[-2000:]}")
    return float(loop.group(1)) / max(1, steps), usage.ru_maxrss * 1024


def time_sizes(arguments, folder, isotrope):
    head = ["atoms", "benchmark", *(f"LAMMPS, {n} rank{'s' * (n > 1)}" for n in arguments.ranks)]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for cells in arguments.cells:
        atoms = 8 * cells**3
        runs = max(2, arguments.evaluations // atoms)
        best = [float("inf")] * (1 + len(arguments.ranks))
        for _ in range(arguments.rounds):
            times = [benchmark(arguments, folder, cells, runs)["microseconds_per_atom"],
                     *(1e6 / atoms * lammps(folder, cells, isotrope, runs, n)[0] for n in arguments.ranks)]
            best = [min(pair) for pair in zip(best, times)]
        print("| " + " | ".join([f"{atoms}", *(f"{time:.1f}" for time in best)]) + " |", flush=True)


def measure_memory(arguments, folder, isotrope):
    print("| atoms | peak with zero, GB | with isotrope, GB | kB per atom |\n|---|---|---|---|", flush=True)
    for cells in arguments.cells:
        atoms = 8 * cells**3
        zero, peak = (lammps(folder, cells, pair, 0)[1] for pair in (ZERO.format(cutoff=arguments.cutoff), isotrope))
        print(f"| {atoms} | {zero / 1e9:.3f} | {peak / 1e9:.3f} | {(peak - zero) / atoms / 1e3:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=Path, help="folder with isotrope and isotropeplugin.so")
    parser.add_argument("model", type=Path, help="that knows Na and Cl (or --elements)")
    parser.add_argument("--cells", type=int, nargs="+", default=[3, 5, 8])
    parser.add_argument("--ranks", type=int, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--evaluations", type=int, default=20000, help="of atoms that a timing takes (two steps at least)")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--cutoff", type=float, default=5.0, help="of the model, for pair style zero")
    parser.add_argument("--elements", nargs=2, default=["Na", "Cl"], help="in their place, for the memory of other models")
    arguments = parser.parse_args()
    isotrope = ISOTROPE.format(plugin=(arguments.build / "isotropeplugin.so").resolve(), model=arguments.model.resolve(),
                               elements=" ".join(arguments.elements))
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        (measure_memory if arguments.memory else time_sizes)(arguments, Path(folder), isotrope)


if __name__ == "__main__":
    main()
