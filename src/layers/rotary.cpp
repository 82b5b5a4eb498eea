// SPDX-License-Identifier: MIT
#include "layers/rotary.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

template <class A>
struct Phases {
  using T = typename A::Real;
  int half, frequencies;
  const double *omega, *x, *dx;
  T *cosine, *sine;
  KOKKOS_FUNCTION void operator()(long i) const {
    T *c = cosine + i * half * A::rows, *s = sine + i * half * A::rows;
    for (int j = 0; j < half; ++j) {
      const int axis = j / frequencies, f = j - axis * frequencies;
      const double phase = axis < 3 ? omega[f] * x[3 * i + axis] : 0, cos = std::cos(phase), sin = std::sin(phase);
      c[j] = static_cast<T>(cos);
      s[j] = static_cast<T>(sin);
      if constexpr (A::dual) {
        const double turn = axis < 3 ? omega[f] * dx[3 * i + axis] : 0;
        c[half + j] = static_cast<T>(-sin * turn);
        s[half + j] = static_cast<T>(cos * turn);
      }
    }
  }
};

template <class A>
struct Rotate {
  using T = typename A::Real;
  int heads, half, width;
  const T *cosine, *sine;
  T* data;
  KOKKOS_FUNCTION void operator()(long i) const {
    const T *c = cosine + i * half * A::rows, *s = sine + i * half * A::rows;
    for (int j = 0; j < half; j += lane_width<T>) {
      const typename A::Vec cos = A::load(c + j, half), sin = A::load(s + j, half);
      for (int h = 0; h < heads; ++h) {
        T *first = data + i * width * A::rows + 2 * h * half + j, *second = first + half;
        const typename A::Vec a = A::load(first, width), b = A::load(second, width);
        A::store(first, width, a * cos - b * sin);
        A::store(second, width, a * sin + b * cos);
      }
    }
  }
};

template <class A>
struct RotateBackward {
  using T = typename A::Real;
  int heads, half, frequencies, width;
  const double* omega;
  const T *cosine, *sine, *data;
  T* g;
  double* g_x;
  KOKKOS_FUNCTION void operator()(long i) const {
    const T *c = cosine + i * half * A::rows, *s = sine + i * half * A::rows;
    for (int h = 0; h < heads; ++h) {
      const long at = i * width * A::rows + 2 * h * half;
      if constexpr (!A::dual) {
        if (g_x) turn(i, data + at, g + at);
      }
      T *first = g + at, *second = first + half;
      for (int j = 0; j < half; j += lane_width<T>) {
        const typename A::Vec a = A::load(first + j, width), b = A::load(second + j, width);
        const typename A::Vec cos = A::load(c + j, half), sin = A::load(s + j, half);
        A::store(first + j, width, a * cos + b * sin);
        A::store(second + j, width, b * cos - a * sin);
      }
    }
  }
  /// A pair (a, b) that came out moves by (-b, a) with its phase.
  KOKKOS_FUNCTION void turn(long i, const T* out, const T* g_out) const {
    for (int axis = 0; axis < 3; ++axis) {
      double sum = 0;
      for (int f = 0; f < frequencies; ++f) {
        const int j = axis * frequencies + f;
        sum += omega[f] * static_cast<double>(out[j] * g_out[half + j] - out[half + j] * g_out[j]);
      }
      g_x[3 * i + axis] += sum;
    }
  }
};

}  // namespace

template <class A>
void rotary_phases(long tokens, const HeadShape& shape, int frequencies, const double* omega, const double* x,
                   const double* dx, typename A::Real* cosine, typename A::Real* sine) {
  for_each("isotrope::rotary_phases", tokens, Phases<A>{shape.size / 2, frequencies, omega, x, dx, cosine, sine});
}

template <class A>
void rotate(long tokens, const HeadShape& shape, const typename A::Real* cosine, const typename A::Real* sine,
            int width, typename A::Real* data) {
  for_each("isotrope::rotate", tokens, Rotate<A>{shape.heads, shape.size / 2, width, cosine, sine, data});
}

template <class A>
void rotate_backward(long tokens, const HeadShape& shape, int frequencies, const double* omega,
                     const typename A::Real* cosine, const typename A::Real* sine, int width,
                     const typename A::Real* data, typename A::Real* g, double* g_x) {
  for_each("isotrope::rotate_backward", tokens,
           RotateBackward<A>{shape.heads, shape.size / 2, frequencies, width, omega, cosine, sine, data, g, g_x});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                      \
  template void rotary_phases<A>(long, const HeadShape&, int, const double*, const double*, const double*, A::Real*, \
                                 A::Real*);                                                                          \
  template void rotate<A>(long, const HeadShape&, const A::Real*, const A::Real*, int, A::Real*);                    \
  template void rotate_backward<A>(long, const HeadShape&, int, const double*, const A::Real*, const A::Real*, int,  \
                                   const A::Real*, A::Real*, double*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
