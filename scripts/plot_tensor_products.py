#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `isotrope tensor-products --json FILE` writes: time, arithmetic and expressivity against L.

    .venv/bin/python scripts/plot_tensor_products.py FILE [--peers peers.jsonl] [--setting mimo] [-o tensor_products.png]

--peers: lines such as {"L": 1, "e3nn_full": 0.85, "jax_cropped": 0.75, ...}, milliseconds (docs/tensor-products.md).
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
    "clebsch-gordan": ("exact", "#31688e", "-", "o"),
    "gaunt-grid": ("Gaunt, grid", "#d1495b", "-", "s"),
    "gaunt-fourier": ("Gaunt, Fourier", "#d1495b", "--", "s"),
    "gaunt-paths": ("Gaunt, by paths", "#d1495b", ":", "o"),
    "vector-gaunt": ("vector Gaunt", "#e9a03b", "-", "^"),
    "matrix": ("matrix", "#35b779", "-", "D"),
    "cp": ("CP", "#8a5aa8", "-", "v"),
}
PEERS = {
    "e3nn_full": ("e3nn, all outputs", "0.1"),
    "e3nn_cropped": ("e3nn, l ≤ L", "#31688e"),
    "jax_full": ("e3nn-jax, all outputs", "0.55"),
    "jax_cropped": ("e3nn-jax, l ≤ L", "#7fb1d3"),
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


def draw_peers(axis, peers):
    for name, (text, colour) in PEERS.items():
        points = [(row["L"], row[name]) for row in peers if row.get(name) is not None]
        if points:
            axis.plot(*zip(*points), ":", color=colour, marker="x", ms=4, lw=1.2, label=text)


def draw(document, peers, setting):
    curves = curves_of(document["rows"], setting)
    if not curves:
        raise SystemExit(f"there are no rows of the setting '{setting}': measure it, or choose another by --setting")
    figure, axes = plt.subplots(2, 2, figsize=(7.8, 6.6), layout="constrained")
    (time, work), (range_of_maps, error) = axes
    draw_curves(time, curves, lambda row: row["milliseconds"], f"ms for {document['batch']} products")
    draw_peers(time, peers)
    draw_curves(work, curves, lambda row: row["multiplications"], "multiplications of one product")
    draw_curves(range_of_maps, curves, lambda row: row["expressivity"], "dimension of the reachable maps")
    draw_curves(error, curves, lambda row: row["rotation_error"], "rotation error, single precision")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = time.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=4, handlelength=2.6)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, help="JSON of isotrope tensor-products")
    parser.add_argument("--peers", type=pathlib.Path, help="times of other programs, a JSON object a line")
    parser.add_argument("--setting", default="mimo", help="siso, simo or mimo (default)")
    parser.add_argument("-o", "--output", help="picture (default: tensor_products.png beside the file)")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.size": 9, "axes.linewidth": 0.8})
    peers = [json.loads(line) for line in arguments.peers.read_text().splitlines()] if arguments.peers else []
    output = arguments.output or arguments.file.parent / "tensor_products.png"
    draw(json.loads(arguments.file.read_text()), peers, arguments.setting).savefig(output, dpi=180)
    print(output)


if __name__ == "__main__":
    main()
