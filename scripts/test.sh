#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sets up, builds and runs every test. Arguments go to ctest: scripts/test.sh -R lammps
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
scripts/format.sh --check
exec ctest --test-dir build --output-on-failure --parallel 2 "$@"
