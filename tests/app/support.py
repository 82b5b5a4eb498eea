# SPDX-License-Identifier: MIT
"""What the tests of the command line share: a fresh folder a test, and isotrope run in it."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ISOTROPE = os.environ["ISOTROPE"]
SOURCE = pathlib.Path(os.environ["ISOTROPE_SOURCE"])


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="isotrope-test-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
        return path

    def run_isotrope(self, *arguments, status=0):
        """Runs isotrope in the test's folder; fails unless it exits with `status`."""
        done = subprocess.run([ISOTROPE, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, f"isotrope {arguments}:\n{done.stdout}\n{done.stderr}")
        return done

    def json_of(self, *arguments):
        """What isotrope prints on standard output, as JSON."""
        return json.loads(self.run_isotrope(*arguments).stdout)

    def assert_error(self, message, *arguments, status=1):
        """The last line on standard error is exactly this message."""
        done = self.run_isotrope(*arguments, status=status)
        self.assertEqual(done.stderr.splitlines()[-1], "isotrope: error: " + message)
        return done


def main():
    unittest.main(verbosity=2)
