# SPDX-License-Identifier: MIT
"""A model of sevenn 0.13 in double, and as parameters, tables and hyperparameters of an isotrope model file.

For import_sevennet.py and make_sevennet_fixtures.py; anything that a model file cannot express is refused by name.
"""
import types
import warnings

import model_file
import numpy as np
import torch
from model_file import Unsupported

warnings.filterwarnings("ignore")
import sevenn._keys as KEY  # noqa: E402
from e3nn.o3 import wigner_3j  # noqa: E402
from sevenn.atom_graph_data import AtomGraphData  # noqa: E402
from sevenn.nn.scale import ModalWiseRescale, Rescale, SpeciesWiseRescale  # noqa: E402
from sevenn.train.dataload import unlabeled_atoms_to_graph  # noqa: E402

# sevenn's words for the self connections, and ours.
SELF_CONNECTIONS = {"linear": "linear", "nequip": "species"}


# ---- the original, in float32 and in double ----------------------------------------------------------------------

class Original:
    """A model of sevenn with what its checkpoint says, computing in one precision."""

    def __init__(self, build, config, modality=None, dtype=torch.float64):
        """`build` makes the module (sevenn's own float32); in double its float32 steps are replaced: the cast of the
        one-hot elements, the edge vectors, the volume and the 3j symbols."""
        self.model = build()
        self.config, self.modality, self.dtype = config, modality, dtype
        self.model.to(dtype).eval()
        self.model.set_is_batch_data(False)
        if dtype == torch.float64:
            self.double_everything()

    def double_everything(self):
        for name, buffer in self.model.named_buffers():
            if "_w3j_" in name:
                l1, l2, l3 = map(int, name.rsplit("_", 3)[1:])
                exact = wigner_3j(l1, l2, l3, dtype=torch.float64)
                if not torch.allclose(buffer, exact, rtol=0, atol=1e-6):
                    raise Unsupported(f"a stored coupling {name} that differs from e3nn's")
                buffer.copy_(exact)
        for module in self.model:
            if type(module).__name__ == "OnehotEmbedding":
                module.forward = types.MethodType(one_hot_in_double, module)

    def evaluate(self, atoms, create_graph=False):
        """Energies of the atoms, forces, stress ((1/V) dE/d(strain), symmetric; None unless periodic)."""
        graph = unlabeled_atoms_to_graph(atoms, self.config[KEY.CUTOFF])
        data = AtomGraphData.from_numpy_dict(dict(graph))
        data[KEY.EDGE_VEC] = torch.tensor(graph[KEY.EDGE_VEC], dtype=self.dtype).reshape(-1, 3)
        if all(atoms.pbc):
            data[KEY.CELL_VOLUME] = torch.tensor(atoms.cell.volume, dtype=self.dtype)
        if self.modality is not None:
            data[KEY.DATA_MODALITY] = self.modality
        self.model.train(create_graph)
        out = self.model(data)
        forces = out[KEY.PRED_FORCE] if KEY.PRED_FORCE in out else torch.zeros(len(atoms), 3, dtype=self.dtype)
        stress = None
        if all(atoms.pbc):
            xx, yy, zz, xy, yz, zx = -out[KEY.PRED_STRESS]
            stress = torch.stack([xx, xy, zx, xy, yy, yz, zx, yz, zz]).reshape(3, 3)
        return out[KEY.ATOMIC_ENERGY].reshape(-1), forces, stress, graph[KEY.EDGE_IDX].shape[1]


def one_hot_in_double(self, data):
    index = data[self.key_x]
    one_hot = torch.nn.functional.one_hot(index, self.num_classes).double()
    data[self.key_output] = one_hot
    if self.key_additional_output is not None:
        data[self.key_additional_output] = one_hot
    if self.key_save is not None:
        data[self.key_save] = index
    return data


# ---- what can be converted ---------------------------------------------------------------------------------------

def check_supported(config, model):
    """Raises Unsupported, naming the first feature that isotrope's NequIP does not have."""
    refuse(config[KEY.INTERACTION_TYPE] != "nequip", f"interaction_type {config[KEY.INTERACTION_TYPE]}")
    refuse(config[KEY.READOUT_AS_FCN], "readout_as_fcn (a readout network)")
    refuse(config[KEY.ACTIVATION_RADIAL] != "silu", f"act_radial {config[KEY.ACTIVATION_RADIAL]} (only silu)")
    for key in (KEY.ACTIVATION_SCARLAR, KEY.ACTIVATION_GATE):
        refuse(config[key] != {"e": "silu", "o": "tanh"}, f"{key} {config[key]} (only e: silu, o: tanh)")
    for key in (KEY.CUEQUIVARIANCE_CONFIG, KEY.USE_FLASH_TP, KEY.USE_OEQ):
        value = config.get(key)
        on = value.get("use", False) if isinstance(value, dict) else bool(value)
        refuse(on, f"{key} (convert the checkpoint with `sevenn cp` to plain e3nn first)")
    kind = self_connections(config)
    for word in kind:
        refuse(word not in SELF_CONNECTIONS, f"self_connection_type {word}")
    names = {"edge_embedding", "onehot_idx_to_onehot", "onehot_to_feature_x", "one_hot_modality",
             "reduce_input_to_hidden", "reduce_hidden_to_energy", "rescale_atomic_energy", "reduce_total_enegy",
             "force_output"}
    for t in range(len(kind)):
        names |= {f"{t}_{part}" for part in ("self_connection_intro", "self_interaction_1", "convolution",
                                             "self_interaction_2", "self_connection_outro", "equivariant_gate")}
    for name in model._modules:
        refuse(name not in names, f"an unknown module {name}")
    for irreps in feature_irreps(model):
        refuse(len({ir for _, ir in irreps}) != len(irreps), f"features {irreps} with an irrep twice")
        refuse(irreps.lmax > 3, f"features {irreps} beyond l = 3")
        refuse((0, 1) not in [(ir.l, ir.p) for _, ir in irreps], f"features {irreps} without even scalars")
    refuse([(ir.l, ir.p) for _, ir in feature_irreps(model)[0]] != [(0, 1)], "odd features of the elements")
    refuse([(ir.l, ir.p) for _, ir in feature_irreps(model)[-1]] != [(0, 1)], "odd scalars in the readout")


def refuse(condition, what):
    if condition:
        raise Unsupported(what)


def layers_of(model):
    return sum(name.endswith("_convolution") for name in model._modules)


def self_connections(config):
    kinds = config[KEY.SELF_CONNECTION_TYPE]
    return [kinds] * config[KEY.NUM_CONVOLUTION] if isinstance(kinds, str) else list(kinds)


def feature_irreps(model):
    """Features of the elements, then after each layer, in e3nn's order."""
    irreps = [model._modules["onehot_to_feature_x"].irreps_out]
    for t in range(layers_of(model)):
        irreps.append(model._modules[f"{t}_equivariant_gate"].gate.irreps_out.simplify())
    return irreps


# ---- the order of blocks -----------------------------------------------------------------------------------------

def ours(irreps):
    """Blocks with l ascending, even before odd: [(mul, ir)]."""
    return sorted(((mul, ir) for mul, ir in irreps), key=lambda block: (block[1].l, -block[1].p))


def text(irreps):
    return "+".join(f"{mul}x{ir}" for mul, ir in ours(irreps))


def is_even_scalar(ir):
    return (ir.l, ir.p) == (0, 1)


def gate_columns(irreps_out, ir):
    """Columns of e3nn's gate input of one irrep, in our order: channels, then (for 0e) the gates block by block."""
    mul = dict((b, m) for m, b in irreps_out)[ir]
    columns = list(range(mul))
    if is_even_scalar(ir):
        begin, at = {}, mul
        for m, b in irreps_out:  # e3nn's order of the gates
            if b.l > 0:
                begin[b] = range(at, at + m)
                at += m
        for _, b in ours(irreps_out):
            columns += list(begin.get(b, []))
    return columns


# ---- linear layers -----------------------------------------------------------------------------------------------

class LinearBlocks:
    """An e3nn Linear: matrices without our normalisation 1/sqrt(rows), biases, the row of the modality."""

    def __init__(self, module, modality, pick):
        linear = module.linear
        self.matrices, self.bias = {}, {}
        modal_block = len(linear.irreps_in) - 1 if getattr(module, "num_modalities", 0) > 1 else None
        weight, offset, bias, bias_offset = pick(linear.weight), 0, pick(linear.bias), 0
        rows, parts = {}, {}
        for ins in linear.instructions:
            if ins.i_in not in (-1, modal_block):
                rows[ins.i_out] = rows.get(ins.i_out, 0) + ins.path_shape[0]
        for ins in linear.instructions:
            ir = linear.irreps_out[ins.i_out].ir
            if ins.i_in == -1:  # a bias of scalars
                (size,) = ins.path_shape
                self.bias[ir] = self.bias.get(ir, 0) + bias[bias_offset:bias_offset + size] * ins.path_weight
                bias_offset += size
                continue
            block = weight[offset:offset + int(np.prod(ins.path_shape))].reshape(ins.path_shape)
            offset += block.numel()
            if ins.i_in == modal_block:
                self.bias[ir] = self.bias.get(ir, 0) + block[modality] * ins.path_weight
            else:
                parts.setdefault(ir, []).append(rescaled(block, ins.path_weight * rows[ins.i_out] ** 0.5))
        self.matrices = {ir: torch.cat(blocks) for ir, blocks in parts.items()}


def rescaled(block, factor):
    """The block itself where e3nn's factor is ours, so that weights stay what they were, digit by digit."""
    return block if abs(factor - 1) < 1e-12 else block * factor


# ---- parameters, in the order and shapes of docs/model-format.md ------------------------------------------------

class Converted:
    """Parameters, tables and hyperparameters of one modality of a model."""

    def __init__(self, config, model, modality=None):
        check_supported(config, model)
        self.config, self.model = config, model
        self.modules = model._modules
        self.modality = None if modality is None else config[KEY.MODAL_MAP][modality]
        self.irreps = feature_irreps(model)
        type_map = config[KEY.TYPE_MAP]
        self.elements = sorted(type_map)
        self.species = [type_map[z] for z in self.elements]  # of our order, in theirs
        self.has_bias = any(LinearBlocks(self.modules[f"{t}_self_interaction_{k}"], self.modality, value).bias
                            for t in range(self.layers) for k in (1, 2))

    @property
    def layers(self):
        return layers_of(self.model)

    def parameters(self, pick=lambda parameter: parameter, gradient=False):
        """[(name, array)] in file order. `pick` maps a torch parameter to the tensor wanted: itself, or its gradient
        (then say so: what is folded into another array is not a gradient by that array)."""
        embedding = LinearBlocks(self.modules["onehot_to_feature_x"], self.modality, pick)
        ir = self.irreps[0][0].ir
        table = embedding.matrices[ir][self.species]
        if ir in embedding.bias and not gradient:
            table = table + embedding.bias[ir] * len(self.elements) ** 0.5
        out = [("embedding.weight", table)]
        for t in range(self.layers):
            out += self.layer(t, pick)
        out += self.readout(pick)
        out.append(("bessel.frequencies", pick(self.modules["edge_embedding"].basis_function.coeffs)))
        return [(name, np.ascontiguousarray(tensor.detach().double().numpy())) for name, tensor in out]

    def layer(self, t, pick):
        name, irreps_in, irreps_out = f"layer.{t}", self.irreps[t], self.irreps[t + 1]
        first = LinearBlocks(self.modules[f"{t}_self_interaction_1"], self.modality, pick)
        out = [(f"{name}.linear_1.{ir}.weight", first.matrices[ir]) for _, ir in ours(irreps_in)]
        scalar = ours(irreps_in)[0]
        if self.has_bias:
            out.append((f"{name}.linear_1.bias", first.bias.get(scalar[1], torch.zeros(scalar[0]))))
        out += self.radial(t, pick)
        out += self.linear_2(t, pick)
        out += self.self_connection(t, irreps_in, irreps_out, pick)
        if self.config[KEY.TRAIN_DENOMINTAOR]:
            out.append((f"{name}.denominator", pick(self.modules[f"{t}_convolution"].denominator)))
        return out

    def paths(self, t):
        """(out block, in block, l2), in our order: those whose message goes on; and where each is in theirs."""
        convolution = self.modules[f"{t}_convolution"].convolution
        blocks_in = [ir for _, ir in ours(self.irreps[t])]
        blocks_out = [ir for _, ir in ours(self.irreps[t + 1])]
        found, weight, rows = {}, 0, {}
        for ins in convolution.instructions:
            refuse(ins.connection_mode != "uvu" or not ins.has_weight, f"connection mode {ins.connection_mode}")
            mul, ir_in = convolution.irreps_in1[ins.i_in1]
            ir_y, ir_out = convolution.irreps_in2[ins.i_in2].ir, convolution.irreps_out[ins.i_out].ir
            refuse(abs(ins.path_weight ** 2 - (2 * ir_out.l + 1)) > 1e-9, "a convolution of another normalisation")
            found[(ir_out, ir_in, ir_y.l)] = {"weight": weight, "mul": mul, "i_out": ins.i_out}
            weight += mul
        at = {}
        for i_out, (mul, ir) in enumerate(convolution.irreps_out):  # rows of linear 2, irrep by irrep
            rows[i_out] = at.get(ir, 0)
            at[ir] = rows[i_out] + mul
        live = [key for key in found if key[0] in blocks_out]
        live.sort(key=lambda key: (blocks_out.index(key[0]), blocks_in.index(key[1]), key[2]))
        return [(key, found[key] | {"row": rows[found[key]["i_out"]]}) for key in live]

    def radial(self, t, pick):
        net = self.modules[f"{t}_convolution"].weight_nn
        depth = len(net.hs) - 1
        weights = [pick(getattr(net, f"layer{k}").weight) for k in range(depth)]
        weights[-1] = torch.cat([weights[-1][:, p["weight"]:p["weight"] + p["mul"]] for _, p in self.paths(t)], dim=1)
        return [(f"layer.{t}.radial.{k}.weight", weight) for k, weight in enumerate(weights)]

    def linear_2(self, t, pick):
        irreps_out = self.irreps[t + 1]
        second = LinearBlocks(self.modules[f"{t}_self_interaction_2"], self.modality, pick)
        out = []
        for _, ir in ours(irreps_out):
            refuse(ir not in second.matrices, f"features {irreps_out} of which no message reaches {ir}")
            rows = [row for key, p in self.paths(t) if key[0] == ir for row in range(p["row"], p["row"] + p["mul"])]
            refuse(len(rows) != len(second.matrices[ir]), f"a linear layer {t} that reads more than the messages")
            out.append((f"layer.{t}.linear_2.{ir}.weight", second.matrices[ir][rows][:, gate_columns(irreps_out, ir)]))
        if self.has_bias:
            ir = ours(irreps_out)[0][1]
            columns = gate_columns(irreps_out, ir)
            out.append((f"layer.{t}.linear_2.bias", second.bias.get(ir, torch.zeros(len(columns)))[columns]))
        return out

    def self_connection(self, t, irreps_in, irreps_out, pick):
        module = self.modules[f"{t}_self_connection_intro"]
        matrices = self.linear_self(module, pick) if hasattr(module, "linear") else self.species_self(module, pick)
        blocks = [ir for _, ir in irreps_out]
        return [(f"layer.{t}.self.{ir}.weight", matrices[ir][..., gate_columns(irreps_out, ir)])
                for _, ir in ours(irreps_in) if ir in blocks]

    def linear_self(self, module, pick):
        blocks = LinearBlocks(module, None, pick)
        refuse(blocks.bias, "a self connection with biases")
        return blocks.matrices

    def species_self(self, module, pick):
        product = module.fc_tensor_product
        weight, offset, matrices = pick(product.weight), 0, {}
        for ins in product.instructions:
            size = int(np.prod(ins.path_shape))
            ir = product.irreps_out[ins.i_out].ir
            factor = ins.path_weight / (2 * ir.l + 1) ** 0.5 * (ins.path_shape[0] * ins.path_shape[1]) ** 0.5
            refuse(abs(factor - 1) > 1e-9 or ir in matrices, "a self connection of another normalisation")
            matrices[ir] = weight[offset:offset + size].reshape(ins.path_shape)[:, self.species]
            offset += size
        return matrices

    def readout(self, pick):
        first = LinearBlocks(self.modules["reduce_input_to_hidden"], self.modality, pick)
        second = LinearBlocks(self.modules["reduce_hidden_to_energy"], self.modality, pick)
        (matrix,), (column,) = first.matrices.values(), second.matrices.values()
        return [("readout.linear_1.weight", matrix), ("readout.linear_2.weight", column.reshape(-1))]

    def readout_constant(self):
        """What the biases of the readout add to the energy of every atom, before the scale."""
        first = LinearBlocks(self.modules["reduce_input_to_hidden"], self.modality, value)
        second = LinearBlocks(self.modules["reduce_hidden_to_energy"], self.modality, value)
        total = sum(float(b) for b in second.bias.values())
        (column,) = second.matrices.values()
        for bias in first.bias.values():
            total += float((bias.double() @ column.double().reshape(-1)) / len(column) ** 0.5)
        return total

    # ---- everything else ----

    def scale_and_shift(self):
        module, count = self.modules["rescale_atomic_energy"], len(self.elements)
        if isinstance(module, Rescale):
            return np.full(count, module.scale.item()), np.full(count, module.shift.item())
        refuse(not isinstance(module, (SpeciesWiseRescale, ModalWiseRescale)), f"{type(module).__name__}")
        scale, shift = module.scale.detach().double().numpy(), module.shift.detach().double().numpy()
        if getattr(module, "use_modal_wise_scale", False):
            scale = scale[self.modality]
        if getattr(module, "use_modal_wise_shift", False):
            shift = shift[self.modality]
        return scale[self.species], shift[self.species]

    def hyperparameters(self):
        embedding = self.modules["edge_embedding"]
        convolutions = [self.modules[f"{t}_convolution"] for t in range(self.layers)]
        hidden = [list(c.weight_nn.hs[1:-1]) for c in convolutions]
        scale, _ = self.scale_and_shift()
        trained = self.config[KEY.TRAIN_DENOMINTAOR]
        return {
            "irreps": [text(irreps) for irreps in self.irreps],
            "l_max": int(embedding.spherical.irreps_out.lmax),
            "parity": bool(self.config[KEY.IS_PARITY]),
            "normalize_harmonics": bool(self.config[KEY._NORMALIZE_SPH]),
            "num_bessel": int(embedding.basis_function.num_basis),
            "bessel_prefactor": float(embedding.basis_function.prefactor),
            "cutoff_function": cutoff_function(embedding.cutoff_function),
            "radial_mlp": hidden[0],
            "self_connection": [SELF_CONNECTIONS[kind] for kind in self_connections(self.config)],
            "denominators": [c.denominator.item() for c in convolutions],
            "train_denominators": trained,
            "bias": self.has_bias,
            "readout_hidden": int(self.modules["reduce_input_to_hidden"].irreps_out.dim),
            "scale": scale.tolist(),
            "shift": (scale * self.readout_constant()).tolist(),
            "silu_norm": constant_of(convolutions[0].weight_nn.layer0.act),
            "tanh_norm": tanh_constant(self.modules),
        }

    def tables(self):
        used = set()
        for t in range(self.layers):
            for (ir_out, ir_in, l2), _ in self.paths(t):
                used.add((ir_in.l, l2, ir_out.l))
        return {f"wigner_3j.{a}.{b}.{c}": wigner_3j(a, b, c, dtype=torch.float64).numpy() for a, b, c in sorted(used)}

    def write(self, path, training):
        _, shift = self.scale_and_shift()
        return model_file.write(path, "nequip", self.hyperparameters(), self.elements, shift,
                                float(self.config[KEY.CUTOFF]), self.parameters(), self.tables(), training)


def value(parameter):
    return parameter.detach()


def cutoff_function(module):
    if type(module).__name__ == "XPLORCutoff":
        return {"kind": "xplor", "on": float(module.r_on)}
    refuse(type(module).__name__ != "PolynomialCutoff", f"a cutoff function {type(module).__name__}")
    return {"kind": "polynomial", "power": int(module.p)}


def constant_of(activation):
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    refuse(not torch.allclose(activation.f(x), torch.nn.functional.silu(x)), "an activation other than silu")
    return activation.cst


def tanh_constant(modules):
    """That of an odd activation of the model; where there is none, e3nn's, which nothing reads."""
    for name, module in modules.items():
        if name.endswith("_equivariant_gate"):
            for _, (_, parity), act in module.gate.act_scalars.paths:
                if parity == -1:
                    return act.cst
    return 1.5937334472592695
