# SPDX-License-Identifier: MIT
import re

from support import SOURCE, CommandLineTest, main


def subcommands():
    """Their names, from the table of src/app/commands.hpp."""
    table = (SOURCE / "src/app/commands.hpp").read_text().split("table = {")[1]
    return re.findall(r'\{"(\w+)",', table)


class TestMain(CommandLineTest):
    def test_version(self):
        version = re.search(r"project\(isotrope VERSION ([0-9.]+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(self.run_isotrope("--version").stdout, f"isotrope {version}\n")

    def test_help_lists_every_subcommand(self):
        names = subcommands()
        self.assertIn("convert", names)
        text = self.run_isotrope("--help").stdout
        for name in names:
            self.assertRegex(text, rf"\n  {name} +\w")

    def test_help_of_every_subcommand(self):
        for name in subcommands():
            done = self.run_isotrope(name, "--help")
            self.assertIn(f"isotrope {name}", done.stdout)
            self.assertEqual(done.stderr, "")

    def test_usage_errors(self):
        hint = " (isotrope --help lists what there is)"
        self.assert_error("A subcommand is required" + hint, status=2)
        for name in subcommands():
            done = self.run_isotrope(name, "--no-such-option", "x", status=2)
            self.assertTrue(done.stderr.startswith("isotrope: error: "), done.stderr)
        hint = " (isotrope info --help lists what there is)"
        self.assert_error("FILE is required" + hint, "info", status=2)
        self.assert_error("The following argument was not expected: --jsn" + hint, "info", "x.h5", "--jsn", status=2)


main()
