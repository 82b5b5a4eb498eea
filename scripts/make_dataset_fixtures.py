#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes files of OMol25, PubChemQCR, DeePMD, SPICE and ANI with the formats' own writers, and what Python reads from them.

    python3 -m venv formats
    formats/bin/pip install ase ase-db-backends lmdb h5py numpy dpdata
    formats/bin/python scripts/make_dataset_fixtures.py tests/data/formats             the files of the tests
    formats/bin/python scripts/make_dataset_fixtures.py big --structures 10000 --atoms 10 200     to measure with
    formats/bin/python scripts/make_dataset_fixtures.py odd --structures 10000 --odd              to compare with

rows.aselmdb is written by ase.db (ase-db-backends), steps.lmdb by lmdb, gzip and pickle, deepmd/ by dpdata, spice.h5 and
ani*.h5 by h5py as the scripts of those data sets do. Beside each lies expected_*.h5: every number as ase.db, pickle, NumPy and
h5py read it back, in the units of a data set; stresses of DeePMD as dpdata hands them to ASE. splits.json: orders of
Python's random. With names of formats only those are made: `... tests/data/formats deepmd spice ani`.
Structures are random: nothing in them is chemistry.
"""
import argparse
import gzip
import json
import pathlib
import pickle
import random
import shutil

import ase
import ase.data
import ase.db
import h5py
import lmdb
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

ELEMENTS = [1, 6, 7, 8, 9, 16, 17]
FORMATS = ["omol25", "pubchemqcr", "deepmd", "spice", "ani"]
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


def write_deepmd(folder, rng):
    """Systems as dpdata writes them: without and with cell, in single precision, of mixed types with virtual atoms."""
    import dpdata  # for this format alone
    shutil.rmtree(folder, ignore_errors=True)

    def system(symbols, frames, periodic, names=None):
        n = len(symbols)
        names = names or sorted(set(symbols))
        data = {"atom_names": names, "atom_numbs": [symbols.count(name) for name in names],
                "atom_types": np.array([names.index(symbol) for symbol in symbols]), "orig": np.zeros(3),
                "cells": rng.normal(size=(frames, 3, 3)) + 9 * np.eye(3), "coords": rng.normal(size=(frames, n, 3)) * 4,
                "energies": rng.normal(size=frames) * 1e4, "forces": doubles(rng, frames, n, 3)}
        if periodic:
            virials = doubles(rng, frames, 3, 3)
            data["virials"] = virials + virials.transpose(0, 2, 1)
        else:
            data["nopbc"] = True
        return dpdata.LabeledSystem(data=data)

    system(["O", "H", "H"], 5, False).to("deepmd/npy", folder / "water", set_size=2)
    system(["Na", "Cl", "Cl", "Na"], 3, True).to("deepmd/npy", folder / "salts/nacl", set_size=10, prec=np.float64)
    system(["Li"], 2, True).to("deepmd/npy", folder / "salts/li", prec=np.float32)
    names = ["C", "H", "O"]
    mixed = dpdata.MultiSystems(system(["C", "O"], 2, False, names), system(["O", "H", "H"], 3, False, names),
                                system(["C", "H", "H", "O"], 1, False, names))
    mixed.to("deepmd/npy/mixed", folder / "mixed", atom_numb_pad=4)


def expect_deepmd(folder, expected):
    structures = []
    for types in sorted(folder.rglob("type.raw"), key=lambda path: path.parent):
        path = types.parent
        names = (path / "type_map.raw").read_text().split()
        periodic = not (path / "nopbc").exists()
        stresses = [atoms.get_stress(voigt=False) for atoms in dpdata.LabeledSystem(path, fmt="deepmd/npy").to("ase/structure")] if periodic else None
        for part in sorted(path.glob("set.*")):
            coord, energy, force = (np.load(part / f"{name}.npy").astype(float) for name in ("coord", "energy", "force"))
            mixed = part / "real_atom_types.npy"
            for frame in range(len(coord)):
                kinds = np.load(mixed)[frame] if mixed.exists() else np.loadtxt(types, dtype=int, ndmin=1)
                real = kinds >= 0
                structure = dict(numbers=[ase.data.atomic_numbers[names[kind]] for kind in kinds[real]],
                                 positions=coord[frame].reshape(-1, 3)[real], energy=energy.reshape(-1)[frame],
                                 forces=force[frame].reshape(-1, 3)[real], group=str(path.relative_to(folder)))
                if periodic:
                    structure |= dict(cell=np.load(part / "box.npy")[frame].reshape(3, 3).astype(float), periodic=[True] * 3, stress=stresses[frame])
                structures.append(structure)
    write_expected(expected, structures)


SPICE_MOLECULES = {  # name -> SMILES with explicit hydrogens and numbered atoms, atomic numbers
    "water": ("[O:1]([H:2])[H:3]", [8, 1, 1]), "ammonium acetate": (
        "[C:1]([C:2](=[O:3])[O-:4])([H:5])([H:6])[H:7].[N+:8]([H:9])([H:10])([H:11])[H:12]", [6, 6, 8, 8, 1, 1, 1, 7, 1, 1, 1, 1]),
    "hydroxide": ("[O-:1][H:2]", [8, 1]), "calcium": ("[Ca+2:1].[F-:2]", [20, 9])}
SMILES_CHARGES = {"water": 0, "ammonium acetate": 0, "hydroxide": -1, "calcium": 1}


def write_spice(path, rng):
    """As the data set's downloader.py: single precision but for the total energy, units as attributes."""
    with h5py.File(path, "w") as file:
        for i, (name, (smiles, numbers)) in enumerate(SPICE_MOLECULES.items()):
            group, count, n = file.create_group(name), 2 + i, len(numbers)
            group.create_dataset("subset", data=["made for tests"], dtype=h5py.string_dtype())
            group.create_dataset("smiles", data=[smiles], dtype=h5py.string_dtype())
            group.create_dataset("atomic_numbers", data=numbers, dtype=np.int16)
            for member, values, unit in [("conformations", rng.normal(size=(count, n, 3)) * 6, "bohr"),
                                         ("dft_total_energy", rng.normal(size=count) * 400, "hartree"),
                                         ("dft_total_gradient", doubles(rng, count, n, 3), "hartree/bohr"),
                                         ("formation_energy", rng.normal(size=count), "hartree")]:
                data = group.create_dataset(member, data=values, dtype=np.float64 if member == "dft_total_energy" else np.float32)
                data.attrs["units"] = unit


def expect_spice(path, expected):
    structures = []
    with h5py.File(path) as file:
        for name, group in file.items():
            for i in range(len(group["conformations"])):
                structures.append(dict(
                    numbers=group["atomic_numbers"][:], positions=BOHR * group["conformations"][i].astype(float),
                    energy=HARTREE * group["dft_total_energy"][i], forces=-(HARTREE / BOHR) * group["dft_total_gradient"][i].astype(float),
                    charge=SMILES_CHARGES[name], group=name))
    write_expected(expected, structures)


def write_ani(ani1x, ani2x, rng):
    """ANI-1x: a group a formula, NaN where a level was not computed; ANI-2x: a group a number of atoms."""
    with h5py.File(ani1x, "w") as file:
        for numbers in ([6, 1, 1, 1, 1], [8, 1, 1], [7, 7]):
            group, count, n = file.create_group(ase.Atoms(numbers).get_chemical_formula()), 4, len(numbers)
            group["atomic_numbers"] = np.array(numbers, dtype=np.uint8)
            group["coordinates"] = rng.normal(size=(count, n, 3)).astype("f4") * 3
            energy, forces, coupled = rng.normal(size=count) * 100, doubles(rng, count, n, 3).astype("f4"), rng.normal(size=count) * 100
            forces[1], coupled[[0, 3]] = np.nan, np.nan
            if n == 2:
                energy[2], forces[2] = np.nan, np.nan
            group["wb97x_dz.energy"], group["wb97x_dz.forces"], group["ccsd(t)_cbs.energy"] = energy, forces, coupled
    with h5py.File(ani2x, "w") as file:
        for n in (2, 5):
            group = file.create_group(f"{n:03d}")
            group["species"] = rng.choice(ELEMENTS, (3, n)).astype("i8")
            group["coordinates"], group["energies"] = rng.normal(size=(3, n, 3)) * 3, rng.normal(size=3) * 100
            group["forces"] = doubles(rng, 3, n, 3)


def expect_ani(path, expected, energy, forces):
    structures = []
    with h5py.File(path) as file:
        for name, group in file.items():
            numbers = group["species"][:] if "species" in group else np.tile(group["atomic_numbers"][:], (len(group["coordinates"]), 1))
            for i in range(len(numbers)):
                force = HARTREE * group[forces][i].astype(float)
                if np.isnan(group[energy][i]) and np.isnan(force).any():
                    continue
                structures.append(dict(numbers=numbers[i], positions=group["coordinates"][i].astype(float), energy=HARTREE * group[energy][i],
                                       forces=None if np.isnan(force).any() else force, group=name))
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
    parser.add_argument("formats", nargs="*", help=f"which of {', '.join(FORMATS)} (default: all)")
    parser.add_argument("--structures", type=int, help="files to measure with: rows, and steps of trajectories of 25")
    parser.add_argument("--atoms", type=int, nargs=2, default=(10, 200))
    parser.add_argument("--odd", action="store_true", help="with --structures: also constraints, cells, missing labels and stages")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    formats = options.formats or FORMATS
    if options.structures:
        write_rows(folder / "rows.aselmdb", rng, options.structures, options.atoms, options.odd)
        write_steps(folder / "steps.lmdb", rng, -(-options.structures // 25), (10, 60), (25, 25), options.odd)
        return
    if "omol25" in formats:
        write_rows(folder / "rows.aselmdb", rng, 24, (1, 12), odd=True)
        expect_rows(folder / "rows.aselmdb", folder / "expected_rows.h5")
    if "pubchemqcr" in formats:
        write_steps(folder / "steps.lmdb", rng, 24, (2, 6), (1, 4), odd=True)
        expect_steps(folder / "steps.lmdb", folder / "expected_steps.h5", "DFT_1st")
    if "deepmd" in formats:
        write_deepmd(folder / "deepmd", rng)
        expect_deepmd(folder / "deepmd", folder / "expected_deepmd.h5")
    if "spice" in formats:
        write_spice(folder / "spice.h5", rng)
        expect_spice(folder / "spice.h5", folder / "expected_spice.h5")
    if "ani" in formats:
        write_ani(folder / "ani1x.h5", folder / "ani2x.h5", rng)
        expect_ani(folder / "ani1x.h5", folder / "expected_ani1x.h5", "wb97x_dz.energy", "wb97x_dz.forces")
        expect_ani(folder / "ani2x.h5", folder / "expected_ani2x.h5", "energies", "forces")
    write_splits(folder / "splits.json")


if __name__ == "__main__":
    main()
