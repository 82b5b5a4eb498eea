#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `isotrope info DATA --report DIR` leaves in DIR: sizes, elements, energies, forces, distances, charges.

    .venv/bin/python scripts/plot_census.py DIR [-o census.png]
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

BAR, LINE = plt.get_cmap("viridis")(0.35), "0.35"


def spaced(count):
    return f"{count:,}".replace(",", "\N{THIN SPACE}")


def rows_of(path):
    with open(path, newline="") as file:
        return [list(row.values()) for row in csv.DictReader(file)]


def histogram_of(path):
    """Edges [n + 1] and counts [n]; None where the table is empty."""
    rows = np.array(rows_of(path), dtype=float)
    return None if rows.size == 0 else (np.append(rows[:, 0], rows[-1, 1]), rows[:, 2])


def narrowed(histogram, most=30):
    """Neighbouring bins put together, until bars are wide enough to see; of few values the gaps stay."""
    edges, counts = histogram
    step = -(-counts.size // most)
    if np.count_nonzero(counts) <= most // 2:
        return histogram
    padded = np.append(counts, np.zeros(-counts.size % step))
    width = edges[1] - edges[0]
    return edges[0] + width * step * np.arange(padded.size // step + 1), padded.reshape(-1, step).sum(axis=1)


def draw_histogram(axis, histogram, label, counted):
    edges, counts = histogram
    axis.stairs(counts, edges, fill=True, color=BAR, alpha=0.85)
    axis.set(xlabel=label, ylabel=counted, xlim=(edges[0], edges[-1]), ylim=(0, 1.12 * max(counts)))
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def draw_bars(axis, labels, counts, xlabel, counted):
    """A bar a name, with its number; a logarithmic axis where they differ by orders of magnitude."""
    axis.bar(range(len(labels)), counts, width=0.7, color=BAR, alpha=0.85)
    axis.set_xticks(range(len(labels)), labels, fontsize=8 if len(labels) <= 12 else 6)
    axis.set(xlabel=xlabel, ylabel=counted, xlim=(-0.7 - (len(labels) == 1), len(labels) - 0.3 + (len(labels) == 1)))
    if max(counts) > 100 * min(counts):
        axis.set_yscale("log")
        axis.set_ylim(min(counts) / 3, max(counts) * 3)
    else:
        axis.set_ylim(0, max(counts) * 1.15)
        axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    if len(labels) <= 8:
        for place, count in enumerate(counts):
            axis.text(place, count, spaced(count), ha="center", va="bottom", fontsize=7)


def draw_sizes(axis, folder, _):
    histogram = histogram_of(folder / "sizes.csv")
    edges, counts = histogram
    if edges[1] - edges[0] == 1:  # exact numbers: bars stand over them
        edges = edges - 0.5
    if counts.size == 1:
        edges, counts = np.array([edges[0] - 1, edges[0], edges[1], edges[1] + 1]), np.array([0, counts[0], 0])
    draw_histogram(axis, narrowed((edges, counts)), "atoms in a structure", "structures")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def draw_elements(axis, folder, _):
    rows = rows_of(folder / "elements.csv")
    draw_bars(axis, [row[0] for row in rows], [int(row[2]) for row in rows], "element", "atoms")


def draw_energies(axis, folder, summary):
    histogram = histogram_of(folder / "energies.csv")
    if histogram is None:
        return False
    edges, counts = histogram
    isolated = summary["energy_reference"].startswith("isolated")
    milli = max(abs(edges[0]), abs(edges[-1])) < 0.5
    unit, scale = ("meV/atom", 1e3) if milli else ("eV/atom", 1)
    label = f"energy − {'isolated atoms' if isolated else 'fit of composition'} ({unit})"
    draw_histogram(axis, narrowed((edges * scale, counts)), label, "structures")
    axis.xaxis.set_major_locator(MaxNLocator(5))


def draw_forces(axis, folder, summary):
    rows = np.array(rows_of(folder / "forces.csv"), dtype=float)
    if rows.size == 0:
        return False
    edges = np.append(rows[:, 0], rows[-1, 1])
    draw_histogram(axis, (edges, rows[:, 2]), "|force| (eV/Å)", "atoms")
    axis.set_xscale("log")
    rms = summary["census"]["force_rms_ev_per_angstrom"] * np.sqrt(3)
    axis.axvline(rms, color=LINE, lw=0.8)
    right = rms < np.sqrt(edges[0] * edges[-1])
    axis.annotate("rms", (rms, 1), xycoords=("data", "axes fraction"), xytext=(3 if right else -3, -2),
                  textcoords="offset points", va="top", ha="left" if right else "right", fontsize=8, color=LINE)


def draw_distances(axis, folder, _):
    histogram = histogram_of(folder / "distances.csv")
    if histogram is None:
        return False
    draw_histogram(axis, narrowed(histogram), "closest atoms of a structure (Å)", "structures")
    axis.xaxis.set_major_locator(MaxNLocator(5))


def draw_charges(axis, folder, _):
    rows = rows_of(folder / "charges.csv")
    if not rows:
        return False
    rows.sort(key=lambda row: -int(row[2]))
    names = [f"{int(charge):+d}".replace("+0", "0").replace("-", "−") + f", {multiplicity or '?'}" for charge, multiplicity, _ in rows[:12]]
    draw_bars(axis, names, [int(row[2]) for row in rows[:12]], "charge, multiplicity", "structures")


PANELS = [draw_sizes, draw_elements, draw_charges, draw_energies, draw_forces, draw_distances]


def draw(folder):
    summary = json.loads((folder / "summary.json").read_text())
    figure, axes = plt.subplots(2, 3, figsize=(9.2, 5.0), layout="constrained")
    missing = ["", "", "no charges are labelled", "no energies are labelled", "no forces are labelled", "no pairs of atoms"]
    for axis, panel, text in zip(axes.flat, PANELS, missing):
        axis.spines[["top", "right"]].set_visible(False)
        if panel(axis, folder, summary) is False:
            axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=LINE)
            axis.set_axis_off()
    census = summary["census"]
    figure.suptitle(f"{spaced(census['structures'])} structures, {spaced(census['atoms'])} atoms", fontsize=9)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="with sizes.csv, ..., summary.json")
    parser.add_argument("-o", "--output", help="picture (default: census.png in the folder)")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.size": 9, "axes.linewidth": 0.8})
    output = arguments.output or arguments.folder / "census.png"
    draw(arguments.folder).savefig(output, dpi=200)
    print(output)


if __name__ == "__main__":
    main()
