#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of how LAMMPS runs keep their energy.

    scripts/plot_energy.py OUT.png RUN.csv[=LABEL] [...]

One panel a run: the conserved energy (total energy; with a thermostat, its conserved quantity) relative to its mean, in
meV/atom, with the fitted line; below it the temperature.
"""
import argparse
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from energy_drift import energy_drift, read_run


def draw(run, label, energy_axis, temperature_axis):
    time, atoms = run["time_ps"], run["atoms"][0]
    energy = run["conserved_energy_ev"]
    drift = energy_drift(time, energy, atoms)
    relative = 1e3 * (energy - energy.mean()) / atoms
    energy_axis.plot(time, relative, lw=0.6, color="tab:blue")
    energy_axis.plot(time, 1e3 * drift.slope * (time - time.mean()), color="tab:red", lw=1.2,
                     label=f"slope {drift.slope:.1e} ± {2 * drift.sigma:.1e} eV/atom/ps")
    energy_axis.legend(loc="upper right", fontsize="small")
    energy_axis.set_title(label, fontsize="medium")
    temperature_axis.plot(time, run["temperature_k"], lw=0.6, color="tab:gray")
    temperature_axis.set_xlabel("time (ps)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("runs", nargs="+", metavar="RUN.csv[=LABEL]")
    arguments = parser.parse_args()
    runs = [text.partition("=") for text in arguments.runs]
    figure, axes = plt.subplots(2, len(runs), figsize=(4.4 * len(runs), 4.6), squeeze=False, sharex="col",
                                height_ratios=[2, 1], layout="constrained")
    for column, (path, _, label) in enumerate(runs):
        draw(read_run(path), label or path, axes[0, column], axes[1, column])
    axes[0, 0].set_ylabel("conserved energy\n(meV/atom from its mean)")
    axes[1, 0].set_ylabel("temperature (K)")
    figure.savefig(arguments.out, dpi=150)
    return 0


if __name__ == "__main__":
    sys.exit(main())
