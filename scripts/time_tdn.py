#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times TDN in isotrope against the network of its authors in PyTorch, both on one core in single precision.

    peers/bin/python scripts/time_tdn.py build/isotrope --size 128 4 128

`peers` is an environment with torch, h5py, numpy and xxhash. The twin below is written from the definition in
docs/theory.md and docs/model-format.md, and does what the authors' program does: CP factors, all components in every
linear layer, eager mode. First it must give the energies and forces that the authors' program gave (tests/data/tdn),
then those of isotrope for the very model that is timed. Models have random weights; the system is 8 rattled copies of a
molecule of 30 atoms. The two programs take turns; printed is the best of all repeats, in ms for the 240 atoms.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import torch
from torch.nn.functional import layer_norm, linear, one_hot, silu

from model_file import write

ELEMENTS = [1, 6, 7, 8, 16, 17]
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S", 17: "Cl"}
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "data", "tdn")
REFERENCE = {"coupling": "cp", "parity": False, "cutoff_power": 0, "logit_bound": 0.0, "isolated_zero": False}
ISOTROPE = {"coupling": "exact", "parity": True, "cutoff_power": 5, "logit_bound": 5.0, "isolated_zero": True}


# ---- the twin --------------------------------------------------------------------------------------------------------

def scatter(x, index, rows):
    return torch.zeros((rows,) + x.shape[1:], dtype=x.dtype).index_add(0, index, x)


class Twin(torch.nn.Module):
    """TDN with l = 0 and 1 for a model file of isotrope; features are [atom, component, channel]."""

    def __init__(self, hyper, params, tables, cutoff):
        super().__init__()
        self.h, self.cutoff = hyper, cutoff
        # torch keeps matrices as [out, in]
        self.p = torch.nn.ParameterDict({key(name): torch.nn.Parameter(torch.tensor(matrix(name, values)))
                                         for name, values in params.items()})
        for factor in "abc":
            self.register_buffer(factor, torch.tensor(tables[f"cp.{factor}"]))

    def weight(self, name):
        return self.p[key(name)]

    def mix(self, name, x, bias=True):
        y = linear(x, self.weight(f"{name}.weight"))
        if bias:
            y[:, 0] += self.weight(f"{name}.bias")
        return y

    def normalise(self, name, x):
        scalars = x[:, :1] - x[:, :1].mean(2, keepdim=True)
        out = []
        for l, part in enumerate([scalars, x[:, 1:]]):
            size = part.pow(2).mean(1, keepdim=True).mean(2, keepdim=True)
            out.append(part * (size + 1e-5).pow(-0.5) * self.weight(f"{name}.gain")[l])
        out[0] = out[0] + self.weight(f"{name}.bias")
        return torch.cat(out, 1)

    def gaussians(self, r):
        mean, spread = self.weight("gaussians.mean"), self.weight("gaussians.std").abs() + 1e-5
        x = self.weight("gaussians.scale") * (r / self.cutoff)[:, None] + self.weight("gaussians.shift")
        return torch.exp(-0.5 * ((x - mean) / spread) ** 2) / (math.sqrt(2 * math.pi) * spread)

    def radial(self, name, g):
        for k in "01":
            g = linear(g, self.weight(f"{name}.{k}.weight"), self.weight(f"{name}.{k}.bias"))
            g = silu(layer_norm(g, g.shape[-1:], self.weight(f"{name}.{k}.norm.gain"), self.weight(f"{name}.{k}.norm.bias")))
        return linear(g, self.weight(f"{name}.2.weight"), self.weight(f"{name}.offset"))

    def product(self, x, y, w):
        ranks = torch.einsum("eic,ir->erc", x, self.a) * (y @ self.b)[:, :, None]
        return torch.einsum("erc,kr->ekc", ranks, self.c) * w[:, None]

    def gate(self, x):
        c = x.shape[2] // 2
        return torch.cat([silu(x[:, :1, :c]), x[:, 1:, :c] * torch.sigmoid(x[:, :1, c:])], 1)

    def attention(self, name, x, edges):
        sender, receiver, y, g = edges
        atoms, heads = x.shape[0], self.h["heads"]
        w = self.radial(f"{name}.radial", g)
        m = self.mix(f"{name}.source", x)[sender] + self.mix(f"{name}.target", x, bias=False)[receiver]
        m = self.product(m, y, w)
        q = self.mix(f"{name}.score", m)[:, 0]
        q = 0.6 * q + 0.4 * q * (2 * torch.sigmoid(q) - 1)
        z = (q * self.weight(f"{name}.score.vector")).reshape(len(q), heads, -1).sum(2)
        most = torch.full((atoms, heads), -math.inf, dtype=z.dtype)
        most = most.scatter_reduce(0, receiver[:, None].expand(-1, heads), z.detach(), "amax")
        e = torch.exp(z - most[receiver])
        p = e / (scatter(e, receiver, atoms)[receiver] + 1e-16)
        u = self.product(self.gate(self.mix(f"{name}.value", m)), y, w)
        u = u.reshape(*u.shape[:2], heads, -1) * p[:, None, :, None]
        return self.mix(f"{name}.project", scatter(u.flatten(2), receiver, atoms))

    def embed(self, species, edges):
        _, receiver, y, g = edges
        first = linear(one_hot(species, len(ELEMENTS)).to(g.dtype), self.weight("embedding.weight"), self.weight("embedding.bias"))
        x = torch.cat([first[:, None], first.new_zeros(len(first), y.shape[1] - 1, first.shape[1])], 1)
        q = linear(torch.ones_like(x), self.weight("degree.expand.weight"))[:, :1] + self.weight("degree.expand.bias")
        q = torch.cat([q, torch.zeros_like(x[:, 1:])], 1)
        m = self.mix("degree.project", self.product(q[edges[0]], y, self.radial("degree.radial", g)))
        return x + scatter(m, receiver, len(x)) / math.sqrt(self.h["average_neighbours"])

    def forward(self, batch, direct, keep_graph=False):
        species, positions, molecule, sender, receiver = batch
        positions = positions.detach().requires_grad_(not direct)
        v = positions[sender] - positions[receiver]
        r = v.norm(dim=1)
        y = torch.cat([torch.ones_like(v[:, :1]), math.sqrt(3) * v / r[:, None]], 1)
        edges = sender, receiver, y, self.gaussians(r)
        x = self.embed(species, edges)
        for t in range(self.h["layers"]):
            x = x + self.attention(f"block.{t}.attention", self.normalise(f"block.{t}.norm_1", x), edges)
            f = self.gate(self.mix(f"block.{t}.feed_1", self.normalise(f"block.{t}.norm_2", x)))
            x = x + self.mix(f"block.{t}.feed_2", f)
        x = self.normalise("norm", x)
        e = self.mix("energy_1", x)
        e = self.mix("energy_2", torch.cat([silu(e[:, :1]), e[:, 1:]], 1))[:, 0, 0]
        energy = scatter(e, molecule, int(molecule[-1]) + 1) * self.h["scale"]
        if direct:
            return energy, (self.attention("force.attention", x, edges)[:, 1:4] @ self.weight("force.weight"))
        return energy, -torch.autograd.grad(energy.sum(), positions, create_graph=keep_graph)[0]


def key(name):
    return name.replace(".", "/")


def matrix(name, values):
    return values.T.copy() if values.ndim == 2 and name.endswith("weight") else values


def make_batch(numbers, positions, molecule, cutoff):
    """Atoms without neighbours are left out, as the authors' program does."""
    positions, molecule = torch.as_tensor(positions), torch.as_tensor(molecule).long()
    near = (torch.cdist(positions, positions) < cutoff) & (molecule[:, None] == molecule) & ~torch.eye(len(positions), dtype=bool)
    kept = near.any(1)
    receiver, sender = near[kept][:, kept].nonzero(as_tuple=True)
    species = torch.tensor([ELEMENTS.index(z) for z in np.asarray(numbers)[kept.numpy()]])
    return species, positions[kept], molecule[kept], sender, receiver


def check_against_authors(name):
    with h5py.File(f"{FIXTURES}/{name}.h5") as model, h5py.File(f"{FIXTURES}/{name}_expected.h5") as expected:
        twin = Twin(json.loads(model.attrs["hyperparameters"]), {n: v[()] for n, v in model["parameters"].items()},
                    {n: v[()] for n, v in model["tables"].items()}, model["cutoff"][()])
        worst = 0.0
        for case in expected["cases"].values():
            batch = make_batch(case["numbers"][()], case["positions"][()], case["batch"][()], model["cutoff"][()])
            for direct, forces in [(True, "forces_direct"), (False, "forces")]:
                for ours, theirs in zip(twin(batch, direct), [case["energy"][()], case[forces][()]]):
                    worst = max(worst, np.abs(ours.detach().numpy() - theirs.reshape(ours.shape)).max())
    if not worst < 1e-12:
        sys.exit(f"time_tdn: the twin differs from the authors' program by {worst} in {name}_expected.h5")
    return worst


# ---- models and data -------------------------------------------------------------------------------------------------

def draw_parameters(channels, layers, gaussians, heads, rng):
    """Random weights by name, in the order of docs/model-format.md; `self_logit` is what the reference lacks."""
    out = {}

    def draw(name, *shape, inputs=0):
        out[name] = rng.uniform(-1, 1, shape) / math.sqrt(inputs or shape[0])

    def layer(name, inputs, outputs):
        draw(f"{name}.weight", inputs, outputs)
        draw(f"{name}.bias", outputs, inputs=inputs)

    def norm(name, *shape):
        out[f"{name}.gain"] = rng.uniform(0.5, 1.5, shape)
        draw(f"{name}.bias", shape[-1])

    def radial(name):
        for k, inputs in enumerate([gaussians, 64]):
            layer(f"{name}.{k}", inputs, 64)
            norm(f"{name}.{k}.norm", 64)
        draw(f"{name}.2.weight", 64, channels)
        draw(f"{name}.offset", channels, inputs=64)

    def attention(name):
        layer(f"{name}.source", channels, channels)
        draw(f"{name}.target.weight", channels, channels)
        radial(f"{name}.radial")
        layer(f"{name}.score", channels, channels)
        draw(f"{name}.score.vector", channels, inputs=heads)
        out[f"{name}.self_logit"] = np.zeros(heads)
        layer(f"{name}.value", channels, 2 * channels)
        layer(f"{name}.project", channels, channels)

    layer("embedding", len(ELEMENTS), channels)
    out["gaussians.mean"], out["gaussians.std"] = rng.uniform(0, 1, gaussians), rng.uniform(1 / 32, 1, gaussians)
    out["gaussians.scale"], out["gaussians.shift"] = np.ones(1), np.zeros(1)
    layer("degree.expand", channels, channels)
    radial("degree.radial")
    layer("degree.project", channels, channels)
    for t in range(layers):
        norm(f"block.{t}.norm_1", 2, channels)
        attention(f"block.{t}.attention")
        norm(f"block.{t}.norm_2", 2, channels)
        layer(f"block.{t}.feed_1", channels, 2 * channels)
        layer(f"block.{t}.feed_2", channels, channels)
    norm("norm", 2, channels)
    layer("energy_1", channels, channels)
    layer("energy_2", channels, 1)
    attention("force.attention")
    draw("force.weight", channels)
    return out


def write_model(path, mode, size, params):
    channels, layers, gaussians = size
    hyper = {"channels": channels, "l_max": 1, "layers": layers, "heads": 4, "num_gaussians": gaussians, "radial_mlp": [64, 64],
             **mode, "average_neighbours": 18.6, "scale": 36.6 ** -0.5, "force_scale": 1.0, "forces": "both"}
    with h5py.File(f"{FIXTURES}/c.h5") as model:
        tables = {n: v[()] for n, v in model["tables"].items()} if mode is REFERENCE else {}
    kept = {n: v for n, v in params.items() if mode is ISOTROPE or not n.endswith("self_logit")}
    write(path, "tdn", hyper, ELEMENTS, np.zeros(len(ELEMENTS)), 4.5, list(kept.items()), tables, {"weights": "random"})
    return Twin(hyper, kept, tables, 4.5) if tables else None


def write_structures(path, numbers, positions, molecule, energies, forces):
    with open(path, "w", encoding="ascii") as file:
        for k, energy in enumerate(energies):
            rows = np.flatnonzero(molecule == k)
            file.write(f'{len(rows)}\nProperties=species:S:1:pos:R:3:forces:R:3 pbc="F F F" energy={energy:.12f}\n')
            for i in rows:
                file.write(" ".join([SYMBOLS[numbers[i]], *(f"{x:.12f}" for x in [*positions[i], *forces[i]])]) + "\n")


# ---- measuring -------------------------------------------------------------------------------------------------------

def run_isotrope(program, command, model, data, *options):
    run = subprocess.run([program, "-q", command, model, data, *options, "--json"], check=True, stdout=subprocess.PIPE,
                         env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(run.stdout)


def check_against_isotrope(program, twin, model, system, folder):
    """Forces and energies of the twin become labels, from which isotrope must not differ."""
    batch = make_batch(*system, twin.cutoff)
    for direct in [True, False]:
        energy, forces = (x.detach().numpy() for x in twin(batch, direct))
        write_structures(f"{folder}/check.xyz", *system, energy, forces)
        errors = run_isotrope(program, "evaluate", model, f"{folder}/check.xyz", "--forces", "direct" if direct else "gradient")
        if not max(errors["energy_rmse_ev"], errors["force_rmse_ev_per_angstrom"]) < 1e-9:
            sys.exit(f"time_tdn: isotrope differs from the twin: {errors}")


def repeat(action, repeats):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


class TwinTimer:
    """Evaluations with frozen weights, and training steps: L1 of energies, RMSE of forces, backward, Adam."""

    def __init__(self, twin, batch, energies, forces):
        self.twin, self.batch, self.energies, self.forces = twin, batch, energies, forces
        self.optimiser = torch.optim.Adam(twin.parameters(), lr=1e-6)

    def evaluate(self, direct):
        self.twin.requires_grad_(False)
        with torch.set_grad_enabled(not direct):
            self.twin(self.batch, direct)

    def step(self, direct):
        self.twin.requires_grad_(True)
        self.optimiser.zero_grad()
        energy, forces = self.twin(self.batch, direct, keep_graph=True)
        molecule = self.batch[2]
        squares = scatter(((forces - self.forces) ** 2).sum(1), molecule, len(energy)) / torch.bincount(molecule)
        ((energy - self.energies).abs().mean() + squares.sqrt().mean()).backward()
        self.optimiser.step()

    def time(self, direct, repeats):
        return {"energy and forces": repeat(lambda: self.evaluate(direct), repeats),
                "training step": repeat(lambda: self.step(direct), repeats)}


def time_isotrope(program, model, data, forces, repeats, radial):
    options = ["--precision", "single", "--forces", forces, "--radial", radial, "--atoms", "240", "--repeats", str(repeats)]
    result = run_isotrope(program, "benchmark", model, data, *options, *(["--train"] if radial == "exact" else []))
    times = {"energy and forces": result["microseconds_per_atom"]}
    if radial == "exact":
        times["training step"] = result["train_step_microseconds_per_atom"]
    return {what: 1e-3 * result["atoms"] * t for what, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("isotrope", help="the program")
    parser.add_argument("--size", nargs=3, type=int, default=[128, 4, 128], metavar=("H", "T", "K"),
                        help="channels, blocks, Gaussians (128 4 128)")
    parser.add_argument("--rounds", type=int, default=3, help="how often the programs take turns (3)")
    parser.add_argument("--repeats", type=int, default=3, help="of each turn (3)")
    parser.add_argument("--forces", nargs="+", choices=["direct", "gradient"], default=["direct", "gradient"])
    a = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    with h5py.File(f"{FIXTURES}/c_expected.h5") as file:
        case = file["cases/adamantylmethanol"]
        numbers, positions = np.tile(case["numbers"][()], 8), np.tile(case["positions"][()], (8, 1))
    positions += rng.normal(0, 0.03, positions.shape)
    molecule = np.repeat(np.arange(8), len(numbers) // 8)
    system = numbers, positions, molecule
    print(f"twin and authors' program: {max(check_against_authors(n) for n in 'ac'):.1e} (eV, eV/Å)")
    with tempfile.TemporaryDirectory() as folder:
        params = draw_parameters(*a.size, 4, rng)
        twin = write_model(f"{folder}/reference.h5", REFERENCE, a.size, params)
        write_model(f"{folder}/isotrope.h5", ISOTROPE, a.size, params)
        check_against_isotrope(a.isotrope, twin, f"{folder}/reference.h5", system, folder)
        energies, forces = rng.normal(size=8), rng.normal(size=(240, 3))
        write_structures(f"{folder}/train.xyz", *system, energies, forces)
        batch = [x.float() if x.is_floating_point() else x for x in make_batch(*system, 4.5)]
        timer = TwinTimer(twin.float(), batch, torch.tensor(energies).float(), torch.tensor(forces).float())
        print(f"{len(numbers)} atoms, {len(batch[3])} edges, H/T/K {'/'.join(map(str, a.size))}, torch {torch.__version__}, ms:")
        measure(a, timer, folder)


def measure(a, timer, folder):
    columns = ["torch", "reference, exact", "isotrope, exact", "isotrope, tabulated"]
    for forces in a.forces:
        best = {}
        timer.time(forces == "direct", 1)
        for _ in range(a.rounds):
            results = {"torch": timer.time(forces == "direct", a.repeats)}
            for column in columns[1:]:
                mode, radial = column.split(", ")
                results[column] = time_isotrope(a.isotrope, f"{folder}/{mode}.h5", f"{folder}/train.xyz", forces, a.repeats, radial)
            for column, times in results.items():
                for what, t in times.items():
                    best[what, column] = min(best.get((what, column), math.inf), t)
        for what in ["energy and forces", "training step"]:
            torch_time = best[what, "torch"]
            rows = [f"{c} {best[what, c]:.1f} ({torch_time / best[what, c]:.1f}x)" for c in columns[1:] if (what, c) in best]
            print(f"{what}, {forces}: torch {torch_time:.0f}; {'; '.join(rows)}", flush=True)


if __name__ == "__main__":
    main()
