# SPDX-License-Identifier: MIT
import json
import subprocess
import sys

from support import SOURCE, CommandLineTest, main

SMALL = ["--batch", 37, "--repeats", 1, "--l-max", 2]


class TestTensorProducts(CommandLineTest):
    def test_keys(self):
        result = self.json_of("tensor-products", *SMALL, "--json")
        self.assertEqual(result["batch"], 37)
        self.assertEqual(result["precision"], "single")
        rows = {(row["product"], row["setting"], row["L"]): row for row in result["rows"]}
        self.assertEqual(len(rows), len(result["rows"]))
        self.assertEqual(len(rows), 8 * 3 * 2)
        full = rows["clebsch-gordan-full", "mimo", 2]
        self.assertEqual(full["outputs"], 81)
        self.assertEqual(full["batch_bytes"], 37 * 4 * (9 + 9 + 81))
        self.assertEqual(full["flops"], 2 * 37 * full["multiplications"])
        exact = rows["clebsch-gordan", "mimo", 2]
        self.assertEqual((exact["paths"], exact["interactable"], exact["expressivity"], exact["span"]), (15, 15, 15, 15))
        self.assertEqual(exact["out"], "1x0e+1x1o+1x1e+1x2e+1x2o")
        gaunt = rows["gaunt-grid", "mimo", 2]
        self.assertEqual((gaunt["expressivity"], gaunt["weights"]), (7, 9))
        self.assertLess(gaunt["interactable"], 15)
        self.assertEqual(rows["gaunt-grid", "siso", 1]["out"], "1x0e")
        for row in result["rows"]:
            self.assertGreater(row["milliseconds"], 0)
            self.assertLessEqual(row["milliseconds"], row["median_milliseconds"])
            self.assertLess(row["rotation_error"], 1e-5)
            self.assertLess(row["rotation_error_double"], 1e-10)

    def test_table_and_picture(self):
        done = self.run_isotrope("tensor-products", *SMALL, "--product", "gaunt-grid,cp", "--setting", "mimo", "--json",
                                 "out.json")
        self.assertRegex(done.stdout, r"\ngaunt-grid +mimo +1 +4 +\d+ +\d+ +\d+ +[0-9.]+ +4 +4 +4 +\d")
        self.assertEqual(len(json.loads((self.folder / "out.json").read_text())["rows"]), 4)
        self.write("peers.jsonl", '{"L": 1, "e3nn_full": 0.9}\n{"L": 2, "e3nn_full": 3.3, "jax_full": null}\n')
        subprocess.run([sys.executable, SOURCE / "scripts/plot_tensor_products.py", "out.json", "--peers", "peers.jsonl"],
                       cwd=self.folder, check=True, capture_output=True)
        self.assertTrue((self.folder / "tensor_products.png").read_bytes().startswith(b"\x89PNG"))

    def test_errors(self):
        self.assert_error("--product: there is no 'gaunt-gird'; did you mean 'gaunt-grid'?", "tensor-products", "--product",
                          "gaunt-gird")
        self.assert_error("--setting: expected siso, simo or mimo, found 'all'", "tensor-products", "--setting", "all")
        self.assert_error("--l-min and --l-max: expected 1 <= l_min <= l_max <= 8, found 1 and 9", "tensor-products",
                          "--l-max", 9)
        self.assert_error("--batch: expected 1 or more, found 0", "tensor-products", "--batch", 0)
        self.assert_error("--repeats: expected 1 or more, found 0", "tensor-products", "--repeats", 0)


main()
