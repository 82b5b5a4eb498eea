// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <string_view>

namespace isotrope {

inline constexpr int number_of_elements = 118;

/// "H" for 1, ..., "Og" for 118; throws for any other number.
const std::string& element_symbol(int atomic_number);

/// 6 for "C"; throws for what is not an element's symbol (upper and lower case matter), and names the symbol meant
/// where only the case is wrong.
int atomic_number(std::string_view symbol);

/// The number itself; throws where it is not 1 to 118.
int checked_atomic_number(int number);

/// Standard atomic weight in u (IUPAC 2016, conventional values where it gives an interval; the mass of the
/// longest-lived isotope for elements without one).
double atomic_mass(int atomic_number);

/// What is wrong with a multiplicity 2S+1 for a number of electrons, in words; empty where they agree: both odd or both
/// even, and no more unpaired electrons than there are.
std::string spin_problem(long electrons, int charge, int multiplicity);

}  // namespace isotrope
