# SPDX-License-Identifier: MIT
"""Every shipped potential: its card is complete, its errors on held-out DFT are those that the card states, its physics holds."""
import json
import math

from support import SOURCE, CommandLineTest, main

POTENTIALS = sorted((SOURCE / "potentials").glob("*.h5"))


class TestPotentials(CommandLineTest):
    def test_there_are_potentials(self):
        self.assertTrue(POTENTIALS)

    def test_errors_are_those_of_the_card(self):
        for model in POTENTIALS:
            with self.subTest(model.name):
                stated = json.loads(model.with_suffix(".json").read_text())
                data = SOURCE / stated["data"]
                self.compare_errors(stated["errors"], self.json_of("evaluate", model, data, "--precision", "double", "--json"))
                if "direct" in self.kinds_of_forces(model):
                    found = self.json_of("evaluate", model, data, "--precision", "double", "--forces", "direct", "--json")
                    self.compare_errors(stated["errors_of_direct_forces"], found)

    def compare_errors(self, stated, found):
        groups = [(stated, found)]
        groups += [(stated["groups"][name], found["groups"][name]) for name in stated["groups"]]
        for expected, measured in groups:
            for key in ("energy_mae_ev_per_atom", "force_mae_ev_per_angstrom", "force_rmse_ev_per_angstrom"):
                self.assertLessEqual(abs(measured[key] - expected[key]), 1e-6 * abs(expected[key]), key)
                self.assertTrue(math.isfinite(expected[key]))

    def kinds_of_forces(self, model):
        return self.json_of("info", model, "--json")["forces"]

    def test_card_names_what_it_must(self):
        for model in POTENTIALS:
            with self.subTest(model.name):
                info = self.json_of("info", model, "--json")
                card = model.with_suffix(".md").read_text()
                for needed in (info["content_hash"], "Level of theory", "isotrope train", "meV/Å"):
                    self.assertIn(needed, card)
                self.assertTrue(model.with_suffix(".yaml").exists())

    def test_physics(self):
        for model in POTENTIALS:
            with self.subTest(model.name):
                stated = json.loads(model.with_suffix(".json").read_text())
                for forces in self.kinds_of_forces(model):
                    self.run_isotrope("check", model, SOURCE / stated["data"], "--structures", "3", "--forces", forces)

    def test_ethanol_is_as_good_as_promised(self):
        stated = json.loads((SOURCE / "potentials/ethanol_b3lyp.json").read_text())
        self.assertLessEqual(stated["errors"]["groups"]["300K"]["force_mae_ev_per_angstrom"], 0.010)


if __name__ == "__main__":
    main()
