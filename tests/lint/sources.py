# SPDX-License-Identifier: MIT
"""Which files the rules are about."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["src", "pair_styles", "tests", "benchmarks", "scripts", "examples", "cmake", ".ci", "docs"]
CPP = {".cpp", ".hpp", ".h", ".ipp"}


def files(*suffixes, under=FOLDERS):
    """Paths relative to the repository, sorted."""
    return sorted(path.relative_to(ROOT) for folder in under for path in (ROOT / folder).rglob("*")
                  if path.is_file() and "__pycache__" not in path.parts and (not suffixes or path.suffix in suffixes))


def without_comments(text):
    """C++ without comments, with the same line breaks; string literals stay."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/'
    keep = lambda match: match[0] if match[0][0] in "\"'" else "\n" * match[0].count("\n")
    return re.sub(pattern, keep, text, flags=re.DOTALL)
