#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes files of OMol25 and PubChemQCR with the formats' own writers, and what Python reads from them.

    python3 -m venv formats
    formats/bin/pip install ase ase-db-backends lmdb h5py numpy
    formats/bin/python scripts/make_dataset_fixtures.py tests/data/formats             the files of the tests
    formats/bin/python scripts/make_dataset_fixtures.py big --structures 10000 --atoms 10 200     to measure with
    formats/bin/python scripts/make_dataset_fixtures.py odd --structures 10000 --odd              to compare with

rows.aselmdb is written by ase.db (ase-db-backends), steps.lmdb by lmdb, gzip and pickle. Beside each lies expected_*.h5:
every number as ase.db and pickle read it back, in the units of a data set. splits.json: orders of Python's random.
Structures are random: nothing in them is chemistry.
"""
import argparse
import gzip
import json
import pathlib
import pickle
import random

import ase
import ase.db
import h5py
import lmdb
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

ELEMENTS = [1, 6, 7, 8, 9, 16, 17]
STAGES = ["pm3", "hf", "DFT_1st", "DFT_2nd"]
# CODATA 2018, as in src/core/units.hpp
HARTREE, BOHR = 27.211386245988, 0.529177210903


def doubles(rng, *shape):
    """Numbers with all their digits, over some orders of magnitude."""
    return rng.normal(size=shape) * 10.0 ** rng.integers(-6, 3, size=shape)


def spin(numbers, charge):
    return 1 if (int(sum(numbers)) - charge) % 2 == 0 else 2


def write_rows(path, rng, count, atoms, odd):
    """A data base of ASE; odd: rows with constraints, cells, stress, missing labels, and some deleted."""
    path.unlink(missing_ok=True)
    with ase.db.connect(path, type="aselmdb") as db:
        for i in range(count):
            n = int(rng.integers(atoms[0], atoms[1] + 1))
            molecule = ase.Atoms(rng.choice(ELEMENTS, n), rng.normal(size=(n, 3)) * 5)
            results = {"energy": float(rng.normal() * 1e4), "forces": doubles(rng, n, 3)}
            charge = int(rng.integers(-2, 3))
            data = {"charge": charge, "spin": spin(molecule.numbers, charge), "source": f"made/{i}", "data_id": ["elytes", "spice"][i % 2],
                    "num_electrons": int(sum(molecule.numbers)) - charge, "homo_lumo_gap": doubles(rng, 2),
                    "lowdin_charges": doubles(rng, n), "composition": molecule.get_chemical_formula()}
            if odd and i % 5 == 1:
                molecule.set_constraint(FixAtoms([0]))
            if odd and i % 5 == 2:
                molecule.set_cell(rng.normal(size=(3, 3)) + 10 * np.eye(3))
                molecule.pbc = True
                results["stress"] = doubles(rng, 6)
            if odd and i % 5 == 3:
                del results["forces"]
                molecule.set_cell(np.eye(3))
            if odd and i % 7 == 4:
                data["homo_lumo_gap"] = float("nan")
            molecule.calc = SinglePointCalculator(molecule, **results)
            db.write(molecule, data=data, **({"run": f"r{i % 3}"} if odd else {}))
    if odd:
        with ase.db.connect(path, type="aselmdb") as db:
            db.delete([2, count])
        db = ase.db.connect(path, type="aselmdb")
        db.metadata = {"made": "for tests"}
        db.close()
    pathlib.Path(str(path) + "-lock").unlink(missing_ok=True)


def cube(voigt):
    xx, yy, zz, yz, xz, xy = voigt
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def expect_rows(path, expected):
    structures = []
    for row in ase.db.connect(path, type="aselmdb", readonly=True, use_lock_file=False).select():
        structures.append(dict(
            numbers=row.numbers, positions=row.positions, energy=row.energy, forces=row.get("forces"), charge=row.data["charge"],
            multiplicity=row.data["spin"], group=row.data["data_id"], cell=row.cell * row.pbc[:, None], periodic=row.pbc,
            stress=cube(row.stress) if "stress" in row else None))
    write_expected(expected, structures)


def step_of(rng, symbols, positions, charges):
    def atom(i, names, vector):
        named = {"atom": symbols[i]}
        if charges:
            named["charge"] = float(ase.data.atomic_numbers[symbols[i].capitalize()])
        return named | {name: float(value) for name, value in zip(names, vector)}

    n = len(symbols)
    gradient = doubles(rng, n, 3)
    return {"coordinates": [atom(i, ("x", "y", "z"), positions[i]) for i in range(n)], "energy": float(rng.normal() * 300),
            "gradient": [atom(i, ("dx", "dy", "dz"), gradient[i]) for i in range(n)]}


def write_steps(path, rng, trajectories, atoms, steps, odd):
    """An LMDB file of relaxations; odd: missing stages and labels, several pickle protocols, steps without charges."""
    path.unlink(missing_ok=True)
    with lmdb.open(str(path), map_size=2**36, subdir=False, lock=False) as env:
        for i in range(trajectories):
            if i % 100 == 0:
                txn = env.begin(write=True)
            n = int(rng.integers(atoms[0], atoms[1] + 1))
            symbols = [ase.data.chemical_symbols[z] for z in rng.choice(ELEMENTS, n)]
            if odd and i % 4 == 1:
                symbols = [symbol.upper() for symbol in symbols]
            entry = {}
            for stage in STAGES:
                count = int(rng.integers(steps[0], steps[1] + 1))
                charges = not (stage == "DFT_1st" and i % 2)
                entry[stage] = [step_of(rng, symbols, rng.normal(size=(n, 3)) * 5, charges) for _ in range(count)]
            if odd and i % 6 == 3:
                entry["DFT_1st"] = None
            if odd and i % 6 == 4:
                del entry["DFT_1st"]
            if odd and i % 6 == 5:
                entry["DFT_1st"][0]["energy"] = None
                entry["DFT_1st"][-1]["gradient"] = None
            protocol = 2 + i % 4 if odd else pickle.DEFAULT_PROTOCOL
            txn.put(f"{11 * i + 984:09d}".encode(), gzip.compress(pickle.dumps(entry, protocol=protocol)))
            if i % 100 == 99 or i + 1 == trajectories:
                txn.commit()


def expect_steps(path, expected, stage):
    structures = []
    with lmdb.open(str(path), readonly=True, subdir=False, lock=False) as env, env.begin() as txn:
        for key, value in txn.cursor():
            for index, step in enumerate(pickle.loads(gzip.decompress(value)).get(stage) or []):
                if step["energy"] is None or step["gradient"] is None:
                    continue
                structures.append(dict(
                    numbers=[ase.data.atomic_numbers[atom["atom"].capitalize()] for atom in step["coordinates"]],
                    positions=[[atom[c] for c in ("x", "y", "z")] for atom in step["coordinates"]], energy=step["energy"] * HARTREE,
                    forces=[[-HARTREE / BOHR * atom[c] for c in ("dx", "dy", "dz")] for atom in step["gradient"]],
                    group=key.decode(), step=index))
    write_expected(expected, structures)


def write_expected(path, structures):
    """One array a label, as in a data set; NaN and 0 where there is none."""
    nan = np.full
    sizes = [len(s["numbers"]) for s in structures]
    with h5py.File(path, "w") as file:
        file["offsets"] = np.concatenate([[0], np.cumsum(sizes)])
        file["numbers"] = np.concatenate([s["numbers"] for s in structures]).astype("i4")
        file["positions"] = np.concatenate([s["positions"] for s in structures])
        file["forces"] = np.concatenate([nan((n, 3), np.nan) if s["forces"] is None else s["forces"] for s, n in zip(structures, sizes)])
        file["energy"] = [s["energy"] for s in structures]
        file["charge"] = [s.get("charge", 0) for s in structures]
        file["multiplicity"] = [s.get("multiplicity", 0) for s in structures]
        file["step"] = [s.get("step", -1) for s in structures]
        file["cell"] = [s.get("cell", np.zeros((3, 3))) for s in structures]
        file["periodic"] = np.array([s.get("periodic", [False] * 3) for s in structures], dtype="u1")
        file["stress"] = [nan((3, 3), np.nan) if s.get("stress") is None else s["stress"] for s in structures]
        file["group"] = [s["group"] for s in structures]


def write_splits(path):
    """random.shuffle of range(n) after random.seed(seed)."""
    cases = []
    for seed in (42, 0, 1, 2**40 + 7):
        for n in (1, 2, 3, 10, 100, 1000):
            order = list(range(n))
            random.seed(seed)
            random.shuffle(order)
            cases.append({"seed": seed, "order": order})
    path.write_text(json.dumps(cases) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--structures", type=int, help="files to measure with: rows, and steps of trajectories of 25")
    parser.add_argument("--atoms", type=int, nargs=2, default=(10, 200))
    parser.add_argument("--odd", action="store_true", help="with --structures: also constraints, cells, missing labels and stages")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    if options.structures:
        write_rows(folder / "rows.aselmdb", rng, options.structures, options.atoms, options.odd)
        write_steps(folder / "steps.lmdb", rng, -(-options.structures // 25), (10, 60), (25, 25), options.odd)
        return
    write_rows(folder / "rows.aselmdb", rng, 24, (1, 12), odd=True)
    expect_rows(folder / "rows.aselmdb", folder / "expected_rows.h5")
    write_steps(folder / "steps.lmdb", rng, 24, (2, 6), (1, 4), odd=True)
    expect_steps(folder / "steps.lmdb", folder / "expected_steps.h5", "DFT_1st")
    write_splits(folder / "splits.json")


if __name__ == "__main__":
    main()
