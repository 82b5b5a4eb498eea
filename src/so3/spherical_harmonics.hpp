// SPDX-License-Identifier: MIT
#pragma once
#include <Kokkos_Core.hpp>
#include <cmath>
#include <type_traits>
#include <utility>

/// Real spherical harmonics in e3nn's convention: for each l the order m = -l ... l, the polar axis is y (so l = 1 is
/// x, y, z), no Condon-Shortley phase, "component" normalisation: sum_m Y_lm^2 = 2l + 1 on the unit sphere. Y_lm is
/// element l^2 + l + m.
///
/// They are polynomials of the unit vector u: with c_m + i s_m = (u_z + i u_x)^m,
///   Y_l,m = q_lm(u_y) c_m,   Y_l,-m = q_lm(u_y) s_m,   q_lm = N_lm d^m P_l / du_y^m,
/// so nothing is singular at the poles. Usable in Kokkos kernels, over float, double, SIMD lanes and duals.
namespace isotrope {

inline constexpr int highest_l = 8;
constexpr int harmonics_size(int l_max) {
  return (l_max + 1) * (l_max + 1);
}

namespace harmonics_detail {

/// Square root at compile time (Newton; arguments here are between 1e-3 and 1e3).
constexpr double root(double a) {
  double x = a > 1 ? a : 1;
  for (int k = 0; k < 60; ++k) x = (x + a / x) / 2;
  return x;
}
/// q_lm = a (u_y q_{l-1,m} - b q_{l-2,m})
constexpr double recurrence_a(int l, int m) {
  return root((4.0 * l * l - 1) / (l * l - m * m));
}
constexpr double recurrence_b(int l, int m) {
  return root(((l - 1.0) * (l - 1) - m * m) / (4.0 * (l - 1) * (l - 1) - 1));
}
/// q_mm, a constant.
constexpr double diagonal(int m) {
  double square = 1;
  for (int k = 1; k <= m; ++k) square *= (k == 1 ? 2 : 1) * (2 * k + 1.0) / (2 * k);
  return root(square);
}
/// dq_lm/du_y = slope q_{l,m+1}
constexpr double slope(int l, int m) {
  return root((l - m) * (l + m + 1.0) * (m == 0 ? 0.5 : 1));
}

/// The stored number inside an arithmetic type: float of a SIMD register of floats, or of a dual of one.
template <class A>
struct ScalarOf {
  using type = typename A::value_type;
};
template <class A>
requires std::is_arithmetic_v<A>
struct ScalarOf<A> {
  using type = A;
};
template <class A>
requires requires(A a) {
  a.v, a.t;
}
struct ScalarOf<A> : ScalarOf<decltype(A::v)> {};
template <class A>
using Scalar = typename ScalarOf<A>::type;

template <class A>
KOKKOS_INLINE_FUNCTION A constant(double c) {
  if constexpr (requires(A a) { a.v, a.t; }) {
    return {constant<decltype(A::v)>(c), constant<decltype(A::t)>(0)};
  } else {
    return A(static_cast<Scalar<A>>(c));
  }
}

/// Place of q_lm in a triangle.
constexpr int place(int l, int m) {
  return l * (l + 1) / 2 + m;
}

template <int m, int l, class A>
KOKKOS_INLINE_FUNCTION void legendre_entry(const A& y, A* q) {
  if constexpr (l == m) {
    constexpr double c = diagonal(m);
    q[place(l, m)] = constant<A>(c);
  } else if constexpr (l == m + 1) {
    constexpr double c = recurrence_a(l, m) * diagonal(m);
    q[place(l, m)] = Scalar<A>(c) * y;
  } else {
    constexpr double a = recurrence_a(l, m), ab = a * recurrence_b(l, m);
    q[place(l, m)] = Scalar<A>(a) * y * q[place(l - 1, m)] - Scalar<A>(ab) * q[place(l - 2, m)];
  }
}
template <int m, class A, int... k>
KOKKOS_INLINE_FUNCTION void legendre_column(const A& y, A* q, std::integer_sequence<int, k...>) {
  (legendre_entry<m, m + k>(y, q), ...);
}
/// q [(L+1)(L+2)/2], c and s [L+1]
template <int L, class A, int... m>
KOKKOS_INLINE_FUNCTION void factors(const A& x, const A& y, const A& z, A* q, A* c, A* s,
                                    std::integer_sequence<int, m...>) {
  (legendre_column<m>(y, q, std::make_integer_sequence<int, L + 1 - m>{}), ...);
  c[0] = constant<A>(1);
  s[0] = constant<A>(0);
  if constexpr (L > 0) {
    c[1] = z;
    s[1] = x;
  }
  for (int k = 2; k <= L; ++k) {
    c[k] = z * c[k - 1] - x * s[k - 1];
    s[k] = z * s[k - 1] + x * c[k - 1];
  }
}

template <int L, int m, class A>
KOKKOS_INLINE_FUNCTION void store_order(const A* q, const A* c, const A* s, A* Y) {
  for (int l = m; l <= L; ++l) {
    A* centre = Y + l * l + l;
    if constexpr (m == 0) {
      centre[0] = q[place(l, 0)];
    } else {
      centre[m] = q[place(l, m)] * c[m];
      centre[-m] = q[place(l, m)] * s[m];
    }
  }
}
template <int L, class A, int... m>
KOKKOS_INLINE_FUNCTION void store_orders(const A* q, const A* c, const A* s, A* Y, std::integer_sequence<int, m...>) {
  (store_order<L, m>(q, c, s, Y), ...);
}

template <int l, int m, class A>
KOKKOS_INLINE_FUNCTION A slope_of(const A* q) {
  if constexpr (m < l) {
    constexpr double factor = slope(l, m);
    return Scalar<A>(factor) * q[place(l, m + 1)];
  } else {
    return constant<A>(0);
  }
}
/// Adds the part of the gradient by u that comes from the orders m and -m.
template <int L, int m, class A, int... k>
KOKKOS_INLINE_FUNCTION void gradient_order(const A* q, const A* c, const A* s, const A* gY, A* h,
                                           std::integer_sequence<int, k...>) {
  A along_y = constant<A>(0);
  if constexpr (m == 0) {
    ((along_y = along_y + gY[(m + k) * (m + k + 1)] * slope_of<m + k, m>(q)), ...);
  } else {
    A of_c = constant<A>(0), of_s = constant<A>(0), slope_c = constant<A>(0), slope_s = constant<A>(0);
    ((of_c = of_c + gY[(m + k) * (m + k + 1) + m] * q[place(m + k, m)],
      of_s = of_s + gY[(m + k) * (m + k + 1) - m] * q[place(m + k, m)]),
     ...);
    ((slope_c = slope_c + gY[(m + k) * (m + k + 1) + m] * slope_of<m + k, m>(q),
      slope_s = slope_s + gY[(m + k) * (m + k + 1) - m] * slope_of<m + k, m>(q)),
     ...);
    along_y = slope_c * c[m] + slope_s * s[m];
    h[0] = h[0] + Scalar<A>(m) * (of_s * c[m - 1] - of_c * s[m - 1]);
    h[2] = h[2] + Scalar<A>(m) * (of_c * c[m - 1] + of_s * s[m - 1]);
  }
  h[1] = h[1] + along_y;
}
template <int L, class A, int... m>
KOKKOS_INLINE_FUNCTION void gradient_orders(const A* q, const A* c, const A* s, const A* gY, A* h,
                                            std::integer_sequence<int, m...>) {
  (gradient_order<L, m>(q, c, s, gY, h, std::make_integer_sequence<int, L + 1 - m>{}), ...);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns of its own _mm512_sqrt_pd
template <class A>
KOKKOS_INLINE_FUNCTION A length(const A& x, const A& y, const A& z) {
  using std::sqrt;
  return sqrt(x * x + y * y + z * z);
}
#pragma GCC diagnostic pop
template <class A>
KOKKOS_INLINE_FUNCTION A inverse_length(const A& x, const A& y, const A& z) {
  return constant<A>(1) / length(x, y, z);
}

}  // namespace harmonics_detail

/// Y [(L+1)^2] of a unit vector.
template <int L, class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics_of_unit(const A& x, const A& y, const A& z, A* Y) {
  A q[(L + 1) * (L + 2) / 2], c[L + 1], s[L + 1];
  constexpr auto orders = std::make_integer_sequence<int, L + 1>{};
  harmonics_detail::factors<L>(x, y, z, q, c, s, orders);
  harmonics_detail::store_orders<L>(q, c, s, Y, orders);
}

/// Y [(L+1)^2] of the direction of a vector, which must not be zero.
template <int L, class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics(const A& x, const A& y, const A& z, A* Y) {
  const A inverse_r = harmonics_detail::inverse_length(x, y, z);
  spherical_harmonics_of_unit<L>(A(x * inverse_r), A(y * inverse_r), A(z * inverse_r), Y);
}

/// g[3] += sum_lm gY_lm dY_lm(r/|r|)/dr for the vector r = u / inverse_r: at right angles to u.
template <int L, class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics_gradient_of_unit(const A& x, const A& y, const A& z, const A& inverse_r,
                                                                 const A* gY, A* g) {
  A q[(L + 1) * (L + 2) / 2], c[L + 1], s[L + 1];
  constexpr auto orders = std::make_integer_sequence<int, L + 1>{};
  harmonics_detail::factors<L>(x, y, z, q, c, s, orders);
  A h[3] = {harmonics_detail::constant<A>(0), harmonics_detail::constant<A>(0), harmonics_detail::constant<A>(0)};
  harmonics_detail::gradient_orders<L>(q, c, s, gY, h, orders);
  const A radial = x * h[0] + y * h[1] + z * h[2];
  g[0] = g[0] + inverse_r * (h[0] - radial * x);
  g[1] = g[1] + inverse_r * (h[1] - radial * y);
  g[2] = g[2] + inverse_r * (h[2] - radial * z);
}

/// The same for a vector of any length but zero.
template <int L, class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics_gradient(const A& x, const A& y, const A& z, const A* gY, A* g) {
  const A inverse_r = harmonics_detail::inverse_length(x, y, z);
  spherical_harmonics_gradient_of_unit<L>(A(x * inverse_r), A(y * inverse_r), A(z * inverse_r), inverse_r, gY, g);
}

namespace harmonics_detail {
/// Calls f(L) with L = l_max as a compile-time constant; the same branch for every edge, so it is predicted.
template <int L = 0, class F>
KOKKOS_INLINE_FUNCTION void dispatch(int l_max, const F& f) {
  if (l_max == L) {
    f(std::integral_constant<int, L>{});
  } else if constexpr (L < highest_l) {
    dispatch<L + 1>(l_max, f);
  }
}
template <class A>
struct Forward {
  const A &x, &y, &z;
  A* Y;
  template <int L>
  KOKKOS_INLINE_FUNCTION void operator()(std::integral_constant<int, L>) const {
    spherical_harmonics<L>(x, y, z, Y);
  }
};
template <class A>
struct Gradient {
  const A &x, &y, &z;
  const A* gY;
  A* g;
  template <int L>
  KOKKOS_INLINE_FUNCTION void operator()(std::integral_constant<int, L>) const {
    spherical_harmonics_gradient<L>(x, y, z, gY, g);
  }
};
}  // namespace harmonics_detail

/// With l_max known at run time, 0 to highest_l; whoever reads l_max from a file checks it, a kernel cannot throw (it
/// would leave Y as it is).
template <class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics(int l_max, const A& x, const A& y, const A& z, A* Y) {
  harmonics_detail::dispatch(l_max, harmonics_detail::Forward<A>{x, y, z, Y});
}
template <class A>
KOKKOS_INLINE_FUNCTION void spherical_harmonics_gradient(int l_max, const A& x, const A& y, const A& z, const A* gY,
                                                         A* g) {
  harmonics_detail::dispatch(l_max, harmonics_detail::Gradient<A>{x, y, z, gY, g});
}

}  // namespace isotrope
