#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `isotrope orbit MODEL DATA --report DIR` leaves in DIR: errors over the orbit of rotations as polar heat maps
(angle of the map: the axis in its plane; radius: the angle of rotation), of the mean over structures (aggregate) and of
one structure (individual); the other orbits as curves; and structures by the principal components of their errors.

    .venv/bin/python scripts/plot_orbit.py DIR [--against consensus|label] [--structure N] [-o orbit.png] [--dpi 200]
"""
import argparse
import csv
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

PLANES = ["xy", "xz", "yz"]
# Column of the tables, what it is called, its unit, and the factor to that unit.
QUANTITIES = [("energy_{}_ev", "energy", "meV", 1e3), ("force_{}_ev_per_angstrom", "force", "meV/Å", 1e3)]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Orbit:
    """The rows of one table: errors [structures][elements], and where the elements lie."""

    def __init__(self, folder, name, against):
        rows = rows_of(folder / f"{name}.csv")
        self.structures = list(dict.fromkeys(int(row["structure"]) for row in rows))
        self.places = rows[: len(rows) // len(self.structures)]
        self.errors = {}
        for column, quantity, unit, factor in QUANTITIES:
            cells = [row[column.format(against)] for row in rows]
            if "" not in cells:
                values = factor * np.array([float(cell) for cell in cells])
                self.errors[quantity] = values.reshape(len(self.structures), -1)

    def column(self, name):
        return np.array([float(place[name]) for place in self.places])

    def chosen(self, **where):
        return np.array([all(place[key] == value for key, value in where.items()) for place in self.places])


def draw_sphere(figure, axes, orbit, errors, label):
    """One polar map a plane, on a common scale of colours."""
    axis_angle, rotation = orbit.column("axis_degrees"), orbit.column("angle_degrees")
    directions, rotations = np.unique(axis_angle), np.unique(rotation)
    step = rotations[1] - rotations[0]
    top = errors.max() or 1
    for axis, plane in zip(axes, PLANES):
        values = errors[orbit.chosen(plane=plane)].reshape(len(directions), len(rotations))
        edges = np.radians(np.append(directions, 360) - step / 2)
        radii = np.append(rotations, 180 + step) - step / 2
        mesh = axis.pcolormesh(edges, np.clip(radii, 0, 180), values.T, cmap="magma", vmin=0, vmax=top, rasterized=True)
        axis.set_yticks([90, 180], ["90°", "180°"], fontsize=6, color="0.6")
        axis.set_xticks(np.radians([0, 90, 180, 270]), [f"+{plane[0]}", f"+{plane[1]}", f"−{plane[0]}", f"−{plane[1]}"], fontsize=7)
        axis.tick_params(pad=-2)
        axis.grid(False)
    bar = figure.colorbar(mesh, ax=list(axes), shrink=0.85, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.locator = MaxNLocator(4)
    bar.update_ticks()


def draw_curves(axis, orbits, quantity, unit):
    """Mean over structures along the other orbits, each on its own length."""
    ends = []
    for name, colour in zip(["reflection", "translation", "permutation"], plt.get_cmap("viridis")([0.1, 0.5, 0.8])):
        values = orbits[name].errors[quantity].mean(axis=0)
        axis.plot(np.linspace(0, 1, values.size), values, color=colour, lw=0.9, label=name)
        ends.append(values.max())
    axis.set(xlim=(0, 1), xlabel="along the orbit (first to last element)", ylabel=f"{quantity} error ({unit})", xticks=[])
    axis.set_ylim(0, 1.15 * max(ends) or 1)
    axis.legend(frameon=False, fontsize=7, loc="upper right", ncols=3, handlelength=1.2, columnspacing=1)


def draw_components(axis, orbit, quantity):
    """The vectors of errors of all structures in the plane of their first two principal components."""
    errors = orbit.errors[quantity]
    centred = errors - errors.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = (left * singular)[:, :2]
    shares = singular**2 / max((singular**2).sum(), np.finfo(float).tiny)
    dots = axis.scatter(points[:, 0], points[:, 1], c=errors.mean(axis=1), s=22, cmap="viridis", lw=0)
    far = np.argsort(-np.linalg.norm(points, axis=1))[:3]
    for k in far:
        axis.annotate(str(orbit.structures[k]), points[k], xytext=(4, 3), textcoords="offset points", fontsize=7)
    axis.set(xlabel=f"component 1 ({shares[0]:.0%})", ylabel=f"component 2 ({shares[1]:.0%})")
    axis.margins(0.15)
    return dots


def draw_page(folder, against, structure):
    orbits = {name: Orbit(folder, name, against) for name in ["rotation", "reflection", "translation", "permutation"]}
    rotation = orbits["rotation"]
    quantities = [q for q in QUANTITIES if q[1] in rotation.errors]
    if not quantities:
        raise SystemExit(f"{folder}: some structures have no {against}: nothing to draw against them")
    worst = quantities[-1][1]
    if structure is None:
        structure = rotation.structures[int(rotation.errors[worst].max(axis=1).argmax())]
    if structure not in rotation.structures:
        raise SystemExit(f"{folder}: structure {structure} is not in the report (there are {rotation.structures})")
    row = rotation.structures.index(structure)

    figure = plt.figure(figsize=(7.2, 2.1 * 2 * len(quantities) + 2.5), layout="constrained")
    parts = figure.subfigures(2 * len(quantities) + 1, 1, height_ratios=[1] * 2 * len(quantities) + [1.15])
    maps = iter(parts)
    for _, quantity, unit, _ in quantities:
        for title, errors in [("mean over structures", rotation.errors[quantity].mean(axis=0)),
                              (f"structure {structure}", rotation.errors[quantity][row])]:
            part = next(maps)
            part.suptitle(f"{quantity} error, {title}", fontsize=9, x=0.02, ha="left")
            draw_sphere(part, part.subplots(1, 3, subplot_kw={"projection": "polar"}), rotation, errors, f"{unit}")
    components = len(rotation.structures) > 2
    axes = np.atleast_1d(parts[-1].subplots(1, 2 if components else 1))
    draw_curves(axes[0], orbits, worst, quantities[-1][2])
    if components:
        bar = parts[-1].colorbar(draw_components(axes[1], rotation, worst), ax=axes[1])
        bar.set_label(f"mean {worst} error ({quantities[-1][2]})", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="with rotation.csv and the other tables")
    parser.add_argument("--against", choices=["consensus", "label"], default="consensus", help="what errors are taken from")
    parser.add_argument("--structure", type=int, help="place in the data of the individual maps (default: the worst)")
    parser.add_argument("-o", "--output", help="picture (default: orbit.png in the folder)")
    parser.add_argument("--dpi", type=int, default=200, help="dots per inch of the picture")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.size": 9, "axes.linewidth": 0.8})
    output = arguments.output or arguments.folder / "orbit.png"
    draw_page(arguments.folder, arguments.against, arguments.structure).savefig(output, dpi=arguments.dpi)
    print(output)


if __name__ == "__main__":
    main()
