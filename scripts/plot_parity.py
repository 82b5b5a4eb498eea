#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `isotrope evaluate MODEL DATA --report DIR` leaves in DIR: parity of energies and forces, and their errors.

    .venv/bin/python scripts/plot_parity.py DIR [-o parity.png]
"""
import argparse
import csv
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def groups_of(rows, pairs):
    """Group -> reference and prediction, each [n], for the groups in the order of the file; what has no label is left out."""
    found = {}
    for row in rows:
        labelled = [(row[a], row[b], row) for a, b in pairs if row[a] != ""]
        found.setdefault(row["group"], []).extend((float(a), float(b), row) for a, b, row in labelled)
    return {name: values for name, values in found.items() if values}


def energies(folder):
    """Per atom, relative to isolated atoms: then structures of any composition share one axis. eV."""
    groups = groups_of(rows_of(folder / "energies.csv"), [("reference_ev", "predicted_ev")])
    return {name: np.array([[(x - float(row["isolated_atoms_ev"])) / int(row["atoms"]) for x in (a, b)]
                            for a, b, row in values]).T for name, values in groups.items()}


def forces(folder):
    groups = groups_of(rows_of(folder / "forces.csv"), [(f"reference_{x}", f"predicted_{x}") for x in "xyz"])
    return {name: np.array([[a, b] for a, b, _ in values]).T for name, values in groups.items()}


def colours(names):
    return dict(zip(names, plt.get_cmap("viridis")(np.linspace(0.1, 0.85, len(names))[::-1])))


def draw_parity(axis, groups, quantity, unit, mae):
    everything = np.concatenate(list(groups.values()), axis=1)
    low, high = everything.min(), everything.max()
    margin = 0.05 * (high - low) or 1
    limits = (low - margin, high + margin)
    axis.plot(limits, limits, color="0.35", lw=0.8, zorder=0)
    size = 14 if everything.shape[1] < 2000 else 3
    for name, colour in reversed(colours(groups).items()):  # the last group usually spreads widest: draw it first
        axis.scatter(*groups[name], s=size, color=colour, alpha=0.6, lw=0, rasterized=True, label=name or "all")
    axis.set(xlim=limits, ylim=limits, aspect="equal", xlabel=f"reference {quantity} ({unit})",
             ylabel=f"predicted {quantity} ({unit})")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.text(0.96, 0.05, mae, transform=axis.transAxes, ha="right")


def draw_errors(axis, groups, label):
    errors = {name: 1e3 * (predicted - reference) for name, (reference, predicted) in groups.items()}
    reach = np.quantile(np.abs(np.concatenate(list(errors.values()))), 0.995) or 1
    count = int(np.clip(3 * np.sqrt(min(e.size for e in errors.values())), 15, 61)) | 1  # odd: one is centred on 0
    bins = np.linspace(-reach, reach, count + 1)
    for name, colour in colours(groups).items():
        clipped = np.clip(errors[name], -reach, reach)  # the outermost bins hold what lies beyond
        weights = np.full(clipped.size, 1 / (clipped.size * (bins[1] - bins[0])))
        axis.hist(clipped, bins, weights=weights, histtype="step", color=colour, lw=1.4)
    axis.axvline(0, color="0.35", lw=0.8, zorder=0)
    axis.set(xlim=(-reach, reach), xlabel=label, ylabel="density")
    axis.set_yticks([])


def draw(folder):
    summary = json.loads((folder / "summary.json").read_text())
    panels = [
        (energies(folder), "energy − isolated atoms", "eV/atom", "energy error (meV/atom)",
         summary["energy_mae_ev_per_atom"], "meV/atom"),
        (forces(folder), "force component", "eV/Å", "force error (meV/Å)", summary["force_mae_ev_per_angstrom"], "meV/Å"),
    ]
    panels = [panel for panel in panels if panel[0]]
    if not panels:
        raise SystemExit(f"{folder}: neither energies nor forces are labelled: nothing to draw")
    figure, axes = plt.subplots(2, len(panels), figsize=(3.9 * len(panels), 5.9), height_ratios=[2.4, 1], squeeze=False,
                                layout="constrained")
    for (groups, quantity, unit, error, mae, error_unit), (parity, histogram) in zip(panels, axes.T):
        draw_parity(parity, groups, quantity, unit, f"MAE {1e3 * mae:.3g} {error_unit}")
        draw_errors(histogram, groups, error)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    names = panels[0][0].keys() | panels[-1][0].keys()
    if names != {""}:
        handles, labels = axes[0][0].get_legend_handles_labels()
        axes[0][0].legend(handles[::-1], labels[::-1], frameon=False, markerscale=1.5, loc="upper left",
                          handletextpad=0.1)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="with energies.csv, forces.csv and summary.json")
    parser.add_argument("-o", "--output", help="picture (default: parity.png in the folder)")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.size": 9, "axes.linewidth": 0.8})
    output = arguments.output or arguments.folder / "parity.png"
    draw(arguments.folder).savefig(output, dpi=200)
    print(output)


if __name__ == "__main__":
    main()
