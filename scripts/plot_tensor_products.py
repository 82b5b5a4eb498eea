#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `isotrope tensor-products --json FILE` writes: time, arithmetic and expressivity against L.

    .venv/bin/python scripts/plot_tensor_products.py FILE [--peers peers.json] [--setting mimo] [-o tensor_products.png]

--peers: what scripts/time_tensor_products.py --json writes, times of other programs.
"""
import argparse
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

STYLES = {
    "clebsch-gordan-full": ("exact, all outputs", "0.1", "-", "o"),
    "clebsch-gordan-blocks": ("exact, l ≤ L", "0.5", "-", "o"),
    "clebsch-gordan": ("exact, summed", "#31688e", "-", "o"),
    "gaunt-grid-full": ("Gaunt, grid, l ≤ 2L", "#d1495b", "-", "s"),
    "gaunt-grid": ("Gaunt, grid, l ≤ L", "#d1495b", "--", "s"),
    "gaunt-paths": ("Gaunt, paths, l ≤ L", "#d1495b", ":", "o"),
    "gaunt-fourier": ("Gaunt, Fourier, l ≤ L", "#b07aa1", "--", "s"),
    "vector-gaunt": ("vector Gaunt", "#e9a03b", "-", "^"),
    "matrix": ("matrix", "#35b779", "-", "D"),
    "cp": ("CP", "#8a5aa8", "-", "v"),
}
PEERS = {
    ("e3nn", "full"): ("e3nn, exact, all outputs", "0.1", "x"),
    ("e3nn-jax", "full"): ("e3nn-jax, exact, all outputs", "0.1", "+"),
    ("e3nn", "gaunt-full"): ("e3nn, Gaunt, l ≤ 2L", "#d1495b", "x"),
    ("e3nn-jax", "gaunt-full"): ("e3nn-jax, Gaunt, l ≤ 2L", "#d1495b", "+"),
}


def curves_of(rows, setting):
    """Product -> its rows by L."""
    found = {}
    for row in rows:
        if row["setting"] == setting:
            found.setdefault(row["product"], []).append(row)
    return {name: sorted(found[name], key=lambda row: row["L"]) for name in STYLES if name in found}


def draw_curves(axis, curves, value, label):
    for name, rows in curves.items():
        text, colour, line, marker = STYLES[name]
        axis.plot([row["L"] for row in rows], [value(row) for row in rows], line, color=colour, marker=marker, ms=3.5,
                  lw=1.2, label=text)
    axis.set(yscale="log", xlabel="L", ylabel=label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_peers(axis, rows, setting):
    for (program, outputs), (text, colour, marker) in PEERS.items():
        points = [(row["L"], row["peers"][program]["ms"]) for row in rows
                  if (row["outputs"], row["setting"]) == (outputs, setting) and "ms" in row["peers"].get(program, {})]
        if points:
            axis.plot(*zip(*sorted(points)), ":", color=colour, marker=marker, ms=5, lw=1, label=text)


def draw(document, peers, setting):
    curves = curves_of(document["rows"], setting)
    if not curves:
        raise SystemExit(f"there are no rows of the setting '{setting}': measure it, or choose another by --setting")
    figure, axes = plt.subplots(2, 2, figsize=(7.8, 7.2), layout="constrained")
    (time, work), (range_of_maps, error) = axes
    draw_curves(time, curves, lambda row: row["milliseconds"], f"ms for {document['batch']} products")
    draw_peers(time, peers, setting)
    draw_curves(work, curves, lambda row: row["multiplications"], "multiplications of one product")
    draw_curves(range_of_maps, curves, lambda row: row["expressivity"], "dimension of the reachable maps")
    draw_curves(error, curves, lambda row: row["rotation_error"], "rotation error, single precision")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = time.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=3, handlelength=2.6)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, help="JSON of isotrope tensor-products")
    parser.add_argument("--peers", type=pathlib.Path, help="JSON of time_tensor_products.py")
    parser.add_argument("--setting", default="mimo", help="siso, simo or mimo (default)")
    parser.add_argument("-o", "--output", help="picture (default: tensor_products.png beside the file)")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.size": 9, "axes.linewidth": 0.8})
    peers = json.loads(arguments.peers.read_text())["rows"] if arguments.peers else []
    output = arguments.output or arguments.file.parent / "tensor_products.png"
    draw(json.loads(arguments.file.read_text()), peers, arguments.setting).savefig(output, dpi=180)
    print(output)


if __name__ == "__main__":
    main()
