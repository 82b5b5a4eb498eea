#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares isotrope with the programs whose models it runs: installs them by pip into an environment of their own,
# converts their public models, compares numbers, times both, and writes the tables of docs/performance.md.
#
#   scripts/test_peers.sh [FOLDER]      FOLDER (out/peers): environment, converted models, sevennet.md
#   PYTHON=peers/bin/python scripts/test_peers.sh      with an environment that is there already
#
# Needs build/isotrope, the network for pip, 3 GB of disk; takes about an hour on one core, alone on the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-out/peers}
[[ -x build/isotrope ]] || { echo "test_peers: no build/isotrope: run scripts/setup.sh first" >&2; exit 1; }
if [[ -z ${PYTHON:-} ]]; then
  PYTHON=$folder/env/bin/python
  if ! "$PYTHON" -c 'import sevenn, h5py, xxhash' 2>/dev/null; then
    echo "test_peers: installing sevenn into $folder/env"
    python3 -m venv --clear "$folder/env"
    "$folder/env/bin/pip" install --quiet --disable-pip-version-check 'sevenn==0.13.*' h5py xxhash
  fi
fi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONWARNINGS=ignore
"$PYTHON" scripts/compare_sevennet.py "$folder"
