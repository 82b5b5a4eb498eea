#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How well a LAMMPS run keeps its energy: a straight line through block averages of the conserved energy.

    scripts/energy_drift.py nve.csv [more.csv ...] [--blocks 20] [--skip 1.0] [--mean]

Reads what `fix print` of examples/03_lammps_ethanol writes: columns time_ps, conserved_energy_ev, atoms.
Block averages take out the vibrations, whose energy error is periodic and does not grow; the scatter of the blocks about
the line gives the standard error sigma of the slope. With --mean several runs of one system (seeds) are also taken together:
the mean of their slopes, with the standard error that their scatter gives.
"""
import argparse
import csv
import sys
from typing import NamedTuple

import numpy as np


class Drift(NamedTuple):
    slope: float        # eV/atom/ps
    sigma: float        # its standard error, eV/atom/ps
    fluctuation: float  # standard deviation of the conserved energy about the line, eV/atom
    duration: float     # ps


def read_run(path):
    """{column: array} of a run; refuses what is not finite (a run that exploded)."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = ["time_ps", "conserved_energy_ev", "atoms"]
    missing = [name for name in wanted if not rows or name not in rows[0]]
    if missing:
        raise SystemExit(f"energy_drift: {path}: expected columns {', '.join(wanted)}; missing: {', '.join(missing)}")
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    if not all(np.isfinite(values).all() for values in columns.values()):
        raise SystemExit(f"energy_drift: {path}: values that are not finite: the run exploded")
    return columns


def energy_drift(time, energy, atoms, blocks=20):
    """Drift of `energy` (eV, whole system) over `time` (ps)."""
    if blocks < 3 or len(time) < 2 * blocks:
        raise SystemExit(f"energy_drift: expected at least 3 blocks of two samples each, found {len(time)} samples for {blocks}")
    energy = (energy - energy[0]) / atoms
    t = np.array([part.mean() for part in np.array_split(time, blocks)])
    e = np.array([part.mean() for part in np.array_split(energy, blocks)])
    centred = t - t.mean()
    slope = centred @ e / (centred @ centred)
    residual = e - e.mean() - slope * centred
    sigma = np.sqrt(residual @ residual / (blocks - 2) / (centred @ centred))
    about_line = energy - energy.mean() - slope * (time - time.mean())
    return Drift(slope, sigma, about_line.std(), time[-1] - time[0])


def mean_drift(drifts):
    """Several runs of one system as one measurement: sigma is that of the mean slope, from the scatter of the runs."""
    slopes = np.array([drift.slope for drift in drifts])
    return Drift(slopes.mean(), slopes.std(ddof=1) / np.sqrt(len(slopes)), np.mean([drift.fluctuation for drift in drifts]),
                 sum(drift.duration for drift in drifts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN.csv")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--skip", type=float, default=0.0, help="ps left out at the start")
    parser.add_argument("--mean", action="store_true", help="take the runs together, as seeds of one system")
    arguments = parser.parse_args()
    width = max(len(path) for path in arguments.runs)
    print(f"{'run':{width}}  {'ps':>6}  {'slope':>10}  {'2 sigma':>10}  {'fluctuation':>11}   (eV/atom/ps, eV/atom)")
    drifts = {}
    for path in arguments.runs:
        run = read_run(path)
        kept = run["time_ps"] >= run["time_ps"][0] + arguments.skip
        drifts[path] = energy_drift(run["time_ps"][kept], run["conserved_energy_ev"][kept], run["atoms"][0], arguments.blocks)
    if arguments.mean:
        if len(drifts) < 3:
            raise SystemExit(f"energy_drift: --mean: expected at least three runs, found {len(drifts)}")
        drifts["mean"] = mean_drift(list(drifts.values()))
    for name, drift in drifts.items():
        print(f"{name:{width}}  {drift.duration:6.2f}  {drift.slope:10.2e}  {2 * drift.sigma:10.2e}  {drift.fluctuation:11.2e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
