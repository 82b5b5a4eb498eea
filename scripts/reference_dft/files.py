# SPDX-License-Identifier: MIT
"""The files of a finished run, each by the writer of its own format: extended xyz, OMol25's .aselmdb, PubChemQCR's .lmdb."""
import gzip
import os
import pickle

import ase
import numpy as np

from .labelling import HARTREE, LEVELS
from .structures import write_extxyz


def whole(number):
    """300.0 as 300: patterns of `isotrope convert` print what is there."""
    return int(number) if number is not None and float(number).is_integer() else number


def omol25_data(frame, label, source):
    """`data` of a row, under the names of OMol25; spin is the multiplicity there. Energies in eV."""
    spins = (frame.multiplicity - 1) / 2
    data = {
        "source": source, "data_id": source.split("/")[0], "charge": frame.charge, "spin": frame.multiplicity,
        "num_atoms": len(frame.numbers), "num_electrons": int(sum(frame.numbers)) - frame.charge,
        "composition": frame.atoms().get_chemical_formula(), "unrestricted": frame.multiplicity != 1,
        "n_scf_steps": label.cycles, "n_basis": label.basis_functions,
        "homo_energy": np.array(label.homo_hartree) * HARTREE,
        "homo_lumo_gap": np.array([np.nan if gap is None else gap * HARTREE for gap in label.gap_hartree]),
        "s_squared": label.s_squared, "s_squared_dev": label.s_squared - spins * (spins + 1),
        "mulliken_charges": np.array(label.mulliken_charges), "name": frame.name}
    for key, value in (("temperature", whole(frame.temperature)), ("step", frame.step)):
        if value is not None:
            data[key] = value
    return data


def write_aselmdb(path, frames, labels, provenance):
    import ase.db
    from ase.calculators.singlepoint import SinglePointCalculator

    path.unlink(missing_ok=True)
    with ase.db.connect(path, type="aselmdb") as db:
        for i, (frame, label) in enumerate(zip(frames, labels)):
            atoms = frame.atoms()
            atoms.calc = SinglePointCalculator(atoms, energy=label.energy, forces=label.forces)
            source = f"{path.stem}/{frame.place().replace(' ', '_')}/{i}"
            db.write(atoms, data=omol25_data(frame, label, source))
    db = ase.db.connect(path, type="aselmdb")
    db.metadata = provenance
    db.close()
    path.with_name(path.name + "-lock").unlink(missing_ok=True)
    compact(path)


def pubchemqcr_step(frame, label):
    """Coordinates in Å, energy and gradient in Hartree and Bohr; `charge` of an atom is that of its nucleus."""
    symbols = [ase.data.chemical_symbols[z] for z in frame.numbers]
    coordinates = [{"atom": symbol, "charge": float(z), "x": float(x), "y": float(y), "z": float(c)}
                   for symbol, z, (x, y, c) in zip(symbols, frame.numbers, frame.positions)]
    gradient = [{"atom": symbol, "charge": float(z), "dx": dx, "dy": dy, "dz": dz}
                for symbol, z, (dx, dy, dz) in zip(symbols, frame.numbers, label.gradient)]
    return {"coordinates": coordinates, "energy": label.energy_hartree, "gradient": gradient}


def trajectories(frames):
    """[(key of nine digits, name, places in `frames`)]: a trajectory is a species at a temperature, or one relaxation."""
    found, relaxations = {}, 0
    for i, frame in enumerate(frames):
        relaxations += frame.step == 0
        found.setdefault((frame.name, frame.temperature, relaxations), []).append(i)
    return [(f"{number:09d}", name if temperature is None else f"{name} {temperature:g} K", places)
            for number, ((name, temperature, _), places) in enumerate(found.items(), 1)]


def why_not_pubchemqcr(frames):
    """The format has no place for charge and multiplicity: a reason not to write it, or nothing."""
    odd = sorted({frame.name for frame in frames if frame.charge != 0 or frame.multiplicity != 1})
    return f"charge or multiplicity of {', '.join(odd)} has no place in the format" if odd else ""


def write_pubchemqcr(path, frames, labels):
    import lmdb

    path.unlink(missing_ok=True)
    with lmdb.open(str(path), map_size=2**36, subdir=False, lock=False) as env, env.begin(write=True) as txn:
        for key, _, places in trajectories(frames):
            entry = {"pm3": None, "hf": None, "DFT_1st": [pubchemqcr_step(frames[i], labels[i]) for i in places], "DFT_2nd": None}
            txn.put(key.encode(), gzip.compress(pickle.dumps(entry), mtime=0))
    compact(path)


def compact(path):
    """LMDB leaves pages of earlier transactions behind, and files as large as its map: copies what is used."""
    import lmdb

    small = path.with_name(path.name + ".small")
    with lmdb.open(str(path), readonly=True, subdir=False, lock=False) as env, open(small, "wb") as file:
        env.copyfd(file.fileno(), compact=True)
    os.replace(small, path)


def write_outputs(folder, frames, labels, provenance):
    """RUN/RUN.xyz, .aselmdb and .lmdb; returns what was written and, where a file was not, why."""
    base = folder / folder.resolve().name
    provenance = provenance | {"structures": len(frames)}
    done = {}
    write_extxyz(base.with_suffix(".xyz"), frames, labels, LEVELS[provenance["level"]]["name"].lower())
    done[base.with_suffix(".xyz")] = ""
    write_aselmdb(base.with_suffix(".aselmdb"), frames, labels, provenance)
    done[base.with_suffix(".aselmdb")] = ""
    reason = why_not_pubchemqcr(frames)
    if not reason:
        write_pubchemqcr(base.with_suffix(".lmdb"), frames, labels)
        provenance["pubchemqcr_keys"] = {key: name for key, name, _ in trajectories(frames)}
    done[base.with_suffix(".lmdb")] = reason
    return done, provenance
