// SPDX-License-Identifier: MIT
#include "layers/edge_embedding.hpp"

#include "core/loops.hpp"
#include "layers/edge_lane.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {
namespace {

constexpr int most_harmonics = harmonics_size(highest_l);  // room for the dispatcher's largest l

/// Y_lm or r^l Y_lm.
template <class N>
KOKKOS_INLINE_FUNCTION void wanted_harmonics(const EdgeHarmonics& harmonics, const N& a, const N& b, const N& c,
                                             const N& length, N* all) {
  spherical_harmonics(harmonics.l_max, a, b, c, all);
  if (!harmonics.solid) return;
  N power = length;
  for (int l = 1; l <= harmonics.l_max; ++l, power = power * length) {
    for (int k = l * l; k < (l + 1) * (l + 1); ++k) all[k] = all[k] * power;
  }
}

/// Turns adjoints of r^l Y_lm into those of Y_lm; returns the part of r^l, by the length.
template <class N>
KOKKOS_INLINE_FUNCTION N length_of_solid(int l_max, const N& a, const N& b, const N& c, const N& length, N* g_y) {
  N all[most_harmonics], slope(0.0), power(1.0);
  spherical_harmonics(l_max, a, b, c, all);
  for (int l = 1; l <= l_max; ++l, power = power * length) {
    for (int k = l * l; k < (l + 1) * (l + 1); ++k) {
      slope = slope + double(l) * power * g_y[k] * all[k];
      g_y[k] = g_y[k] * power * length;
    }
  }
  return slope;
}

/// dE/dr [3] from the adjoints of the length and of the harmonics, which change on the way.
template <class N>
KOKKOS_INLINE_FUNCTION void by_vector(const EdgeHarmonics& harmonics, const N& a, const N& b, const N& c,
                                      const N& length, N slope, N* g_y, N* g) {
  if (harmonics.solid) slope = slope + length_of_solid(harmonics.l_max, a, b, c, length, g_y);
  const N along = slope / length;
  g[0] = along * a;
  g[1] = along * b;
  g[2] = along * c;
  spherical_harmonics_gradient(harmonics.l_max, a, b, c, g_y, g);
}

template <class A>
struct Embed {
  using T = typename A::Real;
  using N = std::conditional_t<A::dual, Dual<double>, double>;
  BesselBasis basis;
  EdgeHarmonics harmonics;
  EdgeEnds ends;
  const double *r, *dr;
  T* radial;
  typename A::Num* y;

  KOKKOS_INLINE_FUNCTION N component(long e, int k) const {
    if constexpr (A::dual) {
      return {harmonics.sign * r[3 * e + k], harmonics.sign * dr[3 * e + k]};
    } else {
      return harmonics.sign * r[3 * e + k];
    }
  }
  KOKKOS_FUNCTION void operator()(long e) const {
    using std::sqrt;
    const N a = component(e, 0), b = component(e, 1), c = component(e, 2);
    const N length = sqrt(a * a + b * b + c * c);
    const N x = ends.argument(basis, e, length), envelope = basis.scaled_envelope(length, x);
    T* row = radial + e * basis.count * A::rows;
    for (int n = 0; n < basis.count; ++n) {
      const N value = basis.value(n, x, envelope);
      if constexpr (A::dual) {
        row[n] = static_cast<T>(value.v);
        row[basis.count + n] = static_cast<T>(value.t);
      } else {
        row[n] = static_cast<T>(value);
      }
    }
    N all[most_harmonics];
    wanted_harmonics(harmonics, a, b, c, length, all);
    const int count = harmonics.count();
    for (int k = 0; k < count; ++k) y[e * count + k] = cast_num(all[k], static_cast<typename A::Num*>(nullptr));
  }
};

template <class T>
struct EmbedBackward {
  BesselBasis basis;
  EdgeHarmonics harmonics;
  EdgeEnds ends;
  const double* r;
  const T *g_radial, *g_harmonics;
  const double* g_length;
  double* g_r;
  bool add;

  KOKKOS_FUNCTION void operator()(long e) const {
    using std::sqrt;
    const double sign = harmonics.sign, a = sign * r[3 * e], b = sign * r[3 * e + 1], c = sign * r[3 * e + 2];
    const Dual<double> length{sqrt(a * a + b * b + c * c), 1};
    const Dual<double> x = ends.argument(basis, e, length), envelope = basis.scaled_envelope(length, x);
    double slope = g_length ? g_length[e] : 0;
    for (int n = 0; n < basis.count; ++n) slope += g_radial[e * basis.count + n] * basis.value(n, x, envelope).t;
    const int count = harmonics.count();
    double g_y[most_harmonics], g[3];
    for (int k = 0; k < count; ++k) g_y[k] = g_harmonics[e * count + k];
    by_vector(harmonics, a, b, c, length.v, slope, g_y, g);
    for (int k = 0; k < 3; ++k) g_r[3 * e + k] = (add ? g_r[3 * e + k] : 0) + sign * g[k];
  }
};

/// Number k of each edge; past the end the last edge again.
template <class T>
KOKKOS_INLINE_FUNCTION Lane<double> gather(const EdgeLane<double>& at, const T* numbers, int stride, int k) {
  const T* from = numbers + at.first * stride + k;
  return lane_of<double>([&](int e) { return from[(e < at.n ? e : at.n - 1) * stride]; });
}

/// A lane of edges at a time, where there is no radial basis.
template <class T>
struct EmbedLanes {
  EdgeHarmonics harmonics;
  long edges;
  const double* r;
  T* y;
  KOKKOS_FUNCTION void operator()(long lane) const {
    const EdgeLane<double> at(lane, edges);
    const double sign = harmonics.sign;
    const Lane<double> a = sign * gather(at, r, 3, 0), b = sign * gather(at, r, 3, 1), c = sign * gather(at, r, 3, 2);
    Lane<double> all[most_harmonics];
    wanted_harmonics(harmonics, a, b, c, harmonics_detail::length(a, b, c), all);
    const int count = harmonics.count();
    for (int k = 0; k < count; ++k) {
      double of_edges[at.w];
      store_lane(of_edges, all[k]);
      for (int e = 0; e < at.n; ++e) y[(at.first + e) * count + k] = static_cast<T>(of_edges[e]);
    }
  }
};

template <class T>
struct EmbedLanesBackward {
  EdgeHarmonics harmonics;
  long edges;
  const double* r;
  const T* g_harmonics;
  const double* g_length;
  double* g_r;
  bool add;
  KOKKOS_FUNCTION void operator()(long lane) const {
    const EdgeLane<double> at(lane, edges);
    const double sign = harmonics.sign;
    const Lane<double> a = sign * gather(at, r, 3, 0), b = sign * gather(at, r, 3, 1), c = sign * gather(at, r, 3, 2);
    const int count = harmonics.count();
    Lane<double> g_y[most_harmonics], g[3];
    for (int k = 0; k < count; ++k) g_y[k] = gather(at, g_harmonics, count, k);
    by_vector(harmonics, a, b, c, harmonics_detail::length(a, b, c),
              g_length ? gather(at, g_length, 1, 0) : Lane<double>(0.0), g_y, g);
    for (int k = 0; k < 3; ++k) {
      double of_edges[at.w];
      store_lane(of_edges, Lane<double>(sign * g[k]));
      for (int e = 0; e < at.n; ++e) {
        double& target = g_r[3 * (at.first + e) + k];
        target = (add ? target : 0) + of_edges[e];
      }
    }
  }
};

template <class T>
struct FrequencyGradient {
  BesselBasis basis;
  const double *r, *dr;
  const T* g_radial;
  double* gradient;
  KOKKOS_FUNCTION void operator()(long e) const {
    using N = Dual<double>;
    N x[3];
    for (int k = 0; k < 3; ++k) x[k] = {r[3 * e + k], dr[3 * e + k]};
    const N length = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]), envelope = basis.scaled_envelope(length);
    const T* g = g_radial + 2 * e * basis.count;
    for (int n = 0; n < basis.count; ++n) {
      const N slope = basis.frequency_slope(n, length, envelope);
      add_shared(gradient + n, static_cast<double>(g[n]) * slope.t + static_cast<double>(g[basis.count + n]) * slope.v);
    }
  }
};

}  // namespace

template <class A>
void embed_edges(const BesselBasis& basis, const EdgeHarmonics& harmonics, long edges, const double* r,
                 const double* dr, typename A::Real* radial, typename A::Num* y, const EdgeEnds& ends) {
  if constexpr (!A::dual) {
    if (basis.count == 0) {
      for_each("isotrope::embed_edges", EdgeLane<double>::count(edges),
               EmbedLanes<typename A::Real>{harmonics, edges, r, y});
      return;
    }
  }
  for_each("isotrope::embed_edges", edges, Embed<A>{basis, harmonics, ends, r, dr, radial, y});
}

template <class T>
void embed_edges_backward(const BesselBasis& basis, const EdgeHarmonics& harmonics, long edges, const double* r,
                          const T* g_radial, const T* g_y, const double* g_length, double* g_r, bool add,
                          const EdgeEnds& ends) {
  if (basis.count == 0) {
    for_each("isotrope::embed_edges_backward", EdgeLane<double>::count(edges),
             EmbedLanesBackward<T>{harmonics, edges, r, g_y, g_length, g_r, add});
    return;
  }
  for_each("isotrope::embed_edges_backward", edges,
           EmbedBackward<T>{basis, harmonics, ends, r, g_radial, g_y, g_length, g_r, add});
}

template <class T>
void frequency_gradient(const BesselBasis& basis, long edges, const double* r, const double* dr, const T* g_radial,
                        double* gradient) {
  for_each("isotrope::frequency_gradient", edges, FrequencyGradient<T>{basis, r, dr, g_radial, gradient});
}

#define ISOTROPE_INSTANTIATE(T)                                                                                     \
  template void embed_edges<Plain<T>>(const BesselBasis&, const EdgeHarmonics&, long, const double*, const double*, \
                                      T*, T*, const EdgeEnds&);                                                     \
  template void embed_edges<WithTangent<T>>(const BesselBasis&, const EdgeHarmonics&, long, const double*,          \
                                            const double*, T*, Dual<T>*, const EdgeEnds&);                          \
  template void embed_edges_backward(const BesselBasis&, const EdgeHarmonics&, long, const double*, const T*,       \
                                     const T*, const double*, double*, bool, const EdgeEnds&);                      \
  template void frequency_gradient(const BesselBasis&, long, const double*, const double*, const T*, double*);
ISOTROPE_INSTANTIATE(float)
ISOTROPE_INSTANTIATE(double)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
