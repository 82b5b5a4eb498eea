// SPDX-License-Identifier: MIT
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "layers/layout.hpp"

/// The checks that every layer has, and the arrays that they need.
namespace isotrope::test {

/// Numbers without padding, with a tangent each where there is one.
struct Numbers {
  std::vector<double> v, t;
};

inline std::vector<double> random_numbers(std::size_t size, std::uint64_t seed) {
  SplitMix random(seed);
  std::vector<double> x(size);
  for (double& value : x) value = random.normal();
  return x;
}
inline std::vector<double> part(const std::vector<double>& x, std::size_t begin, std::size_t size) {
  return x.empty() ? x : std::vector<double>(x.begin() + begin, x.begin() + begin + size);
}
inline Numbers part(const Numbers& x, std::size_t begin, std::size_t size) {
  return {part(x.v, begin, size), part(x.t, begin, size)};
}
inline void append(Numbers& a, const Numbers& b) {
  a.v.insert(a.v.end(), b.v.begin(), b.v.end());
  a.t.insert(a.t.end(), b.t.begin(), b.t.end());
}
inline std::vector<double> sum(std::vector<double> a, double factor, const std::vector<double>& b) {
  for (std::size_t k = 0; k < a.size(); ++k) a[k] += factor * b[k];
  return a;
}
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double total = a.size() == b.size() ? 0 : std::numeric_limits<double>::quiet_NaN();
  for (std::size_t k = 0; k < std::min(a.size(), b.size()); ++k) total += a[k] * b[k];
  return total;
}
/// Of the root mean squares; fails on NaN and on different sizes.
inline void expect_close(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  const std::vector<double> difference = sum(a, -1, b);
  EXPECT_LE(std::sqrt(dot(difference, difference)), tolerance * std::sqrt(dot(b, b)) + 1e-300);
}

/// How numbers lie in memory: `count` rows of groups of channels, each group padded with zeros; a dual's tangent row
/// follows its value row.
struct Rows {
  struct Group {
    int live, pad;
  };
  long count;
  std::vector<Group> groups;

  long live() const {
    long size = 0;
    for (const Group& g : groups) size += g.live;
    return count * size;
  }
  long width() const {
    long size = 0;
    for (const Group& g : groups) size += g.pad;
    return size;
  }
};
using Shape = std::vector<Rows>;

inline Shape shape_of(const Layout& layout, long atoms) {
  Shape shape;
  for (int b = 0; b < layout.count; ++b) {
    shape.push_back({atoms * (2 * layout.block[b].l + 1), {{layout.block[b].mul, layout.block[b].pad}}});
  }
  return shape;
}
inline long live_size(const Shape& shape) {
  long size = 0;
  for (const Rows& rows : shape) size += rows.live();
  return size;
}

/// f(place of a stored number, its index among the live ones, or -1 for padding, tangent?)
template <class A, class F>
void for_stored(const Shape& shape, const F& f) {
  long at = 0, live_before = 0;
  for (const Rows& rows : shape) {
    for (long r = 0; r < rows.count; ++r) {
      for (int part = 0; part < A::rows; ++part) {
        long live = live_before;
        for (const Rows::Group& g : rows.groups) {
          for (int c = 0; c < g.pad; ++c) f(at++, c < g.live ? live++ : -1, part == 1);
        }
      }
      live_before += rows.live() / rows.count;
    }
  }
}
template <class A>
std::size_t stored_size(const Shape& shape) {
  std::size_t size = 0;
  for (const Rows& rows : shape) size += rows.count * rows.width() * A::rows;
  return size;
}

template <class A>
View<typename A::Real> store(const Shape& shape, const Numbers& x) {
  using T = typename A::Real;
  std::vector<T> values(stored_size<A>(shape), T(0));
  for_stored<A>(shape, [&](long at, long live, bool tangent) {
    if (live >= 0) values[at] = static_cast<T>(tangent ? x.t.at(live) : x.v.at(live));
  });
  return to_device("test::store", values);
}
/// Memory to be written over: whatever is left unwritten shows as NaN.
template <class A>
View<typename A::Real> poisoned(const Shape& shape) {
  using T = typename A::Real;
  return to_device("test::poisoned", std::vector<T>(stored_size<A>(shape), std::numeric_limits<T>::quiet_NaN()));
}
template <class A>
View<typename A::Real> zeros(const Shape& shape) {
  return View<typename A::Real>("test::zeros", stored_size<A>(shape));
}
/// The live numbers; padding must be zero.
template <class A>
Numbers read(const Shape& shape, const View<typename A::Real>& memory) {
  auto host = Kokkos::create_mirror_view(memory);
  Kokkos::deep_copy(host, memory);
  Numbers x;
  x.v.resize(live_size(shape));
  if (A::dual) x.t.resize(x.v.size());
  bool padding_is_zero = true;
  for_stored<A>(shape, [&](long at, long live, bool tangent) {
    if (live < 0) {
      padding_is_zero = padding_is_zero && host(at) == 0;
    } else {
      (tangent ? x.t : x.v)[live] = host(at);
    }
  });
  EXPECT_TRUE(padding_is_zero);
  return x;
}
template <class A>
Features<A> features(const Layout& layout, long atoms, const View<typename A::Real>& memory) {
  return {memory.data(), atoms, layout};
}

/// Numbers of edges and atoms: a dual's tangent is beside its value.
template <class A>
View<typename A::Num> store_numbers(const Numbers& x) {
  std::vector<typename A::Num> values(x.v.size());
  for (std::size_t k = 0; k < values.size(); ++k) {
    if constexpr (A::dual) {
      values[k] = cast_num(Dual<double>{x.v[k], x.t.at(k)}, static_cast<typename A::Num*>(nullptr));
    } else {
      values[k] = static_cast<typename A::Real>(x.v[k]);
    }
  }
  return to_device("test::numbers", values);
}
template <class A>
Numbers read_numbers(const View<typename A::Num>& memory) {
  auto host = Kokkos::create_mirror_view(memory);
  Kokkos::deep_copy(host, memory);
  Numbers x;
  for (std::size_t k = 0; k < host.extent(0); ++k) {
    if constexpr (A::dual) {
      x.v.push_back(host(k).v);
      x.t.push_back(host(k).t);
    } else {
      x.v.push_back(host(k));
    }
  }
  return x;
}

/// df/de at e = 0 of a vector f(e), by the central difference.
template <class F>
std::vector<double> slope_of(const F& f) {
  constexpr double h = 1e-5;
  const std::vector<double> up = f(h), down = f(-h);
  return sum(sum(std::vector<double>(up.size(), 0), 0.5 / h, up), -0.5 / h, down);
}

/// y = f(w, x) for check_layer. A layer derives from this and has
///   template <class A> Numbers forward(const std::vector<double>& w, const Numbers& x) const;
///   template <class A> Numbers backward(w, x, gy, std::vector<double>* gw) const;
/// the latter returns the adjoints of x (the dual's may be of the first `dual_inputs` only) and, for duals, adds those
/// of the weights, the tangent of gy . df/dw, to gw.
struct LayerCase {
  long inputs = 0, outputs = 0, weights = 0, dual_inputs = 0;
  std::vector<double> point(std::uint64_t seed) const { return random_numbers(inputs, seed); }
};

/// In double the dual's values equal the plain run; its tangents and every adjoint equal finite differences. In float
/// the same numbers come out to its rounding.
template <class Layer>
class LayerCheck {
 public:
  explicit LayerCheck(const Layer& layer, std::uint64_t seed = 1)
      : layer_(layer),
        w_(random_numbers(layer.weights, seed)),
        x_(layer.point(seed + 2)),
        dx_(random_numbers(layer.inputs, seed + 3)),
        gy_(random_numbers(layer.outputs, seed + 4)),
        dgy_(random_numbers(layer.outputs, seed + 5)) {}

  void run() const {
    forward();
    if (layer_.inputs > 0) backward();
    if (layer_.dual_inputs > 0) dual_backward();
    if (layer_.weights > 0) weight_gradient();
  }

 private:
  using P = Plain<double>;
  using D = WithTangent<double>;
  static constexpr double rounding = 1e-13, single = 2e-5, difference = 1e-8;

  std::vector<double> y(double e) const { return layer_.template forward<P>(w_, {sum(x_, e, dx_), {}}).v; }
  std::vector<double> gx(double e) const {
    return layer_.template backward<P>(w_, {sum(x_, e, dx_), {}}, {sum(gy_, e, dgy_), {}}, nullptr).v;
  }

  void forward() const {
    SCOPED_TRACE("forward");
    ASSERT_EQ(static_cast<long>(y(0).size()), layer_.outputs);
    const Numbers dual = layer_.template forward<D>(w_, {x_, dx_});
    expect_close(dual.v, y(0), rounding);
    const bool constant = layer_.inputs == 0;
    expect_close(dual.t, constant ? std::vector<double>(y(0).size(), 0) : slope_of([&](double e) { return y(e); }),
                 difference);
    expect_close(layer_.template forward<Plain<float>>(w_, {x_, {}}).v, y(0), single);
    const Numbers dual_single = layer_.template forward<WithTangent<float>>(w_, {x_, dx_});
    expect_close(dual_single.v, y(0), single);
    expect_close(dual_single.t, dual.t, single);
  }

  /// gx . dx = gy . dy, for several directions dx.
  void backward() const {
    SCOPED_TRACE("backward");
    const std::vector<double> g = gx(0);
    ASSERT_EQ(static_cast<long>(g.size()), layer_.inputs);
    for (int k = 0; k < 3; ++k) {
      const std::vector<double> d = random_numbers(layer_.inputs, 100 + k);
      const auto dy = slope_of([&](double e) { return layer_.template forward<P>(w_, {sum(x_, e, d), {}}).v; });
      EXPECT_LE(std::abs(dot(g, d) - dot(gy_, dy)), difference * std::sqrt(dot(g, g) * dot(d, d)));
    }
    expect_close(layer_.template backward<Plain<float>>(w_, {x_, {}}, {gy_, {}}, nullptr).v, g, single);
  }

  void dual_backward() const {
    SCOPED_TRACE("dual backward");
    std::vector<double> gw(layer_.weights, 0), gw_single(layer_.weights, 0);
    const auto first = [&](const Numbers& g) { return part(g, 0, layer_.dual_inputs); };
    const Numbers g = first(layer_.template backward<D>(w_, {x_, dx_}, {gy_, dgy_}, &gw));
    expect_close(g.v, part(gx(0), 0, layer_.dual_inputs), rounding);
    expect_close(g.t, slope_of([&](double e) { return part(gx(e), 0, layer_.dual_inputs); }), difference);
    const Numbers s = first(layer_.template backward<WithTangent<float>>(w_, {x_, dx_}, {gy_, dgy_}, &gw_single));
    expect_close(s.v, g.v, single);
    expect_close(s.t, g.t, single);
  }

  /// gw . dw = the slope along dw of d(gy . y)/de = dgy . y + gy . dy/de.
  void weight_gradient() const {
    SCOPED_TRACE("weight gradient");
    const std::vector<double> before = random_numbers(layer_.weights, 50);  // gradients are added
    std::vector<double> gw = before, gw_single = before;
    layer_.template backward<D>(w_, {x_, dx_}, {gy_, dgy_}, &gw);
    layer_.template backward<WithTangent<float>>(w_, {x_, dx_}, {gy_, dgy_}, &gw_single);
    gw = sum(gw, -1, before);
    expect_close(sum(gw_single, -1, before), gw, single);
    for (int k = 0; k < 3; ++k) {
      const std::vector<double> d = random_numbers(layer_.weights, 200 + k);
      const auto energy = [&](double e) {
        const Numbers dual = layer_.template forward<D>(sum(w_, e, d), {x_, dx_});
        return std::vector<double>{dot(dgy_, dual.v) + dot(gy_, dual.t)};
      };
      EXPECT_LE(std::abs(dot(gw, d) - slope_of(energy)[0]), difference * std::sqrt(dot(gw, gw) * dot(d, d)));
    }
  }

  const Layer& layer_;
  std::vector<double> w_, x_, dx_, gy_, dgy_;
};

template <class Layer>
void check_layer(const Layer& layer, std::uint64_t seed = 1) {
  LayerCheck<Layer>(layer, seed).run();
}

}  // namespace isotrope::test
