#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ways to an (approximately) equivariant potential of a molecule beside each other: errors on test structures and errors over
the orbit of rotations, at equal steps and at equal CPU time (docs/equivariance.md).

    .venv/bin/python scripts/compare_equivariance.py build/isotrope FOLDER [--steps 3000] [--seeds 1 2 3] [--at-once 2]

The data are the ethanol of data/, or files of your own that `isotrope convert` made (--train, --test, --isolated-atoms; with
charge and multiplicity). Equal time is that of `transip_pooled`: the steps of the others are multiplied by the ratio of CPU
times a step, which are measured first; what costs about the same is not run twice. Runs that FOLDER has already are not repeated; the table is printed at the end, of
what there is (with --table nothing is run).
"""
import argparse
import concurrent.futures
import json
import pathlib
import resource
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRANSIP = "architecture: transip, width: 48, layers: 4, heads: 2, hidden: 96, wavelengths: [1, 12]"
LATENT = "augmentation: rotation, latent_weight: 10.0, latent: "
TDN = ("architecture: tdn, cutoff: 5.0, channels: 32, layers: 2, num_gaussians: 32, parity: false, cutoff_power: 0, logit_bound: 0.0, "
       "isolated_zero: false")
# name -> section model, section equivariance, learning rate
VARIANTS = {
    "transaug": (TRANSIP, "augmentation: rotation", 0.01),
    "transip_pooled": (f"{TRANSIP}, latent_hidden: 48", f"{LATENT}pooled", 0.01),
    "transip_per_atom": (f"{TRANSIP}, latent_hidden: 48", f"{LATENT}per_atom", 0.01),
    "transip_per_layer": (f"{TRANSIP}, latent_hidden: 48, latent_per_layer: true", f"{LATENT}per_layer", 0.01),
    "frames": (f"{TRANSIP}, frames: so3", "augmentation: none", 0.01),
    "local": (f"{TRANSIP}, cutoff: 5.0", "augmentation: rotation", 0.01),
    "mace": ("architecture: mace, cutoff: 5.0, hidden_irreps: 16x0e+16x1o, l_max: 2, layers: 2, correlation: 2, radial_mlp: [16]",
             "augmentation: none", 0.01),
    "tdn_rank_7": (f"{TDN}, coupling: cp, cp_rank: 7", "augmentation: none", 0.002),
}
SAME_COST = 0.1  # steps that cost this close to the same are the same
CONFIG = """data:
  train: {train}
  validation: {{fraction: 0.05, seed: 1, by: structure}}
  isolated_atoms: {isolated_atoms}
model: {{{model}}}
loss: {{energy: 10, forces: 100}}
equivariance: {{{equivariance}}}
optimiser: {{kind: adam, learning_rate: {rate}, amsgrad: false, gradient_clip: 100}}
schedule: {{kind: cosine, minimum: 1.0e-6, warmup_steps: 50}}
ema: {{decay: 0.99}}
batch: {{structures: 8}}
steps: {steps}
seed: {seed}
precision: single
validate_every: {validate_every} steps
output: {name}.h5
"""


def train(options, variant, steps, seed, name):
    model, equivariance, rate = VARIANTS[variant]
    text = CONFIG.format(train=options.train, isolated_atoms=options.isolated_atoms, model=model, equivariance=equivariance,
                         steps=steps, seed=seed, name=name, rate=rate, validate_every=max(1, steps // 20))
    (options.folder / f"{name}.yaml").write_text(text)
    subprocess.run([options.isotrope, "train", f"{name}.yaml", "--overwrite"], cwd=options.folder, check=True, capture_output=True)


def cpu_per_step(options, variant):
    """Seconds, from the difference of two short runs."""
    used = []
    for steps in (100, 400):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        train(options, variant, steps, 1, "cost")
        used.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return (used[1] - used[0]) / 300


def run(options, job):
    variant, steps, seed, name = job
    if not (options.folder / f"{name}.orbit.json").exists():
        train(options, variant, steps, seed, name)
        for command in (["evaluate", f"{name}.h5", options.test, "--json", f"{name}.eval.json"],
                        ["orbit", f"{name}.h5", options.test, "--step", "30", "--json", f"{name}.orbit.json"]):
            subprocess.run([options.isotrope, *command], cwd=options.folder, check=True, capture_output=True)


def results(folder, name):
    """Errors of energy (meV/atom) and force (meV/Å), and the differences over the orbit (meV, meV/Å)."""
    errors = json.loads((folder / f"{name}.eval.json").read_text())
    orbit = json.loads((folder / f"{name}.orbit.json").read_text())["groups"]["rotation"]
    return [1e3 * x for x in (errors["energy_mae_ev_per_atom"], errors["force_mae_ev_per_angstrom"], orbit["energy_ev"]["mean"],
                              orbit["force_ev_per_angstrom"]["mean"])]


def print_table(options, budgets):
    print("| | steps | seeds | energy, meV/atom | forces, meV/Å | orbit, energy, meV | orbit, forces, meV/Å |\n|---|---|---|---|---|---|---|")
    for (variant, tag), steps in budgets.items():
        found = [results(options.folder, name) for seed in options.seeds
                 if (options.folder / f"{(name := f'{variant}_{tag}_{seed}')}.orbit.json").exists()]
        if found:
            cells = [f"{statistics.mean(column):.3g}" + (f" ± {statistics.stdev(column):.2g}" if len(column) > 1 else "")
                     for column in zip(*found)]
            print(f"| {variant}, equal {tag} | {steps} | {len(found)} | {' | '.join(cells)} |")


def existing(path):
    """Absolute, because the training files lie in a folder of their own."""
    return pathlib.Path(path).resolve(strict=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("isotrope", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--train", type=existing, default=ROOT / "data/ethanol_train.h5", help="data set")
    parser.add_argument("--test", type=existing, default=ROOT / "data/ethanol_test.h5", help="data set")
    parser.add_argument("--isolated-atoms", default=ROOT / "data/isolated_atoms_b3lyp.h5",
                        help="data set (an absolute path), or least_squares")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    costs = options.folder / "cpu_seconds_per_step.json"
    cost = json.loads(costs.read_text()) if costs.exists() else {}
    for variant in ["transip_pooled", *options.variants]:
        if variant not in cost and not options.table:
            cost[variant] = cpu_per_step(options, variant)
            costs.write_text(json.dumps(cost))
    print("ms a step:", ", ".join(f"{variant} {1e3 * seconds:.1f}" for variant, seconds in cost.items()))
    budgets = {(variant, "steps"): options.steps for variant in options.variants}
    ratio = {v: cost["transip_pooled"] / cost[v] for v in options.variants if v in cost}
    budgets |= {(v, "time"): round(options.steps * ratio[v]) for v in ratio if abs(ratio[v] - 1) > SAME_COST}
    jobs = [(variant, steps, seed, f"{variant}_{tag}_{seed}") for seed in options.seeds for (variant, tag), steps in budgets.items()]
    if options.table:
        jobs = []
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        list(pool.map(lambda job: run(options, job), jobs))
    print_table(options, budgets)


if __name__ == "__main__":
    main()
