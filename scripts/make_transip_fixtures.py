#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the TransIP fixtures of the tests: our reading of the paper a second time, in PyTorch with its autograd, float64.

    python scripts/make_transip_fixtures.py [-o tests/data/transip]

Needs torch, numpy, h5py, xxhash. Each fixture is a model file NAME.h5 (docs/model-format.md) with random parameters and a
file NAME_expected.h5:

    attributes       format = "isotrope-transip-fixture"
    structures/K     K = 0, 1, ...: numbers, positions, cell (where periodic), charge, multiplicity; energy (interaction, eV), atom_energies,
                     forces (eV/Å), latent [N, width] (features of the atoms after the last norm, or [N, layers width], before that
                     those after every other layer, where all have a network T; no columns for a model that is averaged over frames)
    training/NAME    a batch of structures, each in two views, the second rotated, and the gradient of the loss
        attributes     weights [w_E, w_F, w_L], variant (pooled, per_atom, per_layer), normalise, both_branches
        structures     int32 [G]
        rotations      float64 [G, 3, 3]
        energy         float64 [G] target interaction energies
        forces         float64 [sum of N, 3] targets of the first views; those of the second are rotated
        loss, latent_loss, gradient [parameters in the order of the model file]

Nothing here is taken over from the C++: rotary embedding is a product of complex numbers, attention and both derivatives
are PyTorch's.
"""
import argparse
import itertools
import pathlib

import h5py
import model_file
import numpy as np
import torch
from torch.nn.functional import silu

torch.set_default_dtype(torch.float64)
ELEMENTS = [1, 6, 8]
CHARGES, MULTIPLICITIES = [-1, 0, 2], [1, 2, 3]


def random_parameters(width, layers, hidden, forces, latent, per_layer, rng):
    """(name, array) in the order of the file; gains and biases are random too."""
    d = width
    shapes = [("embedding.element", (len(ELEMENTS), d)), ("embedding.charge", (len(CHARGES), d)),
              ("embedding.multiplicity", (len(MULTIPLICITIES), d))]
    for t in range(layers):
        shapes += [(f"layer.{t}.attention.norm", (d,))]
        shapes += [(f"layer.{t}.attention.{name}", (d, d)) for name in ("query", "key", "value", "output")]
        shapes += [(f"layer.{t}.network.norm", (d,)), (f"layer.{t}.network.0", (d, hidden)), (f"layer.{t}.network.1", (hidden, d))]
    shapes += [("norm", (d,)), ("energy.0", (d, d)), ("energy.1", (d, 1))]
    if forces == "direct":
        shapes += [("force.0", (d, d)), ("force.1", (d, 3))]
    for network in [f"layer.{t}.latent" for t in range(layers)] if per_layer else ["latent"] if latent else []:
        shapes += [(f"{network}.0", (d + 9, latent)), (f"{network}.0.bias", (latent,)), (f"{network}.1", (latent, d)),
                   (f"{network}.1.bias", (d,))]
    return [(name, rng.normal(size=shape)) for name, shape in shapes]


def envelope(x):
    """The cutoff function of Gasteiger et al. for p = 6."""
    return 1 - 28 * x**6 + 48 * x**7 - 21 * x**8


def smooth_step(x):
    return torch.where(x < 1, x**3 * (10 - 15 * x + 6 * x**2), torch.ones(()))


def frames(x, reflections, switch):
    """(share, matrix) of the frames of positions x [N, 3] about their mean, and of the laboratory where they fade."""
    if len(x) > 2:
        values, vectors = torch.linalg.eigh(x.T @ x)
        (c, b, a), axes = values, vectors.flip(1).T
        axes = axes * torch.tensor([1.0, 1.0, float(torch.sign(torch.linalg.det(axes)))])[:, None]
        weight = smooth_step((a - b) / a / switch) * smooth_step((b - c) / a / switch)
    elif len(x) == 2:  # the other two axes do not matter: autograd need not know that they depend on x
        first = x[0] / x[0].norm()
        others = torch.linalg.svd(first.detach()[None])[2][1:]
        others = others * torch.sign(torch.linalg.det(torch.cat([first.detach()[None], others])))
        axes, weight = torch.cat([first[None], others]), torch.tensor(1.0)
    else:
        axes, weight = torch.eye(3), torch.tensor(0.0)
    signs = [s for s in itertools.product([1.0, -1.0], repeat=3) if reflections or np.prod(s) > 0]
    for s in signs:
        yield weight / len(signs), torch.tensor(s)[:, None] * axes
        yield (1 - weight) / len(signs), torch.diag(torch.tensor(s))


class Twin:
    def __init__(self, hyper, parameters, frequencies):
        self.h = hyper
        self.p = {name: torch.tensor(values, requires_grad=True) for name, values in parameters}
        self.omega = torch.tensor(frequencies)

    def linear(self, name, x):
        w = self.p[name]
        return x @ w / w.shape[0] ** 0.5

    def norm(self, name, x):
        return self.p[name] * x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-6)

    def heads(self, x, phase):
        """[tokens, width] -> [heads, tokens, size], turned by the phases [tokens, size / 2] where there are any."""
        tokens, count = x.shape[0], self.h["heads"]
        x = x.reshape(tokens, count, -1).transpose(0, 1)
        if phase is None:
            return x
        half = x.shape[-1] // 2
        turned = torch.complex(x[..., :half], x[..., half:]) * torch.exp(1j * phase)
        return torch.cat([turned.real, turned.imag], -1)

    def __call__(self, structure, positions):
        """Interaction energies, direct forces (or none) and features of the atoms."""
        x = [self.p["embedding.charge"][CHARGES.index(structure["charge"])],
             self.p["embedding.multiplicity"][MULTIPLICITIES.index(structure["multiplicity"])]]
        x += [self.p["embedding.element"][ELEMENTS.index(z)] for z in structure["numbers"]]
        x = torch.stack(x)
        place = torch.cat([torch.zeros(2, 3), positions - positions.mean(0)])
        phase = (place[:, :, None] * self.omega).reshape(len(x), -1)  # x, y, z one after the other
        small, between = 1 / (2 * self.h["layers"]) ** 0.5, []
        for t in range(self.h["layers"]):
            y = self.norm(f"layer.{t}.attention.norm", x)
            q, k, v = (self.linear(f"layer.{t}.attention.{name}", y) for name in ("query", "key", "value"))
            q, k, v = self.heads(q, phase), self.heads(k, phase), self.heads(v, None)
            o = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v  # its own attention has no second derivative
            x = x + small * self.linear(f"layer.{t}.attention.output", o.transpose(0, 1).reshape(len(x), -1))
            hidden = silu(self.linear(f"layer.{t}.network.0", self.norm(f"layer.{t}.network.norm", x)))
            x = x + small * self.linear(f"layer.{t}.network.1", hidden)
            between.append(x[2:])
        y = self.norm("norm", x)[2:]
        energies = self.h["scale"] * self.linear("energy.1", silu(self.linear("energy.0", y)))[:, 0]
        direct = None
        if self.h["forces"] == "direct":
            direct = self.h["scale"] * self.linear("force.1", silu(self.linear("force.0", y)))
        return energies, direct, self.seen(between, y)

    def local(self, structure, positions):
        """The local variant: attention over neighbours, images of periodic structures included, on dense arrays."""
        shifts = torch.zeros(1, 3)
        if "cell" in structure:
            shifts = torch.tensor(list(itertools.product([0.0, 1.0, -1.0], repeat=3))) @ torch.tensor(structure["cell"])
        r = positions[None, :, None] + shifts - positions[:, None, None]  # [receiver, sender, image, 3]
        apart = (r.detach() ** 2).sum(-1) > 0
        length = torch.sqrt(torch.where(apart, (r**2).sum(-1), torch.ones(())))
        u = torch.where(apart & (length < self.h["cutoff"]), envelope(length / self.h["cutoff"]), torch.zeros(()))
        phase = (r[..., None] * self.omega).flatten(-2)
        species = [ELEMENTS.index(z) for z in structure["numbers"]]
        n, lone = len(species), 2 + torch.arange(len(ELEMENTS))
        x = torch.cat([self.p["embedding.element"][species], self.p["embedding.charge"][[CHARGES.index(structure["charge"])]],
                       self.p["embedding.multiplicity"][[MULTIPLICITIES.index(structure["multiplicity"])]],
                       self.p["embedding.element"]])
        bound, small, between = self.h["logit_bound"], 1 / (2 * self.h["layers"]) ** 0.5, []
        for t in range(self.h["layers"]):
            y = self.norm(f"layer.{t}.attention.norm", x)
            q, k, v = (self.heads(self.linear(f"layer.{t}.attention.{name}", y), None) for name in ("query", "key", "value"))
            q = q / q.shape[-1] ** 0.5
            weight = lambda s: torch.exp(bound * torch.tanh(s / bound))
            prefix_k, prefix_v = k[:, n : n + 2], v[:, n : n + 2]
            to_prefix = weight(q @ prefix_k.mT)
            to_self = weight((q * k).sum(-1))
            to_self = to_self * torch.cat([torch.ones(n), torch.zeros(2), torch.ones(len(ELEMENTS))])
            half = q.shape[-1] // 2
            turned = torch.complex(k[:, None, :n, None, :half], k[:, None, :n, None, half:]) * torch.exp(1j * phase)
            turned = torch.cat([turned.real, turned.imag], -1)  # [head, receiver, sender, image, channel]
            to_atoms = (u * weight((q[:, :n, None, None] * turned).sum(-1))).sum(-1)
            to_atoms = torch.cat([to_atoms, torch.zeros(len(q), 2 + len(ELEMENTS), n)], 1)
            total = to_self + to_prefix.sum(-1) + to_atoms.sum(-1)
            o = (to_self[..., None] * v + to_prefix @ prefix_v + to_atoms @ v[:, :n]) / total[..., None]
            x = x + small * self.linear(f"layer.{t}.attention.output", o.transpose(0, 1).reshape(len(x), -1))
            hidden = silu(self.linear(f"layer.{t}.network.0", self.norm(f"layer.{t}.network.norm", x)))
            x = x + small * self.linear(f"layer.{t}.network.1", hidden)
            between.append(x[:n])
        y = self.norm("norm", x)
        less_lone = lambda said: self.h["scale"] * (said[:n] - said[n + lone][species])
        energies = less_lone(self.linear("energy.1", silu(self.linear("energy.0", y))))[:, 0]
        direct = None
        if self.h["forces"] == "direct":
            direct = less_lone(self.linear("force.1", silu(self.linear("force.0", y))))
        return energies, direct, self.seen(between, y[:n])

    def seen(self, between, last):
        """What the latent loss sees, of what came out of the layers and of the last of them normed."""
        return torch.cat([*between[:-1], last], -1) if self.h.get("latent_per_layer") else last

    def transform(self, network, f, rotation):
        """A network T of latent equivariance."""
        entries = rotation.reshape(-1, 9).expand(len(f), 9)
        hidden = silu(self.linear(f"{network}.0", torch.cat([f, entries], -1)) + self.p[f"{network}.0.bias"])
        return self.linear(f"{network}.1", hidden) + self.p[f"{network}.1.bias"]

    def networks(self):
        """Of every part of the features."""
        return [f"layer.{t}.latent" for t in range(self.h["layers"])] if self.h.get("latent_per_layer") else ["latent"]

    def framed(self, structure, positions):
        """The same averaged over frames; there are no features."""
        energies, forces = 0, 0
        for share, turn in frames(positions - positions.mean(0), self.h["frames"] == "o3", self.h["frame_gap"]):
            e, f, _ = self(structure, (positions - positions.mean(0)) @ turn.T)
            energies = energies + share * e
            forces = None if f is None else forces + share * f @ turn
        return energies, forces, torch.zeros(len(positions), 0)

    def view(self, structure, positions):
        positions = positions.detach().requires_grad_()
        model = self.local if self.h["cutoff"] > 0 else self if self.h["frames"] == "none" else self.framed
        energies, forces, features = model(structure, positions)
        if forces is None:
            forces = -torch.autograd.grad(energies.sum(), positions, create_graph=True)[0]
        return energies, forces, features


def structures(rng, periodic):
    water = [[0.0, 0.0, 0.1], [0.1, 0.75, -0.5], [0.0, -0.8, -0.45]]
    ethanol = [[1.17, -0.41, 0.05], [-0.04, 0.55, -0.02], [-1.21, -0.25, 0.03], [-1.95, 0.38, -0.07], [-0.08, 1.20, 0.88],
               [0.03, 1.17, -0.92], [2.08, 0.17, 0.08], [1.15, -1.05, 0.94], [1.20, -1.05, -0.85]]
    found = [("water", [8, 1, 1], water, 0, 1), ("water with two electrons less", [8, 1, 1], water, 2, 1),
             ("hydroxide", [8, 1], water[:2], -1, 1), ("hydroxyl radical", [8, 1], water[:2], 0, 2),
             ("ethanol", [6, 6, 8, 1, 1, 1, 1, 1, 1], ethanol, 0, 1), ("oxygen atom", [8], [[0.3, 0.4, 0.5]], 0, 3)]
    found = [{"name": name, "numbers": numbers, "charge": q, "multiplicity": m,
              "positions": np.array(positions) + 0.05 * rng.normal(size=np.shape(positions)) + [3.0, -1.0, 2.0]}
             for name, numbers, positions, q, m in found]
    if periodic:
        found.append({**found[0], "name": "water in a cell", "cell": np.array([[3.1, 0.2, 0.0], [-0.4, 3.4, 0.3], [0.1, 0.0, 2.9]])})
    return found


def rotations(count, rng):
    matrices = []
    for _ in range(count):
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        matrices.append(q * np.sign(np.linalg.det(q)))
    return np.array(matrices)


def normalised(f, wanted):
    return f / torch.sqrt((f**2).mean(-1, keepdim=True) + 1e-12) if wanted else f


def loss_of(twin, chosen, turns, targets, weights, variant, normalise, both):
    energy, force, components, latent, rows = 0, 0, 0, 0, 0
    for structure, turn, (e_target, f_target) in zip(chosen, turns, targets):
        features = []
        for rotation in (torch.eye(3), turn):
            energies, forces, f = twin.view(structure, torch.tensor(structure["positions"]) @ rotation.T)
            energy = energy + ((energies.sum() - e_target) / len(f)) ** 2
            force = force + ((forces - f_target @ rotation.T) ** 2).sum()
            components += forces.numel()
            features.append(f if variant == "per_atom" else f.mean(0, keepdim=True))
        if weights[2] > 0:
            networks = twin.networks()
            for network, *of_views in zip(networks, *(f.chunk(len(networks), -1) for f in features)):
                plain, turned = (normalised(f, normalise) for f in of_views)
                difference = twin.transform(network, plain, turn) - (turned if both else turned.detach())
                latent = latent + (difference**2).mean(-1).sum() / len(networks)
            rows += len(difference)
    latent = weights[2] * latent / max(rows, 1)
    return weights[0] * energy / (2 * len(chosen)) + weights[1] * force / components + latent, latent


def gradient_of(twin, loss):
    found = torch.autograd.grad(loss, list(twin.p.values()), allow_unused=True)
    return np.concatenate([(torch.zeros_like(p) if g is None else g).numpy().ravel() for p, g in zip(twin.p.values(), found)])


def write_training(group, twin, all_structures, rng, names):
    chosen = [all_structures[k] for k in (4, 0, 3)]
    turns = rotations(3, rng)
    targets = [(rng.normal(), rng.normal(size=(len(s["numbers"]), 3))) for s in chosen]
    cases = {"plain": ([2.0, 30.0, 0.0], "pooled", True, True), "pooled": ([2.0, 30.0, 0.7], "pooled", True, True),
             "per_atom": ([2.0, 30.0, 0.7], "per_atom", True, True), "one_branch": ([2.0, 30.0, 0.7], "pooled", True, False),
             "not_normalised": ([2.0, 30.0, 0.7], "per_atom", False, True), "per_layer": ([2.0, 30.0, 0.7], "per_layer", True, True)}
    for name in names:
        weights, variant, normalise, both = cases[name]
        part = group.create_group(name)
        part["weights"], part["rotations"] = weights, turns
        part.attrs["variant"], part.attrs["normalise"], part.attrs["both_branches"] = variant, int(normalise), int(both)
        part["structures"] = np.array([4, 0, 3], np.int32)
        part["energy"] = [e for e, _ in targets]
        part["forces"] = np.concatenate([f for _, f in targets])
        loss, latent = loss_of(twin, chosen, torch.tensor(turns), [(e, torch.tensor(f)) for e, f in targets], weights, variant,
                               normalise, both)
        part["loss"], part["latent_loss"] = float(loss), float(latent)
        part.create_dataset("gradient", data=gradient_of(twin, loss), compression="gzip", shuffle=True)


def write_fixture(folder, name, seed, cases, cutoff=0.0, **hyper):
    rng = np.random.default_rng(seed)
    hyper = {"charges": CHARGES, "multiplicities": MULTIPLICITIES, "scale": 1.4, **hyper}
    if cutoff == 0:
        hyper = {"frames": "none", "frame_gap": 0.02, **hyper}
    parameters = random_parameters(hyper["width"], hyper["layers"], hyper["hidden"], hyper["forces"], hyper["latent_hidden"],
                                   hyper.get("latent_per_layer", False), rng)
    count = hyper["width"] // hyper["heads"] // 6
    frequencies = 2 * np.pi / np.geomspace(1.3, 21.0, count) if count > 1 else np.array([2.1])
    energies = [-0.5, -1.0, -2.0]  # small: what is compared are differences
    model_file.write(folder / f"{name}.h5", "transip", hyper, ELEMENTS, energies, cutoff, parameters,
                     {"rotary.frequencies": frequencies}, {"program": "scripts/make_transip_fixtures.py"})
    twin = Twin({"frames": "none", **hyper, "cutoff": cutoff}, parameters, frequencies)
    found = structures(rng, cutoff > 0)
    with h5py.File(folder / f"{name}_expected.h5", "w") as file:
        file.attrs["format"] = "isotrope-transip-fixture"
        for k, s in enumerate(found):
            group = file.create_group(f"structures/{k}")
            group.attrs["name"] = s["name"]
            group["numbers"], group["positions"] = np.array(s["numbers"], np.int32), s["positions"]
            if "cell" in s:
                group["cell"] = s["cell"]
            group["charge"], group["multiplicity"] = np.int32(s["charge"]), np.int32(s["multiplicity"])
            atom_energies, forces, features = twin.view(s, torch.tensor(s["positions"]))
            group["energy"] = float(atom_energies.sum())
            group["atom_energies"], group["forces"] = atom_energies.detach().numpy(), forces.detach().numpy()
            group["latent"] = features.detach().numpy()
        write_training(file.create_group("training"), twin, found, rng, cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("tests/data/transip"), help="folder")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    write_fixture(folder, "gradient_1x12", 1, ["plain", "pooled", "per_atom", "one_branch", "not_normalised"], width=12,
                  layers=2, heads=1, hidden=20, forces="gradient", latent_hidden=10)
    write_fixture(folder, "direct_3x6", 2, ["plain", "per_atom"], width=18, layers=2, heads=3, hidden=13, forces="direct",
                  latent_hidden=8)
    local = {"width": 12, "layers": 2, "hidden": 10, "cutoff": 2.6, "logit_bound": 2.0}
    write_fixture(folder, "local", 6, ["plain", "pooled"], **local, heads=1, forces="gradient", latent_hidden=7)
    write_fixture(folder, "local_direct", 7, ["plain"], **local, heads=2, forces="direct", latent_hidden=0)
    every = {"heads": 1, "forces": "gradient", "latent_hidden": 5, "latent_per_layer": True}
    write_fixture(folder, "per_layer", 8, ["per_layer"], width=6, layers=3, hidden=7, **every)
    write_fixture(folder, "local_per_layer", 9, ["per_layer"], **{**local, "width": 6}, **every)
    framed = {"width": 12, "layers": 1, "heads": 2, "hidden": 9, "latent_hidden": 0}
    write_fixture(folder, "frames_so3", 3, ["plain"], **framed, forces="gradient", frames="so3")
    write_fixture(folder, "frames_o3_direct", 4, ["plain"], **framed, forces="direct", frames="o3")
    write_fixture(folder, "frames_fading", 5, ["plain"], **framed, forces="gradient", frames="so3", frame_gap=0.5)


if __name__ == "__main__":
    main()
