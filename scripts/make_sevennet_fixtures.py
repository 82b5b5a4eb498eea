#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the NequIP fixtures of the tests with sevenn 0.13.0, fully in float64, random weights, seeds fixed.

    python scripts/make_sevennet_fixtures.py [-o tests/data/nequip]

Needs sevenn==0.13.0, h5py, xxhash. Each fixture is a model file NAME.h5 (docs/model-format.md) and a file
NAME_expected.h5 in the form that scripts/make_mace_fixtures.py states; `atom_energies` are without E0, which is
sevenn's shift. Gradients of the loss are by autograd.
"""
import argparse
import copy
import os
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import sevenn._const as const
import sevenn._keys as KEY
import torch
from ase.build import bulk
from fixture_structures import LEFT_HANDED, TRICLINIC, isolated, named, random_cell, rattled
from sevenn.model_build import build_E3_equivariant_model
from sevenn.util import chemical_species_preprocess
from sevennet_model import Converted, Original

PROGRAM = "sevenn 0.13.0"
XPLOR = {"cutoff_function_name": "XPLOR", "cutoff_on": 3.6}


# ---- fixtures ----------------------------------------------------------------------------------------------------

@dataclass
class Fixture:
    name: str
    elements: list
    structures: list
    config: dict                                  # of sevenn, beside its defaults
    training: list = field(default_factory=list)  # indices into structures
    modality: str = None


def fixtures():
    return [
        # As SevenNet-0: different multiplicities, SO(3), linear self connections, XPLOR, denominators per layer.
        Fixture("so3_xplor", ["C", "H", "N", "O"], [
            rattled("CH3OH", 3, "methanol, no N"), random_cell("C2O", TRICLINIC, 5, "triclinic, self-images"),
            named(bulk("C", "bcc", a=2.9), "one-atom cell"), isolated("H")],
            {"cutoff": 4.2, "is_parity": False, "lmax": 2, "num_convolution_layer": 3, "channel": 6,
             "irreps_manual": ["6x0e", "6x0e+4x1e+3x2e", "6x0e+4x1e+3x2e", "6x0e"],
             "weight_nn_hidden_neurons": [10, 7], "cutoff_function": XPLOR, "self_connection_type": "linear",
             "conv_denominator": [11.5, 9.25, 14.0]}, [0, 1, 3]),
        # Polynomial cutoff, self connections with weights per element, un-normalised harmonics, trained denominators.
        Fixture("so3_solid", ["H", "O"], [
            rattled("H2O", 4, "water"), random_cell("H4O2", LEFT_HANDED, 7, "left-handed triclinic"), isolated("O")],
            {"cutoff": 4.0, "is_parity": False, "lmax": 1, "num_convolution_layer": 2, "channel": 5,
             "_normalize_sph": False, "weight_nn_hidden_neurons": [9], "self_connection_type": "nequip",
             "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 6},
             "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 5},
             "conv_denominator": [8.0, 12.5], "train_denominator": True}, [0, 1]),
        # O(3): even and odd blocks, odd scalars (which need three steps) through tanh, both self connections.
        Fixture("o3_parity", ["C", "H", "O"], [
            rattled("CH3CH2OH", 11, "ethanol"), random_cell("CHO", TRICLINIC, 12, "triclinic, self-images"),
            isolated("C")],
            {"cutoff": 3.8, "is_parity": True, "lmax": 2, "num_convolution_layer": 4, "channel": 3,
             "weight_nn_hidden_neurons": [8, 8], "self_connection_type": ["linear", "nequip", "linear", "nequip"],
             "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 5},
             "conv_denominator": [6.0, 6.0, 6.0, 7.0]}, [0, 1, 2]),
        # l = 3, odd couplings among them, biases; only some elements of the model present.
        Fixture("so3_l3_bias", ["Al", "Cu", "O"], [
            random_cell("Al2O3", LEFT_HANDED, 9, "no Cu", closest=1.3),
            random_cell("CuAlO", TRICLINIC, 22, "triclinic, self-images", closest=1.3),
            named(bulk("Cu", "fcc", a=3.7), "one-atom cell")],
            {"cutoff": 3.9, "is_parity": False, "lmax": 3, "num_convolution_layer": 3, "channel": 4,
             "irreps_manual": ["4x0e", "4x0e+3x1e+2x2e+2x3e", "4x0e+3x1e+2x2e+2x3e", "4x0e"],
             "weight_nn_hidden_neurons": [8], "cutoff_function": XPLOR, "self_connection_type": "linear",
             "use_bias_in_linear": True, "conv_denominator": [17.0, 17.0, 17.0]}, [0, 1]),
        # Two modalities, of which one is converted; scale and shift per element.
        Fixture("so3_modality", ["Cl", "Na"], [
            random_cell("Na2Cl2", LEFT_HANDED, 15, "salt", closest=1.8), isolated("Na"),
            random_cell("NaCl", [[9.0, 0, 0], [0, 3.4, 0], [0, 0, 9.0]], 14, "wire", periodic=[False, True, False], closest=1.5)],
            {"cutoff": 4.4, "is_parity": False, "lmax": 2, "num_convolution_layer": 2, "channel": 5,
             "weight_nn_hidden_neurons": [8], "cutoff_function": XPLOR, "self_connection_type": "linear",
             "use_modality": True, "_number_of_modalities": 2, "_modal_map": {"PBE": 0, "R2SCAN": 1},
             "use_modal_node_embedding": True, "use_modal_self_inter_intro": True, "use_modal_self_inter_outro": True,
             "use_modal_output_block": True, "use_modal_wise_shift": True, "use_modal_wise_scale": False,
             "conv_denominator": [13.0, 13.0]}, [], "R2SCAN"),
    ]


# ---- the model and what it computes ------------------------------------------------------------------------------

def configuration(fixture, rng):
    config = copy.deepcopy(const.DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG)
    config.update(chemical_species_preprocess(fixture.elements))
    config.update(copy.deepcopy(fixture.config))
    count = len(fixture.elements)
    scale, shift = np.round(rng.uniform(0.7, 1.4, count), 2), np.round(rng.uniform(-9, -1, (2, count)), 3)
    modal = config.get("use_modality", False)
    config.update({"scale": scale.tolist(), "shift": (shift if modal else shift[0]).tolist(), "train_shift_scale": False,
                   "version": "0.13.0"})
    return config


def build(config, seed, training):
    """A module with random weights; Bessel frequencies are moved off n pi / cutoff, as training leaves them. Where
    gradients are compared the hidden readout has no bias: a model file has it in the shift, a constant."""
    torch.manual_seed(seed)
    model = build_E3_equivariant_model(config)
    with torch.no_grad():
        model._modules["edge_embedding"].basis_function.coeffs.mul_(1 + 0.05 * torch.randn(1))
        for name, parameter in model.named_parameters():
            if name.endswith("linear.bias"):
                parameter.normal_(std=0 if training and name.startswith("reduce_input_to_hidden") else 1)
    return model


def set_scale(original, structures):
    """Forces near 1 eV/Å."""
    forces = np.concatenate([original.evaluate(atoms)[1].detach().numpy() for atoms in structures])
    with torch.no_grad():
        original.model._modules["rescale_atomic_energy"].scale.mul_(float(f"{1 / np.sqrt(np.mean(forces ** 2)):.3g}"))


def shift_of(converted, atoms):
    _, shift = converted.scale_and_shift()
    return np.array([shift[converted.elements.index(z)] for z in atoms.numbers])


# ---- expected values ---------------------------------------------------------------------------------------------

def write_structure(group, original, converted, atoms):
    energies, forces, stress, edges = original.evaluate(atoms)
    group.attrs["name"] = atoms.info["name"]
    group["numbers"] = atoms.numbers.astype(np.int32)
    group["positions"], group["cell"] = atoms.positions, atoms.cell.array
    group["periodic"] = np.asarray(atoms.pbc, np.int32)
    group["edges"] = np.int32(edges)
    group["energy"] = energies.sum().item()
    group["atom_energies"] = energies.detach().numpy() - shift_of(converted, atoms)
    group["forces"] = forces.detach().numpy()
    if stress is not None:
        group["stress"] = stress.detach().numpy()
    return np.sqrt(np.mean(group["forces"][:] ** 2))


def write_training(group, original, converted, fixture, rng):
    """Random targets around the predictions, the loss and its gradient by autograd."""
    weights = np.array([1.3, 0.7, 11.0])
    loss, energies, all_forces, stresses = torch.zeros((), dtype=torch.float64), [], [], []
    original.model.zero_grad()
    for k in fixture.training:
        atoms = fixture.structures[k]
        energy, force, stress, _ = original.evaluate(atoms, create_graph=True)
        energies.append(energy.sum().item() + 0.3 * len(atoms) * rng.normal())
        all_forces.append(force.detach().numpy() + 0.5 * rng.normal(size=force.shape))
        loss = loss + weights[0] * ((energy.sum() - energies[-1]) / len(atoms)) ** 2
        loss = loss + weights[1] * ((force - torch.tensor(all_forces[-1])) ** 2).sum()
        noise = rng.normal(size=(3, 3))
        stresses.append(np.zeros((3, 3)))
        if stress is not None:
            stresses[-1] = stress.detach().numpy() + 0.05 * (noise + noise.T)
            loss = loss + weights[2] * ((stress - torch.tensor(stresses[-1])) ** 2).sum()
    loss.backward()
    gradient = converted.parameters(lambda p: torch.zeros_like(p) if p.grad is None else p.grad, gradient=True)
    group["structures"] = np.array(fixture.training, np.int32)
    group["weights"], group["energy"] = weights, np.array(energies)
    group["forces"], group["stress"] = np.concatenate(all_forces), np.array(stresses)
    group["loss"] = loss.item()
    group["gradient"] = np.concatenate([values.reshape(-1) for _, values in gradient])


def make(fixture, folder, seed):
    rng = np.random.default_rng(seed + 1000)
    config = configuration(fixture, rng)
    original = Original(lambda: build(config, seed, bool(fixture.training)), config, fixture.modality)
    set_scale(original, fixture.structures)
    converted = Converted(config, original.model, fixture.modality)
    converted.write(folder / f"{fixture.name}.h5", {"program": PROGRAM, "weights": "random"})
    path = folder / f"{fixture.name}_expected.h5"
    with h5py.File(f"{path}.tmp", "w") as file:
        file.attrs["format"], file.attrs["program"] = "isotrope-nequip-fixture", PROGRAM
        rms = [write_structure(file.create_group(f"structures/{k}"), original, converted, atoms)
               for k, atoms in enumerate(fixture.structures)]
        if fixture.training:
            write_training(file.create_group("training"), original, converted, fixture, rng)
    os.replace(f"{path}.tmp", path)
    size = (folder / f"{fixture.name}.h5").stat().st_size + path.stat().st_size
    print(f"{fixture.name}: RMS forces {', '.join(f'{r:.2f}' for r in rms)} eV/Å, {size // 1000} kB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent.parent / "tests/data/nequip")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for seed, fixture in enumerate(fixtures()):
        make(fixture, folder, seed)


if __name__ == "__main__":
    main()
