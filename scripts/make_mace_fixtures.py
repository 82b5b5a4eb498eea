#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the MACE fixtures of the tests with mace-torch 0.3.16 in float64, seeds fixed.

    python scripts/make_mace_fixtures.py [-o tests/data/mace]

Needs mace-torch==0.3.16, cuequivariance-torch (for use_reduced_cg alone), ase, h5py, xxhash. Each fixture is a model file NAME.h5 (docs/model-format.md) and a file
NAME_expected.h5 with what mace-torch computes from it:

    attributes       format = "isotrope-mace-fixture", program = "mace-torch 0.3.16"
    structures/K     K = 0, 1, ... ("0", "1", ...); attribute `name`: what the structure is there for
        numbers        int32   [N]     atomic numbers
        positions      float64 [N, 3]  Å, not wrapped into the cell
        cell           float64 [3, 3]  Å, rows are lattice vectors, zero rows where not periodic
        periodic       int32   [3]     0 or 1
        edges          int32   scalar  directed pairs within the cutoff, periodic images included
        energy         float64 scalar  total energy, eV
        atom_energies  float64 [N]     interaction energies (without E0), eV
        forces         float64 [N, 3]  eV/Å
        stress         float64 [3, 3]  eV/Å^3, dE/d(strain) / volume (the sign of ASE); only where all three are periodic
    training         some fixtures only: a batch, random targets, and the gradient of the loss
        structures     int32   [G]     the K of each structure of the batch, in order
        weights        float64 [3]     w_E, w_F, w_S
        energy         float64 [G]     target total energies E*
        forces         float64 [sum of N, 3]  targets F*, one structure after the other
        stress         float64 [G, 3, 3]      targets S*; zero and not in the loss where `structures/K` has no stress
        loss           float64 scalar
        gradient       float64 [parameters]   of the loss by every parameter, in the order of the model file

    loss = w_E sum_g ((E_g - E*_g) / N_g)^2 + w_F sum_{i,a} (F_ia - F*_ia)^2 + w_S sum_{g,ab} (S_g,ab - S*_g,ab)^2

The fixture with `pair.weight` and a scale and shift per element goes beyond mace-torch: readouts of mace-torch, the rest
by autograd here. Of models with several heads, and where the file has a parameter in more places than mace-torch
(use_agnostic_product, use_last_readout_only), there is no training part. `tests/reference/mace_reference.py` checks all
energies without mace-torch.
"""
import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

import ase
import h5py
import mace_model
import model_file
import numpy as np
import torch
from ase.build import bulk
from e3nn import o3
from fixture_structures import LEFT_HANDED, TRICLINIC, isolated, named, random_cell, rattled
from mace import data, modules  # noqa: I001
from mace.tools import AtomicNumberTable, torch_geometric
from mace.tools.cg import CUET_AVAILABLE

PROGRAM = "mace-torch 0.3.16"


# ---- fixtures ----------------------------------------------------------------------------------------------------

@dataclass
class Fixture:
    name: str
    elements: list
    hidden: str
    l_max: int
    correlation: int
    structures: list
    training: list = field(default_factory=list)  # indices into structures
    layers: int = 2
    residual_first: bool = False
    r_max: float = 5.0
    cutoff_power: int = 5
    num_bessel: int = 8
    radial_mlp: tuple = (16, 16, 16)
    readout_mlp: int = 16
    average_neighbours: float = 9.7
    pair: bool = False  # pair.weight, and a scale and shift per element
    density: bool = False
    kind: str = "ScaleShiftMACE"
    head: int = 0       # of options["heads"]; the scale and shift are then the model's own
    options: dict = field(default_factory=dict)  # of mace-torch's constructor


def fixtures():
    carbon_oxygen = random_cell("C2O", TRICLINIC, 5, "triclinic, self-images")
    return [
        Fixture("l0_c8", [1, 6, 8], "8x0e", 3, 3, [
            rattled("CH3CH2OH", 1, "ethanol"), rattled("CH3OH", 2, "methanol"), isolated("O"),
            named(ase.Atoms("CO", positions=[[0, 0, 0], [0, 0, 4.93]]), "just within the cutoff")], [0, 1, 2]),
        Fixture("l1_c12", [1, 6, 7, 8], "12x0e+12x1o", 3, 3, [
            rattled("CH3OH", 3, "methanol, no N"), carbon_oxygen,
            named(bulk("C", "bcc", a=2.9), "one-atom cell"), isolated("H")], [0, 1, 3],
            r_max=4.5, cutoff_power=6, average_neighbours=21.3),
        Fixture("l2_c5_residual", [1, 8], "5x0e+5x1o+5x2e", 3, 2, [
            rattled("H2O", 4, "water"), random_cell("H4O2", LEFT_HANDED, 7, "left-handed triclinic"), isolated("O")], [0, 1],
            residual_first=True, r_max=4.0, cutoff_power=4, num_bessel=6, radial_mlp=(12, 20), readout_mlp=7),
        Fixture("l1_c20_three_layers", [8, 13, 29], "20x0e+20x1o", 2, 2, [
            named(bulk("Cu", "fcc", a=3.6), "one-atom cell"), random_cell("Al2O3", LEFT_HANDED, 9, "no Cu", closest=1.3),
            random_cell("CuAlO", TRICLINIC, 10, "triclinic, self-images", closest=1.3)], [0, 2],
            layers=3, r_max=3.8, cutoff_power=8, radial_mlp=(16,), average_neighbours=17.0),
        Fixture("l2_c4_three_layers_residual", [1, 6, 8], "4x0e+4x1o+4x2e", 3, 3, [
            rattled("CH3CH2OH", 11, "ethanol"), random_cell("CHO", TRICLINIC, 12, "triclinic, self-images")], [0, 1],
            layers=3, residual_first=True, r_max=3.5, cutoff_power=3, radial_mlp=(8, 8, 8, 8)),
        Fixture("l0_c17_correlation1", [6, 8], "17x0e", 1, 1, [
            random_cell("C3O2", [[4.0, 0.3, 0], [0.5, 3.2, 0], [0, 0, 5.0]], 13, "slab", periodic=[True, True, False]),
            random_cell("CO", [[9.0, 0, 0], [0, 3.0, 0], [0, 0, 9.0]], 14, "wire", periodic=[False, True, False])], [0, 1],
            r_max=4.2, cutoff_power=7, num_bessel=5, radial_mlp=(9, 11), readout_mlp=3),
        Fixture("l1_c8_pair", [1, 6, 11, 17], "8x0e+8x1o", 2, 3, [
            random_cell("Na2Cl2", LEFT_HANDED, 15, "salt", closest=1.8), rattled("CH3Cl", 16, "chloromethane"),
            isolated("Na")], [0, 1, 2], r_max=4.4, cutoff_power=6, pair=True),
        *fixtures_of_public_forms(),
    ]


def fixtures_of_public_forms():
    """What MACE-MP-0b and later have, one by one and together."""
    agnesi, zbl, late = {"distance_transform": "Agnesi"}, {"pair_repulsion": True}, {"apply_cutoff": False}
    small = {"l_max": 2, "correlation": 2, "r_max": 4.2, "num_bessel": 6, "radial_mlp": (9, 7), "readout_mlp": 5}
    oxide = random_cell("Al2O3", LEFT_HANDED, 9, "oxide", closest=1.3)
    ethanol, methanol, triclinic = (rattled("CH3CH2OH", 21, "ethanol"), rattled("CH3OH", 22, "methanol"),
                                    random_cell("CHO", TRICLINIC, 12, "triclinic, self-images"))
    close = named(ase.Atoms("COH", positions=[[0, 0, 0], [0, 0, 0.75], [0.6, 0.1, -0.2]]), "within the covalent radii")
    heads = {"heads": ["pt_head", "Default"], "use_agnostic_product": True, "use_last_readout_only": True}
    return [
        Fixture("agnesi_l1_c4", [8, 13], "4x0e+4x1o", structures=[oxide, isolated("O")], training=[0, 1], options=agnesi,
                **small),
        Fixture("zbl_l0_c6", [1, 6, 8], "6x0e", structures=[ethanol, triclinic, close], training=[0, 1, 2], options=zbl,
                kind="MACE", residual_first=True, **small),
        Fixture("density_l1_c4", [1, 6, 8], "4x0e+4x1o", structures=[methanol, triclinic, isolated("H")],
                training=[0, 1, 2], density=True, **small),
        Fixture("late_envelope_l1_c4", [1, 6, 8], "4x0e+4x1o", structures=[methanol, triclinic], training=[0, 1],
                density=True, options=late, cutoff_power=6, **small),
        Fixture("mp0b_l1_c8", [1, 6, 8], "8x0e+8x1o", structures=[ethanol, triclinic, isolated("C"), close],
                training=[0, 1, 2, 3], density=True, options=agnesi | zbl, **small),
        Fixture("residual_density_l2_c3", [8, 13], "3x0e+3x1o+3x2e", structures=[oxide, isolated("Al")], training=[0, 1],
                density=True, residual_first=True, layers=3, options=agnesi | zbl | late, **small),
        Fixture("heads_l1_c4", [1, 6, 8], "4x0e+4x1o", structures=[methanol, triclinic, close], head=1,
                options=heads | agnesi | zbl, **small),
        Fixture("reduced_cg_l1_c4", [1, 6, 8], "4x0e+4x1o", structures=[methanol, triclinic], training=[0, 1],
                options={"use_reduced_cg": True}, **(small | {"correlation": 3})),
    ]


# ---- the model and what it computes ------------------------------------------------------------------------------

class Model:
    """A mace-torch model with random weights, and what isotrope's MACE has beyond it."""

    def __init__(self, fixture, seed):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        blocks = modules.interaction_classes
        density = "Density" if fixture.density else ""
        first = f"RealAgnostic{density}{'Residual' if fixture.residual_first else ''}InteractionBlock"
        count, heads = len(fixture.elements), fixture.options.get("heads")
        e0 = np.round(rng.uniform(-30, -1, (len(heads), count) if heads else count), 3)
        self.e0, self.head = np.atleast_2d(e0)[fixture.head], fixture.head
        scale = {"atomic_inter_scale": [0.8, 1.3] if heads else 1.0, "atomic_inter_shift": [-0.3, 0.45] if heads else 0.0}
        self.own_scale = heads is not None or fixture.kind == "MACE"
        self.mace = getattr(modules, fixture.kind)(
            r_max=fixture.r_max, num_bessel=fixture.num_bessel, num_polynomial_cutoff=fixture.cutoff_power,
            max_ell=fixture.l_max, interaction_cls=blocks[f"RealAgnostic{density}ResidualInteractionBlock"],
            interaction_cls_first=blocks[first], num_interactions=fixture.layers, num_elements=count,
            hidden_irreps=o3.Irreps(fixture.hidden), MLP_irreps=o3.Irreps(f"{fixture.readout_mlp}x0e"),
            gate=torch.nn.functional.silu, atomic_energies=e0, avg_num_neighbors=fixture.average_neighbours,
            atomic_numbers=list(fixture.elements), correlation=fixture.correlation, radial_type="bessel",
            radial_MLP=list(fixture.radial_mlp), **(scale if fixture.kind == "ScaleShiftMACE" else {}),
            **({"use_reduced_cg": False} | fixture.options))
        self.table = AtomicNumberTable(list(fixture.elements))
        self.scale, self.shift = np.ones(count), np.zeros(count)
        self.per_element = fixture.pair
        self.pair = torch.nn.Parameter(torch.randn(count, count, fixture.num_bessel)) if fixture.pair else None

    def evaluate(self, atoms, differentiable=False):
        """Energy, interaction energies, forces, stress (None unless periodic) and the number of edges."""
        heads = mace_model.heads_of(self.mace)
        config = data.config_from_atoms(atoms.copy(), head_name=heads[self.head])
        graph = data.AtomicData.from_config(config, z_table=self.table, cutoff=float(self.mace.r_max), heads=heads)
        batch = next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1))).to_dict()
        positions = batch["positions"]
        out = self.mace(batch, training=True, compute_force=False, compute_displacement=True)
        species = batch["node_attrs"].argmax(dim=1)
        e0 = torch.tensor(self.e0)[species]
        readouts = out["node_energy"] - e0
        if self.pair is not None:
            readouts = readouts + self.pair_energies(batch, species)
        atom_energies = torch.tensor(self.scale)[species] * readouts + torch.tensor(self.shift)[species]
        gradient, virial = torch.autograd.grad(atom_energies.sum(), [positions, out["displacement"]],
                                               create_graph=differentiable, allow_unused=True)
        forces = torch.zeros_like(positions) if gradient is None else -gradient
        stress = virial[0] / atoms.get_volume() if all(atoms.pbc) else None
        return (e0 + atom_energies).sum(), atom_energies, forces, stress, batch["edge_index"].shape[1]

    def pair_energies(self, batch, species):
        sender, receiver = batch["edge_index"]  # positions and shifts are those that mace-torch strained
        vectors = batch["positions"][receiver] - batch["positions"][sender] + batch["shifts"]
        radial = self.mace.radial_embedding(vectors.norm(dim=1, keepdim=True), batch["node_attrs"], batch["edge_index"],
                                            self.mace.atomic_numbers)[0]
        edge_energies = (self.pair[species[receiver], species[sender]] * radial).sum(dim=1)
        return torch.zeros(len(species)).index_add(0, receiver, edge_energies)

    def set_scale(self, structures, rng):
        """Forces near 1 eV/Å."""
        if self.own_scale:
            return
        forces = np.concatenate([self.evaluate(atoms)[2].detach().numpy() for atoms in structures])
        scale = float(f"{1 / np.sqrt(np.mean(forces ** 2)):.3g}")
        spread = len(self.scale) if self.per_element else 1
        self.scale = scale * np.round(rng.uniform(0.7, 1.4, spread), 2) * np.ones(len(self.scale))
        self.shift = np.round(rng.uniform(-0.9, 0.9, spread), 3) * np.ones(len(self.scale))

    def hyperparameters(self):
        hyper = mace_model.hyperparameters(self.mace, self.head)
        if self.own_scale:
            return hyper
        scale, shift = self.scale.tolist(), self.shift.tolist()
        return hyper | {"scale": scale if self.per_element else scale[0], "shift": shift if self.per_element else shift[0],
                        "pair_energy": self.pair is not None}

    def parameters(self, pick=lambda parameter: parameter):
        own = [("pair.weight", pick(self.pair).detach().numpy())] if self.pair is not None else []
        return mace_model.parameters(self.mace, pick, self.head) + own

    def write(self, path):
        mace_model.check_supported(self.mace)
        model_file.write(path, "mace", self.hyperparameters(), self.mace.atomic_numbers.tolist(), self.e0, float(self.mace.r_max),
                         self.parameters(), mace_model.tables(self.mace), {"program": PROGRAM, "weights": "random"})


# ---- expected values ---------------------------------------------------------------------------------------------

def write_structure(group, model, atoms):
    energy, atom_energies, forces, stress, edges = model.evaluate(atoms)
    group.attrs["name"] = atoms.info["name"]
    group["numbers"] = atoms.numbers.astype(np.int32)
    group["positions"], group["cell"] = atoms.positions, atoms.cell.array
    group["periodic"] = np.asarray(atoms.pbc, np.int32)
    group["edges"] = np.int32(edges)
    group["energy"], group["atom_energies"] = energy.item(), atom_energies.detach().numpy()
    group["forces"] = forces.detach().numpy()
    if stress is not None:
        group["stress"] = stress.detach().numpy()
    return np.sqrt(np.mean(group["forces"][:] ** 2))


def write_training(group, model, fixture, rng):
    """Random targets around the predictions, the loss and its gradient by autograd."""
    weights = np.array([1.3, 0.7, 11.0])
    loss, energies, forces, stresses = torch.zeros(()), [], [], []
    for k in fixture.training:
        atoms = fixture.structures[k]
        energy, _, force, stress, _ = model.evaluate(atoms, differentiable=True)
        energies.append(energy.item() + 0.3 * len(atoms) * rng.normal())
        forces.append(force.detach().numpy() + 0.5 * rng.normal(size=force.shape))
        loss = loss + weights[0] * ((energy - energies[-1]) / len(atoms)) ** 2
        loss = loss + weights[1] * ((force - torch.tensor(forces[-1])) ** 2).sum()
        noise = rng.normal(size=(3, 3))
        stresses.append(np.zeros((3, 3)))
        if stress is not None:
            stresses[-1] = stress.detach().numpy() + 0.05 * (noise + noise.T)
            loss = loss + weights[2] * ((stress - torch.tensor(stresses[-1])) ** 2).sum()
    loss.backward()
    gradient = model.parameters(lambda p: torch.zeros_like(p) if p.grad is None else p.grad)
    group["structures"] = np.array(fixture.training, np.int32)
    group["weights"], group["energy"] = weights, np.array(energies)
    group["forces"], group["stress"] = np.concatenate(forces), np.array(stresses)
    group["loss"] = loss.item()
    group["gradient"] = np.concatenate([values.reshape(-1) for _, values in gradient])


def make(fixture, folder, seed):
    model = Model(fixture, seed)
    rng = np.random.default_rng(seed + 1000)
    model.set_scale(fixture.structures, rng)
    model.write(folder / f"{fixture.name}.h5")
    path = folder / f"{fixture.name}_expected.h5"
    with h5py.File(f"{path}.tmp", "w") as file:
        file.attrs["format"], file.attrs["program"] = "isotrope-mace-fixture", PROGRAM
        rms = [write_structure(file.create_group(f"structures/{k}"), model, atoms)
               for k, atoms in enumerate(fixture.structures)]
        if fixture.training:
            write_training(file.create_group("training"), model, fixture, rng)
    os.replace(f"{path}.tmp", path)
    print(f"{fixture.name}: RMS forces {', '.join(f'{r:.2f}' for r in rms)} eV/Å")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent.parent / "tests/data/mace")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)
    for seed, fixture in enumerate(fixtures()):
        if fixture.options.get("use_reduced_cg") and not CUET_AVAILABLE:
            print(f"{fixture.name}: left out, without cuequivariance mace-torch has no reduced coupling tensors")
            continue
        make(fixture, folder, seed)


if __name__ == "__main__":
    main()
