// SPDX-License-Identifier: MIT
#include "layers/edge_lengths.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

template <class A>
struct Lengths {
  const double *r, *dr;
  Length<A>* length;
  KOKKOS_FUNCTION void operator()(long e) const {
    using std::sqrt;
    Length<A> square{};
    for (int k = 0; k < 3; ++k) {
      if constexpr (A::dual) {
        const Dual<double> x{r[3 * e + k], dr[3 * e + k]};
        square += x * x;
      } else {
        square += r[3 * e + k] * r[3 * e + k];
      }
    }
    length[e] = sqrt(square);
  }
};

template <class A>
struct EnvelopeForward {
  Envelope end;
  const Length<A>* length;
  typename A::Num* envelope;
  KOKKOS_FUNCTION void operator()(long e) const {
    envelope[e] = cast_num(end(length[e]), static_cast<typename A::Num*>(nullptr));
  }
};

struct EnvelopeBackward {
  Envelope end;
  const double *length, *g_envelope;
  double* g_length;
  KOKKOS_FUNCTION void operator()(long e) const { g_length[e] += g_envelope[e] * end(Dual<double>{length[e], 1}).t; }
};

/// One lane of Gaussians: the values and what their derivatives are made of.
template <class A>
struct GaussianLane {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  Lane<T> inverse, sign, scale;
  Vec x, z, value;

  KOKKOS_INLINE_FUNCTION GaussianLane(const GaussianBasis& basis, const T* weights, const Length<A>& length,
                                      int channel) {
    using std::abs;
    constexpr T root_two_pi(2.5066282746310002);
    const Lane<T> width = load_weight<A>(weights + basis.std + channel);
    inverse = T(1) / (abs(width) + T(1e-5));
    sign = width;
    scale = load_weight<A>(weights + basis.scale + channel);
    const auto in_cutoffs = cast_num(length * (1 / basis.cutoff), static_cast<typename A::Num*>(nullptr));
    if constexpr (A::dual) {
      x = {Lane<T>(in_cutoffs.v), Lane<T>(in_cutoffs.t)};
    } else {
      x = Lane<T>(in_cutoffs);
    }
    const Lane<T> shift =
        load_weight<A>(weights + basis.shift + channel) - load_weight<A>(weights + basis.mean + channel);
    z = times(inverse, plus(times(scale, x), shift));
    value = times(inverse, exp_lane(Vec(z * z * T(-0.5)))) * (T(1) / root_two_pi);
  }
  /// dg/d(mean), which is -dg/d(shift).
  KOKKOS_INLINE_FUNCTION Vec by_mean() const { return times(inverse, Vec(z * value)); }
  KOKKOS_INLINE_FUNCTION Vec by_std() const {
    const Vec by_width = times(inverse, Vec(value * (z * z - T(1))));
    return times(sign_of(sign), by_width);
  }
  KOKKOS_INLINE_FUNCTION static Lane<T> sign_of(const Lane<T>& width) {
    using std::copysign;
    return copysign(Lane<T>(T(1)), width);
  }
};

template <class A>
struct Gaussians {
  GaussianBasis basis;
  const typename A::Real* weights;
  const Length<A>* length;
  typename A::Real* out;
  KOKKOS_FUNCTION void operator()(int e, int b) const {
    const int c = b * lane_width<typename A::Real>;
    const GaussianLane<A> lane(basis, weights, length[e], c);
    A::store(out + static_cast<long>(e) * basis.pad * A::rows + c, basis.pad, lane.value);
  }
};

template <class A>
struct GaussiansWeightGradient {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  GaussianBasis basis;
  long edges;
  const T* weights;
  const Length<A>* length;
  const T* g_out;
  T* gradient;
  KOKKOS_FUNCTION void operator()(int, int b) const {
    const int c = b * lane_width<T>;
    Vec mean = A::zero(), std = A::zero(), scale = A::zero();
    for (long e = 0; e < edges; ++e) {
      const GaussianLane<A> lane(basis, weights, length[e], c);
      const Vec g = A::load(g_out + e * basis.pad * A::rows + c, basis.pad);
      const Vec by_mean = g * lane.by_mean();
      mean += by_mean;
      std += g * lane.by_std();
      scale += by_mean * lane.x;
    }
    add_weight_gradient<A>(gradient + basis.mean + c, mean);
    add_weight_gradient<A>(gradient + basis.std + c, std);
    add_weight_gradient<A>(gradient + basis.scale + c, -scale);
    add_weight_gradient<A>(gradient + basis.shift + c, -mean);
  }
};

}  // namespace

template <class A>
void edge_lengths(long edges, const double* r, const double* dr, Length<A>* length) {
  for_each("isotrope::edge_lengths", edges, Lengths<A>{r, dr, length});
}

template <class A>
void edge_envelope(const Envelope& end, long edges, const Length<A>* length, typename A::Num* envelope) {
  for_each("isotrope::edge_envelope", edges, EnvelopeForward<A>{end, length, envelope});
}

void edge_envelope_backward(const Envelope& end, long edges, const double* length, const double* g_envelope,
                            double* g_length) {
  for_each("isotrope::edge_envelope_backward", edges, EnvelopeBackward{end, length, g_envelope, g_length});
}

template <class A>
void gaussians(const GaussianBasis& basis, const typename A::Real* weights, long edges, const Length<A>* length,
               typename A::Real* out) {
  for_channels("isotrope::gaussians", edges, basis.pad / lane_width<typename A::Real>,
               Gaussians<A>{basis, weights, length, out});
}

template <class A>
void gaussians_weight_gradient(const GaussianBasis& basis, const typename A::Real* weights, long edges,
                               const Length<A>* length, const typename A::Real* g_out,
                               typename A::Real* weight_gradient) {
  for_channels("isotrope::gaussians_weight_gradient", 1, basis.pad / lane_width<typename A::Real>,
               GaussiansWeightGradient<A>{basis, edges, weights, length, g_out, weight_gradient});
}

#define ISOTROPE_INSTANTIATE(A)                                                                            \
  template void edge_lengths<A>(long, const double*, const double*, Length<A>*);                           \
  template void edge_envelope<A>(const Envelope&, long, const Length<A>*, A::Num*);                        \
  template void gaussians<A>(const GaussianBasis&, const A::Real*, long, const Length<A>*, A::Real*);      \
  template void gaussians_weight_gradient<A>(const GaussianBasis&, const A::Real*, long, const Length<A>*, \
                                             const A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
