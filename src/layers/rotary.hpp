// SPDX-License-Identifier: MIT
#pragma once
#include "layers/attention.hpp"

/// Rotary embedding of positions (Su et al. 2021) in three dimensions: channels j and j + D/2 of a head are a pair that
/// is turned by the phase omega_f x_a. Pairs are three groups, for x, y and z, of one pair a frequency; pairs beyond
/// them are padding. Half a head is a whole number of lanes. Products q . k then depend on differences of positions
/// alone. Phases are in double.
namespace isotrope {

/// cosine, sine [token][row][D/2] of the phases of x [token][3] (Å), with tangent dx where A has one; omega
/// [frequencies], rad/Å.
template <class A>
void rotary_phases(long tokens, const HeadShape& shape, int frequencies, const double* omega, const double* x,
                   const double* dx, typename A::Real* cosine, typename A::Real* sine);

/// Turns heads D channels of rows [token][row][width], in place.
template <class A>
void rotate(long tokens, const HeadShape& shape, const typename A::Real* cosine, const typename A::Real* sine,
            int width, typename A::Real* data);

/// The adjoint of what went in, over that of what came out; `data` is what came out. g_x [token][3] (eV/Å) is added to;
/// null where it is not wanted, as for duals.
template <class A>
void rotate_backward(long tokens, const HeadShape& shape, int frequencies, const double* omega,
                     const typename A::Real* cosine, const typename A::Real* sine, int width,
                     const typename A::Real* data, typename A::Real* g, double* g_x);

}  // namespace isotrope
