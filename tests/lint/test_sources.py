# SPDX-License-Identifier: MIT
"""Rules that a regular expression can see. Each test names the file and line, and says what to do instead."""
import re
import unittest

from sources import CPP, ROOT, files, without_comments

LONGEST = 450  # lines of a file
MACHINE_PATHS = r"(?<![\w.$}])/(?:home|root|work|Users|mnt|scratch)/\w"


def find(pattern, paths, strip=True):
    """["file:line: text"] of every match."""
    found = []
    for path in paths:
        text = (ROOT / path).read_text(encoding="utf-8")
        if strip and path.suffix in CPP:
            text = without_comments(text)
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def below(path, *folders):
    return any(str(path).startswith(folder) for folder in folders)


class Sources(unittest.TestCase):
    def nothing(self, found, instead):
        self.assertFalse(found, f"{instead}\n" + "\n".join(found))

    def test_the_rules_see_what_they_look_for(self):
        """A pattern that matches nothing would let everything pass."""
        self.assertGreater(len(files(*CPP, under=["src"])), 20)
        self.assertTrue(find(r"\bH5[A-Z]+[a-z]\w*\s*\(", files(".cpp", under=["src/io"])))
        self.assertTrue(find(r"\bMPI_[A-Z]\w+", files(".cpp", under=["src/parallel"])))
        self.assertTrue(re.search(MACHINE_PATHS, 'open("/home/me/data")'))
        self.assertFalse(re.search(MACHINE_PATHS, "mirror/work/x and $HOME/root/y"))
        self.assertEqual(without_comments('a("//"); // b\nc /* d\n */ e'), 'a("//"); \nc \n e')

    def test_hdf5_is_called_in_one_place(self):
        paths = [path for path in files(*CPP, under=["src", "pair_styles"]) if str(path) != "src/io/hdf5.cpp"]
        self.nothing(find(r"\bH5[A-Z]+[a-z]\w*\s*\(|#include <hdf5", paths), "use io/hdf5.hpp instead of HDF5's functions")

    def test_mpi_is_called_in_two_places(self):
        paths = [path for path in files(*CPP, under=["src"]) if not str(path).startswith("src/parallel/communicator.")]
        self.nothing(find(r"\bMPI_[A-Z]\w+|#include <mpi", paths), "use parallel/communicator.hpp instead of MPI's functions")

    def test_the_library_does_not_print(self):
        paths = [path for path in files(*CPP, under=["src"]) if not below(path, "src/app/", "src/core/log", "src/core/progress")]
        self.nothing(find(r'\bprintf\s*\(|\bputs\s*\(|\bstd::(cout|cerr|clog)\b|\bfmt::print\s*\(\s*("|stdout)', paths),
                     "use log() of core/log.hpp")

    def test_kernels_have_names(self):
        """Labels make profiles readable; the prefix tells ours from those of a host program."""
        plain, ours = r"\bparallel_(?:for|reduce|scan)\s*\(\s*", r"\b(?:for_each|for_channels|for_teams)\s*\(\s*"
        paths = [path for path in files(*CPP, under=["src", "pair_styles"]) if path.name != "loops.hpp"]
        found, kernels = [], 0
        for path in paths:
            text = without_comments((ROOT / path).read_text(encoding="utf-8"))
            # Readers have loops of their own that are called for_each.
            call = plain + "|" + ours if below(path, "src/core", "src/so3", "src/layers", "src/models") else plain
            for match in re.finditer(call, text):
                kernels += 1
                if text[:match.start()].endswith("std::") or text[match.end():].startswith('"isotrope::'):
                    continue
                found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {text[match.start():match.end() + 30]!r}")
        self.assertGreater(kernels, 10)
        self.nothing(found, 'the first argument of a kernel is its label, "isotrope::topic::what"')

    def test_every_source_states_its_licence(self):
        missing = []
        for path in files(*CPP, ".py", ".sh", ".cmake") + files(under=["pair_styles", ".ci"]):
            if path.suffix == ".map" or path.name == "LICENSE":
                continue
            expected = "GPL-2.0-only" if below(path, "pair_styles/") else "MIT"
            if f"SPDX-License-Identifier: {expected}" not in (ROOT / path).read_text(encoding="utf-8")[:300]:
                missing.append(f"{path}: {expected}")
        self.nothing(missing, "begin the file with: SPDX-License-Identifier: (pair_styles/ is GPL, all else MIT)")

    def test_no_paths_of_a_machine(self):
        paths = [path for path in files(*CPP, ".py", ".sh", ".cmake", ".txt", ".md", ".yaml", "") if path.name != "test_sources.py"]
        paths += [path.relative_to(ROOT) for path in ROOT.glob("*.md")]
        self.nothing(find(MACHINE_PATHS, paths, strip=False), "paths are relative to the repository")

    def test_files_are_short(self):
        long = [f"{path}: {count} lines" for path in files(*CPP, ".py", ".sh")
                if (count := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > LONGEST]
        self.nothing(long, f"a file of more than {LONGEST} lines holds more than one topic: split it")


if __name__ == "__main__":
    unittest.main()
