# SPDX-License-Identifier: MIT
import json
import subprocess
import sys

from support import SOURCE, CommandLineTest, main

SMALL = ["--batch", 37, "--repeats", 1, "--l-max", 2]


class TestTensorProducts(CommandLineTest):
    def test_keys(self):
        result = self.json_of("tensor-products", *SMALL, "--setting", "mimo", "--json")
        self.assertEqual(result["batch"], 37)
        self.assertEqual(result["precision"], "single")
        rows = {(row["product"], row["setting"], row["L"]): row for row in result["rows"]}
        self.assertEqual(len(rows), len(result["rows"]))
        self.assertEqual(len(rows), 12 * 2)
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
        for row in result["rows"]:
            self.assertGreater(row["milliseconds"], 0)
            self.assertLessEqual(row["milliseconds"], row["median_milliseconds"])
            self.assertLess(row["rotation_error"], 1e-5)
            self.assertLess(row["rotation_error_double"], 1e-10)

    def test_natural_outputs_and_sample(self):
        """Blocks of the natural product are those of the full one with l1 + l2 + l3 even, sorted by l; a sample has both."""
        rows = self.json_of("tensor-products", "--batch", 40, "--repeats", 1, "--l-min", 2, "--l-max", 2, "--product",
                            "clebsch-gordan-full,clebsch-gordan-natural", "--setting", "mimo", "--sample", "--json")["rows"]
        full, natural = rows
        self.assertEqual(natural["outputs"], 3 + 4 * 3 + 4 * 5 + 2 * 7 + 9)
        self.assertEqual(full["sample"]["x"], natural["sample"]["x"])
        self.assertEqual(len(full["sample"]["z"]), 81)
        kept, at = [], 0
        for block in full["out"].split("+"):
            l = int(block[2:-1])
            if block[-1] == "eo"[l % 2]:
                kept += full["sample"]["z"][at:at + 2 * l + 1]
            at += 2 * l + 1
        self.assertEqual(natural["sample"]["z"], kept)
        self.assertNotIn("sample", self.json_of("tensor-products", *SMALL, "--product", "gaunt-grid", "--json")["rows"][0])

    def test_settings(self):
        result = self.json_of("tensor-products", "--batch", 5, "--repeats", 1, "--l-min", 3, "--l-max", 3, "--product",
                              "gaunt-grid,vector-gaunt", "--setting", "siso,simo", "--json")
        out = {(row["product"], row["setting"]): row["out"] for row in result["rows"]}
        self.assertEqual(out, {("gaunt-grid", "siso"): "1x2e", ("gaunt-grid", "simo"): "1x0e+1x2e",
                               ("vector-gaunt", "siso"): "1x3e", ("vector-gaunt", "simo"): "1x1e+1x3e"})

    def test_table_and_picture(self):
        done = self.run_isotrope("tensor-products", *SMALL, "--product", "gaunt-grid,cp", "--setting", "mimo", "--json",
                                 "out.json")
        self.assertRegex(done.stdout, r"\ngaunt-grid +mimo +1 +4 +\d+ +\d+ +\d+ +[0-9.]+ +4 +4 +4 +\d")
        self.assertEqual(len(json.loads((self.folder / "out.json").read_text())["rows"]), 4)
        peers = [{"outputs": "full", "setting": "mimo", "L": L, "numbers": (L + 1) ** 4, "ours": {"clebsch-gordan-full": 0.2},
                  "peers": {"e3nn": {"ms": L}, "e3nn-jax": {"failed": "no"}}} for L in (2, 1)]
        self.write("peers.json", json.dumps({"rows": peers}))
        subprocess.run([sys.executable, SOURCE / "scripts/plot_tensor_products.py", "out.json", "--peers", "peers.json"],
                       cwd=self.folder, check=True, capture_output=True)
        self.assertTrue((self.folder / "tensor_products.png").read_bytes().startswith(b"\x89PNG"))
        tables = subprocess.run([sys.executable, SOURCE / "scripts/time_tensor_products.py", "--json", "peers.json", "--l-min",
                                 "2", "--l-max", "1"], cwd=self.folder, check=True, capture_output=True, text=True).stdout
        self.assertIn("| 1 | 16 | 0.200 | 1.00 | 5.0 | – | – |\n| 2 | 81 | 0.200 | 2.00 | 10.0 | – | – |\n", tables)

    def test_errors(self):
        self.assert_error("--product: there is no 'gaunt-gird'; did you mean 'gaunt-grid'?", "tensor-products", "--product",
                          "gaunt-gird")
        self.assert_error("--setting: expected siso, simo or mimo, found 'all'", "tensor-products", "--setting", "all")
        self.assert_error("--l-min and --l-max: expected 1 <= l_min <= l_max <= 8, found 1 and 9", "tensor-products",
                          "--l-max", 9)
        self.assert_error("--batch: expected 1 or more, found 0", "tensor-products", "--batch", 0)
        self.assert_error("--repeats: expected 1 or more, found 0", "tensor-products", "--repeats", 0)


main()
