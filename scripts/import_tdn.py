#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts a TDN checkpoint of the authors' program (divelab/AIRS, OpenMol/TDN) into an isotrope model file.

    python scripts/import_tdn.py checkpoint.pt -o tdn.h5 --forces direct

Needs an environment with torch, h5py, numpy and xxhash; isotrope itself never does. The sizes of the model are read off
the checkpoint; what it does not hold (cutoff, the averages that the program keeps as constants in its source) are options
with that program's values. CP factors are taken from the checkpoint. Also reads a checkpoint whose weights were written
to HDF5 under `weights/<name of the state dict>`.

The converted model gives the same numbers: its energy is the output of the network, which that program trains on the
formation energy per atom (eV/atom), and its atomic energies are 0. Elements: one-hot columns that are kept; others are
refused by the model.
"""
import argparse
import sys

import h5py
import numpy as np

from model_file import Unsupported, write

# The elements with a reference energy in the program's data file, so those that it can have seen.
TRAINED = ("H Be B C N O F Si P S Cl Sc Ti V Cr Mn Fe Co Ni Cu Ga Ge As Se Br").split()
SYMBOLS = ("X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
           "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir "
           "Pt Au").split()


# ---- the checkpoint ------------------------------------------------------------------------------------------------

def read_state(path):
    """{name: array in double}, without the prefixes of compiled and data-parallel modules."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            if "weights" not in file:
                raise Unsupported("no group 'weights'")
            state = {name: values[()] for name, values in file["weights"].items()}
            for factor in "ABC":
                if f"cp/{factor}" in file:
                    state.setdefault(f"edge_embed.tp.cp_tp.cp_{factor.lower()}", file[f"cp/{factor}"][()])
    else:
        import torch
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model_state_dict", "model"):
            if key in state:
                state = state[key]
        state = {name: value.numpy() for name, value in state.items()}
    return {clean(name): np.asarray(values, np.float64) for name, values in state.items()}


def clean(name):
    return name.replace("_orig_mod.", "").removeprefix("module.")


class Checkpoint:
    """The state dict with what its shapes say, and what of it has been used."""

    def __init__(self, state):
        self.state, self.used = state, set()
        self.channels = self.shape("norm.affine_bias")[-1]
        self.l_max = self.shape("norm.affine_weight")[0] - 1
        self.gaussians = self.shape("rbf.mean")[-1]
        self.layers = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
        self.heads = self.shape("blocks.0.attn.alpha_dot")[0]
        self.radial = [self.shape("edge_embed.rad.net.0.weight")[0], self.shape("edge_embed.rad.net.3.weight")[0]]

    def shape(self, name):
        if name not in self.state:
            raise Unsupported(f"no array '{name}': is this a TDN checkpoint?")
        return self.state[name].shape

    def take(self, name):
        self.shape(name)
        self.used.add(name)
        return self.state[name]

    def check_all_used(self, ignored):
        rest = [name for name in self.state if name not in self.used and not name.startswith(ignored)]
        if rest:
            raise Unsupported(f"arrays that TDN does not have: {', '.join(sorted(rest)[:5])}")


# ---- parameters, in the order and shapes of docs/model-format.md -----------------------------------------------------

def linear(c, ours, theirs, bias=True):
    """A linear layer; torch stores [out, in]."""
    out = [(f"{ours}.weight", c.take(f"{theirs}.linear.weight").T)]
    return out + [(f"{ours}.bias", c.take(f"{theirs}.bias").reshape(-1))] if bias else out


def norm(c, ours, theirs):
    return [(f"{ours}.gain", c.take(f"{theirs}.affine_weight").reshape(-1, c.channels)),
            (f"{ours}.bias", c.take(f"{theirs}.affine_bias").reshape(-1))]


def radial(c, ours, theirs):
    out = []
    for k, place in enumerate([0, 3]):
        out += [(f"{ours}.{k}.weight", c.take(f"{theirs}.net.{place}.weight").T),
                (f"{ours}.{k}.bias", c.take(f"{theirs}.net.{place}.bias")),
                (f"{ours}.{k}.norm.gain", c.take(f"{theirs}.net.{place + 1}.weight")),
                (f"{ours}.{k}.norm.bias", c.take(f"{theirs}.net.{place + 1}.bias"))]
    return out + [(f"{ours}.2.weight", c.take(f"{theirs}.net.6.weight").T), (f"{ours}.offset", c.take(f"{theirs}.offset"))]


def attention(c, ours, theirs):
    return (linear(c, f"{ours}.source", f"{theirs}.merge_src") + linear(c, f"{ours}.target", f"{theirs}.merge_dst", False)
            + radial(c, f"{ours}.radial", f"{theirs}.rad") + linear(c, f"{ours}.score", f"{theirs}.lin_alpha")
            + [(f"{ours}.score.vector", c.take(f"{theirs}.alpha_dot").reshape(-1))]
            + linear(c, f"{ours}.value", f"{theirs}.lin_value") + linear(c, f"{ours}.project", f"{theirs}.proj"))


def parameters(c, numbers, forces):
    """[(name, array)]; also maps gradients of the same names, or weights after some steps."""
    table = c.take("atom_embed.atom_type_lin.weight").T
    out = [("embedding.weight", table[numbers]), ("embedding.bias", c.take("atom_embed.atom_type_lin.bias")),
           ("gaussians.mean", c.take("rbf.mean").reshape(-1)), ("gaussians.std", c.take("rbf.std").reshape(-1)),
           ("gaussians.scale", c.take("rbf.weight").reshape(-1)), ("gaussians.shift", c.take("rbf.bias").reshape(-1))]
    out += linear(c, "degree.expand", "edge_embed.exp") + radial(c, "degree.radial", "edge_embed.rad")
    out += linear(c, "degree.project", "edge_embed.proj")
    for t in range(c.layers):
        out += norm(c, f"block.{t}.norm_1", f"blocks.{t}.norm1") + attention(c, f"block.{t}.attention", f"blocks.{t}.attn")
        out += norm(c, f"block.{t}.norm_2", f"blocks.{t}.norm2")
        out += linear(c, f"block.{t}.feed_1", f"blocks.{t}.ffn.0") + linear(c, f"block.{t}.feed_2", f"blocks.{t}.ffn.2")
    out += norm(c, "norm", "norm") + linear(c, "energy_1", "head.0") + linear(c, "energy_2", "head.2")
    if forces != "gradient":
        out += attention(c, "force.attention", "force_head")
        out.append(("force.weight", c.take("force_proj.linear.weight").reshape(-1)))
        c.used.add("force_proj.bias")  # acts on scalars, of which a force has none
    return [(name, np.ascontiguousarray(values)) for name, values in out]


def cp_factors(c):
    """The factors that all tensor products share."""
    factors = {}
    for name in [name for name in c.state if name.split(".")[-1] in ("cp_a", "cp_b", "cp_c")]:
        ours = f"cp.{name[-1]}"
        if ours in factors and not np.array_equal(factors[ours], c.take(name)):
            raise Unsupported(f"CP factors that differ between layers ({name})")
        factors[ours] = c.take(name)
    if len(factors) != 3:
        raise Unsupported("no CP factors (cp_a, cp_b, cp_c)")
    return factors


# ---- the file --------------------------------------------------------------------------------------------------------

def hyperparameters(c, average_degree, average_atoms, forces, coupling="cp"):
    return {"channels": int(c.channels), "l_max": int(c.l_max), "layers": c.layers, "heads": int(c.heads),
            "num_gaussians": int(c.gaussians), "radial_mlp": [int(width) for width in c.radial], "coupling": coupling,
            "parity": False, "cutoff_power": 0, "logit_bound": 0.0, "isolated_zero": False,
            "average_neighbours": average_degree, "scale": average_atoms ** -0.5, "force_scale": 1.0, "forces": forces}


def export(state, path, elements, cutoff, average_degree, average_atoms, forces, training):
    """Writes the model file; returns its content hash."""
    c = Checkpoint(state)
    numbers = sorted(SYMBOLS.index(symbol) for symbol in elements)
    params, table = parameters(c, numbers, forces), cp_factors(c)
    c.check_all_used(("force_head.", "force_proj.") if forces == "gradient" else ())
    return write(path, "tdn", hyperparameters(c, average_degree, average_atoms, forces), numbers, np.zeros(len(numbers)),
                 cutoff, params, table, training)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a state dict saved by torch.save, alone or under 'state_dict' or 'model'")
    parser.add_argument("-o", "--output", required=True, help="the isotrope model file to write")
    parser.add_argument("--forces", choices=["direct", "gradient", "both"], default="direct",
                        help="which forces the model gives (default: direct, as the program's commands train)")
    parser.add_argument("--elements", nargs="+", default=TRAINED, metavar="SYMBOL", help="elements to keep")
    parser.add_argument("--cutoff", type=float, default=4.5, help="Å (4.5)")
    parser.add_argument("--average-degree", type=float, default=18.6, help="constant of the program's source (18.6)")
    parser.add_argument("--average-atoms", type=float, default=36.6, help="constant of the program's source (36.6)")
    a = parser.parse_args()
    unknown = [symbol for symbol in a.elements if symbol not in SYMBOLS[1:]]
    if unknown:
        sys.exit(f"import_tdn: the checkpoint has a column for each element up to Au, none for '{unknown[0]}'")
    try:
        digest = export(read_state(a.checkpoint), a.output, a.elements, a.cutoff, a.average_degree, a.average_atoms,
                        a.forces, {"imported_from": a.checkpoint.split("/")[-1], "program": "divelab/AIRS OpenMol/TDN"})
    except FileNotFoundError:
        sys.exit(f"import_tdn: no such file: {a.checkpoint}")
    except Unsupported as error:
        sys.exit(f"import_tdn: {a.checkpoint} cannot be converted: it has {error}")
    print(f"{a.output}: {a.forces} forces, content hash {digest}")


if __name__ == "__main__":
    main()
