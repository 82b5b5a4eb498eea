#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares isotrope with the programs whose models it runs, and with those that run the same models: installs them by
# pip into environments of their own (sevenn and mace-torch need different releases of e3nn), converts models, compares
# numbers, times all, and writes the tables of docs/performance.md.
#
#   scripts/test_peers.sh [FOLDER]      FOLDER (out/peers): environments, converted models, sevennet.md, mace.md
#   SEVENN=a/bin/python MACE=b/bin/python ISOTROPE=c/isotrope scripts/test_peers.sh      with what is there already
#
# symmetrix-xl compiles for each model and needs a C++ compiler; where pip has none for this processor, its column stays
# empty. Needs the network for pip, 6 GB of disk; takes about an hour on one core, alone on the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-out/peers}
isotrope=${ISOTROPE:-build/isotrope}
[[ -x $isotrope ]] || { echo "test_peers: no $isotrope: run scripts/setup.sh first" >&2; exit 1; }

# environment NAME MODULES PACKAGE...: sets `python` to one that can import the modules.
environment() {
  local name=$1 modules=$2
  shift 2
  python=$folder/$name/bin/python
  "$python" -c "import $modules" 2>/dev/null && return
  echo "test_peers: installing $1 into $folder/$name"
  python3 -m venv --clear "$folder/$name"
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
}
mkdir -p "$folder"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONWARNINGS=ignore

if [[ -z ${MACE:-} ]]; then
  environment mace-env 'mace, h5py, xxhash' 'mace-torch==0.3.16' h5py xxhash
  symmetrix=('symmetrix-xl==0.1.*')
  grep -q avx512f /proc/cpuinfo && symmetrix+=('symmetrix-xl-cpu-avx512==0.1.*')
  "$python" -c 'import symmetrix' 2>/dev/null || "$folder/mace-env/bin/pip" install --quiet "${symmetrix[@]}" ||
    echo "test_peers: no symmetrix-xl for this processor and Python"
  MACE=$python
fi
"$MACE" tests/reference/mace_importer.py "$isotrope"
"$MACE" scripts/compare_mace.py "$folder" --isotrope "$isotrope"

if [[ -z ${SEVENN:-} ]]; then
  environment sevenn-env 'sevenn, h5py, xxhash' 'sevenn==0.13.*' h5py xxhash
  SEVENN=$python
fi
"$SEVENN" scripts/compare_sevennet.py "$folder" --isotrope "$isotrope"
