# SPDX-License-Identifier: MIT
import json

from support import SOURCE, CommandLineTest, main

MODEL = SOURCE / "tests/data/mace/l1_c12.h5"
DATA = SOURCE / "data/ethanol_test.h5"
NAMES = ["forces", "stress", "rotation", "reflection", "permutation", "translation", "extensivity", "net force", "cutoff",
         "isolated atoms", "radial tables"]


class TestCheck(CommandLineTest):
    def test_a_sound_model_passes(self):
        done = self.run_isotrope("check", MODEL, DATA, "--structures", 3, "--json", "checks.json")
        result = json.loads((self.folder / "checks.json").read_text())
        self.assertTrue(result["passed"])
        self.assertEqual(result["structures"], 3)
        self.assertEqual([check["name"] for check in result["checks"]], NAMES)
        for check in [*result["checks"][:-2], result["checks"][-1]]:
            self.assertEqual(check["verdict"], "pass", check)
            self.assertLessEqual(check["value"], check["bound"])
        self.assertEqual(result["checks"][-2]["verdict"], "note")  # this model has a shift
        self.assertLessEqual(result["checks"][0]["value"], 1e-7)
        self.assertTrue(0 < result["checks"][-1]["value"] <= 1e-5)  # eV/Å: the tables are there, and close
        for name in NAMES:
            self.assertRegex(done.stdout, rf"\n{name} .*(pass|note)")

    def test_single_precision(self):
        result = self.json_of("check", MODEL, DATA, "--precision", "single", "--structures", 2, "--json")
        self.assertTrue(result["passed"])
        self.assertEqual(result["precision"], "single")

    def test_extended_xyz(self):
        self.write("water.xyz", "1\nconfig_type=IsolatedAtom\nO 0 0 0\n3\n\nO 0 0 0\nH 0 0.8 0.5\nH 0 -0.8 0.5\n")
        result = self.json_of("check", MODEL, "water.xyz", "--json")
        self.assertTrue(result["passed"])
        self.assertEqual(result["structures"], 1)

    def test_bad_input(self):
        self.write("atom.xyz", "1\n\nO 0 0 0\n")
        self.assert_error("atom.xyz: expected structures of two atoms or more, found none", "check", MODEL, "atom.xyz")
        self.write("salt.xyz", "2\n\nNa 0 0 0\nCl 0 0 2.4\n")
        self.assert_error("salt.xyz: structure 0 has the element Na, which the model does not know: it was "
                          "made for H, C, N, O", "check", MODEL, "salt.xyz")
        self.assert_error("--structures: expected 1 or more, found 0", "check", MODEL, DATA, "--structures", 0)


main()
