# SPDX-License-Identifier: MIT
from support import SOURCE, CommandLineTest, main

MODEL = SOURCE / "tests/data/mace/l1_c12.h5"
DATA = SOURCE / "data/ethanol_test.h5"


class TestBenchmark(CommandLineTest):
    def test_keys(self):
        result = self.json_of("benchmark", MODEL, DATA, "--precision", "single", "--repeats", 2, "--train", "--json")
        self.assertEqual(result["precision"], "single")
        self.assertEqual(result["structures"], 23)
        self.assertEqual(result["atoms"], 207)  # the first structures with 200 atoms or more
        self.assertEqual(result["neighbours_per_atom"], 8)
        self.assertEqual(result["repeats"], 2)
        self.assertGreater(result["microseconds_per_atom"], 0)
        self.assertGreater(result["neighbour_list_microseconds_per_atom"], 0)
        self.assertLessEqual(result["microseconds_per_atom"], result["median_microseconds_per_atom"])
        self.assertLessEqual(result["train_step_microseconds_per_atom"], result["median_train_step_microseconds_per_atom"])
        self.assertGreater(result["peak_memory_bytes"], 1 << 20)

    def test_loader(self):
        result = self.json_of("benchmark", MODEL, DATA, "--repeats", 1, "--train", "--loader", "--memory", 1, "--workers", 2, "--json")
        loader = result["loader"]
        self.assertEqual(loader["structures"], 281 - 32)  # the clock starts with the first batch
        self.assertEqual(loader["atoms_per_structure"], 9)
        self.assertEqual(loader["neighbours_per_atom"], 8)
        for key in ("structures_per_second", "processor_microseconds_per_structure", "times_training_step", "seconds_to_first_batch"):
            self.assertGreater(loader[key], 0, key)
        self.assertGreater(min(loader["resident_memory_bytes"]), 1 << 20)
        text = self.run_isotrope("benchmark", MODEL, DATA, "--repeats", 1, "--loader").stdout
        self.assertRegex(text, r"loader, 1 worker: \d+ structures/s of 9.0 atoms with 8.0 neighbours \(249 in ")
        self.write("water.xyz", "3\nenergy=-2079\nO 0 0 0\nH 0 0.8 0.5\nH 0 -0.8 0.5\n")
        self.assert_error("water.xyz: --loader needs a data set; make one with isotrope convert", "benchmark", MODEL, "water.xyz",
                          "--repeats", 1, "--loader")

    def test_table(self):
        text = self.run_isotrope("benchmark", MODEL, DATA, "--repeats", 1, "--atoms", 9).stdout
        self.assertIn("1 structures of ", text)
        self.assertRegex(text, r"\nenergy and forces +[0-9.]+ +[0-9.]+\n")
        self.assertNotIn("training step", text)

    def test_bad_input(self):
        self.write("water.xyz", "3\nenergy=-2079\nO 0 0 0\nH 0 0.8 0.5\nH 0 -0.8 0.5\n")
        self.run_isotrope("benchmark", MODEL, "water.xyz", "--repeats", 1)
        self.assert_error("water.xyz: structure 0: --train needs energy and forces, found no forces", "benchmark", MODEL,
                          "water.xyz", "--repeats", 1, "--train")
        self.write("salt.xyz", "2\n\nNa 0 0 0\nCl 0 0 2.4\n")
        self.assert_error("salt.xyz: structure 0 has the element Na, which the model does not know: it was "
                          "made for H, C, N, O", "benchmark", MODEL, "salt.xyz")
        self.assert_error("--repeats: expected 1 or more, found 0", "benchmark", MODEL, DATA, "--repeats", 0)


main()
