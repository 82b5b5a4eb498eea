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

    def test_formats_train_alike(self):
        """A potential from a file of PubChemQCR equals, step for step, one from the same structures as extended xyz."""
        source = SOURCE / "tests/data/formats/steps.lmdb"
        self.run_isotrope("convert", source, "-o", "lmdb.h5", "--stage", "DFT_1st")
        self.run_isotrope("convert", "lmdb.h5", "-o", "text.xyz")
        self.run_isotrope("convert", "text.xyz", "-o", "text.h5", "--group", "{group}")
        curves = []
        for name in ("lmdb", "text"):
            config = self.config((f"{SOURCE}/data/ethanol_train.h5", f"{name}.h5"), ("by: structure", "by: group"),
                                 (f"{SOURCE}/data/isolated_atoms_b3lyp.h5", "least_squares"), ("structures: 8", "structures: 4"),
                                 ("validate_every: 3 steps", "validate_every: 1 steps"), ("small.h5", f"of_{name}.h5"), name=f"{name}.yaml")
            self.run_isotrope("train", config)
            with open(self.folder / f"of_{name}.log.csv", newline="") as file:
                curves.append([{key: value for key, value in row.items() if key not in ("seconds", "structures_per_second")}
                               for row in csv.DictReader(file)])
        self.assertEqual(len(curves[0]), 6)
        self.assertGreater(len({row["train_loss"] for row in curves[0]}), 1)
        self.assertEqual(*curves)
        one, other = self.parameters("of_lmdb.h5"), self.parameters("of_text.h5")
        self.assertTrue(np.isfinite(one).all())
        self.assertEqual(one.tobytes(), other.tobytes())

    def test_shards_train_like_the_whole(self):
        self.run_isotrope("convert", SOURCE / "data/ethanol_train.h5", "-o", "ethanol.shards", "--shard", "200")
        self.run_isotrope("train", self.config(), "--output", "whole.h5")
        self.run_isotrope("train", self.config((f"{SOURCE}/data/ethanol_train.h5", "ethanol.shards"), name="shards.yaml"))
        # The mean number of neighbours and the scale are sums over files: they may differ in their last digit.
        np.testing.assert_allclose(self.parameters("small.h5"), self.parameters("whole.h5"), rtol=0, atol=1e-9)
        hashes = self.json_of("info", "small.h5", "--json")["training"]["data"]
        self.assertEqual(sum("ethanol-0000" in name for name in hashes), 3, hashes)

    def on_ranks(self, ranks, *arguments):
        mpiexec = pathlib.Path(sys.executable).parent / "mpiexec"
        done = subprocess.run([mpiexec, "-n", str(ranks), ISOTROPE, *arguments], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ranks_agree(self):
        config = self.config()
        self.run_isotrope("train", config, "--output", "one.h5")
        for ranks in (2, 3):
            self.on_ranks(ranks, "train", config, "--output", "several.h5", "--overwrite")
            one, several = self.parameters("one.h5"), self.parameters("several.h5")
            self.assertFalse(np.array_equal(one, np.zeros_like(one)))
            # Adam divides small gradients by their own size: rounding grows a little over the steps.
            np.testing.assert_allclose(several, one, rtol=0, atol=1e-9)
            self.assertEqual(self.json_of("info", "several.h5", "--json")["training"]["ranks"], ranks)

    def test_streams_a_stored_split_on_any_number_of_ranks(self):
        self.run_isotrope("convert", SOURCE / "data/ethanol_train.h5", "-o", self.folder / "split.h5", "--split", "structure",
                          "--split-ratios", "0.8,0.2,0.0", "--split-seed", "1")
        config = self.config((f"train: {SOURCE}/data/ethanol_train.h5", "train: {file: split.h5, split: train}\n  memory: 300 KiB"),
                             ("{fraction: 0.1, seed: 1, by: structure}", "{file: split.h5, split: validation}"),
                             ("{structures: 8}", "{edges: 600}"), ("steps: 6", "steps: 45"), ("3 steps", "15 steps"))
        log = self.run_isotrope("train", config, "--dry-run").stderr
        self.assertRegex(log, r"structures    381 \(9 to 9 atoms\)\n.*\n.*\n  loading       streamed in \d+ blocks, shuffled in windows of 75 KiB")
        self.run_isotrope("train", config, "--output", "one.h5")
        one = self.parameters("one.h5")
        errors = self.json_of("info", "one.h5", "--json")["training"]["errors"]
        self.assertEqual([errors[name]["structures"] for name in ("train", "validation")], [381, 95])  # int(0.2 * 477); the rest is the test set
        for ranks in (2, 3):
            self.on_ranks(ranks, "train", config, "--output", "several.h5", "--overwrite")
            np.testing.assert_allclose(self.parameters("several.h5"), one, rtol=0, atol=1e-7)
        # Resumed in the middle of an epoch.
        text = (self.folder / config).read_text()
        self.write("half.yaml", text.replace("steps: 45", "steps: 37"))
        self.run_isotrope("train", "half.yaml")
        self.write("rest.yaml", text)
        self.run_isotrope("train", "rest.yaml", "--resume")
        np.testing.assert_array_equal(self.parameters("small.h5"), one)

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
        self.assert_error("unknown architecture 'mice': this build knows mace, nequip, tdn, transip", "train", self.config(("architecture: mace", "architecture: mice")))
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
