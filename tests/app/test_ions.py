# SPDX-License-Identifier: MIT
"""Charge and multiplicity from the data to the answer: a potential trained on molecules, ions and radicals tells them apart."""
import h5py

from support import SOURCE, CommandLineTest, main

CONFIG = """data:
  train: [{source}/data/omol_level.h5, {source}/data/omol_ions.h5]
  validation: none
  isolated_atoms: {source}/data/isolated_atoms_omol_level.h5
model: {{architecture: transip, width: 48, layers: 2, heads: 1, hidden: 96}}
loss: {{energy: 10, forces: 1}}
optimiser: {{kind: adam, learning_rate: 0.01}}
schedule: {{kind: cosine, minimum: 1.0e-5}}
batch: {{structures: 16}}
steps: 500
seed: 1
precision: single
output: ions.h5
"""


class TestIons(CommandLineTest):
    def snapshots(self):
        """name -> numbers, positions, charge, multiplicity, energy, of the ions and the molecules that they belong to."""
        found = {}
        for name in ("omol_level", "omol_ions"):
            with h5py.File(SOURCE / f"data/{name}.h5") as file:
                for i, (a, b) in enumerate(zip(file["offsets"][:], file["offsets"][1:])):
                    kind = file["config_type_names"][file["config_type"][i]].decode()
                    charge = int(file["charge"][i])
                    kind = kind.strip("+-") + {1: "+", 0: "", -1: "-"}[charge]
                    found.setdefault(kind, (file["numbers"][a:b], file["positions"][a:b], charge, int(file["multiplicity"][i]),
                                            float(file["energy"][i])))
        return found

    def error(self, structure, charge, multiplicity, energy):
        """|E - energy| of the structure with that charge and multiplicity, eV."""
        symbols = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}
        numbers, positions = structure[:2]
        rows = "".join(f"{symbols[z]} {x:.12f} {y:.12f} {w:.12f}\n" for z, (x, y, w) in zip(numbers, positions))
        self.write("one.xyz", f"{len(numbers)}\nProperties=species:S:1:pos:R:3 energy={energy} charge={charge} "
                              f"multiplicity={multiplicity}\n{rows}")
        return len(numbers) * self.json_of("evaluate", "ions.h5", "one.xyz", "--json")["energy_mae_ev_per_atom"]

    def test_a_trained_potential_tells_them_apart(self):
        self.write("ions.yaml", CONFIG.format(source=SOURCE))
        self.run_isotrope("train", "ions.yaml")
        info = self.json_of("info", "ions.h5", "--json")
        self.assertEqual((info["charges"], info["multiplicities"]), ([-1, 0, 1], [1, 2, 3]))
        known = self.snapshots()
        for neutral, ion in [("NO", "NO+"), ("H2O", "H2O+"), ("CO", "CO+")]:
            difference = abs(known[neutral][4] - known[ion][4])
            self.assertGreater(difference, 9)
            with self.subTest(ion=ion):
                # The geometry of the ion hardly differs: it is charge and multiplicity that say which energy it has.
                for kind in (neutral, ion):
                    self.assertLess(self.error(known[ion], *known[kind][2:]), difference / 4)

    def test_what_it_was_not_made_for(self):
        self.write("ions.yaml", CONFIG.format(source=SOURCE).replace("steps: 500", "steps: 1"))
        self.run_isotrope("train", "ions.yaml")
        self.write("odd.xyz", "1\ncharge=2 multiplicity=1\nO 0 0 0\n")
        self.assert_error("odd.xyz: structure 0 has the charge 2, which the model does not know: it was made for -1, 0, 1",
                          "evaluate", "ions.h5", "odd.xyz")
        self.write("none.xyz", "1\n\nO 0 0 0\n")
        self.assert_error("none.xyz: structure 0 has no charge, which the model reads: `isotrope convert --charge Q "
                          "--multiplicity M` gives structures what they lack", "evaluate", "ions.h5", "none.xyz")


main()
