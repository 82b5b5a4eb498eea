# SPDX-License-Identifier: MIT
import csv
import pathlib
import subprocess
import sys

import h5py
import numpy as np

from support import ISOTROPE, SOURCE, CommandLineTest, main

CONFIG = f"""data:
  train: {SOURCE}/data/ethanol_train.h5
  validation: {{fraction: 0.1, seed: 1, by: structure}}
  isolated_atoms: {SOURCE}/data/isolated_atoms_b3lyp.h5
model: {{architecture: mace, cutoff: 4.0, hidden_irreps: 4x0e, l_max: 1, correlation: 2, radial_mlp: [8]}}
loss: {{energy: 1, forces: 100}}
batch: {{structures: 8}}
steps: 6
seed: 3
precision: double
output: small.h5
validate_every: 3 steps
"""


class TestTrain(CommandLineTest):
    def config(self, *replacements, name="config.yaml"):
        text = CONFIG
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.write(name, text).name

    def parameters(self, name):
        with h5py.File(self.folder / name) as file:
            return np.concatenate([np.ravel(values) for values in file["parameters"].values()])

    def test_trains_and_says_how(self):
        log = self.run_isotrope("train", self.config()).stderr
        self.assertIn("H          -13.613161", log)
        self.assertIn("validation MAE:", log)
        info = self.json_of("info", "small.h5", "--json")
        self.assertEqual(info["architecture"], "mace")
        self.assertEqual(info["elements"], ["H", "C", "O"])
        self.assertEqual(info["training"]["steps"], 6)
        self.assertEqual(info["training"]["command"], "isotrope train config.yaml")
        self.assertGreater(info["training"]["errors"]["validation"]["force_mae_ev_per_angstrom"], 0)
        with open(self.folder / "small.log.csv", newline="") as file:
            self.assertEqual([row["step"] for row in csv.DictReader(file)], ["3", "6"])

    def test_dry_run(self):
        done = self.run_isotrope("train", self.config(), "--dry-run")
        for text in ("hidden_irreps: 4x0e", "betas: [0.9, 0.999]", "energies differ from their sums by", "model: mace, "):
            self.assertIn(text, done.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["config.yaml"])

    def test_the_resolved_configuration_is_one(self):
        lines = self.run_isotrope("train", self.config(), "--dry-run").stderr.splitlines()
        resolved = lines[: lines.index("checkpoint_every: never") + 1]
        self.write("resolved.yaml", "\n".join(resolved) + "\n")
        self.assertEqual(self.run_isotrope("train", "resolved.yaml", "--dry-run").stderr.splitlines(), lines)

    def test_resumed_equals_uninterrupted(self):
        self.run_isotrope("train", self.config(name="whole.yaml"), "--output", "whole.h5")
        self.run_isotrope("train", self.config(("steps: 6", "steps: 4"), name="half.yaml"))
        self.run_isotrope("train", self.config(), "--resume")
        np.testing.assert_array_equal(self.parameters("small.h5"), self.parameters("whole.h5"))

    def test_ranks_agree(self):
        mpiexec = pathlib.Path(sys.executable).parent / "mpiexec"
        config = self.config()
        self.run_isotrope("train", config, "--output", "one.h5")
        for ranks in (2, 3):
            done = subprocess.run(
                [mpiexec, "-n", str(ranks), ISOTROPE, "train", config, "--output", "several.h5", "--overwrite"],
                cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            one, several = self.parameters("one.h5"), self.parameters("several.h5")
            self.assertFalse(np.array_equal(one, np.zeros_like(one)))
            # Adam divides small gradients by their own size: rounding grows a little over the steps.
            np.testing.assert_allclose(several, one, rtol=0, atol=1e-9)
            self.assertEqual(self.json_of("info", "several.h5", "--json")["training"]["ranks"], ranks)

    def test_a_failure_ends_all_ranks(self):
        mpiexec = pathlib.Path(sys.executable).parent / "mpiexec"
        done = subprocess.run([mpiexec, "-n", "2", ISOTROPE, "train", "absent.yaml"], cwd=self.folder, capture_output=True,
                              text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("isotrope: error: cannot read the configuration 'absent.yaml': no such file", done.stderr)

    def test_errors(self):
        self.assert_error("cannot read the configuration 'absent.yaml': no such file", "train", "absent.yaml")
        self.assert_error("config.yaml:8: unknown key 'stepz'; did you mean 'steps'?", "train",
                          self.config(("steps:", "stepz:")))
        self.assert_error("config.yaml:6: unknown key 'loss.force'; did you mean 'forces'?", "train",
                          self.config(("forces:", "force:")))
        self.assert_error("model: unknown key 'hidden_irrep'; did you mean 'hidden_irreps'?", "train",
                          self.config(("hidden_irreps", "hidden_irrep")))
        self.assert_error("unknown architecture 'mice': this build knows mace, transip", "train", self.config(("mace", "mice")))
        self.assert_error(f"cannot open {SOURCE}/data/absent.h5: file not found", "train",
                          self.config(("ethanol_train", "absent")))
        self.assert_error(
            f"{SOURCE}/data/ethanol_train.h5: no stress in 477 of 477 structures (the first is structure 0), but loss.stress "
            "is 10; set loss.stress: 0", "train", self.config(("forces: 100", "forces: 100, stress: 10")))
        self.assert_error(
            f"{SOURCE}/data/ethanol_train.h5: its structures belong to groups (trajectories), which a random split would cut; "
            "say data.validation.by: group to keep them whole, or by: structure", "train",
            self.config((", by: structure", "")))
        self.assert_error("--resume: there is no checkpoint 'small.checkpoint.h5'; train without --resume first", "train",
                          self.config(), "--resume")
        self.run_isotrope("train", self.config(("steps: 6", "steps: 1")))
        self.assert_error(
            "there is a checkpoint of an earlier run, 'small.checkpoint.h5': go on with --resume, start afresh with "
            "--overwrite, or name another output", "train", self.config())


if __name__ == "__main__":
    main()
