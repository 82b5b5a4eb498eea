// SPDX-License-Identifier: MIT
// Lanes and duals: accuracy of the elementary functions in ulp, derivatives, loads and stores.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/lane_math.hpp"
#include "core/lane_tanh.hpp"
#include "core/lane_trig.hpp"
#include "core/loops.hpp"
#include "core/random.hpp"

namespace isotrope {
namespace {

/// f over all of `x`, lane by lane.
template <class T, class F>
std::vector<T> by_lanes(std::vector<T> x, const F& f) {
  const std::size_t size = x.size();
  x.resize(padded<T>(static_cast<int>(size)), T(0));
  for (std::size_t k = 0; k < x.size(); k += lane_width<T>)
    store_lane(x.data() + k, Lane<T>(f(load_lane(x.data() + k))));
  x.resize(size);
  return x;
}

template <class T>
std::vector<T> spread(T low, T high, int count) {
  SplitMix random(3);
  std::vector<T> x{low, high};
  while (static_cast<int>(x.size()) < count) x.push_back(static_cast<T>(low + (high - low) * random.uniform()));
  return x;
}

/// Largest error in units of the spacing of T at the exact result; not finite where a result is not.
template <class T, class F, class G>
long double ulps(const std::vector<T>& x, const F& f, const G& exact) {
  const std::vector<T> y = by_lanes<T>(x, f);
  long double worst = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double truth = exact(static_cast<long double>(x[k]));
    const T near = std::abs(static_cast<T>(truth));
    const long double spacing = std::nextafter(near, std::numeric_limits<T>::infinity()) - near;
    const long double error = std::abs(y[k] - truth) / spacing;
    if (!(error <= worst)) worst = error;
    if (std::isnan(worst)) return worst;
  }
  return worst;
}

template <class T>
class LaneMath : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LaneMath, Reals);

template <class T>
constexpr T lowest_exponent = std::is_same_v<T, float> ? T(-87.3) : T(-708);
template <class T>
constexpr T highest_exponent = std::is_same_v<T, float> ? T(88.3) : T(709);

/// With AVX-512 0.93 ulp at most (sigmoid 2.1, silu 2.6); the bounds leave room for machines without fused
/// multiply-add.
TYPED_TEST(LaneMath, ExpIsWithinTwoUlpOverItsWholeRange) {
  using T = TypeParam;
  const auto f = [](const Lane<T>& x) { return exp_lane(x); };
  const auto exact = [](long double x) { return std::exp(x); };
  EXPECT_LE(ulps(spread(lowest_exponent<T>, highest_exponent<T>, 1000000), f, exact), 2.0L);
  EXPECT_LE(ulps(spread<T>(-2, 2, 1000000), f, exact), 2.0L);
}

TYPED_TEST(LaneMath, ExpOfNothingIsOneAndOfExtremesStaysAtItsLimits) {
  using T = TypeParam;
  const T huge = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity();
  const T tiny = std::numeric_limits<T>::denorm_min();
  const auto y = by_lanes<T>({T(0), T(-0.0), tiny, -tiny, huge, infinity, -huge, -infinity},
                             [](const Lane<T>& x) { return exp_lane(x); });
  for (int k = 0; k < 4; ++k) EXPECT_EQ(y[k], T(1));
  for (int k = 4; k < 6; ++k) EXPECT_TRUE(std::isfinite(y[k]) && y[k] >= std::exp(highest_exponent<T>) * T(0.999));
  for (int k = 6; k < 8; ++k) EXPECT_TRUE(y[k] > 0 && y[k] <= std::exp(lowest_exponent<T>) * T(1.001));
}

TYPED_TEST(LaneMath, NotANumberStaysOne) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> x{T(1), nan, T(-3), nan};
  for (const auto& y : {by_lanes<T>(x, [](const Lane<T>& v) { return exp_lane(v); }),
                        by_lanes<T>(x, [](const Lane<T>& v) { return silu(v); }),
                        by_lanes<T>(x, [](const Lane<T>& v) { return silu_slope(v); })}) {
    EXPECT_TRUE(std::isfinite(y[0]) && std::isfinite(y[2]));
    EXPECT_TRUE(std::isnan(y[1]) && std::isnan(y[3]));
  }
}

/// Where sigmoid(x) is not yet lost in the clamp of exp(-x).
template <class T>
std::vector<T> activations() {
  std::vector<T> x = spread<T>(T(0.98) * lowest_exponent<T>, T(0.98) * highest_exponent<T>, 200000);
  for (const T value : spread<T>(-5, 5, 200000)) x.push_back(value);
  return x;
}

TYPED_TEST(LaneMath, SigmoidAndSiluAreWithinFourUlp) {
  using T = TypeParam;
  const auto exact = [](long double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LE(ulps(
                activations<T>(), [](const Lane<T>& x) { return sigmoid(x); }, exact),
            4.0L);
  EXPECT_LE(
      ulps(
          activations<T>(), [](const Lane<T>& x) { return silu(x); }, [&](long double x) { return x * exact(x); }),
      4.0L);
}

/// The slope has a zero at x = -1.278, so its error is measured against the numbers that it is made of.
TYPED_TEST(LaneMath, SiluSlopeAndItsTangentAreExactToRounding) {
  using T = TypeParam;
  const std::vector<T> x = activations<T>();
  const auto slope = by_lanes<T>(x, [](const Lane<T>& v) { return silu_slope(v); });
  const auto tangent = by_lanes<T>(x, [](const Lane<T>& v) { return silu(Dual<Lane<T>>{v, Lane<T>(T(3))}).t; });
  const auto value = by_lanes<T>(x, [](const Lane<T>& v) { return silu_slope(Dual<Lane<T>>{v, Lane<T>(T(3))}).v; });
  const auto curvature = by_lanes<T>(x, [](const Lane<T>& v) { return silu_slope(Dual<Lane<T>>{v, Lane<T>(T(3))}).t; });
  const auto sigmoid_tangent = by_lanes<T>(x, [](const Lane<T>& v) {
    return sigmoid(Dual<Lane<T>>{v, Lane<T>(T(3))}).t;
  });
  long double worst[5]{};
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double v = x[k], s = 1 / (1 + std::exp(-v)), c = 1 / (1 + std::exp(v));
    const long double eps = std::numeric_limits<T>::epsilon(), scale = (1 + std::abs(v)) * (s + eps * std::abs(v));
    const long double errors[5] = {std::abs(slope[k] - s * (1 + v * c)) / scale,
                                   std::abs(tangent[k] - 3 * s * (1 + v * c)) / (3 * scale),
                                   std::abs(value[k] - s * (1 + v * c)) / scale,
                                   std::abs(curvature[k] - 3 * s * c * (2 + v * (1 - 2 * s))) / (3 * scale),
                                   std::abs(sigmoid_tangent[k] - 3 * s * c) / (3 * scale)};
    for (int n = 0; n < 5; ++n) {
      ASSERT_FALSE(std::isnan(errors[n])) << "x = " << v;
      worst[n] = std::max(worst[n], errors[n] / eps);
    }
  }
  for (const long double error : worst) EXPECT_LE(error, 6.0L);
}

/// tanh and its derivatives are at most 1, and their errors are measured in ulp of one.
TYPED_TEST(LaneMath, TanhAndItsSlopesAreExactToRounding) {
  using T = TypeParam;
  const std::vector<T> x = activations<T>();
  const auto value = by_lanes<T>(x, [](const Lane<T>& v) { return tanh_lane(v); });
  const auto slope = by_lanes<T>(x, [](const Lane<T>& v) { return tanh_slope(v); });
  const auto tangent = by_lanes<T>(x, [](const Lane<T>& v) { return tanh_lane(Dual<Lane<T>>{v, Lane<T>(T(1))}).t; });
  const auto curvature = by_lanes<T>(x, [](const Lane<T>& v) { return tanh_slope(Dual<Lane<T>>{v, Lane<T>(T(1))}).t; });
  long double worst[4]{};
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double t = std::tanh(static_cast<long double>(x[k])), s = 1 - t * t;
    const long double errors[4] = {std::abs(value[k] - t), std::abs(slope[k] - s), std::abs(tangent[k] - s),
                                   std::abs(curvature[k] + 2 * t * s)};
    for (int n = 0; n < 4; ++n) {
      ASSERT_FALSE(std::isnan(errors[n])) << "x = " << static_cast<long double>(x[k]);
      worst[n] = std::max(worst[n], errors[n] / std::numeric_limits<T>::epsilon());
    }
  }
  EXPECT_LE(worst[0], 2.0L);
  EXPECT_LE(worst[1], 4.0L);  // 2 t dt
  EXPECT_LE(worst[2], 4.0L);
  EXPECT_LE(worst[3], 8.0L);
}

TYPED_TEST(LaneMath, TanhOfExtremesIsOneAndOfNothingNothing) {
  using T = TypeParam;
  const T huge = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity();
  const auto y = by_lanes<T>({huge, infinity, -huge, -infinity, T(0), std::numeric_limits<T>::quiet_NaN()},
                             [](const Lane<T>& v) { return tanh_lane(v); });
  for (int k = 0; k < 4; ++k) EXPECT_EQ(y[k], T(k < 2 ? 1 : -1));
  EXPECT_EQ(y[4], T(0));
  EXPECT_TRUE(std::isnan(y[5]));
}

/// Near and far, at and beside the quarters of a turn, and where the standard library takes over.
TEST(LaneTrig, SineAndCosineAreWithinTwoUlpOfOne) {
  std::vector<double> x = spread(-99999.0, 99999.0, 100000);
  for (const double end : {1.0, 100.0, 3e6}) {
    for (const double y : spread(-end, end, 20000)) x.push_back(y);
  }
  for (int k = -2000; k <= 2000; ++k) {
    const double quarter = 0.78539816339744831 * k;
    for (const double y : {quarter, std::nextafter(quarter, 1e9), std::nextafter(quarter, -1e9)}) x.push_back(y);
  }
  const std::vector<double> sine = by_lanes<double>(x, [](const Lane<double>&y) { return sine_cosine(y).sine; }),
                            cosine = by_lanes<double>(x, [](const Lane<double>&y) { return sine_cosine(y).cosine; });
  constexpr long double bound = 2 * std::numeric_limits<double>::epsilon();
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double exact = x[k];
    ASSERT_LE(std::abs(sine[k] - std::sin(exact)), bound) << x[k];
    ASSERT_LE(std::abs(cosine[k] - std::cos(exact)), bound) << x[k];
  }
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(by_lanes<double>({nothing}, [](const Lane<double>& y) { return sine_cosine(y).sine; })[0]));
}

TYPED_TEST(LaneMath, ScalarsAgreeWithLanes) {
  using T = TypeParam;
  const std::vector<T> x = spread<T>(-10, 10, 64);
  const auto lanes = by_lanes<T>(x, [](const Lane<T>& v) { return silu(v); });
  for (std::size_t k = 0; k < x.size(); ++k)
    EXPECT_LE(std::abs(silu(x[k]) - lanes[k]), 8 * std::numeric_limits<T>::epsilon());
}

/// Every operator of duals against the central difference of the same expression of plain numbers.
TEST(Dual, OperatorsAreDerivatives) {
  using D = Dual<double>;
  const auto expressions = [](auto a, auto b) {
    using std::sin;
    using std::sqrt;
    return std::array{a + b,   a - b,   a * b,   a / b,   -a,      a * 1.7,         1.7 * a,   a / 1.7,
                      1.7 / a, a + 1.7, 1.7 + a, a - 1.7, 1.7 - a, sqrt(a * a * b), sin(a) * b};
  };
  constexpr double a = 0.83, b = 1.91, da = -0.7, db = 1.3, h = 1e-5;
  const auto duals = expressions(D{a, da}, D{b, db});
  const auto centre = expressions(a, b), up = expressions(a + h * da, b + h * db),
             down = expressions(a - h * da, b - h * db);
  for (std::size_t k = 0; k < centre.size(); ++k) {
    EXPECT_DOUBLE_EQ(duals[k].v, centre[k]) << "expression " << k;
    EXPECT_LE(std::abs(duals[k].t - (up[k] - down[k]) / (2 * h)), 1e-9) << "expression " << k;
  }
  D sum{a, da};
  sum += D{b, db};
  EXPECT_EQ(sum.v, a + b);
  EXPECT_EQ(sum.t, da + db);
  EXPECT_EQ(value_of(sum), a + b);
  EXPECT_EQ(cast_num(sum, static_cast<Dual<float>*>(nullptr)).t, static_cast<float>(da + db));
}

TYPED_TEST(LaneMath, DualsOfNumbersMultiplyDualsOfLanes) {
  using T = TypeParam;
  const Dual<T> number{T(2), T(5)};
  const Dual<Lane<T>> product = number * Dual<Lane<T>>{Lane<T>(T(3)), Lane<T>(T(7))};
  const Dual<T> sum = horizontal_sum(product);
  EXPECT_EQ(sum.v, T(6 * lane_width<T>));
  EXPECT_EQ(sum.t, T(29 * lane_width<T>));
}

TYPED_TEST(LaneMath, LoadsStoresAndSumsTouchTheirOwnRows) {
  using T = TypeParam;
  using A = WithTangent<T>;
  constexpr int width = lane_width<T>, stride = width + 3;  // a tangent row that does not start on a lane
  std::vector<T> memory(2 * stride + width);
  for (std::size_t k = 0; k < memory.size(); ++k) memory[k] = T(k);
  const auto before = memory;
  const auto x = A::load(memory.data() + 1, stride);
  EXPECT_EQ(horizontal_sum(x).v, T(width * (width + 1) / 2));
  EXPECT_EQ(horizontal_sum(x).t, T(width * (width + 1) / 2 + stride * width));
  add_to<A>(memory.data() + 1, stride, x);
  scatter<A>(memory.data() + 1, stride, x);
  for (std::size_t k = 0; k < memory.size(); ++k) {
    const int place = static_cast<int>(k) - 1;
    const bool touched = (place >= 0 && place < width) || (place >= stride && place < stride + width);
    EXPECT_EQ(memory[k], touched ? 3 * before[k] : before[k]) << k;
  }
  Plain<T>::store(memory.data(), stride, Plain<T>::zero());
  for (int k = 0; k < width; ++k) EXPECT_EQ(memory[k], T(0));
}

template <int N, class T>
void expect_sums_of_lanes() {
  Lane<T> x[N];
  std::vector<T> target(N + 2, T(-1)), expected(N + 2, T(-1));
  for (int k = 0; k < N; ++k) {
    std::vector<T> numbers(lane_width<T>);
    for (int p = 0; p < lane_width<T>; ++p) numbers[p] = T((7 * k + 3 * p) % 11 + k * p);
    expected[k + 1] = std::accumulate(numbers.begin(), numbers.end(), T(0));
    x[k] = load_lane(numbers.data());
  }
  const auto sum_up = [&](const ChannelTeam& team, int) { team.template store_sums<N, T>(x, target.data() + 1); };
  for_teams("test", 1, sum_up);
  EXPECT_EQ(target, expected) << N;
}

/// All of them, and nothing is written beside them.
TYPED_TEST(LaneMath, SumsOfSeveralLanesAtOnce) {
  using T = TypeParam;
  expect_sums_of_lanes<1, T>();
  expect_sums_of_lanes<2, T>();
  expect_sums_of_lanes<3, T>();
  expect_sums_of_lanes<7, T>();
  expect_sums_of_lanes<8, T>();
  expect_sums_of_lanes<15, T>();
  expect_sums_of_lanes<16, T>();
  expect_sums_of_lanes<21, T>();
  expect_sums_of_lanes<49, T>();
}

/// Many items add to the same lane: right only if scatter does not race.
TYPED_TEST(LaneMath, ScatterFromManyItemsLosesNothing) {
  using T = TypeParam;
  constexpr int items = 20000;
  View<T> target("target", lane_width<T>);
  T* const data = target.data();
  for_each(
      "test", items, KOKKOS_LAMBDA(long) { scatter<Plain<T>>(data, 0, Lane<T>(T(1))); });
  auto host = Kokkos::create_mirror_view(target);
  Kokkos::deep_copy(host, target);
  for (int k = 0; k < lane_width<T>; ++k) EXPECT_EQ(host(k), T(items));
}

TEST(Lane, PaddingIsTheNextMultiple) {
  EXPECT_EQ(padded<double>(0), 0);
  EXPECT_EQ(padded<float>(1), lane_width<float>);
  EXPECT_EQ(padded<float>(lane_width<float>), lane_width<float>);
  EXPECT_EQ(padded<float>(lane_width<float> + 1), 2 * lane_width<float>);
}

}  // namespace
}  // namespace isotrope
