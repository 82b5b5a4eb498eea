#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ways to an (approximately) equivariant potential of ethanol beside each other: errors on independent trajectories and
errors over the orbit of rotations, at equal steps and at equal CPU time (docs/equivariance.md).

    .venv/bin/python scripts/compare_equivariance.py build/isotrope FOLDER [--steps 1500] [--seeds 1 2 3] [--at-once 2]

Equal time is that of `frames`, the dearest: the steps of the others are multiplied by the ratio of CPU times a step, which
are measured first. Runs that FOLDER has already are not repeated; the table is printed at the end, of what there is.
"""
import argparse
import concurrent.futures
import json
import pathlib
import resource
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRANSIP = "architecture: transip, width: 48, layers: 2, heads: 1, hidden: 96"
LATENT = "augmentation: rotation, latent_weight: 1.0, latent: "
# name -> section model, section equivariance
VARIANTS = {
    "transaug": (TRANSIP, "augmentation: rotation"),
    "transip_pooled": (f"{TRANSIP}, latent_hidden: 48", f"{LATENT}pooled"),
    "transip_per_atom": (f"{TRANSIP}, latent_hidden: 48", f"{LATENT}per_atom"),
    "frames": (f"{TRANSIP}, frames: so3", "augmentation: none"),
    "local": (f"{TRANSIP}, cutoff: 5.0", "augmentation: rotation"),
    "mace": ("architecture: mace, cutoff: 5.0, hidden_irreps: 16x0e+16x1o, l_max: 2, layers: 2, correlation: 2, radial_mlp: [16]",
             "augmentation: none"),
}
CONFIG = """data:
  train: {root}/data/ethanol_train.h5
  validation: {{fraction: 0.05, seed: 1, by: structure}}
  isolated_atoms: {root}/data/isolated_atoms_b3lyp.h5
model: {{{model}}}
loss: {{energy: 10, forces: 100}}
equivariance: {{{equivariance}}}
optimiser: {{kind: adam, learning_rate: {rate}, gradient_clip: 100}}
schedule: {{kind: cosine, minimum: 1.0e-6, warmup_steps: 50}}
ema: {{decay: 0.99}}
batch: {{structures: 8}}
steps: {steps}
seed: {seed}
precision: single
output: {name}.h5
"""


def train(options, variant, steps, seed, name):
    model, equivariance = VARIANTS[variant]
    text = CONFIG.format(root=ROOT, model=model, equivariance=equivariance, steps=steps, seed=seed, name=name, rate=options.rate)
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
        test = ROOT / "data/ethanol_test.h5"
        for command in (["evaluate", f"{name}.h5", test, "--json", f"{name}.eval.json"],
                        ["orbit", f"{name}.h5", test, "--step", "30", "--json", f"{name}.orbit.json"]):
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("isotrope", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rate", type=float, default=0.01, help="learning rate")
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    costs = options.folder / "cpu_seconds_per_step.json"
    if not costs.exists():
        costs.write_text(json.dumps({variant: cpu_per_step(options, variant) for variant in VARIANTS}))
    cost = json.loads(costs.read_text())
    budgets = {(variant, "steps"): options.steps for variant in VARIANTS}
    budgets |= {(v, "time"): round(options.steps * cost["frames"] / cost[v]) for v in VARIANTS if v != "frames"}
    jobs = [(variant, steps, seed, f"{variant}_{tag}_{seed}") for seed in options.seeds for (variant, tag), steps in budgets.items()]
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        list(pool.map(lambda job: run(options, job), jobs))
    print_table(options, budgets)


if __name__ == "__main__":
    main()
