# SPDX-License-Identifier: MIT
"""What comparisons with other programs share (compare_sevennet.py, compare_mace.py): systems, timings, cells of tables."""
import json
import subprocess
import tempfile
import time
from pathlib import Path

import ase
import ase.io
import import_check
import numpy as np
from ase.build import add_adsorbate, bulk, fcc111, molecule

ROUNDING = 1e-7  # eV/atom of float32 in energies of a few eV
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


NACL, WATER = "NaCl crystal, 216 atoms", "water, 192 atoms"


def systems(elements):
    """{name: structures} of those whose elements a model knows."""
    def known(structures):
        return [atoms for atoms in structures if set(atoms.numbers) <= set(elements)]

    few = known(molecules())
    found = {NACL: known(nacl()), WATER: known(water()), f"{'six' if len(few) == 6 else len(few)} molecules": few,
             "CO on Pt(111)": known(surface())}
    kinds = min(20, len(elements))
    found[f"{kinds} elements in a random cell"] = import_check.random_structures(elements)[1:2]
    return {name: structures for name, structures in found.items() if structures}


# ---- parity ------------------------------------------------------------------------------------------------------

def parity(path, model, elements, program, originals, isotrope):
    """Rows of the table, and whether isotrope is within its bounds. The energy of one structure in float32 may be right
    by chance: what counts is the original's largest error of a model's systems, and ROUNDING at least."""
    results = {system: import_check.compare(path, program, originals, structures, isotrope)
               for system, structures in systems(elements).items()}
    float32 = f"{program} float32"
    energy = 3 * max(ROUNDING, *(result[float32]["energy_ev_per_atom"] for result in results.values()))
    rows, sound = [], True
    for system, result in results.items():
        theirs, double, single = (result[k] for k in (float32, "isotrope double", "isotrope single"))
        good = all(double[k] <= bound for k, bound in EXACT.items())
        good &= single["energy_ev_per_atom"] <= energy
        good &= single["force_ev_per_angstrom"] <= 3 * theirs["force_ev_per_angstrom"]
        sound &= good
        rows.append(f"| {model} | {system} | {cell(double)} | {cell(theirs)} | {cell(single)} |"
                    f"{'' if good else ' **outside**'}")
        print(rows[-1], flush=True)
    return rows, sound


def cell(row):
    stress = row["stress_ev_per_cubic_angstrom"]
    return " ".join(f"{x:.0e}" if x is not None else "-"
                    for x in (row["energy_ev_per_atom"], row["force_ev_per_angstrom"], stress))


def parity_head(program):
    return [f"| model | system | isotrope, double | {program}, float32 | isotrope, single |", "|---|---|---|---|---|"]


# ---- timing ------------------------------------------------------------------------------------------------------

def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def benchmark(isotrope, model, atoms, precision, *options, neighbour_list=False):
    """Microseconds per atom of `isotrope benchmark`, with or without those of its neighbour list."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "system.xyz", Path(folder) / "time.json"
        bare = atoms.copy()
        bare.calc = None
        ase.io.write(data, bare, format="extxyz")
        subprocess.run([isotrope, "benchmark", model, data, "--precision", precision, "--repeats", "5", "--json", out,
                        *options], check=True, capture_output=True, text=True)
        times = json.loads(out.read_text())
        return times["microseconds_per_atom"] + neighbour_list * times["neighbour_list_microseconds_per_atom"]
