// SPDX-License-Identifier: MIT
#include "layers/edge_embedding.hpp"

#include "core/loops.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {
namespace {

template <class A>
struct Embed {
  using T = typename A::Real;
  using N = std::conditional_t<A::dual, Dual<double>, double>;
  BesselBasis basis;
  int l_max;
  double sign;
  const double *r, *dr;
  T* radial;
  typename A::Num* harmonics;

  KOKKOS_INLINE_FUNCTION N component(long e, int k) const {
    if constexpr (A::dual) {
      return {sign * r[3 * e + k], sign * dr[3 * e + k]};
    } else {
      return sign * r[3 * e + k];
    }
  }
  KOKKOS_FUNCTION void operator()(long e) const {
    using std::sqrt;
    const N x = component(e, 0), y = component(e, 1), z = component(e, 2);
    const N length = sqrt(x * x + y * y + z * z);
    const N envelope = basis.scaled_envelope(length);
    T* row = radial + e * basis.count * A::rows;
    for (int n = 0; n < basis.count; ++n) {
      const N value = basis.value(n, length, envelope);
      if constexpr (A::dual) {
        row[n] = static_cast<T>(value.v);
        row[basis.count + n] = static_cast<T>(value.t);
      } else {
        row[n] = static_cast<T>(value);
      }
    }
    N all[81];  // room for the dispatcher's largest l
    spherical_harmonics(l_max, x, y, z, all);
    const int count = (l_max + 1) * (l_max + 1);
    for (int k = 0; k < count; ++k) harmonics[e * count + k] = cast_num(all[k], static_cast<typename A::Num*>(nullptr));
  }
};

template <class T>
struct EmbedBackward {
  BesselBasis basis;
  int l_max;
  double sign;
  const double* r;
  const T *g_radial, *g_harmonics;
  const double* g_length;
  double* g_r;

  KOKKOS_FUNCTION void operator()(long e) const {
    using std::sqrt;
    const double x = sign * r[3 * e], y = sign * r[3 * e + 1], z = sign * r[3 * e + 2];
    const Dual<double> length{sqrt(x * x + y * y + z * z), 1};
    const Dual<double> envelope = basis.scaled_envelope(length);
    double slope = g_length ? g_length[e] : 0;
    for (int n = 0; n < basis.count; ++n) slope += g_radial[e * basis.count + n] * basis.value(n, length, envelope).t;
    const int count = (l_max + 1) * (l_max + 1);
    double g_y[81], g[3] = {slope * x / length.v, slope * y / length.v, slope * z / length.v};
    for (int k = 0; k < count; ++k) g_y[k] = g_harmonics[e * count + k];
    spherical_harmonics_gradient(l_max, x, y, z, g_y, g);
    for (int k = 0; k < 3; ++k) g_r[3 * e + k] = sign * g[k];
  }
};

}  // namespace

template <class A>
void embed_edges(const BesselBasis& basis, int l_max, double sign, long edges, const double* r, const double* dr,
                 typename A::Real* radial, typename A::Num* harmonics) {
  for_each("isotrope::embed_edges", edges, Embed<A>{basis, l_max, sign, r, dr, radial, harmonics});
}

template <class T>
void embed_edges_backward(const BesselBasis& basis, int l_max, double sign, long edges, const double* r,
                          const T* g_radial, const T* g_harmonics, const double* g_length, double* g_r) {
  for_each("isotrope::embed_edges_backward", edges,
           EmbedBackward<T>{basis, l_max, sign, r, g_radial, g_harmonics, g_length, g_r});
}

template void embed_edges<Plain<float>>(const BesselBasis&, int, double, long, const double*, const double*, float*,
                                        float*);
template void embed_edges<Plain<double>>(const BesselBasis&, int, double, long, const double*, const double*, double*,
                                         double*);
template void embed_edges<WithTangent<float>>(const BesselBasis&, int, double, long, const double*, const double*,
                                              float*, Dual<float>*);
template void embed_edges<WithTangent<double>>(const BesselBasis&, int, double, long, const double*, const double*,
                                               double*, Dual<double>*);
template void embed_edges_backward(const BesselBasis&, int, double, long, const double*, const float*, const float*,
                                   const double*, double*);
template void embed_edges_backward(const BesselBasis&, int, double, long, const double*, const double*, const double*,
                                   const double*, double*);

}  // namespace isotrope
