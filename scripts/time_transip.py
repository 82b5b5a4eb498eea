#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TransIP's time for energies and forces, and for a training step on both, beside the same network in eager PyTorch.

    python3 -m venv torch && torch/bin/pip install torch numpy h5py xxhash
    taskset -c 0 torch/bin/python scripts/time_transip.py build [--size S] [--atoms 10 50 200 350] [--batch 8]

One thread, single precision, random weights, random structures of `isotrope_make_dataset`. PyTorch has the weights
prepared, one batch without padding, rms_norm and scaled_dot_product_attention: in inference the path that it chooses
itself, in training its plain one, because the others have no second derivative. Both are timed in turns; a number is the
best of all repeats. FLOPs are those of the matrix products that isotrope makes, two for a multiplication and an addition,
weights of attention that are computed again not counted: for forces twice the linear layers and three times the attention,
for a step, whose second pass forms tangents, 6 and 9.5 times. The peak is that of a product of 1024 x 1024 matrices in PyTorch.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import h5py
import model_file
import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

SIZES = {"S": (96, 4, 2), "M": (192, 6, 4), "L": (384, 12, 8)}
ELEMENTS = [1, 6, 7, 8]


def write_model(path, size):
    width, layers, heads = SIZES[size]
    rng = np.random.default_rng(1)
    shapes = [("embedding.element", (4, width)), ("embedding.charge", (1, width)), ("embedding.multiplicity", (2, width))]
    for t in range(layers):
        shapes += [(f"layer.{t}.attention.norm", (width,))]
        shapes += [(f"layer.{t}.attention.{name}", (width, width)) for name in ("query", "key", "value", "output")]
        shapes += [(f"layer.{t}.network.norm", (width,)), (f"layer.{t}.network.0", (width, 4 * width)),
                   (f"layer.{t}.network.1", (4 * width, width))]
    shapes += [("norm", (width,)), ("energy.0", (width, width)), ("energy.1", (width, 1))]
    parameters = [(name, np.ones(shape) if name.endswith("norm") else rng.normal(size=shape)) for name, shape in shapes]
    frequencies = 2 * np.pi / np.geomspace(1, 40, width // heads // 6)
    hyper = {"width": width, "layers": layers, "heads": heads, "hidden": 4 * width, "charges": [0], "multiplicities": [1, 2],
             "forces": "gradient", "latent_hidden": 0, "frames": "none", "frame_gap": 0.02, "scale": 1.0}
    model_file.write(path, "transip", hyper, ELEMENTS, [0.0] * 4, 0.0, parameters, {"rotary.frequencies": frequencies}, {})
    return hyper, parameters, frequencies


class Twin:
    def __init__(self, hyper, parameters, frequencies):
        self.layers, self.heads = hyper["layers"], hyper["heads"]
        self.p = {name: torch.tensor(v / v.shape[0] ** 0.5 if v.ndim > 1 and "embedding" not in name else v, dtype=torch.float32)
                  for name, v in parameters}
        small = 1 / (2 * self.layers) ** 0.5
        for t in range(self.layers):
            layer = f"layer.{t}."
            self.p[layer + "attention.output"] *= small
            self.p[layer + "network.1"] *= small
            self.p[layer + "qkv"] = torch.cat([self.p.pop(f"{layer}attention.{n}") for n in ("query", "key", "value")], 1)
        self.table = torch.cat([self.p.pop(f"embedding.{n}") for n in ("element", "charge", "multiplicity")])
        self.omega = torch.tensor(frequencies, dtype=torch.float32)

    def trainable(self):
        for p in (self.table, *self.p.values()):
            p.requires_grad_()
        return [self.table, *self.p.values()]

    def norm(self, name, x):
        return rms_norm(x, x.shape[-1:], self.p[name], 1e-6)

    def turn(self, x, cosine, sine):
        a, b = x.chunk(2, -1)
        return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)

    def energies(self, rows, positions):
        """rows [batch, 2 + atoms] of the table of embeddings."""
        x = self.table[rows]
        batch, tokens, width = x.shape
        place = torch.cat([positions.new_zeros(batch, 2, 3), positions - positions.mean(1, keepdim=True)], 1)
        phase = (place[..., None] * self.omega).reshape(batch, 1, tokens, -1)
        cosine, sine = phase.cos(), phase.sin()
        for t in range(self.layers):
            qkv = self.norm(f"layer.{t}.attention.norm", x) @ self.p[f"layer.{t}.qkv"]
            q, k, v = qkv.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            o = scaled_dot_product_attention(self.turn(q, cosine, sine), self.turn(k, cosine, sine), v)
            x = x + o.transpose(1, 2).reshape(batch, tokens, width) @ self.p[f"layer.{t}.attention.output"]
            hidden = silu(self.norm(f"layer.{t}.network.norm", x) @ self.p[f"layer.{t}.network.0"])
            x = x + hidden @ self.p[f"layer.{t}.network.1"]
        y = self.norm("norm", x)[:, 2:]
        return (silu(y @ self.p["energy.0"]) @ self.p["energy.1"]).sum((1, 2))

    def evaluate(self, rows, positions):
        positions = positions.detach().requires_grad_()
        energies = self.energies(rows, positions)
        return energies, -torch.autograd.grad(energies.sum(), positions)[0]

    def step(self, rows, positions, energy, forces, adam):
        positions = positions.detach().requires_grad_()
        with sdpa_kernel(SDPBackend.MATH):
            energies = self.energies(rows, positions)
            found = -torch.autograd.grad(energies.sum(), positions, create_graph=True)[0]
            loss = (((energies - energy) / positions.shape[1]) ** 2).mean() + ((found - forces) ** 2).mean()
            loss.backward()
        adam.step()
        adam.zero_grad()


def read_batch(path, batch):
    with h5py.File(path) as file:
        atoms = file["offsets"][1]
        numbers = file["numbers"][: batch * atoms].reshape(batch, atoms)
        positions, forces = (torch.tensor(file[n][: batch * atoms].reshape(batch, atoms, 3), dtype=torch.float32)
                             for n in ("positions", "forces"))
        prefix = np.stack([np.full(batch, 4), 5 + file["multiplicity"][:batch] - 1], 1)
        energy = torch.tensor(file["energy"][:batch], dtype=torch.float32)
    rows = torch.tensor(np.concatenate([prefix, np.searchsorted(ELEMENTS, numbers)], 1))
    return rows, positions, energy, forces


def best(repeats, f):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def flops(hyper, atoms):
    """Of one structure, in matrix products: [energies and forces, a training step]."""
    tokens, d = atoms + 2, hyper["width"]
    # The first layer makes queries, keys and values of rows of the table of embeddings.
    linear = 2 * (hyper["layers"] * tokens * d * (4 * d + 2 * hyper["hidden"]) - tokens * 3 * d * d + tokens * d * d)
    attention = 2 * hyper["layers"] * 2 * tokens * tokens * d
    return np.array([2 * linear + 3 * attention, 6 * linear + 9.5 * attention])


def ours(build, model, data, atoms, repeats):
    command = [build / "isotrope", "benchmark", model, data, "--precision", "single", "--atoms", str(atoms), "--train",
               "--repeats", str(repeats), "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return np.array([found["microseconds_per_atom"], found["train_step_microseconds_per_atom"]]) * 1e-6 * found["atoms"]


def check_forces(build, model, data, twin, rows, positions, forces):
    """Both programs must be the same network: the mean absolute errors against the (random) labels agree."""
    command = [build / "isotrope", "evaluate", model, data, "--precision", "single", "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    error = float((twin.evaluate(rows, positions)[1] - forces).abs().mean())
    if not abs(error - found["force_mae_ev_per_angstrom"]) < 1e-4 * error:
        raise SystemExit(f"not the same network: {error} and {found['force_mae_ev_per_angstrom']} eV/Å")


def measure(build, folder, hyper, parameters, frequencies, model, atoms, batch, rounds):
    data = folder / f"{atoms}.h5"
    size = batch * (52 * atoms + 140) * 0.99e-9
    subprocess.run([build / "isotrope_make_dataset", data, "--gigabytes", f"{size:.12f}", "--smallest", str(atoms),
                    "--largest", str(atoms)], check=True, capture_output=True)
    rows, positions, energy, forces = read_batch(data, batch)
    inference, training = Twin(hyper, parameters, frequencies), Twin(hyper, parameters, frequencies)
    check_forces(build, model, data, inference, rows, positions, forces)
    adam = torch.optim.Adam(training.trainable(), lr=1e-6, foreach=True)
    repeats = max(3, int(3000 / (batch * atoms)))
    here, there = [], []
    for _ in range(rounds):
        here.append(ours(build, model, data, batch * atoms, repeats))
        there.append([best(repeats, lambda: inference.evaluate(rows, positions)),
                      best(repeats, lambda: training.step(rows, positions, energy, forces, adam))])
    here, there = np.min(here, 0), np.min(there, 0)
    return here, there, batch * flops(hyper, atoms) / here * 1e-9


def peak():
    a = torch.randn(1024, 1024)
    return 2 * 1024**3 / best(20, lambda: a @ a) * 1e-9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--atoms", type=int, nargs="+", default=[10, 50, 200, 350])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    build = options.build.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "model.h5"
        hyper, parameters, frequencies = write_model(model, options.size)
        top = peak()
        print(f"size {options.size}: width {hyper['width']}, {hyper['layers']} layers, {hyper['heads']} heads of "
              f"{hyper['width'] // hyper['heads']}; batch {options.batch}; torch {torch.__version__}; GEMM peak {top:.0f} GFLOP/s")
        print("atoms            ms, ours   torch   ratio   GFLOP/s, ours   of peak")
        for atoms in options.atoms:
            here, there, rate = measure(build, folder, hyper, parameters, frequencies, model, atoms, options.batch, options.rounds)
            for what, a, b, r in zip(("inference", "step"), here, there, rate):
                print(f"{atoms:5} {what:<10}{1e3 * a:9.2f}{1e3 * b:8.2f}{b / a:8.2f}{r:14.0f}{100 * r / top:10.0f} %", flush=True)


if __name__ == "__main__":
    main()
