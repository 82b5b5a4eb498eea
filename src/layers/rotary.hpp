// SPDX-License-Identifier: MIT
#pragma once
#include "layers/attention.hpp"

/// Rotary embedding of positions (Su et al. 2021) in three dimensions: channels j and j + D/2 of a head are a pair that
/// is turned by the phase omega_f x_a. Pairs are three groups, for x, y and z, of one pair a frequency; pairs beyond
/// them are padding. Half a head is a whole number of lanes of pairs (layers/pair_lanes.hpp). Products q . k then
/// depend on differences of positions alone. Phases are in double.
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

/// The tangents alone of duals whose values have been turned, where `turns` [token][D/2] are those of the phases.
template <class T>
void rotary_turns(long tokens, const HeadShape& shape, int frequencies, const double* omega, const double* dx,
                  T* turns);
/// `way` is 1, or -1 where values have been turned back.
template <class T>
void rotate_tangents(long tokens, const HeadShape& shape, const T* cosine, const T* sine, const T* turns, int way,
                     int width, T* data);

/// The adjoint of what went in, over that of what came out; `data` is what came out. That of the phases, g_phase
/// [token][D/2] (eV), is added to; null where it is not wanted, as for duals.
template <class A>
void rotate_backward(long tokens, const HeadShape& shape, const typename A::Real* cosine, const typename A::Real* sine,
                     int width, const typename A::Real* data, typename A::Real* g, typename A::Real* g_phase);
/// g_x [token][3] (eV/Å) is added to. Of edges likewise.
template <class T>
void rotary_phases_backward(long tokens, const HeadShape& shape, int frequencies, const double* omega, const T* g_phase,
                            double* g_x);

}  // namespace isotrope
