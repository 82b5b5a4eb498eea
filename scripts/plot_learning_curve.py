#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the learning curve that `isotrope train` writes beside the model.

    .venv/bin/python scripts/plot_learning_curve.py ethanol.log.csv [-o curve.png]
"""
import argparse
import csv

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise SystemExit(f"{path}: no points yet: the first comes with the first validation")
    return {key: [float(row[key]) for row in rows] for key in rows[0]}


def draw(curve, axes):
    loss, errors, rate = axes
    step = curve["step"]
    loss.plot(step, curve["train_loss"], color="0.6", lw=1, label="training")
    loss.plot(step, curve["validation_loss"], color="C0", lw=1.5, label="validation")
    loss.set(yscale="log", ylabel="loss", title="Loss")
    loss.legend(frameon=False)
    errors.plot(step, curve["force_mae_mev_per_angstrom"], color="C1", lw=1.5, label="forces (meV/Å)")
    errors.plot(step, curve["energy_mae_mev_per_atom"], color="C2", lw=1.5, label="energy (meV/atom)")
    errors.set(yscale="log", ylabel="mean absolute error", title="Validation")
    errors.legend(frameon=False)
    rate.plot(step, curve["learning_rate"], color="C3", lw=1.5)
    rate.set(yscale="log", ylabel="learning rate", title="Learning rate")
    for axis in axes:
        axis.set_xlabel("step")
        axis.grid(True, which="both", color="0.92", lw=0.6)
        axis.spines[["top", "right"]].set_visible(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curve", help="the CSV file")
    parser.add_argument("-o", "--output", help="picture (default: beside the CSV file, .png)")
    arguments = parser.parse_args()
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    draw(read(arguments.curve), axes)
    output = arguments.output or arguments.curve.removesuffix(".csv") + ".png"
    figure.savefig(output, dpi=150)
    print(output)


if __name__ == "__main__":
    main()
