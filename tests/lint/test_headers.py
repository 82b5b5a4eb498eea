# SPDX-License-Identifier: MIT
"""Every header compiles alone. A source that includes its own header first shows that each time it is built; the others
are compiled here, except those with Kokkos inside, which take too long for what they tell."""
import os
import re
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from sources import ROOT, files

SOURCE = ROOT / "src"
HEADERS = [path.relative_to("src") for path in files(".hpp", under=["src"])]


def includes(path):
    """What a file includes, in order: '"core/x.hpp"' or '<vector>'."""
    return re.findall(r'^#include (["<][^">]+[">])', (SOURCE / path).read_text(encoding="utf-8"), re.MULTILINE)


@cache
def needs_kokkos(path):
    return any("Kokkos" in name or (name[0] == '"' and needs_kokkos(name.strip('"'))) for name in includes(path))


def compile_alone(path):
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-fsyntax-only", f"-I{SOURCE}", "-x", "c++", "-"]
    return subprocess.run(command, input=f'#include "{path}"\n', capture_output=True, text=True)


class Headers(unittest.TestCase):
    def test_a_source_includes_its_own_header_first(self):
        wrong = [str(path.with_suffix(".cpp")) for path in HEADERS if (SOURCE / path).with_suffix(".cpp").exists()
                 and includes(path.with_suffix(".cpp"))[:1] != [f'"{path}"']]
        self.assertFalse(wrong, "the first #include of a source is its own header")

    def test_headers_without_a_source_compile_alone(self):
        alone = [path for path in HEADERS if not (SOURCE / path).with_suffix(".cpp").exists() and not needs_kokkos(str(path))]
        self.assertGreater(len(alone), 3)
        with ThreadPoolExecutor(2) as pool:
            for path, done in zip(alone, pool.map(compile_alone, alone)):
                with self.subTest(header=str(path)):
                    self.assertEqual(done.returncode, 0, done.stderr[:2000])


if __name__ == "__main__":
    unittest.main()
