# SPDX-License-Identifier: MIT
"""A model of mace-torch 0.3.16 as parameters, tables and hyperparameters of an isotrope model file, and what it computes.

For import_mace.py and make_mace_fixtures.py; anything that a model file cannot express is refused by name. Of a model
with several heads one is taken: `head` is its number.
"""
import contextlib

import numpy as np
from model_file import Unsupported, write

import mace  # noqa: F401  before e3nn: it lets torch load e3nn's constants
import torch
from e3nn import o3
from mace import data
from mace.tools import AtomicNumberTable, torch_geometric

# (self connection around the block, messages divided by a learned density)
BLOCKS = {
    "RealAgnosticInteractionBlock": (False, False), "RealAgnosticResidualInteractionBlock": (True, False),
    "RealAgnosticDensityInteractionBlock": (False, True), "RealAgnosticDensityResidualInteractionBlock": (True, True),
}
# Attributes of the model that switch on something isotrope's MACE does not have, the value that means "off", and why.
SWITCHES = {
    "use_edge_irreps_first": (False, "edges with another number of channels than the atoms"),
    "edge_irreps": (None, "edges with another number of channels than the atoms"),
    "use_so3": (False, "features without natural parity"), "lammps_mliap": (False, "a model prepared for ML-IAP"),
}
ADDITIONS = {
    "joint_embedding": "joint embedding (embedding_specs): features of charge, spin and the like",
    "embedding_readout": "embedding readout (use_embedding_readout)",
}
# What mace-torch's ZBLBasis has in its code: e^2 / (4 pi eps0) in eV Å, the Bohr radius in Å, exponents of the screening.
COULOMB, BOHR, SCREENING = 14.3996, 0.529, (3.2, 0.9423, 0.4028, 0.2016)
SMALLEST_COUPLING = 1e-13  # couplings are of order one; below is rounding of a zero


# ---- what can be converted ---------------------------------------------------------------------------------------

def check_supported(model):
    """Raises Unsupported, naming the first feature that isotrope's MACE does not have."""
    kind(model, "the model", {"MACE", "ScaleShiftMACE"})
    for name, (off, why) in SWITCHES.items():
        value = getattr(model, name, off)
        if value != off:
            raise Unsupported(f"{name} = {value}: {why} (only {off} is supported)")
    for name, text in ADDITIONS.items():
        if getattr(model, name, None) is not None and getattr(model, name, False) is not False:
            raise Unsupported(text)
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
        kind(radial.distance_transform, "the distance transform", {"AgnesiTransform"})


def check_irreps(model):
    if len(model.interactions) < 2:
        raise Unsupported("a single interaction (its only readout is linear; at least 2 interactions are needed)")
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
    kind(interaction, what, {name for name, (residual, _) in BLOCKS.items() if residual or t == 0})
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
    expect_silu(interaction.conv_tp_weights.layer0.act, f"{what}.conv_tp_weights")


def check_readouts(model):
    if len(model.readouts) not in (1, len(model.interactions)):
        raise Unsupported(f"{len(model.readouts)} readouts for {len(model.interactions)} layers")
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


def heads_of(model):
    return list(getattr(model, "heads", None) or ["Default"])


def hyperparameters(model, head=0):
    blocks = [BLOCKS[type(i).__name__] for i in model.interactions]
    radial, repulsion = model.radial_embedding, getattr(model, "pair_repulsion_fn", None)
    scale_shift = getattr(model, "scale_shift", None)
    correlation = same([c.correlation for p in model.products for c in contractions(p).values()], "a correlation")
    norms = [i.conv_tp_weights.layer0.act.cst for i in model.interactions] + [model.readouts[-1].non_linearity.acts[0].cst]
    hyper = {
        "hidden_irreps": str(hidden_irreps(model)),
        "l_max": max(ir.l for _, ir in model.spherical_harmonics.irreps_out),
        "layers": len(model.interactions),
        "correlation": int(correlation),
        "num_bessel": int(model.radial_embedding.bessel_fn.bessel_weights.numel()),
        "cutoff_power": int(model.radial_embedding.cutoff_fn.p),
        "radial_mlp": same([list(i.conv_tp_weights.hs[1:-1]) for i in model.interactions], "a radial MLP"),
        "readout_mlp": int(model.readouts[-1].hidden_irreps.dim) // len(heads_of(model)),
        "first_residual": blocks[0][0],
        "average_neighbours": same([float(i.avg_num_neighbors) for i in model.interactions], "an avg_num_neighbors"),
        "scale": of_head(scale_shift.scale, head) if scale_shift is not None else 1.0,
        "shift": of_head(scale_shift.shift, head) if scale_shift is not None else 0.0,
        "activation_norm": same(norms, "an activation norm"),
        "pair_energy": False,
    }
    if hasattr(radial, "distance_transform"):
        hyper["distance_transform"] = "agnesi"
    if not getattr(radial, "apply_cutoff", True):
        hyper["envelope"] = "weights"
    if same([density for _, density in blocks], "density normalisation"):
        hyper["density_normalised"] = True
    if repulsion is not None:
        hyper |= {"pair_repulsion": "zbl", "repulsion_power": int(repulsion.p)}
    return hyper


def of_head(tensor, head):
    """A number of each head, or one of all."""
    return float(tensor.reshape(-1)[head if tensor.numel() > 1 else 0])


def atomic_energies(model, head=0):
    """[elements]"""
    table = np.atleast_2d(model.atomic_energies_fn.atomic_energies.detach().cpu().double().numpy())
    return table[head if len(table) > 1 else 0]


# ---- parameters, in the order and shapes of docs/model-format.md ------------------------------------------------

def parameters(model, pick=lambda parameter: parameter, head=0):
    """[(name, array)] in file order. `pick` maps a torch parameter to the tensor wanted: itself, or (of a model with one
    head, products per element and all readouts) its gradient."""
    channels = hidden_irreps(model)[0].mul
    elements, layers = len(model.atomic_numbers), len(model.interactions)
    out = [("embedding.weight", pick(model.node_embedding.linear.weight).reshape(elements, channels))]
    for t, (interaction, product) in enumerate(zip(model.interactions, model.products)):
        out += interaction_parameters(f"interaction.{t}", interaction, pick)
        out += product_parameters(f"product.{t}", product, elements, pick)
    linear = model.readouts[:-1] if len(model.readouts) == layers else [None] * (layers - 1)
    for t, readout in enumerate(linear):  # use_last_readout_only: the others give nothing
        weight = torch.zeros(channels) if readout is None else linear_blocks(readout.linear, pick)[0][:, head]
        out.append((f"readout.{t}.weight", weight))
    out += last_readout(f"readout.{layers - 1}", model.readouts[-1], len(heads_of(model)), head, pick)
    return [(name, np.ascontiguousarray(tensor.detach().cpu().double().numpy())) for name, tensor in out]


def last_readout(prefix, readout, heads, head, pick):
    """Hidden layers of several heads lie one after the other, and the others are masked; e3nn's norm counts all."""
    linear_1, linear_2 = (linear_blocks(linear, pick)[0] for linear in (readout.linear_1, readout.linear_2))
    hidden = slice(head * len(linear_2) // heads, (head + 1) * len(linear_2) // heads)
    return [(f"{prefix}.linear_1.weight", linear_1[:, hidden]),
            (f"{prefix}.linear_2.weight", linear_2[hidden, head] / heads ** 0.5)]


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
    if hasattr(interaction, "density_fn"):
        out.append((f"{prefix}.density.weight", pick(interaction.density_fn.layer0.weight).reshape(-1)))
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


def product_parameters(prefix, product, elements, pick):
    out = []
    for L, contraction in contractions(product).items():
        weights = [contraction.weights_max, *contraction.weights]  # correlation, correlation - 1, ... 1
        for nu, weight in zip(range(contraction.correlation, 0, -1), weights):
            values = pick(weight)  # one for all elements with use_agnostic_product
            out.append((f"{prefix}.{L}.{nu}.weight", values.expand(elements, -1, -1) if len(values) == 1 else values))
    return out + [(f"{prefix}.linear.{L}.weight", w) for L, w in linear_blocks(product.linear, pick).items()]


# ---- tables ------------------------------------------------------------------------------------------------------

def tables(model):
    result = {"bessel.frequencies": model.radial_embedding.bessel_fn.bessel_weights.detach().double().numpy()}
    result |= radial_tables(model)
    for product in model.products:
        for L, contraction in contractions(product).items():
            for nu in range(1, contraction.correlation + 1):
                indices, values = coordinates(contraction.U_tensors(nu).double().numpy(), nu)
                name = f"coupling.{L}.{nu}"
                if name + ".values" in result and not np.array_equal(values, result[name + ".values"]):
                    raise Unsupported(f"couplings (L = {L}, nu = {nu}) that differ between layers")
                result[name + ".indices"], result[name + ".values"] = indices, values
    return result


def radial_tables(model):
    """Constants of the distance transform and of the pair repulsion, as they are stored in the model."""
    def stored(*tensors):
        return np.concatenate([t.detach().cpu().double().numpy().reshape(-1) for t in tensors])

    result, elements = {}, model.atomic_numbers.cpu()
    transform = getattr(model.radial_embedding, "distance_transform", None)
    if transform is not None:
        result["agnesi.constants"] = stored(transform.a, transform.q, transform.p)
        result["agnesi.radii"] = stored(transform.covalent_radii[elements])
    zbl = getattr(model, "pair_repulsion_fn", None)
    if zbl is not None:
        length, exponent = stored(zbl.a_prefactor)[0] * BOHR, stored(zbl.a_exp)[0]
        result["zbl.constants"] = np.concatenate([[COULOMB, length, exponent], stored(zbl.c), SCREENING])
        result["zbl.radii"] = stored(zbl.covalent_radii[elements])
    return result


def coordinates(u, nu):
    """Rows (M, i_1, ..., i_nu, path) and values of the non-zero couplings."""
    if u.ndim == nu + 1:  # MACE drops the axis M of L = 0
        u = u[None]
    where = np.argwhere(np.abs(u) > SMALLEST_COUPLING)
    return where.astype(float), u[tuple(where.T)]


# ---- the file ----------------------------------------------------------------------------------------------------

def export(model, path, training=None, head=0):
    """Writes `model` (mace-torch) as an isotrope model file; returns its content hash."""
    check_supported(model)
    return write(path, "mace", hyperparameters(model, head), model.atomic_numbers.tolist(), atomic_energies(model, head),
                 float(model.r_max), parameters(model, head=head), tables(model), training or {})


# ---- what the original computes ----------------------------------------------------------------------------------

class Original:
    """A model of mace-torch computing in one precision, with one of its heads."""

    def __init__(self, model, head, dtype):
        """In double the 3j symbols of its convolutions, of which a model saved in float32 has float32 ones, are those of
        e3nn in double. The model is changed."""
        self.model, self.head, self.dtype = model.to(dtype).eval(), heads_of(model)[head], dtype
        self.table = AtomicNumberTable(model.atomic_numbers.tolist())
        if dtype == torch.float64:
            self.exact_couplings()

    def exact_couplings(self):
        for name, buffer in self.model.named_buffers():
            if "_w3j_" in name:
                l1, l2, l3 = map(int, name.rsplit("_", 3)[1:])
                exact = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
                if not torch.allclose(buffer, exact, rtol=0, atol=1e-6):
                    raise Unsupported(f"a stored coupling {name} that differs from e3nn's")
                buffer.copy_(exact)

    def evaluate(self, atoms):
        """Energy, forces, stress ((1/V) dE/d(strain); None unless periodic) and the number of edges."""
        with default_dtype(self.dtype):
            config = data.config_from_atoms(atoms.copy(), head_name=self.head)
            graph = data.AtomicData.from_config(config, z_table=self.table, cutoff=float(self.model.r_max),
                                                heads=heads_of(self.model))
            batch = next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1))).to_dict()
            out = self.model(batch, compute_stress=bool(all(atoms.pbc)))
        stress = out["stress"].reshape(3, 3).detach() if all(atoms.pbc) else None
        return out["energy"].detach(), out["forces"].detach(), stress, batch["edge_index"].shape[1]


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
