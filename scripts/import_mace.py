#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts a model trained with mace-torch into an isotrope model file.

    python scripts/import_mace.py my.model -o mace.h5

Needs an environment with mace-torch, h5py and xxhash (pip install mace-torch h5py xxhash); isotrope itself never
does. Written against mace-torch 0.3.16 and e3nn 0.4.4. What the file holds is said in docs/model-format.md. Anything
that an isotrope model cannot express is refused by name: a converted model gives the same numbers or does not exist.

A model saved in float32 keeps its float32 constants (harmonics couplings inside e3nn, Bessel frequencies), isotrope
computes in double: expect agreement to about 1e-6 then, and to rounding for a model saved in float64.
"""
import argparse
import os
import sys

import numpy as np
from model_file import Unsupported, write

import mace  # noqa: F401  before e3nn: it lets torch load e3nn's constants
import torch

FIRST_BLOCKS = {"RealAgnosticInteractionBlock": False, "RealAgnosticResidualInteractionBlock": True}
LATER_BLOCK = "RealAgnosticResidualInteractionBlock"
# Module attributes that switch on something isotrope's MACE does not have, with the value that means "off".
SWITCHES = {
    "use_agnostic_product": False, "use_last_readout_only": False, "use_edge_irreps_first": False, "use_so3": False,
    "apply_cutoff": True, "edge_irreps": None, "lammps_mliap": False,
}
ADDITIONS = {
    "pair_repulsion_fn": "ZBL pair repulsion (pair_repulsion)", "joint_embedding": "joint embedding (embedding_specs)",
    "embedding_readout": "embedding readout (use_embedding_readout)",
}
SMALLEST_COUPLING = 1e-13  # couplings are of order one; below is rounding of a zero


# ---- what can be converted ---------------------------------------------------------------------------------------

def check_supported(model):
    """Raises Unsupported, naming the first feature that isotrope's MACE does not have."""
    kind(model, "the model", {"MACE", "ScaleShiftMACE"})
    for name, off in SWITCHES.items():
        value = getattr(model, name, off)
        if value != off:
            raise Unsupported(f"{name} = {value} (only {off} is supported)")
    for name, text in ADDITIONS.items():
        if getattr(model, name, None) is not None and getattr(model, name, False) is not False:
            raise Unsupported(text)
    if len(getattr(model, "heads", None) or ["Default"]) != 1:
        raise Unsupported(f"several heads ({', '.join(model.heads)}); select one with mace_select_head first")
    check_radial(model.radial_embedding)
    check_irreps(model)
    for t, (interaction, product) in enumerate(zip(model.interactions, model.products)):
        check_layer(t, interaction, product)
    check_readouts(model)


def kind(module, what, allowed):
    name = type(module).__name__
    if name not in allowed:
        raise Unsupported(f"{what} is a {name} (supported: {', '.join(sorted(allowed))})")


def check_radial(radial):
    kind(radial.bessel_fn, "the radial basis", {"BesselBasis"})
    kind(radial.cutoff_fn, "the cutoff function", {"PolynomialCutoff"})
    if hasattr(radial, "distance_transform"):
        raise Unsupported(f"distance transform {type(radial.distance_transform).__name__}")
    if not getattr(radial, "apply_cutoff", True):
        raise Unsupported("apply_cutoff = False (only True is supported)")


def check_irreps(model):
    if len(model.interactions) < 2:
        raise Unsupported("a single interaction (at least 2 are needed)")
    hidden = hidden_irreps(model)
    channels = {mul for mul, _ in hidden}
    if len(channels) != 1:
        raise Unsupported(f"hidden irreps {hidden} with different numbers of channels")
    if [ir.l for _, ir in hidden] != list(range(len(hidden))) or any(ir.p != (-1) ** ir.l for _, ir in hidden):
        raise Unsupported(f"hidden irreps {hidden} (only 0e, 1o, 2e, ... without gaps are supported)")
    harmonics = model.spherical_harmonics.irreps_out
    if any(ir.p != (-1) ** ir.l for _, ir in harmonics):
        raise Unsupported(f"spherical harmonics {harmonics} without natural parity (use_so3)")
    if hidden.lmax > harmonics.lmax:
        raise Unsupported(f"hidden irreps {hidden} beyond the harmonics' l of {harmonics.lmax} (max_ell)")
    last = model.products[-1].linear.irreps_out
    if [ir.l for _, ir in last] != [0]:
        raise Unsupported(f"a last layer that keeps {last} (only scalars are supported)")


def check_layer(t, interaction, product):
    what = f"interaction {t}"
    kind(interaction, what, set(FIRST_BLOCKS) if t == 0 else {LATER_BLOCK})
    for config in ("cueq_config", "oeq_config"):
        if getattr(getattr(interaction, config, None), "enabled", False):
            raise Unsupported(f"{config} (convert the model back to e3nn first: mace_cueq_to_e3nn)")
    for name in ("linear_up", "linear"):
        kind(getattr(interaction, name), f"{what}.{name}", {"Linear"})
    kind(interaction.conv_tp, f"{what}.conv_tp", {"TensorProduct"})
    kind(interaction.conv_tp_weights, f"{what}.conv_tp_weights", {"FullyConnectedNet"})
    kind(interaction.skip_tp, f"{what}.skip_tp", {"FullyConnectedTensorProduct"})
    kind(product.linear, f"product {t}.linear", {"Linear"})
    if interaction.linear_up.irreps_in != interaction.linear_up.irreps_out:
        raise Unsupported(f"edge irreps {interaction.linear_up.irreps_out} other than the node features (edge_irreps)")
    if getattr(product, "use_agnostic_product", False):
        raise Unsupported("use_agnostic_product")
    expect_silu(interaction.conv_tp_weights.layer0.act, f"{what}.conv_tp_weights")


def check_readouts(model):
    if len(model.readouts) != len(model.interactions):
        raise Unsupported(f"{len(model.readouts)} readouts for {len(model.interactions)} layers (use_last_readout_only)")
    for readout in model.readouts[:-1]:
        kind(readout, "a readout", {"LinearReadoutBlock"})
    last = model.readouts[-1]
    kind(last, "the last readout", {"NonLinearReadoutBlock"})
    if [(ir.l, ir.p) for _, ir in last.hidden_irreps] != [(0, 1)]:
        raise Unsupported(f"MLP_irreps {last.hidden_irreps} (only scalars, such as 16x0e)")
    expect_silu(last.non_linearity.acts[0], "the last readout")


def expect_silu(activation, what):
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    if not torch.allclose(activation.f(x), torch.nn.functional.silu(x), rtol=0, atol=1e-12):
        raise Unsupported(f"an activation other than silu in {what}")


def same(values, what):
    """The one value that all layers share."""
    if any(value != values[0] for value in values):
        raise Unsupported(f"{what} that differs between layers: {values}")
    return values[0]


# ---- hyperparameters ---------------------------------------------------------------------------------------------

def hidden_irreps(model):
    """Node features between the layers (the last layer keeps its scalars only)."""
    return model.products[0].linear.irreps_out


def contractions(product):
    """{L: contraction} of the symmetric contractions of one layer."""
    modules = product.symmetric_contractions.contractions
    return {ir.l: module for (_, ir), module in zip(product.linear.irreps_out, modules)}


def hyperparameters(model):
    first = model.interactions[0]
    scale_shift = getattr(model, "scale_shift", None)
    correlation = same([c.correlation for p in model.products for c in contractions(p).values()], "a correlation")
    norms = [i.conv_tp_weights.layer0.act.cst for i in model.interactions] + [model.readouts[-1].non_linearity.acts[0].cst]
    return {
        "hidden_irreps": str(hidden_irreps(model)),
        "l_max": max(ir.l for _, ir in model.spherical_harmonics.irreps_out),
        "layers": len(model.interactions),
        "correlation": int(correlation),
        "num_bessel": int(model.radial_embedding.bessel_fn.bessel_weights.numel()),
        "cutoff_power": int(model.radial_embedding.cutoff_fn.p),
        "radial_mlp": same([list(i.conv_tp_weights.hs[1:-1]) for i in model.interactions], "a radial MLP"),
        "readout_mlp": int(model.readouts[-1].hidden_irreps.dim),
        "first_residual": FIRST_BLOCKS[type(first).__name__],
        "average_neighbours": same([float(i.avg_num_neighbors) for i in model.interactions], "an avg_num_neighbors"),
        "scale": single(scale_shift.scale, "scale") if scale_shift is not None else 1.0,
        "shift": single(scale_shift.shift, "shift") if scale_shift is not None else 0.0,
        "activation_norm": same(norms, "an activation norm"),
        "pair_energy": False,
    }


def single(tensor, what):
    if tensor.numel() != 1:
        raise Unsupported(f"{tensor.numel()} values of {what} (one head has one)")
    return float(tensor.reshape(-1)[0])


# ---- parameters, in the order and shapes of docs/model-format.md ------------------------------------------------

def parameters(model, pick=lambda parameter: parameter):
    """[(name, array)] in file order. `pick` maps a torch parameter to the tensor wanted: itself, or its gradient."""
    channels = hidden_irreps(model)[0].mul
    elements = len(model.atomic_numbers)
    out = [("embedding.weight", pick(model.node_embedding.linear.weight).reshape(elements, channels))]
    for t, (interaction, product) in enumerate(zip(model.interactions, model.products)):
        out += interaction_parameters(f"interaction.{t}", interaction, pick)
        out += product_parameters(f"product.{t}", product, pick)
    for t, readout in enumerate(model.readouts[:-1]):
        out.append((f"readout.{t}.weight", linear_blocks(readout.linear, pick)[0].reshape(channels)))
    last, name = model.readouts[-1], f"readout.{len(model.readouts) - 1}"
    out.append((f"{name}.linear_1.weight", linear_blocks(last.linear_1, pick)[0]))
    out.append((f"{name}.linear_2.weight", linear_blocks(last.linear_2, pick)[0].reshape(-1)))
    return [(name, np.ascontiguousarray(tensor.detach().cpu().double().numpy())) for name, tensor in out]


def interaction_parameters(prefix, interaction, pick):
    out = [(f"{prefix}.linear_up.{l}.weight", w) for l, w in linear_blocks(interaction.linear_up, pick).items()]
    paths = convolution_paths(interaction.conv_tp)
    order = sorted(range(len(paths)), key=lambda n: paths[n])
    net = interaction.conv_tp_weights
    depth = len(net.hs) - 1
    for k in range(depth):
        weight = pick(getattr(net, f"layer{k}").weight)
        if k == depth - 1:
            weight = weight.reshape(weight.shape[0], len(paths), -1)[:, order].reshape(weight.shape)
        out.append((f"{prefix}.radial.{k}.weight", weight))
    out += [(f"{prefix}.linear.{l}.weight", w) for l, w in message_linear(interaction, paths, pick).items()]
    out += [(f"{prefix}.skip.{l}.weight", w) for l, w in skip_blocks(interaction.skip_tp, pick).items()]
    return out


def convolution_paths(tensor_product):
    """(l3, l1, l2) of each instruction of the convolution, in the order of its weights."""
    paths = []
    for instruction in tensor_product.instructions:
        if instruction.connection_mode != "uvu" or not instruction.has_weight:
            raise Unsupported(f"a convolution with connection mode {instruction.connection_mode}")
        l1 = tensor_product.irreps_in1[instruction.i_in1].ir.l
        l2 = tensor_product.irreps_in2[instruction.i_in2].ir.l
        paths.append((tensor_product.irreps_out[instruction.i_out].ir.l, l1, l2))
    if len(set(paths)) != len(paths):
        raise Unsupported("a convolution with the same coupling twice")
    return paths


def linear_blocks(linear, pick):
    """{l: [in, out]} of an e3nn Linear, the rows of several inputs of the same l one after the other."""
    weight = pick(linear.weight)
    blocks, offset = {}, 0
    for instruction in linear.instructions:
        rows, columns = instruction.path_shape
        block = weight[offset:offset + rows * columns].reshape(rows, columns)
        blocks.setdefault(linear.irreps_out[instruction.i_out].ir.l, []).append(block)
        offset += rows * columns
    return {l: torch.cat(parts) for l, parts in sorted(blocks.items())}


def message_linear(interaction, paths, pick):
    """{l3: [paths * C, C]} with the paths in our order; in e3nn they lie as the outputs of the convolution."""
    outputs = {paths[n]: i.i_out for n, i in enumerate(interaction.conv_tp.instructions)}
    result = {}
    for l3, weight in linear_blocks(interaction.linear, pick).items():
        ours = sorted(path for path in outputs if path[0] == l3)
        theirs = sorted(ours, key=outputs.get)
        parts = weight.reshape(len(ours), -1, weight.shape[-1])
        result[l3] = parts[[theirs.index(path) for path in ours]].reshape(weight.shape)
    return result


def skip_blocks(tensor_product, pick):
    """{l: [in, element, out]} of the fully connected product with the one-hot elements."""
    weight = pick(tensor_product.weight)
    blocks, offset = {}, 0
    for instruction in tensor_product.instructions:
        size = int(np.prod(instruction.path_shape))
        l = tensor_product.irreps_out[instruction.i_out].ir.l
        blocks[l] = weight[offset:offset + size].reshape(instruction.path_shape)
        offset += size
    return dict(sorted(blocks.items()))


def product_parameters(prefix, product, pick):
    out = []
    for L, contraction in contractions(product).items():
        weights = [contraction.weights_max, *contraction.weights]  # correlation, correlation - 1, ... 1
        for nu, weight in zip(range(contraction.correlation, 0, -1), weights):
            out.append((f"{prefix}.{L}.{nu}.weight", pick(weight)))
    return out + [(f"{prefix}.linear.{L}.weight", w) for L, w in linear_blocks(product.linear, pick).items()]


# ---- tables ------------------------------------------------------------------------------------------------------

def tables(model):
    result = {"bessel.frequencies": model.radial_embedding.bessel_fn.bessel_weights.detach().double().numpy()}
    for product in model.products:
        for L, contraction in contractions(product).items():
            for nu in range(1, contraction.correlation + 1):
                indices, values = coordinates(contraction.U_tensors(nu).double().numpy(), nu)
                name = f"coupling.{L}.{nu}"
                if name + ".values" in result and not np.array_equal(values, result[name + ".values"]):
                    raise Unsupported(f"couplings (L = {L}, nu = {nu}) that differ between layers")
                result[name + ".indices"], result[name + ".values"] = indices, values
    return result


def coordinates(u, nu):
    """Rows (M, i_1, ..., i_nu, path) and values of the non-zero couplings."""
    if u.ndim == nu + 1:  # MACE drops the axis M of L = 0
        u = u[None]
    where = np.argwhere(np.abs(u) > SMALLEST_COUPLING)
    return where.astype(float), u[tuple(where.T)]


# ---- the file ----------------------------------------------------------------------------------------------------

def export(model, path, training=None):
    """Writes `model` (mace-torch) as an isotrope model file; returns its content hash."""
    check_supported(model)
    energies = np.atleast_2d(model.atomic_energies_fn.atomic_energies.detach().cpu().double().numpy())
    return write(path, "mace", hyperparameters(model), model.atomic_numbers.tolist(), energies[0], float(model.r_max),
                 parameters(model), tables(model), training or {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model saved by mace_run_train (torch.save of the whole module)")
    parser.add_argument("-o", "--output", required=True, help="the isotrope model file to write")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.model):
        sys.exit(f"import_mace: no such file: {arguments.model}")
    model = torch.load(arguments.model, map_location="cpu", weights_only=False)
    if not isinstance(model, torch.nn.Module):
        sys.exit(f"import_mace: {arguments.model} holds a {type(model).__name__}, not a model; give the .model file "
                 "that mace_run_train writes, not a checkpoint")
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    training = {"imported_from": os.path.basename(arguments.model), "program": "mace-torch", "saved_as": dtype}
    try:
        digest = export(model.double(), arguments.output, training)
    except Unsupported as error:
        sys.exit(f"import_mace: {arguments.model} cannot be converted: it has {error}")
    print(f"{arguments.output}: {dtype} model, content hash {digest}")


if __name__ == "__main__":
    main()
