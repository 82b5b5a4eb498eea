#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The MACE architecture in plain numpy, written from docs/model-format.md alone: it reads an isotrope model file and
nothing else, so that its agreement with mace-torch shows that the format is complete and unambiguous.

    python tests/reference/mace_reference.py tests/data/mace          compares with every NAME_expected.h5 there

It is slow and simple on purpose: brute-force neighbours, einsum, no derivatives. Forces and stress of the expected
files are compared with finite differences of its energy. Needs numpy and h5py.
"""
import functools
import itertools
import json
import math
import sys
from pathlib import Path

import h5py
import numpy as np


# ---- the sphere --------------------------------------------------------------------------------------------------

def spherical_harmonics(l_max, r):
    """[edges, (l_max + 1)^2]: real harmonics, polar axis y, azimuth from z towards x, m = -l ... l; the squares of one
    l sum to 2l + 1."""
    u = r / np.linalg.norm(r, axis=1, keepdims=True)
    x, y, z = u.T
    out = []
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            azimuth = ((z + 1j * x) ** abs(m)).real if m >= 0 else ((z + 1j * x) ** abs(m)).imag
            norm = math.sqrt((2 * l + 1) * (2 if m else 1) * math.factorial(l - abs(m)) / math.factorial(l + abs(m)))
            out.append(norm * azimuth * legendre_derivative(l, abs(m))(y))
    return np.stack(out, axis=1)


def legendre_derivative(l, m):
    """The m-th derivative of the Legendre polynomial P_l (the associated one without its (1 - y^2)^(m/2) and sign)."""
    series = np.polynomial.legendre.Legendre.basis(l).convert(kind=np.polynomial.Polynomial)
    return series.deriv(m) if m else series


@functools.cache
def three_j(l1, l2, l3):
    """[m1, m2, m3], norm 1, for l1 + l2 + l3 even: proportional to the integral of three harmonics over the sphere,
    with a positive factor. Exact quadrature: Gauss-Legendre along the polar axis, equidistant in azimuth."""
    nodes, weights = np.polynomial.legendre.leggauss(l1 + l2 + l3 + 2)
    phi = 2 * np.pi * np.arange(2 * (l1 + l2 + l3) + 3) / (2 * (l1 + l2 + l3) + 3)
    y, azimuth = (a.ravel() for a in np.meshgrid(nodes, phi, indexing="ij"))
    s = np.sqrt(1 - y ** 2)
    harmonics = spherical_harmonics(max(l1, l2, l3), np.stack([s * np.sin(azimuth), y, s * np.cos(azimuth)], axis=1))
    parts = [harmonics[:, l * l:(l + 1) ** 2] for l in (l1, l2, l3)]
    integral = np.einsum("q,qa,qb,qc->abc", np.repeat(weights, len(phi)), *parts)
    return integral / np.linalg.norm(integral)


# ---- the model ---------------------------------------------------------------------------------------------------

class Mace:
    def __init__(self, path):
        with h5py.File(path) as file:
            self.hyper = json.loads(file.attrs["hyperparameters"])
            self.elements = file["elements"][:].tolist()
            self.atomic_energies = file["atomic_energies"][:]
            self.cutoff = float(file["cutoff"][()])
            self.p = {name: values[:] for name, values in file["parameters"].items()}
            self.tables = {name: values[:] for name, values in file["tables"].items()}
        irreps = [part.split("x") for part in self.hyper["hidden_irreps"].split("+")]
        self.channels = int(irreps[0][0])
        self.hidden = [int(name[:-1]) for _, name in irreps]
        self.unread = set(self.p) | set(self.tables)

    def parameter(self, name):
        self.unread.discard(name)
        return self.p[name]

    def table(self, name):
        self.unread.discard(name)
        return self.tables[name]

    def silu(self, x):
        return self.hyper["activation_norm"] * x / (1 + np.exp(-x))

    def atom_energies(self, numbers, positions, cell, periodic):
        """[atoms] interaction energies (without E0), eV."""
        h = self.hyper
        species = np.array([self.elements.index(z) for z in numbers])
        receiver, sender, r = neighbours(positions, cell, periodic, self.cutoff)
        harmonics = spherical_harmonics(h["l_max"], -r) if len(r) else np.zeros((0, (h["l_max"] + 1) ** 2))
        lengths = np.linalg.norm(r, axis=1)
        basis = self.radial_basis(lengths, species[receiver], species[sender])
        late = self.envelope(lengths, self.cutoff, h["cutoff_power"]) if h.get("envelope") == "weights" else 1.0

        features = {0: self.parameter("embedding.weight")[species][:, None, :] / math.sqrt(len(self.elements))}
        total = np.zeros(len(species))
        for t in range(h["layers"]):
            residual = t > 0 or h["first_residual"]
            outgoing = self.hidden if t < h["layers"] - 1 else [0]
            message = self.message(t, features, basis, harmonics, receiver, sender, np.broadcast_to(late, len(r)))
            if residual:
                skip = self.skip(t, {l: f for l, f in features.items() if l in outgoing}, species)
            else:
                message, skip = self.skip(t, message, species), {}
            features = self.product(t, message, outgoing, species)
            for l, values in skip.items():
                features[l] = features[l] + values
            total += self.readout(t, features[0][:, 0, :])
        if h["pair_energy"]:
            weight = self.parameter("pair.weight")[species[receiver], species[sender]]
            np.add.at(total, receiver, np.sum(weight * basis, axis=1))
        if h.get("pair_repulsion") == "zbl":
            np.add.at(total, receiver, self.repulsion(lengths, species[receiver], species[sender]))
        scale, shift = (np.broadcast_to(h[key], len(self.elements))[species] for key in ("scale", "shift"))
        return scale * total + shift

    @staticmethod
    def envelope(r, end, p):
        x = r / end
        return (1 - (p + 1) * (p + 2) / 2 * x ** p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)) * (x < 1)

    def radial_basis(self, r, first, second):
        """[edges, num_bessel]"""
        frequencies, x, envelope = self.table("bessel.frequencies"), r, np.ones_like(r)
        if self.hyper.get("distance_transform") == "agnesi":
            (a, q, p), radii = self.table("agnesi.constants"), self.table("agnesi.radii")
            s = r / (0.5 * (radii[first] + radii[second]))
            x = 1 / (1 + a * s ** q / (1 + s ** (q - p)))
        if self.hyper.get("envelope", "basis") == "basis":
            envelope = self.envelope(r, self.cutoff, self.hyper["cutoff_power"])
        return math.sqrt(2 / self.cutoff) * np.sin(frequencies * x[:, None]) / x[:, None] * envelope[:, None]

    def repulsion(self, r, first, second):
        """[edges]: the half of the pair's energy that its receiver has."""
        k, b, exponent, *screening = self.table("zbl.constants")
        radii, z = self.table("zbl.radii"), np.array(self.elements, float)
        a = b / (z[first] ** exponent + z[second] ** exponent)
        phi = sum(c * np.exp(-d * r / a) for c, d in zip(screening[:4], screening[4:]))
        end = self.envelope(r, radii[first] + radii[second], self.hyper["repulsion_power"])
        return 0.5 * k * z[first] * z[second] / r * phi * end

    def message(self, t, features, basis, harmonics, receiver, sender, late):
        """{l3: [atoms, 2 l3 + 1, C]}: convolution over the neighbours and the linear layer after it."""
        C, prefix = self.channels, f"interaction.{t}"
        up = {l: f @ self.parameter(f"{prefix}.linear_up.{l}.weight") / math.sqrt(C) for l, f in features.items()}
        radial, depth = basis, len(self.hyper["radial_mlp"])
        for k in range(depth + 1):
            weight = self.parameter(f"{prefix}.radial.{k}.weight")
            radial = radial @ weight / math.sqrt(len(weight))
            if k < depth:
                radial = self.silu(radial)
        l_max = self.hyper["l_max"]
        paths = [(l3, l1, l2) for l3, l1, l2 in itertools.product(range(l_max + 1), sorted(up), range(l_max + 1))
                 if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0]
        radial = (radial * late[:, None]).reshape(len(sender), len(paths), C)
        gathered = {l: [] for l in range(l_max + 1)}
        for n, (l3, l1, l2) in enumerate(paths):
            coupling = math.sqrt(2 * l3 + 1) * three_j(l1, l2, l3)
            y = harmonics[:, l2 * l2:(l2 + 1) ** 2]
            edges = np.einsum("abc,eak,eb,ek->eck", coupling, up[l1][sender], y, radial[:, n])
            atoms = np.zeros((len(up[0]), 2 * l3 + 1, C))
            np.add.at(atoms, receiver, edges)
            gathered[l3].append(atoms)
        divisor = self.hyper["average_neighbours"]
        if self.hyper.get("density_normalised"):
            q = basis @ self.parameter(f"{prefix}.density.weight") / math.sqrt(basis.shape[1])
            divisor = np.ones((len(up[0]), 1, 1))
            np.add.at(divisor[:, 0, 0], receiver, np.tanh(q ** 2) * late)
        result = {}
        for l3, parts in gathered.items():
            weight = self.parameter(f"{prefix}.linear.{l3}.weight")
            result[l3] = np.concatenate(parts, axis=2) @ weight / math.sqrt(len(weight)) / divisor
        return result

    def skip(self, t, features, species):
        """Per-element linear layer."""
        factor = 1 / math.sqrt(self.channels * len(self.elements))
        return {l: factor * np.einsum("nmi,nio->nmo", f,
                                      self.parameter(f"interaction.{t}.skip.{l}.weight").transpose(1, 0, 2)[species])
                for l, f in features.items()}

    def product(self, t, message, outgoing, species):
        """{L: [atoms, 2L + 1, C]}: symmetric contraction and linear layer."""
        a = np.concatenate([message[l] for l in sorted(message)], axis=1)
        result = {}
        for L in outgoing:
            b = np.zeros((len(a), 2 * L + 1, self.channels))
            for nu in range(1, self.hyper["correlation"] + 1):
                weight = self.parameter(f"product.{t}.{L}.{nu}.weight")[species]
                indices = self.table(f"coupling.{L}.{nu}.indices").astype(int)
                for (M, *factors, path), value in zip(indices, self.table(f"coupling.{L}.{nu}.values")):
                    b[:, M] += value * weight[:, path] * np.prod([a[:, i] for i in factors], axis=0)
            result[L] = b @ self.parameter(f"product.{t}.linear.{L}.weight") / math.sqrt(self.channels)
        return result

    def readout(self, t, scalars):
        prefix = f"readout.{t}"
        if t < self.hyper["layers"] - 1:
            return scalars @ self.parameter(f"{prefix}.weight") / math.sqrt(self.channels)
        hidden = self.silu(scalars @ self.parameter(f"{prefix}.linear_1.weight") / math.sqrt(self.channels))
        return hidden @ self.parameter(f"{prefix}.linear_2.weight") / math.sqrt(hidden.shape[1])


def neighbours(positions, cell, periodic, cutoff):
    """receiver, sender, r = sender's image - receiver, by brute force over images."""
    counts = [0, 0, 0]
    if any(periodic):
        full = np.array([cell[k] if periodic[k] else np.zeros(3) for k in range(3)])
        for k in range(3):
            if periodic[k]:
                others = [full[j] for j in range(3) if j != k and periodic[j]]
                height = np.linalg.norm(full[k] - sum_projections(full[k], others))
                spread = np.ptp(positions, axis=0) @ np.ptp(positions, axis=0)
                counts[k] = math.ceil((cutoff + math.sqrt(spread)) / height)
    receiver, sender, r = [], [], []
    for image in itertools.product(*(range(-n, n + 1) for n in counts)):
        shift = np.array(image) @ np.asarray(cell)
        for i, j in itertools.product(range(len(positions)), repeat=2):
            d = positions[j] + shift - positions[i]
            if 0 < d @ d < cutoff ** 2 and (i != j or any(image)):
                receiver.append(i), sender.append(j), r.append(d)
    return np.array(receiver, int), np.array(sender, int), np.array(r).reshape(-1, 3)


def sum_projections(vector, others):
    """The part of `vector` in the span of `others`."""
    if not others:
        return np.zeros(3)
    basis, _ = np.linalg.qr(np.array(others).T)
    return basis @ (basis.T @ vector)


# ---- comparison --------------------------------------------------------------------------------------------------

def compare(model, group):
    """(relative error of the energies, error of a force and of a stress component by finite difference)"""
    numbers, positions, cell, periodic = (group[k][:] for k in ("numbers", "positions", "cell", "periodic"))
    expected, forces = group["atom_energies"][:], group["forces"][:]
    energies = model.atom_energies(numbers, positions, cell, periodic)
    relative = np.max(np.abs(energies - expected)) / np.max(np.abs(expected))
    e0 = sum(model.atomic_energies[model.elements.index(z)] for z in numbers)
    relative = max(relative, abs(energies.sum() + e0 - group["energy"][()]) / abs(group["energy"][()]))
    if len(neighbours(positions, cell, periodic, model.cutoff)[0]) != group["edges"][()]:
        return float("nan"), float("nan"), float("nan")

    def energy(p, c):
        return model.atom_energies(numbers, p, c, periodic).sum()

    step = np.zeros_like(positions)
    step[len(numbers) // 2, 1] = 1e-4
    force_error = abs((energy(positions - step, cell) - energy(positions + step, cell)) / 2e-4 - forces[len(numbers) // 2, 1])
    stress_error = 0.0
    if "stress" in group:
        strain = np.zeros((3, 3))
        strain[0, 2] = strain[2, 0] = strain[1, 1] = 1e-4
        plus, minus = np.eye(3) + strain, np.eye(3) - strain
        slope = (energy(positions @ plus, cell @ plus) - energy(positions @ minus, cell @ minus)) / 2e-4
        stress = group["stress"][:]
        stress_error = abs(slope / abs(np.linalg.det(cell)) - (stress[0, 2] + stress[2, 0] + stress[1, 1]))
    return relative, force_error, stress_error


def main(folder):
    failures = 0
    files = sorted(Path(folder).glob("*_expected.h5"))
    for path in files:
        model = Mace(path.with_name(path.name.replace("_expected", "")))
        with h5py.File(path) as file:
            for group in file["structures"].values():
                relative, force, stress = compare(model, group)
                good = relative <= 1e-12 and force <= 1e-5 and stress <= 1e-5
                failures += not good
                print(f"{path.stem:32s} {group.attrs['name']:24s} energy {relative:8.1e} relative, finite differences: "
                      f"force {force:8.1e} eV/Å, stress {stress:8.1e} eV/Å^3{'' if good else '   FAILED'}")
        if model.unread:
            failures += 1
            print(f"{path.stem}: not needed: {', '.join(sorted(model.unread))}   FAILED")
    if not files:
        sys.exit(f"no *_expected.h5 in {folder}")
    sys.exit(f"{failures} failures" if failures else 0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tests/data/mace")
