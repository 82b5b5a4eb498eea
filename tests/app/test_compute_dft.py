# SPDX-License-Identifier: MIT
"""scripts/compute_dft.py with harmonic molecules in place of density functional theory: runs that stop and go on, what is
rejected, what is refused. The labels themselves are checked by its own `check` (data/README.md)."""
import contextlib
import importlib.metadata
import io
import json
import sys
import types
from unittest import mock

import ase.io
import h5py
import numpy as np

from support import SOURCE, CommandLineTest, main

sys.path.insert(0, str(SOURCE / "scripts"))

import compute_dft  # noqa: E402
from reference_dft import labelling, sampling, structures  # noqa: E402
from reference_dft.labelling import BOHR, HARTREE, Label, Rejected  # noqa: E402
from reference_dft.structures import Frame, InputError  # noqa: E402

FORMATS = SOURCE / "tests/data/formats"
WATER = "3\ncharge=0 multiplicity=1 config_type=water\nO 0.1 0 0\nH 0 0.75 0.3\nH 0 -0.75 0.2\n"
NITRITE = "3\ncharge=-1 multiplicity=1 config_type=NO2-\nN 0 0 0.45\nO 0 1.08 -0.2\nO 0 -1.08 -0.2\n"
RADICAL = "2\ncharge=0 multiplicity=2 config_type=OH\nO 0 0 0\nH 0 0 0.97\n"


def harmonic(frame, slope_error=1.0):
    """E = 0.2 sum (d - 2)^2 over pairs, in Hartree and Bohr; slope_error: makes forces that are wrong."""
    x = frame.positions / BOHR
    energy, gradient = 0.0, np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i):
            r = x[i] - x[j]
            d = np.linalg.norm(r)
            energy += 0.2 * (d - 2) ** 2
            gradient[i] += slope_error * 0.4 * (d - 2) * r / d
            gradient[j] -= slope_error * 0.4 * (d - 2) * r / d
    return Label(energy - 0.1 * sum(frame.numbers), gradient.tolist(), 9, 13, [-0.5], [0.25], 0.0, [0.0] * len(x), 0)


class Field:
    """As much of a mean field as converge and follow_instabilities use."""
    max_cycle, mo_occ = 100, None

    def __init__(self, frame=None, unstable=0, converged=True):
        self.frame, self.unstable, self.converged, self.runs = frame, unstable, converged, 0

    def kernel(self, dm0=None):
        self.runs += 1
        self.e_tot = harmonic(self.frame).energy_hartree if self.frame else -1.0

    def stability(self, return_status):
        self.unstable -= 1
        return None, None, self.unstable < 0, True

    def make_rdm1(self, orbitals, occupations):
        return None


class DftTest(CommandLineTest):
    def setUp(self):
        super().setUp()
        self.computed = []
        for target, name, new in [(compute_dft, "compute_label", self.compute), (compute_dft, "versions", dict),
                                  (compute_dft.files, "write_outputs", self.write_outputs),
                                  (labelling, "mean_field", lambda frame, level, settings: Field(frame))]:
            patch = mock.patch.object(target, name, new)
            patch.start()
            self.addCleanup(patch.stop)
        self.slope_error, self.refuse, self.power_cut = 1.0, lambda frame: None, None

    def compute(self, frame, level, settings, stability=False):
        if self.power_cut is not None and len(self.computed) == self.power_cut:
            raise KeyboardInterrupt
        self.computed.append(frame.place())
        self.refuse(frame)
        return harmonic(frame, self.slope_error)

    def write_outputs(self, folder, frames, labels, provenance):
        structures.write_extxyz(folder / "out.xyz", frames, labels, "harmonic")
        return {folder / "out.xyz": "", folder / "out.lmdb": compute_dft.files.why_not_pubchemqcr(frames)}, provenance

    def run_dft(self, *words, status=0):
        """Standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.object(sys, "argv", ["compute_dft.py", *map(str, words)]), contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            found = compute_dft.main()
        self.assertEqual(found, status, out.getvalue() + err.getvalue())
        return out.getvalue(), err.getvalue()

    def assert_refused(self, message, *words):
        self.assertEqual(self.run_dft(*words, status=1)[1].splitlines()[-1], "compute_dft: " + message)

    def content(self, *path):
        return self.folder.joinpath(*path).read_text()


class Runs(DftTest):
    def test_labels_in_electronvolt(self):
        self.write("frames.xyz", WATER)
        out, err = self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")
        self.assertIn("1 structures, 0 rejected", out)
        self.assertIn("1/1  water", err)
        frame, = structures.read_extxyz(self.folder / "run/out.xyz")
        expected = harmonic(frame)
        self.assertEqual(frame.energy, expected.energy_hartree * 27.211386024367243)  # CODATA 2014
        np.testing.assert_allclose(frame.forces, -np.array(expected.gradient) * 27.211386024367243 / 0.5291772105638411, rtol=1e-14)
        provenance = json.loads(self.content("run/provenance.json"))
        self.assertEqual(provenance["level_of_theory"], "wB97M-V/def2-TZVPD")
        self.assertTrue(provenance["complete"])
        self.assertEqual(provenance["request"]["structures"][0]["multiplicity"], 1)

    def test_rejected_is_listed_and_left_out(self):
        def refuse(frame):
            if frame.name == "OH":
                raise Rejected("not converged in 100 cycles")

        self.refuse = refuse
        self.write("frames.xyz", WATER + RADICAL + NITRITE)
        out, err = self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")
        self.assertIn("2 structures, 1 rejected", out)
        self.assertIn("run/out.lmdb: not written: charge or multiplicity of NO2- has no place in the format", out)
        self.assertEqual(self.content("run/rejected.log"), "000001: OH: not converged in 100 cycles\n")
        self.assertEqual([f.name for f in structures.read_extxyz(self.folder / "run/out.xyz")], ["water", "NO2-"])
        self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")  # nothing is computed twice, not even that
        self.assertEqual(self.computed, ["water", "OH", "NO2-"])
        self.assertEqual(self.content("run/rejected.log"), "000001: OH: not converged in 100 cycles\n")

    def test_stops_when_the_time_is_up(self):
        self.write("frames.xyz", WATER + RADICAL + WATER)
        words = ("label", "frames.xyz", "--level", "omol25", "-o", "run")
        with mock.patch.object(compute_dft.time, "monotonic", side_effect=range(0, 10000, 50)):
            err = self.run_dft(*words, "--minutes", "4", status=75)[1]
        self.assertIn("run: 4 minutes are over, structures are left: repeat the command to go on", err)
        self.assertEqual(self.computed, ["water", "OH"])  # one frame of each before the second of one
        self.assertFalse(json.loads(self.content("run/provenance.json"))["complete"])
        self.run_dft(*words)
        self.assertEqual(self.computed, ["water", "OH", "water"])
        self.assertEqual([f.name for f in structures.read_extxyz(self.folder / "run/out.xyz")], ["water", "OH", "water"])
        self.assertTrue(json.loads(self.content("run/provenance.json"))["complete"])

    def test_relaxation_goes_on_as_if_it_had_not_stopped(self):
        words = ("relax", "CH3OH:0:1", "H2O:0:1", "--level", "pubchemqcr", "--steps", "6", "-o")
        self.run_dft(*words, "whole")
        self.assertEqual(len(self.computed), 12)
        self.assertEqual(self.computed[:2] + self.computed[-1:], ["CH3OH step 0", "CH3OH step 1", "H2O step 5"])
        self.computed.clear()
        self.power_cut = 8
        with self.assertRaises(KeyboardInterrupt):
            self.run_dft(*words, "cut")
        log = self.folder / "cut/labels.jsonl"
        log.write_bytes(log.read_bytes()[:-20])  # the last line did not reach the disk
        self.power_cut = None
        self.run_dft(*words, "cut")
        self.assertEqual(len(self.computed), 13)
        self.assertEqual(self.content("whole/out.xyz"), self.content("cut/out.xyz"))
        energies = [f.energy for f in structures.read_extxyz(self.folder / "cut/out.xyz") if f.name == "CH3OH"]
        self.assertLess(energies[-1], energies[0])

    def test_one_step(self):
        self.run_dft("relax", "H2O:0:1", "--level", "pubchemqcr", "--steps", "1", "-o", "run")
        self.assertEqual(self.computed, ["H2O step 0"])

    def test_a_rejected_step_ends_its_relaxation_only(self):
        def refuse(frame):
            if frame.name == "CH3OH" and frame.step == 2:
                raise Rejected("not converged in 100 cycles")

        self.refuse = refuse
        self.run_dft("relax", "CH3OH:0:1", "H2O:0:1", "--level", "pubchemqcr", "--steps", "4", "-o", "run")
        self.assertEqual(self.computed, [f"CH3OH step {i}" for i in range(3)] + [f"H2O step {i}" for i in range(4)])
        self.assertEqual(self.content("run/rejected.log"), "0000 step 0002: CH3OH step 2: not converged in 100 cycles\n")
        self.assertEqual(len(structures.read_extxyz(self.folder / "run/out.xyz")), 6)

    def test_other_settings_are_refused(self):
        self.write("frames.xyz", WATER)
        self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")
        self.assert_refused('run holds a run with other settings (level: "omol25" there, "pubchemqcr" here): repeat that one to go on '
                            "with it, or choose another folder", "label", "frames.xyz", "--level", "pubchemqcr", "-o", "run")

    def test_samples_are_kept(self):
        """GFN2-xTB is asked once; labels of other positions are not taken for these."""
        frame = Frame("NO2-", np.array([7, 8, 8]), np.array([[0, 0, 0.1], [0, 1, 0], [0, -1, 0]]) / 3, -1, 1, temperature=400)
        words = ("dynamics", "NO2:-1:1", "--level", "omol25", "--temperature", "400", "--frames", "1", "-o", "run")
        with mock.patch.object(sampling, "run_dynamics", side_effect=[[frame]]) as dynamics:
            self.run_dft(*words)
            self.run_dft(*words)
        dynamics.assert_called_once()
        kept, = structures.read_extxyz(self.folder / "run/samples.xyz")
        np.testing.assert_array_equal(kept.positions, frame.positions)  # bit for bit
        self.assertEqual((kept.charge, kept.multiplicity, kept.temperature), (-1, 1, 400))
        samples = self.folder / "run/samples.xyz"
        samples.write_text(samples.read_text().replace("0.333", "0.334"))
        self.assert_refused("run/labels.jsonl: 000000 was computed at other positions: the folder is not of this run", *words)


class Check(DftTest):
    def test_labels_of_the_file_and_differences(self):
        self.write("frames.xyz", WATER + NITRITE)
        self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")
        words = ("check", "run/out.xyz", "--level", "omol25", "--structures", "0,1", "--components", "9")
        self.assertIn("kept", self.run_dft(*words)[0])
        self.slope_error = 1.01
        self.assertIn("EXCEEDED", self.run_dft(*words, status=1)[0])
        self.slope_error = np.nan
        self.assertIn("EXCEEDED", self.run_dft(*words, status=1)[0])
        self.assert_refused("--structures: there is no structure 2, there are 2", "check", "run/out.xyz", "--level", "omol25",
                            "--structures", "2")

    def test_wrong_labels_of_the_file(self):
        self.write("frames.xyz", WATER)
        self.run_dft("label", "frames.xyz", "--level", "omol25", "-o", "run")
        text = self.content("run/out.xyz")
        energy = float(structures.read_extxyz(self.folder / "run/out.xyz")[0].energy)
        self.write("wrong.xyz", text.replace(repr(energy), repr(energy + 6e-5)))
        self.assertIn("EXCEEDED", self.run_dft("check", "wrong.xyz", "--level", "omol25", status=1)[0])

    def test_data_sets_are_read(self):
        frames = structures.read_structures([SOURCE / "data/omol_level.h5"])
        with h5py.File(SOURCE / "data/omol_level.h5") as data:
            self.assertEqual(len(frames), len(data["energy"]))
            self.assertEqual([f.energy for f in frames], list(data["energy"]))
            self.assertEqual(sum(f.charge for f in frames), data["charge"][:].sum())
            np.testing.assert_array_equal(np.concatenate([f.forces for f in frames]), data["forces"])


class Input(DftTest):
    def test_what_is_refused(self):
        label = ("--level", "omol25", "-o", "run")
        self.assert_refused("expected a file (.xyz, .h5) or NAME:CHARGE:MULTIPLICITY such as H2O:0:1, found 'H2O'", "label", "H2O", *label)
        self.assert_refused("'NH4' is no molecule of ASE's g2 collection: give its geometry in an extended xyz file",
                            "label", "NH4:1:1", *label)
        self.assert_refused("H2O-: multiplicity 1 does not agree with 11 electrons", "label", "H2O:-1:1", *label)
        self.assert_refused("cannot open none.xyz: file not found", "label", "none.xyz", *label)
        self.write("a.xyz", WATER + WATER.replace("charge=0 ", ""))
        self.assert_refused("a.xyz: frame 1 has no charge: write charge=0 multiplicity=1, or what it is, into its comment line",
                            "label", "a.xyz", *label)
        self.write("heavy.xyz", "1\ncharge=0 multiplicity=2\nI 0 0 0\n")
        self.assert_refused("IsolatedAtom: element I needs an effective core potential; elements to Kr can be computed",
                            "label", "heavy.xyz", *label)
        self.write("half.xyz", WATER.replace("charge=0", "charge=0.5"))
        self.assert_refused("half.xyz: frame 0: expected whole numbers, found charge=0.5 multiplicity=1", "label", "half.xyz", *label)
        self.write("cut.xyz", WATER[:-20])
        self.assertIn("compute_dft: cut.xyz: ASE cannot read this as extended xyz: ", self.run_dft("label", "cut.xyz", *label, status=1)[1])
        self.assert_refused("--interval 0.1 is shorter than --timestep 0.5", "dynamics", "H2O:0:1", *label, "--temperature", "300",
                            "--frames", "1", "--interval", "0.1")
        with mock.patch.object(compute_dft, "versions", lambda: importlib.metadata.version("no-such-package")):
            self.assert_refused("the Python package no-such-package is not installed: make the environment that --help shows",
                                "label", "H2O:0:1", *label)
        self.assertFalse((self.folder / "run").exists())

    def test_numbers_above_zero(self):
        err, argv = io.StringIO(), ["compute_dft.py", "relax", "H2O:0:1", "--level", "omol25", "-o", "run", "--steps", "0"]
        with mock.patch.object(sys, "argv", argv), contextlib.redirect_stderr(err), self.assertRaises(SystemExit) as stop:
            compute_dft.main()
        self.assertEqual(stop.exception.code, 2)
        self.assertIn("argument --steps: expected a number above 0, found 0", err.getvalue())

    def test_names(self):
        names = [structures.named_molecule(word).name for word in ("H2O:1:2", "O2:-2:1", "S:0:3", "F:-1:1")]
        self.assertEqual(names, ["H2O+", "O22-", "IsolatedAtom", "F-"])


class KohnSham(DftTest):
    def test_not_converged_or_not_finite_is_rejected(self):
        with self.assertRaisesRegex(Rejected, "^not converged in 100 cycles$"):
            labelling.converge(Field(converged=False))
        broken = Field()
        broken.kernel = lambda dm0: setattr(broken, "e_tot", float("nan"))
        with self.assertRaisesRegex(Rejected, "^the energy is not finite$"):
            labelling.converge(broken)

    def test_instabilities_are_followed(self):
        for unstable in (0, 1, 3):
            field = Field(unstable=unstable)
            self.assertEqual(labelling.follow_instabilities(field), unstable)
            self.assertEqual(field.runs, unstable)
        with self.assertRaisesRegex(Rejected, "^no stable solution after 3 restarts$"):
            labelling.follow_instabilities(Field(unstable=4))

    def test_frontier_orbitals(self):
        field = types.SimpleNamespace(mo_energy=np.array([[-1, -0.5, 0.1], [-0.9, 0.2, 0.3]]), mo_occ=np.array([[1, 1, 0], [1, 0, 0]]))
        homo, gap = labelling.frontier(field)
        np.testing.assert_allclose(homo, [-0.5, -0.9])
        np.testing.assert_allclose(gap, [0.6, 1.1])
        atom = types.SimpleNamespace(mo_energy=np.array([[-0.5], [0.1]]), mo_occ=np.array([[1], [0]]))
        self.assertEqual(labelling.frontier(atom), ([-0.5], [None]))


class Files(CommandLineTest):
    """What runs of the script left (tests/data/formats/dft_*), converted, against its extended xyz as ASE reads it."""

    def converted(self, *words):
        self.run_isotrope("-q", "convert", *words, "-o", "data.h5", "--level", "L")
        with h5py.File(self.folder / "data.h5") as data:
            return {name: member.asstr()[:] if h5py.check_string_dtype(member.dtype) else member[:] for name, member in data.items()}

    def expected(self, name):
        return ase.io.read(FORMATS / name, ":")

    def test_omol25(self):
        frames = self.expected("dft_ions.xyz")
        data = self.converted(FORMATS / "dft_ions.aselmdb", "--config-type", "{name}", "--group", "{temperature}K")
        np.testing.assert_array_equal(data["offsets"][1:], np.cumsum([len(f) for f in frames]))
        np.testing.assert_array_equal(data["numbers"], np.concatenate([f.numbers for f in frames]))
        np.testing.assert_array_equal(data["positions"], np.concatenate([f.positions for f in frames]))
        np.testing.assert_array_equal(data["forces"], np.concatenate([f.get_forces() for f in frames]))
        np.testing.assert_array_equal(data["energy"], [f.get_potential_energy() for f in frames])
        for key in ("charge", "multiplicity"):
            np.testing.assert_array_equal(data[key], [f.info[key] for f in frames])
        self.assertEqual([data["config_type_names"][i] for i in data["config_type"]], [f.info["config_type"] for f in frames])
        self.assertEqual(list(data["group_names"]), ["400K"])
        self.assertGreater(len(set(data["charge"])), 1)
        self.assertGreater(len(set(data["multiplicity"])), 1)

    def test_pubchemqcr(self):
        """The file is in Hartree and Bohr, the extended xyz in the eV and Å of CODATA 2014, the data set in those of 2018."""
        frames = self.expected("dft_relaxations.xyz")
        data = self.converted(FORMATS / "dft_relaxations.lmdb", "--stage", "DFT_1st", "--charge", "0", "--multiplicity", "1")
        energy = 27.211386245988 / HARTREE
        np.testing.assert_array_equal(data["numbers"], np.concatenate([f.numbers for f in frames]))
        np.testing.assert_array_equal(data["positions"], np.concatenate([f.positions for f in frames]))
        np.testing.assert_allclose(data["energy"], [energy * f.get_potential_energy() for f in frames], rtol=1e-15)
        np.testing.assert_allclose(data["forces"], energy * BOHR / 0.529177210903 * np.concatenate([f.get_forces() for f in frames]),
                                   rtol=1e-14)
        np.testing.assert_array_equal(data["step"], [f.info["step"] for f in frames])
        self.assertEqual(list(data["group_names"]), ["000000001", "000000002"])
        self.assertEqual([f.info["config_type"] for f in frames if f.info["step"] == 0], ["H2O", "HCN"])


main()
