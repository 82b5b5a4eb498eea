// SPDX-License-Identifier: MIT
// The tensor-product convolution: derivatives, the definition by loops over 3j symbols, rotation and parity, batches.
#include <gtest/gtest.h>

#include <cmath>

#include "layers/convolution.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/spherical_harmonics.hpp"
#include "so3/wigner_d.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

/// Four receivers, the second without edges; seven senders, the last three of them ghosts.
const std::vector<long> first{0, 4, 4, 5, 9};
const std::vector<int> sender{1, 5, 3, 6, 0, 4, 1, 1, 2};
constexpr int rows = 4, senders = 7, edges = 9;

/// Channels of l = 0, 1, 2: none a multiple of the lane width, not all the same.
template <class A>
Layout sender_layout(int L) {
  constexpr int channels[] = {5, 3, 17};
  Layout layout;
  for (int l = 0; l <= L; ++l) layout.add(l, channels[l], padded<typename A::Real>(channels[l]));
  return layout;
}

struct Problem {
  int L, l_max;
  bool odd = false;  ///< also couplings of odd l1 + l2 + l3
  int harmonics() const { return (l_max + 1) * (l_max + 1); }
  template <class A>
  Convolution convolution() const {
    if (!odd) return {sender_layout<A>(L), l_max};
    std::vector<ConvolutionPath> paths;
    for (int l3 = 0; l3 <= l_max; ++l3) {
      for (int l1 = 0; l1 <= L; ++l1) {
        for (int l2 = std::abs(l1 - l3); l2 <= std::min(l_max, l1 + l3); ++l2) paths.push_back({l1, l1, l2, l3, l3});
      }
    }
    return {sender_layout<A>(L), paths, l_max + 1};
  }
  template <class A>
  Shape features() const {
    return shape_of(sender_layout<A>(L), senders);
  }
  /// Rows of radial weights, path by path.
  template <class A>
  Shape radial() const {
    Shape shape{{edges, {}}};
    const Convolution c = convolution<A>();
    for (const ConvolutionPath& p : c.paths) shape[0].groups.push_back(group<A>(p));
    return shape;
  }
  template <class A>
  Shape messages() const {
    Shape shape;
    for (int l3 = 0; l3 <= l_max; ++l3) {
      shape.push_back({rows * (2 * l3 + 1), {}});
      const Convolution c = convolution<A>();
      for (const ConvolutionPath& p : c.paths) {
        if (p.l3 == l3) shape.back().groups.push_back(group<A>(p));
      }
    }
    return shape;
  }
  template <class A>
  Rows::Group group(const ConvolutionPath& p) const {
    const auto& block = sender_layout<A>(L).block[p.in_block];
    return {block.mul, block.pad};
  }
};

/// Receivers [begin, end) of the small graph above.
template <class A>
struct Batch {
  View<long> first_view = to_device("first", first);
  View<int> sender_view = to_device("sender", sender);
  EdgeBatch<A> of(int begin, int end, const Convolution& c, const View<typename A::Num>& couplings,
                  const View<typename A::Real>& weights) const {
    const long e = first[begin];
    return {begin,
            end,
            e,
            first[end],
            first_view.data(),
            sender_view.data() + e,
            couplings.data() + e * c.couplings,
            weights.data() + e * c.weights * A::rows};
  }
};

// ---- derivatives ---------------------------------------------------------------------------------------------------

/// Inputs: features of the senders, radial weights, harmonics (no adjoint of these in the pass with tangents).
/// Harmonics are inputs but for Y_00, a constant: it has no adjoint.
struct ConvolutionCase : LayerCase {
  Problem problem;
  long n_features, n_radial, n_harmonics;
  ConvolutionCase(int L, int l_max, bool odd = false) : problem{L, l_max, odd} {
    using A = Plain<double>;
    n_features = live_size(problem.features<A>());
    n_radial = live_size(problem.radial<A>());
    n_harmonics = edges * (problem.harmonics() - 1);
    dual_inputs = n_features + n_radial;
    inputs = dual_inputs + n_harmonics;
    outputs = live_size(problem.messages<A>());
  }
  template <class A>
  View<typename A::Num> couplings(const Convolution& c, const Numbers& x) const {
    Numbers all;
    for (int e = 0, count = problem.harmonics() - 1; e < edges; ++e) {
      Numbers y_00 = part(x, 0, 1);
      std::fill(y_00.v.begin(), y_00.v.end(), 1);
      std::fill(y_00.t.begin(), y_00.t.end(), 0);
      append(all, y_00);
      append(all, part(x, dual_inputs + e * count, count));
    }
    const auto y = store_numbers<A>(all);
    const View<typename A::Num> values("couplings", edges * c.couplings);
    couple<A>(c, edges, problem.harmonics(), y.data(), values.data());
    return values;
  }
  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const Convolution c = problem.convolution<A>();
    const auto h = store<A>(problem.features<A>(), part(x, 0, n_features));
    const auto weights = store<A>(problem.radial<A>(), part(x, n_features, n_radial));
    const auto out = poisoned<A>(problem.messages<A>());
    const auto values = couplings<A>(c, x);
    convolve<A>(c, Batch<A>{}.of(0, rows, c, values, weights), features<A>(sender_layout<A>(problem.L), senders, h),
                features<A>(c.out, rows, out));
    return read<A>(problem.messages<A>(), out);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    using T = typename A::Real;
    const Convolution c = problem.convolution<A>();
    const Layout in = sender_layout<A>(problem.L);
    const auto h = store<A>(problem.features<A>(), part(x, 0, n_features));
    const auto weights = store<A>(problem.radial<A>(), part(x, n_features, n_radial));
    const auto g_out = store<A>(problem.messages<A>(), gy), g_in = zeros<A>(problem.features<A>());
    const View<T> g_harmonics("g_harmonics", edges * problem.harmonics()),
        g_couplings("g_couplings", edges * c.couplings);
    Kokkos::deep_copy(g_couplings, std::numeric_limits<T>::quiet_NaN());
    const auto values = couplings<A>(c, x);
    convolve_backward<A>(c, Batch<A>{}.of(0, rows, c, values, weights), features<A>(in, senders, h),
                         features<A>(c.out, rows, g_out), features<A>(in, senders, g_in),
                         A::dual ? nullptr : g_couplings.data());
    if (!A::dual) couple_backward<T>(c, edges, problem.harmonics(), g_couplings.data(), g_harmonics.data());
    Numbers g = read<A>(problem.features<A>(), g_in);
    append(g, read<A>(problem.radial<A>(), weights));  // written over the weights
    if (!A::dual) append_harmonics(g, read_numbers<Plain<T>>(g_harmonics));
    return g;
  }
  void append_harmonics(Numbers& g, const Numbers& g_harmonics) const {
    for (int e = 0, count = problem.harmonics(); e < edges; ++e) {
      EXPECT_EQ(g_harmonics.v[e * count], 0);
      append(g, part(g_harmonics, e * count + 1, count - 1));
    }
  }
};

TEST(Convolution, Derivatives) {
  for (int L = 0; L <= 2; ++L) {
    for (int l_max = std::max(1, L); l_max <= 3; ++l_max) {
      SCOPED_TRACE(::testing::Message() << "L = " << L << ", l_max = " << l_max);
      check_layer(ConvolutionCase(L, l_max));
    }
  }
  check_layer(ConvolutionCase(2, 3, true));
}

TEST(Convolution, CouplingsOfScalarsAreTheHarmonics) {
  const Problem problem{0, 3};
  const Convolution c = problem.convolution<Plain<double>>();
  EXPECT_TRUE(c.couplings_are_harmonics);
  EXPECT_EQ(c.couplings, problem.harmonics());
  const auto y = random_numbers(c.couplings, 1);
  const auto stored = to_device("y", y);
  const View<double> couplings("couplings", c.couplings);
  couple<Plain<double>>(c, 1, c.couplings, stored.data(), couplings.data());
  expect_close(read_numbers<Plain<double>>(couplings).v, y, 1e-15);
  EXPECT_FALSE((Problem{1, 3}.convolution<Plain<double>>().couplings_are_harmonics));
}

TEST(Convolution, RefusesHarmonicsBeyondItsLimit) {
  try {
    const Convolution refused(sender_layout<Plain<double>>(0), 4);
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "l_max is 4: this build convolves up to l = 3");
  }
}

// ---- the definition ------------------------------------------------------------------------------------------------

struct Inputs {
  std::vector<double> h, radial;
  std::vector<Vec3> r;
};
Inputs inputs_of(const Problem& problem) {
  using A = Plain<double>;
  Inputs in{random_numbers(live_size(problem.features<A>()), 1), random_numbers(live_size(problem.radial<A>()), 2), {}};
  const auto flat = random_numbers(3 * edges, 3);
  for (int e = 0; e < edges; ++e) in.r.push_back({flat[3 * e], flat[3 * e + 1], flat[3 * e + 2]});
  return in;
}
std::vector<double> harmonics_of(const Problem& problem, const std::vector<Vec3>& r) {
  std::vector<double> y(edges * problem.harmonics());
  for (int e = 0; e < edges; ++e) {
    spherical_harmonics(problem.l_max, r[e][0], r[e][1], r[e][2], y.data() + e * problem.harmonics());
  }
  return y;
}

std::vector<double> by_kernels(const Problem& problem, const Inputs& in, int split) {
  using A = Plain<double>;
  const Convolution c = problem.convolution<A>();
  const auto h = store<A>(problem.features<A>(), {in.h, {}}), weights = store<A>(problem.radial<A>(), {in.radial, {}});
  const auto y = to_device("y", harmonics_of(problem, in.r));
  const View<double> couplings("couplings", edges * c.couplings);
  couple<A>(c, edges, problem.harmonics(), y.data(), couplings.data());
  const auto out = poisoned<A>(problem.messages<A>());
  for (const auto& [begin, end] : {std::pair(0, split), std::pair(split, rows)}) {
    convolve<A>(c, Batch<A>{}.of(begin, end, c, couplings, weights),
                features<A>(sender_layout<A>(problem.L), senders, h), features<A>(c.out, rows, out));
  }
  return read<A>(problem.messages<A>(), out).v;
}

/// m_i[l3, path, m3, c] = sum over edges, m1, m2 of sqrt(2 l3 + 1) C(l1 l2 l3) R[path, c] h_j[l1, m1, c] Y[l2, m2].
std::vector<double> by_loops(const Problem& problem, const Inputs& in) {
  using A = Plain<double>;
  const Layout layout = sender_layout<A>(problem.L);
  const auto y = harmonics_of(problem, in.r);
  const long radial_width = problem.radial<A>()[0].live() / edges;
  std::vector<double> out;
  long path_begin = 0;  // in a row of radial weights
  for (int l3 = 0; l3 <= problem.l_max; ++l3) {
    struct Path {
      int l1, l2;
      long weight, channel;
    };
    std::vector<Path> paths;
    long width = 0;
    for (int l1 = 0; l1 <= problem.L; ++l1) {
      for (int l2 = std::abs(l1 - l3); l2 <= std::min(problem.l_max, l1 + l3); l2 += problem.odd ? 1 : 2) {
        if (!problem.odd && (l1 + l2 + l3) % 2 != 0) ++l2;
        if (l2 > std::min(problem.l_max, l1 + l3)) break;
        paths.push_back({l1, l2, path_begin, width});
        path_begin += layout.block[l1].mul;
        width += layout.block[l1].mul;
      }
    }
    std::vector<double> block(rows * (2 * l3 + 1) * width, 0);
    for (const Path& p : paths) {
      const auto& w3j = wigner_3j(p.l1, p.l2, l3);
      const int d1 = 2 * p.l1 + 1, d2 = 2 * p.l2 + 1, d3 = 2 * l3 + 1, mul = layout.block[p.l1].mul;
      long h_begin = 0;
      for (int l = 0; l < p.l1; ++l) h_begin += senders * (2 * l + 1) * layout.block[l].mul;
      for (int i = 0; i < rows; ++i) {
        for (long e = first[i]; e < first[i + 1]; ++e) {
          for (int m1 = 0; m1 < d1; ++m1) {
            for (int m2 = 0; m2 < d2; ++m2) {
              for (int m3 = 0; m3 < d3; ++m3) {
                const double factor =
                    std::sqrt(d3) * w3j[(m1 * d2 + m2) * d3 + m3] * y[e * problem.harmonics() + p.l2 * p.l2 + m2];
                for (int c = 0; c < mul; ++c) {
                  block[(i * d3 + m3) * width + p.channel + c] += factor * in.radial[e * radial_width + p.weight + c] *
                                                                  in.h[h_begin + (sender[e] * d1 + m1) * mul + c];
                }
              }
            }
          }
        }
      }
    }
    out.insert(out.end(), block.begin(), block.end());
  }
  return out;
}

TEST(Convolution, EqualsItsDefinition) {
  for (int L = 0; L <= 2; ++L) {
    for (int l_max = std::max(1, L); l_max <= 3; ++l_max) {
      const Problem problem{L, l_max};
      expect_close(by_kernels(problem, inputs_of(problem), rows), by_loops(problem, inputs_of(problem)), 1e-13);
    }
  }
  const Problem odd{2, 3, true};
  expect_close(by_kernels(odd, inputs_of(odd), rows), by_loops(odd, inputs_of(odd)), 1e-13);
}

TEST(Convolution, BatchesOfReceiversAddNothing) {
  const Problem problem{2, 3};
  const Inputs in = inputs_of(problem);
  for (int split = 1; split < rows; ++split)
    expect_close(by_kernels(problem, in, split), by_kernels(problem, in, rows), 0);
}

/// Rows of numbers of one l: D acts on the component m of [count][m][channel].
std::vector<double> rotate(const std::vector<double>& x, const std::vector<std::pair<int, int>>& blocks, long count,
                           const Mat3& R) {
  std::vector<double> out(x.size(), 0);
  long at = 0;
  for (const auto& [l, width] : blocks) {
    const auto D = wigner_d(l, R);
    const int d = 2 * l + 1;
    for (long i = 0; i < count; ++i) {
      for (int a = 0; a < d; ++a) {
        for (int b = 0; b < d; ++b) {
          for (int c = 0; c < width; ++c)
            out[at + (i * d + a) * width + c] += D[a * d + b] * x[at + (i * d + b) * width + c];
        }
      }
    }
    at += count * d * width;
  }
  return out;
}

TEST(Convolution, TurnsWithItsInput) {
  const Problem problem{2, 3};
  const Layout layout = sender_layout<Plain<double>>(problem.L);
  std::vector<std::pair<int, int>> in_blocks, out_blocks;
  for (int l = 0; l <= problem.L; ++l) in_blocks.emplace_back(l, layout.block[l].mul);
  for (const Rows& block : problem.messages<Plain<double>>()) {
    out_blocks.emplace_back(out_blocks.size(), block.live() / block.count);
  }
  for (const int sign : {1, -1}) {
    Mat3 R = random_rotation(8);
    for (Vec3& row : R) row = static_cast<double>(sign) * row;
    Inputs in = inputs_of(problem);
    const auto expected = rotate(by_kernels(problem, in, rows), out_blocks, rows, R);
    in.h = rotate(in.h, in_blocks, senders, R);
    for (Vec3& r : in.r) r = R * r;
    expect_close(by_kernels(problem, in, rows), expected, 1e-13);
  }
}

}  // namespace
}  // namespace isotrope
