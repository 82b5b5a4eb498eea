#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes reference data: samples geometries and labels them with energies and forces by density functional theory.

    python3 -m venv dft
    dft/bin/pip install pyscf tblite ase ase-db-backends lmdb h5py
    dft/bin/python scripts/compute_dft.py dynamics H2O:0:1 NH2:0:2 --level omol25 --temperature 400 --frames 5 -o run
    dft/bin/python scripts/compute_dft.py relax CH3OH:0:1 --level pubchemqcr --steps 15 -o relaxed
    dft/bin/python scripts/compute_dft.py label frames.xyz --level omol25 -o labelled
    dft/bin/python scripts/compute_dft.py check data/omol_level.h5 --level omol25 --structures 0,16

Structures are NAME:CHARGE:MULTIPLICITY of a molecule that ASE knows (its g2 collection), or a file (.xyz with charge and
multiplicity, .h5). A run lies in the folder after -o and can be stopped at any moment: the same command goes on, and writes
RUN.xyz, RUN.aselmdb (as OMol25), RUN.lmdb (as PubChemQCR; neutral singlets only) and provenance.json at its end.
What does not converge is rejected and listed in RUN/rejected.log. Processors: OMP_NUM_THREADS.
"""
import argparse
import collections
import contextlib
import importlib.metadata
import json
import pathlib
import random
import subprocess
import sys
import time

from reference_dft import files, sampling, structures
from reference_dft.labelling import BOHR, HARTREE, LEVELS, SETTINGS, Rejected, compute_label, finite_differences
from reference_dft.run_folder import RunFolder, write_whole
from reference_dft.structures import InputError

TIME_IS_UP = 75  # exit status: work is left, repeat the command
# Of `check`: energy (eV), forces and differences (eV/Å). The energies of atoms with an open p shell depend on where it points
# to on the grid, by up to 3e-5 eV; forces of an SCF that is converged to 1e-9 Hartree are uncertain by some 1e-5 eV/Å.
BOUNDS = 5e-5, 1e-4, 1e-4


def above_zero(kind):
    """For argparse: a number that is larger than 0."""
    def number(word):
        value = kind(word)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"expected a number above 0, found {word}")
        return value

    number.__name__ = kind.__name__  # argparse says "invalid float value" with it
    return number


def places(word):
    return [int(number) for number in word.split(",")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="dynamics|relax|label|check")

    def command(name, text):
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.add_argument("structures", nargs="+", metavar="STRUCTURE", help="NAME:CHARGE:MULTIPLICITY or a file (.xyz, .h5)")
        added.add_argument("--level", required=True, choices=LEVELS,
                           help="; ".join(f"{key}: {level['name']}" for key, level in LEVELS.items()))
        return added

    dynamics = command("dynamics", "frames of Langevin dynamics with GFN2-xTB, labelled")
    dynamics.add_argument("--temperature", type=above_zero(float), nargs="+", required=True, help="K; one trajectory each")
    dynamics.add_argument("--frames", type=above_zero(int), required=True, help="of a trajectory")
    dynamics.add_argument("--interval", type=above_zero(float), default=25, help="fs between frames (default 25)")
    dynamics.add_argument("--timestep", type=above_zero(float), default=0.5, help="fs (default 0.5)")
    dynamics.add_argument("--equilibration", type=float, default=500, help="fs before the first frame (default 500)")
    relax = command("relax", "relaxations (BFGS) from displaced geometries; every step is a label")
    relax.add_argument("--displacement", type=float, default=0.08, help="standard deviation of every coordinate, Å (default 0.08)")
    relax.add_argument("--fmax", type=above_zero(float), default=0.05, help="force at which a relaxation ends, eV/Å (default 0.05)")
    relax.add_argument("--steps", type=above_zero(int), default=15, help="labels of a relaxation at most (default 15)")
    label = command("label", "labels of the structures as they are")
    for added in (dynamics, relax):
        added.add_argument("--seed", type=int, default=1, help="of velocities, random forces, displacements (default 1)")
    for added in (dynamics, relax, label):
        added.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="RUN", help="folder of the run")
        added.add_argument("--stability", action="store_true", help="follow instabilities of the SCF solution down (about three times as long)")
        added.add_argument("--minutes", type=above_zero(float), help=f"begin no label after so long; exit status {TIME_IS_UP} where some are left")
        added.add_argument("--isotrope", metavar="PROGRAM", help="build/isotrope: convert RUN.aselmdb to RUN.h5 at the end")
    check = command("check", "computes labelled structures again: labels of the file, and forces against differences of the energy")
    check.add_argument("--structures", dest="places", type=places, default=[0], metavar="I,J", help="places in the file, from 0 (default 0)")
    check.add_argument("--components", type=int, default=3, help="force components, by lot, to compare with differences (default 3)")
    check.add_argument("--seed", type=int, default=1, help="of that lot (default 1)")
    return parser.parse_args()


def versions():
    """Of what the labels and files are made with; all of it must be installed before anything is computed."""
    return {name: importlib.metadata.version(name) for name in ("pyscf", "tblite", "ase", "ase-db-backends", "lmdb", "numpy")}


def request_of(options, starts):
    """All that the labels depend on."""
    kept = {key: value for key, value in vars(options).items() if key not in ("output", "minutes", "isotrope", "structures")}
    return kept | {
        "programs": versions(), "settings": SETTINGS,
        "structures": [{"name": s.name, "numbers": s.numbers.tolist(), "positions": s.positions.tolist(), "charge": s.charge,
                        "multiplicity": s.multiplicity} for s in starts]}


class Run:
    """Labels one frame after the other, from where the folder stands, and says how long it will take."""

    def __init__(self, options, folder, expected):
        self.options, self.folder, self.expected = options, folder, expected
        self.kept, self.rejected = {}, []  # key -> (frame, label)
        self.begin, self.computed = time.monotonic(), 0

    def label(self, frame, key):
        """Keeps the label; throws Rejected after listing it, TimeoutError before a label that there is no time for."""
        fresh = key not in self.folder.entries
        minutes = self.options.minutes
        if fresh and minutes is not None and time.monotonic() - self.begin > 60 * minutes:
            raise TimeoutError
        try:
            label = self.folder.label(frame, key, lambda f: compute_label(f, self.options.level, SETTINGS, self.options.stability))
            self.kept[key] = frame, label
        except Rejected as reason:
            self.rejected.append(f"{key}: {frame.place()}: {reason}")
            if fresh:
                print(f"rejected: {self.rejected[-1]}", file=sys.stderr)
            raise
        finally:
            self.computed += fresh
        if fresh:
            self.say(frame, label)
        return label

    def say(self, frame, label):
        done = len(self.kept) + len(self.rejected)
        seconds = (time.monotonic() - self.begin) / self.computed
        left = round(seconds * max(0, self.expected - done))
        print(f"{done}/{self.expected}  {frame.place()}  {label.energy:.4f} eV  {label.cycles} cycles  {seconds:.0f} s each, "
              f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left", file=sys.stderr, flush=True)


def sampled(options, folder, starts):
    """Frames of the dynamics; sampled once and kept, so that going on does not depend on GFN2-xTB's last digits."""
    kept = folder.path / "samples.xyz"
    if not kept.exists():
        frames = []
        for start in starts:
            for temperature in options.temperature:
                frames += sampling.run_dynamics(start, temperature, options)
        unfinished = kept.with_name("unfinished.xyz")
        structures.write_extxyz(unfinished, frames)
        unfinished.replace(kept)
    return structures.read_extxyz(kept)


def label_all(run, frames):
    """First one frame of every trajectory, then the next: what is there when the time is up has some of everything."""
    seen, turns = collections.Counter(), []
    for index, frame in enumerate(frames):
        turns.append((seen[frame.name, frame.temperature], index))
        seen[frame.name, frame.temperature] += 1
    for _, index in sorted(turns):
        with contextlib.suppress(Rejected):
            run.label(frames[index], f"{index:06d}")


def relax_all(run, starts, options):
    for number, start in enumerate(starts):
        with contextlib.suppress(Rejected):  # the relaxation ends at the step before
            sampling.relax(sampling.displaced(start, options.displacement, options.seed),
                           lambda frame: run.label(frame, f"{number:04d} step {frame.step:04d}"), options)


def write_results(run, request, complete):
    """All files of what there is."""
    options, folder = run.options, run.folder.path
    write_whole(folder / "rejected.log", "".join(line + "\n" for line in run.rejected))
    if not run.kept:
        print(f"{folder}: no label yet, {len(run.rejected)} rejected (rejected.log)", file=sys.stderr)
        return
    provenance = {"level": options.level, "level_of_theory": LEVELS[options.level]["name"],
                  "units": {"hartree_ev": HARTREE, "bohr_angstrom": BOHR, "source": "CODATA 2014, as in ASE"},
                  "complete": complete, "rejected": run.rejected, "request": request}
    frames, labels = zip(*(run.kept[key] for key in sorted(run.kept)))
    written, provenance = files.write_outputs(folder, frames, labels, provenance)
    write_whole(folder / "provenance.json", json.dumps(provenance, indent=1) + "\n")
    for path, reason in written.items():
        print(f"{path}: not written: {reason}" if reason else path)
    print(f"{len(frames)} structures, {len(run.rejected)} rejected")


def convert(options):
    """RUN.h5 from RUN.aselmdb."""
    base = options.output / options.output.resolve().name
    group = "{temperature}K" if options.command == "dynamics" else "{name}"
    subprocess.run([options.isotrope, "convert", f"{base}.aselmdb", "-o", f"{base}.h5", "--config-type", "{name}", "--group", group,
                    "--level", LEVELS[options.level]["name"]], check=True)


def compute(options):
    if options.command == "dynamics" and options.interval < options.timestep:
        raise InputError(f"--interval {options.interval:g} is shorter than --timestep {options.timestep:g}")
    starts = structures.read_structures(options.structures)
    request = request_of(options, starts)
    folder = RunFolder(options.output, request)
    frames = sampled(options, folder, starts) if options.command == "dynamics" else starts
    run = Run(options, folder, len(frames) * (options.steps if options.command == "relax" else 1))
    complete = True
    try:
        relax_all(run, starts, options) if options.command == "relax" else label_all(run, frames)
    except TimeoutError:
        complete = False
        print(f"{options.output}: {options.minutes:g} minutes are over, structures are left: repeat the command to go on", file=sys.stderr)
    write_results(run, request, complete)
    if options.isotrope and run.kept:
        convert(options)
    return 0 if complete else TIME_IS_UP


def deviations(frame, options, lot):
    """Worst deviations from the file's energy and forces, and of forces from differences; None where nothing is to compare."""
    label = compute_label(frame, options.level, SETTINGS)
    energy = None if frame.energy is None else abs(label.energy - frame.energy)
    force = None if frame.forces is None else abs(label.forces - frame.forces).max()
    every = [(atom, axis) for atom in range(len(frame.numbers)) for axis in range(3)]
    if len(frame.numbers) == 1 or options.components < 1:
        return energy, force, None
    components = lot.sample(every, min(options.components, len(every)))
    slopes = finite_differences(frame, options.level, SETTINGS, components)
    return energy, force, abs(slopes - [label.forces[c] for c in components]).max()


def check(options):
    """Worst deviations of each structure; status 1 where one is out of bounds."""
    frames = structures.read_structures(options.structures)
    lot, good = random.Random(options.seed), True
    print(f"{'structure':24}  {'energy, eV':>10}  {'forces, eV/Å':>12}  {'differences, eV/Å':>17}")
    for place in options.places:
        if not 0 <= place < len(frames):
            raise InputError(f"--structures: there is no structure {place}, there are {len(frames)}")
        worst = deviations(frames[place], options, lot)
        columns = "  ".join(f"{'none' if value is None else f'{value:.1e}':>{width}}" for value, width in zip(worst, (10, 12, 17)))
        print(f"{f'{place} {frames[place].place()}':24}  {columns}", flush=True)
        good &= all(value is None or value <= bound for value, bound in zip(worst, BOUNDS))
    print(f"{'bound':24}  {BOUNDS[0]:10.0e}  {BOUNDS[1]:12.0e}  {BOUNDS[2]:17.0e}  {'kept' if good else 'EXCEEDED'}")
    return 0 if good else 1


def main():
    options = arguments()
    try:
        return check(options) if options.command == "check" else compute(options)
    except InputError as error:
        print(f"compute_dft: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"compute_dft: the Python package {error.name} is not installed: make the environment that --help shows", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
