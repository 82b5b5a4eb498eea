// SPDX-License-Identifier: MIT
#include <cctype>
#include <string>

#include "core/error.hpp"
#include "io/molecule_hdf5.hpp"

namespace isotrope {

namespace {

/// Of one atom in brackets, without them: isotope, element, chirality, hydrogens, charge, and behind a colon the class.
int charge_of_atom(const std::string& atom) {
  const std::size_t begin = atom.find_first_of("+-");
  if (begin == atom.npos) return 0;
  const char sign = atom[begin];
  int signs = 0, number = 0;
  std::size_t at = begin;
  for (; at < atom.size() && atom[at] == sign; ++at) ++signs;
  for (; at < atom.size() && std::isdigit(static_cast<unsigned char>(atom[at])) != 0 && number < 100; ++at)
    number = 10 * number + (atom[at] - '0');
  const int charge = number > 0 ? number : signs;
  return sign == '+' ? charge : -charge;
}

}  // namespace

int charge_of_smiles(const std::string& smiles, const std::string& where) {
  int charge = 0;
  for (std::size_t at = smiles.find('['); at != smiles.npos; at = smiles.find('[', at)) {
    const std::size_t end = smiles.find(']', at);
    require(end != smiles.npos, "{}: expected a SMILES, found '{}', in which a bracket does not close", where, smiles);
    const std::string atom = smiles.substr(at + 1, end - at - 1);
    charge += charge_of_atom(atom.substr(0, atom.find(':')));
    at = end;
  }
  return charge;
}

}  // namespace isotrope
