# SPDX-License-Identifier: MIT
"""Structures with charge and multiplicity, and what can be told from a command line or a file about them."""
import dataclasses
import pathlib

import ase
import ase.build
import ase.collections
import ase.io
import numpy as np


class InputError(Exception):
    """What the user can put right; one sentence."""


@dataclasses.dataclass
class Frame:
    """One structure to be labelled."""
    name: str              # of the species
    numbers: np.ndarray    # [n]
    positions: np.ndarray  # [n, 3], Å
    charge: int            # e
    multiplicity: int      # 2S + 1
    temperature: float | None = None  # K, of the dynamics that it is from
    step: int | None = None           # its place in a trajectory, from 0
    energy: float | None = None           # eV, where the file that it is from has it
    forces: np.ndarray | None = None      # [n, 3], eV/Å, likewise

    def __post_init__(self):
        electrons = int(sum(self.numbers)) - self.charge
        if electrons <= 0 or self.multiplicity < 1 or self.multiplicity > electrons + 1 or (electrons + self.multiplicity) % 2 == 0:
            raise InputError(f"{self.name}: multiplicity {self.multiplicity} does not agree with {electrons} electrons")
        if max(self.numbers) > 36:
            raise InputError(f"{self.name}: element {ase.data.chemical_symbols[max(self.numbers)]} needs an effective core potential; "
                             "elements to Kr can be computed")
        if not np.isfinite(self.positions).all():
            raise InputError(f"{self.name}: NaN or infinity in the positions")

    def atoms(self):
        return ase.Atoms(self.numbers, self.positions)

    def moved(self, positions, **changes):
        return dataclasses.replace(self, positions=np.array(positions, dtype=float), energy=None, forces=None, **changes)

    def place(self):
        """What a person calls it."""
        words = [self.name] + ([f"{self.temperature:g} K"] if self.temperature is not None else [])
        return " ".join(words + ([f"step {self.step}"] if self.step is not None else []))


def species_name(name, numbers, charge):
    """Neutral atoms are the references of atomic energies, under the name that data sets have for those."""
    return "IsolatedAtom" if len(numbers) == 1 and charge == 0 else name


def read_structures(words):
    """Frames of every word: a file, or NAME:CHARGE:MULTIPLICITY of a molecule that ASE knows."""
    frames = []
    for word in words:
        path = pathlib.Path(word)
        if path.suffix == ".h5":
            frames += read_dataset(path)
        elif path.suffix in (".xyz", ".extxyz"):
            frames += read_extxyz(path)
        else:
            frames.append(named_molecule(word))
    return frames


def named_molecule(word):
    name, *numbers = word.split(":")
    try:
        charge, multiplicity = map(int, numbers)
    except ValueError:
        raise InputError(f"expected a file (.xyz, .h5) or NAME:CHARGE:MULTIPLICITY such as H2O:0:1, found '{word}'") from None
    if name not in ase.collections.g2.names:
        raise InputError(f"'{name}' is no molecule of ASE's g2 collection: give its geometry in an extended xyz file")
    atoms = ase.build.molecule(name)
    sign = "+" if charge > 0 else "-"
    ion = name + (f"{abs(charge) if abs(charge) > 1 else ''}{sign}" if charge else "")
    return Frame(species_name(ion, atoms.numbers, charge), atoms.numbers, atoms.positions, charge, multiplicity)


def read_extxyz(path):
    """Charge and multiplicity must be there."""
    if not path.exists():
        raise InputError(f"cannot open {path}: file not found")
    try:
        images = ase.io.read(path, ":", format="extxyz")
    except Exception as error:  # ASE has no class of its own for what it cannot read
        raise InputError(f"{path}: ASE cannot read this as extended xyz: {error}") from error
    frames = []
    for index, atoms in enumerate(images):
        missing = [key for key in ("charge", "multiplicity") if key not in atoms.info]
        if missing:
            raise InputError(f"{path}: frame {index} has no {' and no '.join(missing)}: write charge=0 multiplicity=1, or what it is, "
                             "into its comment line")
        charge, multiplicity = (atoms.info[key] for key in ("charge", "multiplicity"))
        if not all(isinstance(value, (int, np.integer)) for value in (charge, multiplicity)):
            raise InputError(f"{path}: frame {index}: expected whole numbers, found charge={charge} multiplicity={multiplicity}")
        charge, multiplicity = int(charge), int(multiplicity)
        name = str(atoms.info.get("config_type", atoms.get_chemical_formula()))
        results = atoms.calc.results if atoms.calc else {}
        frames.append(Frame(species_name(name, atoms.numbers, charge), atoms.numbers, atoms.positions, charge, multiplicity,
                            atoms.info.get("temperature"), atoms.info.get("step"), results.get("energy"), results.get("forces")))
    return frames


def read_dataset(path):
    """A data set of isotrope (docs/dataset-format.md)."""
    import h5py

    if not path.exists():
        raise InputError(f"cannot open {path}: file not found")
    with h5py.File(path) as data:
        names, ends = data["config_type_names"].asstr()[:], data["offsets"][:]
        frames = []
        for i, (begin, end) in enumerate(zip(ends, ends[1:])):
            if not (data["has_charge"][i] and data["has_multiplicity"][i]):
                raise InputError(f"{path}: structure {i} has no charge or no multiplicity")
            frames.append(Frame(names[data["config_type"][i]], data["numbers"][begin:end], data["positions"][begin:end],
                                int(data["charge"][i]), int(data["multiplicity"][i]),
                                energy=float(data["energy"][i]) if data["has_energy"][i] else None,
                                forces=data["forces"][begin:end] if data["has_forces"][i] else None))
    return frames


def text(value):
    """A number with all its digits."""
    return repr(float(value))


def write_extxyz(path, frames, labels=None, level=None):
    """Doubles come back bit for bit. labels: of labelling.py, one a frame."""
    with open(path, "w") as file:
        for i, frame in enumerate(frames):
            keys = {"config_type": frame.name, "charge": frame.charge, "multiplicity": frame.multiplicity}
            if level:
                keys["level"] = level
            if frame.temperature is not None:
                keys["temperature"] = f"{frame.temperature:g}"
            if frame.step is not None:
                keys["step"] = frame.step
            columns = [frame.positions]
            if labels:
                keys["energy"] = text(labels[i].energy)
                columns.append(labels[i].forces)
            properties = "species:S:1:pos:R:3" + (":forces:R:3" if labels else "")
            print(len(frame.numbers), file=file)
            print(f"Properties={properties} " + " ".join(f"{key}={value}" for key, value in keys.items()) + ' pbc="F F F"', file=file)
            for z, row in zip(frame.numbers, np.hstack(columns)):
                print(ase.data.chemical_symbols[z], *map(text, row), file=file)
