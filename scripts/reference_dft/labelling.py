# SPDX-License-Identifier: MIT
"""Energy and forces by density functional theory (PySCF)."""
import dataclasses

import ase.units
import numpy as np

# ASE's eV and Å, which the files of ASE and data/ are in: CODATA 2014, said aloud so that a newer ASE does not change it.
UNITS = ase.units.create_units("2014")
HARTREE, BOHR = UNITS["Hartree"], UNITS["Bohr"]

LEVELS = {
    "pubchemqcr": {"name": "B3LYP/6-31G*", "xc": "b3lyp", "basis": "6-31g*"},
    "omol25": {"name": "wB97M-V/def2-TZVPD", "xc": "wb97m-v", "basis": "def2-tzvpd"},
}
SETTINGS = {
    "density_fitting": True,  # with the auxiliary basis that PySCF has for the basis
    "grid_level": 3, "nonlocal_grid_level": 1,
    "grid_response": True,    # in the gradient, of both grids: forces are derivatives of the energy as it is integrated
    "energy_convergence_hartree": 1e-9, "orbital_gradient_convergence": 1e-5, "cycles": 100,
    "initial_guess": "minao",
    "net_force_bound_ev_per_angstrom": 1e-4,
}


class Rejected(Exception):
    """The computation gave nothing that could be kept; the reason."""


@dataclasses.dataclass
class Label:
    """In the units of PySCF, Hartree and Hartree/Bohr: nothing is lost by conversion."""
    energy_hartree: float
    gradient: list          # [n][3]
    cycles: int
    basis_functions: int
    homo_hartree: list      # one a spin
    gap_hartree: list       # one a spin; None where no orbital is left above
    s_squared: float
    mulliken_charges: list  # [n], e
    restarts: int           # from unstable solutions

    @property
    def energy(self):
        """eV"""
        return self.energy_hartree * HARTREE

    @property
    def forces(self):
        """[n, 3], eV/Å"""
        return np.array(self.gradient) * (-HARTREE / BOHR)


def mean_field(frame, level, settings):
    """Unconverged Kohn-Sham: restricted for singlets, unrestricted for all else."""
    from pyscf import dft, gto

    coordinates = [(int(z), position / BOHR) for z, position in zip(frame.numbers, frame.positions)]
    molecule = gto.M(atom=coordinates, unit="Bohr", basis=LEVELS[level]["basis"], charge=frame.charge, spin=frame.multiplicity - 1,
                     verbose=0)
    kind = dft.RKS if frame.multiplicity == 1 else dft.UKS
    field = kind(molecule, xc=LEVELS[level]["xc"]).density_fit()
    field.grids.level = settings["grid_level"]
    if field.do_nlc():
        field.nlcgrids.level = settings["nonlocal_grid_level"]
    field.conv_tol = settings["energy_convergence_hartree"]
    field.conv_tol_grad = settings["orbital_gradient_convergence"]
    field.max_cycle = settings["cycles"]
    field.init_guess = settings["initial_guess"]
    return field


def converge(field, density=None):
    field.kernel(dm0=density)
    if not field.converged:
        raise Rejected(f"not converged in {field.max_cycle} cycles")
    if not np.isfinite(field.e_tot):
        raise Rejected("the energy is not finite")
    return field


def follow_instabilities(field, attempts=3):
    """Goes down from solutions that are saddle points (of the same kind of Kohn-Sham). Returns how often."""
    for restarts in range(attempts + 1):
        orbitals, _, stable, _ = field.stability(return_status=True)
        if stable:
            return restarts
        if restarts < attempts:
            converge(field, field.make_rdm1(orbitals, field.mo_occ))
    raise Rejected(f"no stable solution after {attempts} restarts")


def frontier(field):
    """HOMO and gap of each spin; a spin without electrons has none."""
    energies, occupations = (np.atleast_2d(values) for values in (field.mo_energy, field.mo_occ))
    homo, gap = [], []
    for e, n in zip(energies, occupations):
        if (n > 0).any():
            homo.append(float(e[n > 0].max()))
            gap.append(float(e[n == 0].min() - homo[-1]) if (n == 0).any() else None)
    return homo, gap


def compute_label(frame, level, settings, stability=False):
    """Energy, gradient and what OMol25 tells of a structure besides. Throws Rejected."""
    field = converge(mean_field(frame, level, settings))
    restarts = follow_instabilities(field) if stability and len(frame.numbers) > 1 else 0
    gradients = field.nuc_grad_method()
    gradients.grid_response = settings["grid_response"]
    gradient = gradients.kernel()
    if not np.isfinite(gradient).all():
        raise Rejected("a force is not finite")
    net = float(abs(gradient.sum(axis=0)).max()) * HARTREE / BOHR
    if not net <= settings["net_force_bound_ev_per_angstrom"]:
        raise Rejected(f"the forces sum to {net:.1e} eV/Å")
    homo, gap = frontier(field)
    charges = field.mulliken_pop(verbose=0)[1]
    return Label(float(field.e_tot), gradient.tolist(), int(field.cycles), int(field.mol.nao), homo, gap,
                 float(field.spin_square()[0]), charges.tolist(), restarts)


def finite_differences(frame, level, settings, components, step=5e-4):
    """-dE/dx of components [(atom, axis)], eV/Å; the energy is converged further than usual."""
    tight = settings | {"energy_convergence_hartree": 1e-11, "orbital_gradient_convergence": 1e-6}
    slopes = []
    for atom, axis in components:
        energies = []
        for sign in (1, -1):
            positions = frame.positions.copy()
            positions[atom, axis] += sign * step
            energies.append(converge(mean_field(frame.moved(positions), level, tight)).e_tot * HARTREE)
        slopes.append(-(energies[0] - energies[1]) / (2 * step))
    return np.array(slopes)
