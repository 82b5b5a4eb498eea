#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Formats all C++ sources, or with --check only says which are not formatted. clang-format 14: other versions differ.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

format=$(command -v clang-format-14 || command -v clang-format) || { echo "format: clang-format-14 is not installed" >&2; exit 1; }
version=$("$format" --version)
[[ $version == *"version 14."* ]] || { echo "format: expected clang-format 14, found '$version'; install clang-format-14" >&2; exit 1; }

sources() { find . \( -path './build*' -o -path './.*' \) -prune -o -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.ipp' \) -print0; }
case "${1:-}" in
  "") sources | xargs -0 "$format" -i ;;
  --check) sources | xargs -0 "$format" --dry-run -Werror || { echo "format: run scripts/format.sh" >&2; exit 1; } ;;
  *) echo "usage: scripts/format.sh [--check]" >&2; exit 1 ;;
esac
