# SPDX-License-Identifier: MIT
"""Training files of TransIP: what is refused, and what is said about frames before the first step."""
import h5py
import numpy as np

from support import SOURCE, CommandLineTest, main

CONFIG = """data:
  train: {source}/data/{data}.h5
  validation: none
  isolated_atoms: {source}/data/isolated_atoms_omol_level.h5
model: {{architecture: transip, width: 12, layers: 1, heads: 1, {model}}}
loss: {{energy: 1, forces: 1}}
batch: {{structures: 8}}
steps: 2
precision: double
output: small.h5
"""
BINS = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, np.inf]


class TestTransip(CommandLineTest):
    def config(self, model, data="omol_level"):
        return self.write("config.yaml", CONFIG.format(source=SOURCE, model=model, data=data)).name

    def gaps(self):
        with h5py.File(SOURCE / "data/omol_level.h5") as file:
            for a, b in zip(file["offsets"][:], file["offsets"][1:]):
                x = file["positions"][a:b] - file["positions"][a:b].mean(0)
                first, second, third = np.linalg.eigvalsh(x.T @ x)[::-1]
                yield min(first - second, second - third if b - a > 2 else first) / first

    def test_histogram_of_gaps(self):
        log = self.run_isotrope("train", self.config("frames: o3, frame_gap: 0.03"), "--dry-run").stderr
        gaps = np.array(list(self.gaps()))
        counts = np.histogram(gaps, BINS)[0]
        self.assertGreater(counts[0], 0)  # linear molecules
        lines = log.splitlines()
        at = next(k for k, line in enumerate(lines) if line.startswith("frames: "))
        self.assertEqual(lines[at], f"frames: in {np.sum(gaps < 0.03)} of {len(gaps)} structures they fade, because a gap of their "
                                    "principal axes is below 0.03")
        self.assertEqual(list(map(int, lines[at + 2].split()[1:])), counts.tolist())

    def test_every_kind_trains(self):
        for model, cutoff, symmetry in [("latent_hidden: 4", 0, "none"), ("frames: so3", 0, "SO(3)"), ("frames: o3, forces: direct", 0, "O(3)"),
                                        ("cutoff: 4.0", 4, "none"), ("cutoff: 4.0, forces: direct", 4, "none")]:
            with self.subTest(model):
                self.run_isotrope("train", self.config(model), "--overwrite")
                info = self.json_of("info", "small.h5", "--json")
                self.assertEqual((info["cutoff_angstrom"], info["symmetry"]), (cutoff, symmetry))

    def test_what_is_refused(self):
        self.assert_error("model: unknown key 'frames'; did you mean 'forces'?", "train", self.config("cutoff: 4.0, frames: so3"))
        self.assert_error("model: unknown key 'logit_bound'; did you mean 'architecture'?", "train", self.config("logit_bound: 3"))
        self.assert_error("config.yaml: model.cutoff: expected a length above 0 in Å", "train", self.config("cutoff: 0"))


main()
