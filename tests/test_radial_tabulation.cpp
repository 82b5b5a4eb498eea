// SPDX-License-Identifier: MIT
// Tables of radial functions against the functions themselves: values, slopes, joints of stretches, kinks, refusal.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/random.hpp"
#include "layers/radial_tabulation.hpp"
#include "support/message_of.hpp"

namespace isotrope {
namespace {

using testing::message_of;
using Function = std::function<Dual<double>(int weight, double r)>;

/// Two paths of 3 and 20 channels.
RadialNetwork network_of(const Function& f, double kink = 0) {
  RadialNetwork network;
  network.channels = {3, 20};
  network.kink = kink;
  network.sample = [f](const std::vector<double>& distances) {
    SampledRadial s;
    for (const double r : distances) {
      for (int w = 0; w < 23; ++w) {
        s.values.push_back(f(w, r).v);
        s.slopes.push_back(f(w, r).t);
      }
    }
    return s;
  };
  return network;
}

/// Steep at short distances, as radial functions are, and zero with two derivatives at the cutoff.
constexpr double cutoff = 5;
Dual<double> wave(int weight, double r) {
  const double f = 0.4 * (weight + 1), x = 1 - r / cutoff;
  const Dual<double> envelope{x * x * x, -3 * x * x / cutoff};
  return Dual<double>{std::sin(f * r) / r, f * std::cos(f * r) / r - std::sin(f * r) / (r * r)} * envelope;
}

/// Curvature jumps at 4.5 and at the cutoff.
Dual<double> switched(int weight, double r) {
  const double x = (cutoff - r) / 0.5;
  const Dual<double> envelope = r < 4.5 ? Dual<double>{1, 0} : Dual<double>{x * x * (3 - 2 * x), -12 * x * (1 - x)};
  return Dual<double>{std::cos(0.1 * weight * r), -0.1 * weight * std::sin(0.1 * weight * r)} * envelope;
}

/// Weights of the padded table at a distance, and their slopes by way of adjoints.
template <class T>
struct AtDistance {
  std::vector<double> values, slopes;
  AtDistance(const RadialTable<T>& table, double r) {
    const std::vector<double> vector{0.6 * r, 0, -0.8 * r};
    const View<double> edge = to_device("r", vector), g_length("g_length", 1);
    const int pads[2] = {padded<T>(3), padded<T>(20)}, width = pads[0] + pads[1];
    const View<T> out("out", width), g("g", width);
    table.evaluate(1, edge.data(), out.data());
    for (int p = 0; p < 2; ++p) {
      for (int c = 0; c < (p == 0 ? 3 : 20); ++c) {
        const int at = p * pads[0] + c;
        values.push_back(out(at));
        Kokkos::deep_copy(g, T(0));
        Kokkos::deep_copy(g_length, 0.5);
        g(at) = T(1);
        table.backward(1, edge.data(), g.data(), g_length.data());
        slopes.push_back(g_length(0) - 0.5);
      }
    }
  }
};

struct Errors {
  double value = 0, slope = 0;
};
template <class T>
Errors errors_at(const RadialTable<T>& table, const Function& f, double r) {
  const AtDistance<T> found(table, r);
  Errors worst;
  for (int w = 0; w < 23; ++w) {
    const Dual<double> exact = f(w, r);
    const double value = std::abs(found.values[w] - exact.v), slope = std::abs(found.slopes[w] - exact.t);
    EXPECT_FALSE(std::isnan(value) || std::isnan(slope)) << r;
    worst = {std::max(worst.value, value), std::max(worst.slope, slope)};
  }
  return worst;
}

/// The largest from the first knot on.
Errors largest_of(const Function& f) {
  Errors most;
  for (int k = 0; k <= 4900; ++k) {
    for (int w = 0; w < 23; ++w) {
      const Dual<double> x = f(w, 0.1 + 1e-3 * k);
      most.value = std::max(most.value, std::abs(x.v));
      most.slope = std::max(most.slope, std::abs(x.t));
    }
  }
  return most;
}

template <class T>
void expect_close_everywhere(const Function& f, double kink, double tolerance, double rounding) {
  TableReport report;
  const auto table = tabulate<T>(network_of(f, kink), cutoff, tolerance, report);
  EXPECT_LE(report.value_error, tolerance);
  EXPECT_LE(report.slope_error, tolerance);
  const Errors most = largest_of(f);
  SplitMix random(7);
  for (int k = 0; k < 300; ++k) {
    const double r = k < 100 ? 0.1 + 0.6 * random.uniform() : 0.7 + (cutoff - 0.7) * random.uniform();
    const double bound = (k < 100 ? 30 : 1) * 1.1 * tolerance;  // errors are measured at two places of an interval
    const Errors worst = errors_at(*table, f, r);
    ASSERT_LE(worst.value, (bound + rounding) * most.value) << r;
    ASSERT_LE(worst.slope, (bound + 100 * rounding) * most.slope) << r;
  }
}

TEST(RadialTabulation, ValuesAndSlopesAreWithinTheTolerance) {
  expect_close_everywhere<double>(wave, 0, 1e-6, 1e-15);
  expect_close_everywhere<double>(wave, 0, 1e-9, 1e-15);
  expect_close_everywhere<float>(wave, 0, 1e-6, 3e-7);
}

TEST(RadialTabulation, AKnotLiesWhereTheCurvatureJumps) {
  expect_close_everywhere<double>(switched, 4.5, 1e-7, 1e-15);
  TableReport report;
  EXPECT_NE(message_of([&] { tabulate<double>(network_of(switched), cutoff, 1e-7, report); }).find("up to 4.51 Å"),
            std::string::npos);
}

/// Stretches end in the exact value and slope, so that their splines meet; and slopes are those of the values.
TEST(RadialTabulation, IsSmooth) {
  TableReport report;
  const auto table = tabulate<double>(network_of(wave), cutoff, 1e-4, report);
  for (int k = 1; k < 490; ++k) {
    const double r = 0.1 + 0.01 * k, h = 1e-5;
    const AtDistance<double> before(*table, r - h), at(*table, r), after(*table, r + h);
    for (int w = 0; w < 23; ++w) {
      ASSERT_NEAR((after.values[w] - before.values[w]) / (2 * h), at.slopes[w], 2e-6 * std::max(1.0, 1 / (r * r * r)))
          << r;
    }
  }
}

TEST(RadialTabulation, GoesOnBelowTheFirstKnot) {
  TableReport report;
  const auto table = tabulate<double>(network_of(wave), cutoff, 1e-6, report);
  const AtDistance<double> first(*table, 0.1), below(*table, 0.09);
  for (int w = 0; w < 23; ++w) EXPECT_NEAR(below.values[w], first.values[w] - 0.01 * first.slopes[w], 0.05);
}

/// Steep functions have their knots where they are steep.
TEST(RadialTabulation, KnotsAreWhereTheyAreNeeded) {
  TableReport report;
  const TableView<double> view = tabulate<double>(network_of(wave), cutoff, 1e-7, report)->view();
  ASSERT_GT(view.count, 3);
  EXPECT_GT(view.stretches[3].per_spacing, 2 * view.stretches[view.count - 1].per_spacing);
}

TEST(RadialTabulation, RefusesWhatItCannotReach) {
  TableReport report;
  const auto bend = [](int, double r) { return Dual<double>{std::abs(r - 2.03), r < 2.03 ? -1.0 : 1.0}; };
  const std::string message = message_of([&] { tabulate<double>(network_of(bend), cutoff, 1e-6, report); });
  EXPECT_NE(message.find("up to 2.06 Å have a relative error"), std::string::npos) << message;
  EXPECT_NE(message.find("ask for radial exact"), std::string::npos) << message;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Dual<double> undefined : {Dual<double>{nan, 0}, Dual<double>{1, nan}}) {
    // of one weight, and between the knots of the first attempt
    const auto hole = [&](int w, double r) {
      return w == 5 && std::abs(r - 2.029) < 0.01 ? undefined : Dual<double>{r, 1};
    };
    EXPECT_NE(message_of([&] { tabulate<double>(network_of(hole), cutoff, 1e-6, report); }).find("nan"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace isotrope
