// SPDX-License-Identifier: MIT
#include "layers/rotary.hpp"

#include "core/lane_trig.hpp"
#include "layers/channels.hpp"
#include "layers/in_duals.hpp"
#include "layers/pair_lanes.hpp"

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
    // Half a head is whole lanes of pairs of T, and so of doubles.
    constexpr int w = pair_width<double>;
    for (int j = 0; j < half; j += w) {
      double phase[w];
      for (int k = 0; k < w; ++k) phase[k] = of_axis(j + k, x + 3 * i);
      const auto of_lane = sine_cosine(load_pairs<double>(phase));
      double sin[w], cos[w];
      store_pairs<double>(sin, of_lane.sine);
      store_pairs<double>(cos, of_lane.cosine);
      for (int k = 0; k < w; ++k) {
        c[j + k] = static_cast<T>(cos[k]);
        s[j + k] = static_cast<T>(sin[k]);
        if constexpr (A::dual) {
          const double turn = of_axis(j + k, dx + 3 * i);
          c[half + j + k] = static_cast<T>(-sin[k] * turn);
          s[half + j + k] = static_cast<T>(cos[k] * turn);
        }
      }
    }
  }
  KOKKOS_FUNCTION double of_axis(int j, const double* r) const {
    const int axis = j / frequencies;
    return axis < 3 ? omega[j - axis * frequencies] * r[axis] : 0;
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
    for (int j = 0; j < half; j += pair_width<T>) {
      const typename Pairs<A>::Vec cos = Pairs<A>::load(c + j, half), sin = Pairs<A>::load(s + j, half);
      for (int h = 0; h < heads; ++h) {
        T *first = data + i * width * A::rows + 2 * h * half + j, *second = first + half;
        const typename Pairs<A>::Vec a = Pairs<A>::load(first, width), b = Pairs<A>::load(second, width);
        Pairs<A>::store(first, width, a * cos - b * sin);
        Pairs<A>::store(second, width, a * sin + b * cos);
      }
    }
  }
};

template <class A>
struct RotateBackward {
  using T = typename A::Real;
  int heads, half, width;
  const T *cosine, *sine, *data;
  T *g, *g_phase;
  KOKKOS_FUNCTION void operator()(long i) const {
    const T *c = cosine + i * half * A::rows, *s = sine + i * half * A::rows;
    for (int j = 0; j < half; j += pair_width<T>) {
      const typename Pairs<A>::Vec cos = Pairs<A>::load(c + j, half), sin = Pairs<A>::load(s + j, half);
      PairLane<T> turned(T(0));
      for (int h = 0; h < heads; ++h) {
        const long first = i * width * A::rows + 2 * h * half + j, second = first + half;
        const typename Pairs<A>::Vec a = Pairs<A>::load(g + first, width), b = Pairs<A>::load(g + second, width);
        // A pair (a, b) that came out moves by (-b, a) with its phase.
        if constexpr (!A::dual) {
          if (g_phase) turned += load_pairs<T>(data + first) * b - load_pairs<T>(data + second) * a;
        }
        Pairs<A>::store(g + first, width, a * cos + b * sin);
        Pairs<A>::store(g + second, width, b * cos - a * sin);
      }
      if (g_phase) store_pairs<T>(g_phase + i * half + j, PairLane<T>(load_pairs<T>(g_phase + i * half + j) + turned));
    }
  }
};

template <class T>
struct Turns {
  int half, frequencies;
  const double *omega, *dx;
  T* turns;
  KOKKOS_FUNCTION void operator()(long i) const {
    for (int j = 0; j < half; ++j) {
      const int axis = j / frequencies, f = j - axis * frequencies;
      turns[i * half + j] = axis < 3 ? static_cast<T>(omega[f] * dx[3 * i + axis]) : T(0);
    }
  }
};

/// With (a, b) turned to by an angle whose tangent is w, the tangent of (a, b) is that before, turned, and w (-b, a).
template <class T>
struct RotateTangents {
  int heads, half, width;
  T way;
  const T *cosine, *sine, *turns;
  T* data;
  KOKKOS_FUNCTION void operator()(long i) const {
    for (int j = 0; j < half; j += pair_width<T>) {
      const PairLane<T> cos = load_pairs<T>(cosine + 2 * i * half + j),
                        sin = way * load_pairs<T>(sine + 2 * i * half + j),
                        turn = way * load_pairs<T>(turns + i * half + j);
      for (int h = 0; h < heads; ++h) {
        T *first = data + 2 * i * width + 2 * h * half + j, *second = first + half;
        const PairLane<T> a = load_pairs<T>(first + width), b = load_pairs<T>(second + width);
        store_pairs<T>(first + width, PairLane<T>(a * cos - b * sin - turn * load_pairs<T>(second)));
        store_pairs<T>(second + width, PairLane<T>(a * sin + b * cos + turn * load_pairs<T>(first)));
      }
    }
  }
};

template <class T>
struct PhasesBackward {
  int half, frequencies;
  const double* omega;
  const T* g_phase;
  double* g_x;
  KOKKOS_FUNCTION void operator()(long i) const {
    for (int axis = 0; axis < 3; ++axis) {
      const T* phase = g_phase + i * half + axis * frequencies;
      for (int f = 0; f < frequencies; ++f) g_x[3 * i + axis] += omega[f] * static_cast<double>(phase[f]);
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
void rotate_backward(long tokens, const HeadShape& shape, const typename A::Real* cosine, const typename A::Real* sine,
                     int width, const typename A::Real* data, typename A::Real* g, typename A::Real* g_phase) {
  for_each("isotrope::rotate_backward", tokens,
           RotateBackward<A>{shape.heads, shape.size / 2, width, cosine, sine, data, g, g_phase});
}

template <class T>
void rotary_turns(long tokens, const HeadShape& shape, int frequencies, const double* omega, const double* dx,
                  T* turns) {
  for_each("isotrope::rotary_turns", tokens, Turns<T>{shape.size / 2, frequencies, omega, dx, turns});
}

template <class T>
void rotate_tangents(long tokens, const HeadShape& shape, const T* cosine, const T* sine, const T* turns, int way,
                     int width, T* data) {
  for_each("isotrope::rotate_tangents", tokens,
           RotateTangents<T>{shape.heads, shape.size / 2, width, static_cast<T>(way), cosine, sine, turns, data});
}

template <class T>
void rotary_phases_backward(long tokens, const HeadShape& shape, int frequencies, const double* omega, const T* g_phase,
                            double* g_x) {
  for_each("isotrope::rotary_phases_backward", tokens,
           PhasesBackward<T>{shape.size / 2, frequencies, omega, g_phase, g_x});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                      \
  template void rotary_phases<A>(long, const HeadShape&, int, const double*, const double*, const double*, A::Real*, \
                                 A::Real*);                                                                          \
  template void rotate<A>(long, const HeadShape&, const A::Real*, const A::Real*, int, A::Real*);                    \
  template void rotate_backward<A>(long, const HeadShape&, const A::Real*, const A::Real*, int, const A::Real*,      \
                                   A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

#define ISOTROPE_INSTANTIATE(T)                                                                         \
  template void rotary_turns<T>(long, const HeadShape&, int, const double*, const double*, T*);         \
  template void rotate_tangents<T>(long, const HeadShape&, const T*, const T*, const T*, int, int, T*); \
  template void rotary_phases_backward<T>(long, const HeadShape&, int, const double*, const T*, double*);
ISOTROPE_INSTANTIATE(float)
ISOTROPE_INSTANTIATE(double)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
