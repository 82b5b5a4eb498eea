#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The whole way in about ten minutes: sets up, builds, trains a small potential of ethanol on DFT snapshots, tests it on
# snapshots that it has not seen, and runs molecular dynamics with it in LAMMPS. Pictures are left in out/demo/.
#
#   scripts/demo.sh             trains for five minutes on two cores
#   scripts/demo.sh --quick     trains for twenty seconds: shows that everything works, not how good it gets
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

seconds=300 nve_steps=40000 nvt_steps=20000 box_steps=4000
case "${1:-}" in
  "") ;;
  --quick) seconds=20 nve_steps=4000 nvt_steps=4000 box_steps=1000 ;;
  *) echo "usage: scripts/demo.sh [--quick]" >&2; exit 1 ;;
esac
out=out/demo
bin=$root/.venv/bin
model=$out/ethanol.h5
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
mkdir -p "$out"

number=0
step() { # step TITLE FUNCTION: says what it does, and how long it took
  local begin=$SECONDS
  number=$((number + 1))
  echo
  echo "== $number. $1"
  "$2" || { echo "demo: step $number failed" >&2; exit 1; }
  echo "   ($((SECONDS - begin)) s)"
}

set_up() { scripts/setup.sh isotrope isotropeplugin; }

train() {  # the same configuration as the example, but for a time instead of a number of epochs
  sed -E -e "s|^output:.*|output: $model|" -e "s#^(epochs|steps|time_limit):.*#time_limit: $seconds#" \
    examples/02_train_ethanol/config.yaml > "$out/config.yaml" &&
  "$bin/mpirun" -n 2 build/isotrope train "$out/config.yaml" --overwrite
}

evaluate() { build/isotrope evaluate "$model" data/ethanol_test.h5 --report "$out"; }

check() { build/isotrope check "$model" data/ethanol_test.h5; }

lammps() { # lammps RANKS NAME STEPS: runs in.NAME, leaves NAME.csv and NAME.log
  (cd examples/03_lammps_ethanol && "$bin/mpirun" -n "$1" "$bin/lmp" -in "in.$2" -var plugin "$root/build/isotropeplugin.so" \
    -var model "$root/$model" -var steps "$3" -var out "$root/$out/$2.csv" -log "$root/$out/$2.log" -screen none) \
    || { tail -n 5 "$out/$2.log" >&2; return 1; }
}

# One core each for the single molecule, then both for the box.
molecular_dynamics() {
  lammps 1 nve $nve_steps & local nve=$!
  lammps 1 nvt $nvt_steps & local nvt=$!
  wait $nve && wait $nvt && lammps 2 box $box_steps || return 1
  (cd "$out" && "$bin/python" "$root/scripts/energy_drift.py" nve.csv nvt.csv box.csv)
}

pictures() {
  "$bin/python" scripts/plot_learning_curve.py "$out/ethanol.log.csv" -o "$out/learning_curve.png" &&
  "$bin/python" scripts/plot_parity.py "$out" -o "$out/parity.png" &&
  "$bin/python" scripts/plot_energy.py "$out/energy_conservation.png" \
    "$out/nve.csv=one molecule, NVE" "$out/nvt.csv=one molecule, NVT" "$out/box.csv=eight molecules, NVE, 2 ranks"
}

step "Set up and build" set_up
step "Train on 477 DFT snapshots of ethanol, $seconds s on 2 ranks" train
step "Errors on 281 snapshots of other trajectories, by temperature" evaluate
step "Check the physics: forces are derivatives of the energy, symmetries, smoothness" check
step "Molecular dynamics in LAMMPS: one molecule (NVE, NVT), eight in a periodic box (NVE, 2 ranks)" molecular_dynamics
step "Pictures" pictures
echo
echo "The potential is $model; pictures:"
ls "$out"/*.png
