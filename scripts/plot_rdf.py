#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of radial distribution functions that LAMMPS averaged.

    scripts/plot_rdf.py OUT.png FILE[=LABEL] [...] [--pairs Na-Cl Na-Na Cl-Cl] [--run RUN.csv]

FILE: what `compute rdf` and `fix ave/time ... mode vector` write; its last average is drawn. One panel a pair; with
--run two more below, of the temperature and of the volume per atom of the run.
"""
import argparse
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from energy_drift import read_run


def read_rdf(path):
    """Distances (Å) and g(r) of each pair, of the last average in the file."""
    with open(path) as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    heads = [k for k, words in enumerate(lines) if len(words) == 2]
    if not heads:
        sys.exit(f"{path}: expected averages of compute rdf (fix ave/time ... mode vector), found none")
    begin, rows = heads[-1] + 1, int(lines[heads[-1]][1])
    table = np.array(lines[begin:begin + rows], dtype=float)
    if len(table) < rows:
        sys.exit(f"{path}: expected {rows} rows in the last average, found {len(table)}")
    return table[:, 1], table[:, 2::2].T  # row, distance, then g and the coordination number of each pair


def draw_run(run, temperature_axis, volume_axis):
    temperature_axis.plot(run["time_ps"], run["temperature_k"], lw=0.7, color="tab:gray")
    temperature_axis.set_ylabel("temperature (K)")
    volume_axis.plot(run["time_ps"], run["volume_a3"] / run["atoms"], lw=0.9, color="tab:green")
    volume_axis.set_ylabel("volume (Å³/atom)")
    for axis in (temperature_axis, volume_axis):
        axis.set_xlabel("time (ps)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("files", nargs="+", metavar="FILE[=LABEL]")
    parser.add_argument("--pairs", nargs="+", default=["Na-Cl", "Na-Na", "Cl-Cl"])
    parser.add_argument("--run", metavar="RUN.csv", help="time_ps, temperature_k, volume_a3, atoms")
    arguments = parser.parse_args()
    figure = plt.figure(figsize=(3.6 * len(arguments.pairs), 5.4 if arguments.run else 3.0), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2]) if arguments.run else (figure, None)
    axes = above.subplots(1, len(arguments.pairs), squeeze=False, sharex=True)[0]
    for text in arguments.files:
        path, _, label = text.partition("=")
        distance, functions = read_rdf(path)
        if len(functions) != len(arguments.pairs):
            sys.exit(f"{path}: has {len(functions)} pairs, but --pairs names {len(arguments.pairs)}")
        for axis, pair, g in zip(axes, arguments.pairs, functions):
            axis.plot(distance, g, lw=1.2, label=label or path)
            axis.set_title(pair.replace("-", "\N{EN DASH}"), fontsize="medium")
            axis.set_xlabel("r (Å)")
    axes[0].set_ylabel("g(r)")
    axes[-1].legend(fontsize="small")
    if arguments.run:
        draw_run(read_run(arguments.run), *below.subplots(1, 2))
    figure.savefig(arguments.out, dpi=150)
    return 0


if __name__ == "__main__":
    sys.exit(main())
