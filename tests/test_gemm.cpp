// SPDX-License-Identifier: MIT
// Matrix products, at once and with a packed factor, against sums written out, for the sizes and strides at which the
// program takes another way.
#include "core/gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/kokkos_ext.hpp"
#include "core/packed_matrix.hpp"
#include "core/random.hpp"
#include "layers/packed_linear.hpp"

namespace isotrope {
namespace {

template <class T>
std::vector<T> random_numbers(std::size_t size, std::uint64_t seed) {
  SplitMix random(seed);
  std::vector<T> x(size);
  for (T& v : x) v = static_cast<T>(random.normal());
  return x;
}

enum class How { at_once, packed, added };  ///< added: packed, and C = A B + D, with D for what C was else

/// C of m x n by sums over k; rows are `gap` numbers longer than they need to be, which must stay as they are.
template <class T>
void check(Trans ta, Trans tb, long m, long n, long k, T alpha, T beta, How how = How::at_once,
           Method method = Method::in_order) {
  constexpr long gap = 3;
  const long lda = (ta == Trans::no ? k : m) + gap, ldb = (tb == Trans::no ? n : k) + gap, ldc = n + gap;
  const auto a = random_numbers<T>((ta == Trans::no ? m : k) * lda, 1);
  const auto b = random_numbers<T>((tb == Trans::no ? k : n) * ldb, 2);
  auto c = random_numbers<T>(m * ldc, 3);
  if (beta == T(0)) {
    for (long i = 0; i < m; ++i) std::fill_n(c.begin() + i * ldc, n, std::numeric_limits<T>::quiet_NaN());
  }
  const auto before = c;
  const auto A = to_device("a", a), B = to_device("b", b), C = to_device("c", c);
  PackedMatrix<T> factor;
  if (how != How::at_once) factor.pack(tb, n, k, B.data(), ldb, method);
  if (how == How::packed) {
    factor.multiply(m, A.data(), lda, beta, C.data(), ldc);
  } else if (how == How::added) {
    const auto D = to_device("d", before);
    for (long i = 0; i < m; ++i)
      Kokkos::deep_copy(Kokkos::subview(C, std::make_pair(i * ldc, i * ldc + n)), std::numeric_limits<T>::quiet_NaN());
    factor.multiply_add(m, A.data(), lda, D.data(), C.data(), ldc);
  } else {
    gemm<T>(ta, tb, m, n, k, alpha, A.data(), lda, B.data(), ldb, beta, C.data(), ldc);
  }
  auto found = Kokkos::create_mirror_view(C);
  Kokkos::deep_copy(found, C);
  double worst = 0;
  for (long i = 0; i < m; ++i) {
    for (long j = 0; j < ldc; ++j) {
      double expected = before[i * ldc + j];
      if (j < n) {
        double sum = 0;
        for (long p = 0; p < k; ++p)
          sum += static_cast<double>(ta == Trans::no ? a[i * lda + p] : a[p * lda + i]) *
                 static_cast<double>(tb == Trans::no ? b[p * ldb + j] : b[j * ldb + p]);
        expected = alpha * sum + (beta == T(0) ? 0.0 : beta * expected);
      }
      const double error = std::abs(found(i * ldc + j) - expected);
      if (!(error <= worst)) worst = error;
    }
  }
  // Partial sums of k products of normal numbers are of size sqrt(k), and so is what k roundings of them add up to.
  EXPECT_LE(worst, (20 + 4 * k) * std::numeric_limits<T>::epsilon())
      << m << " x " << n << " x " << k << (ta == Trans::yes ? ", A transposed" : "")
      << (tb == Trans::yes ? ", B transposed" : "") << ", beta " << beta
      << (how == How::at_once  ? ""
          : how == How::packed ? ", packed"
                               : ", added");
}

template <class T>
void check_all() {
  for (const long m : {1L, 31L, 32L, 33L, 34L, 35L, 130L}) {
    for (const long n : {1L, 24L, 48L, 112L}) {
      for (const long k : {1L, 7L, 250L, 385L, 800L}) {
        for (const Trans tb : {Trans::no, Trans::yes}) {
          check<T>(Trans::no, tb, m, n, k, T(1), T(0), How::packed);
          check<T>(Trans::no, tb, m, n, k, T(1), T(1), How::packed);
          check<T>(Trans::no, tb, m, n, k, T(1), T(1), How::added);
          for (const Trans ta : {Trans::no, Trans::yes}) {
            check<T>(ta, tb, m, n, k, T(1), T(0));
            check<T>(ta, tb, m, n, k, T(1), T(1));
          }
        }
      }
    }
  }
  for (const long m : {1L, 2L, 27L, 301L}) {
    for (const long n : {128L, 112L, 416L}) {
      for (const long k : {256L, 768L}) {
        for (const Trans tb : {Trans::no, Trans::yes}) {
          check<T>(Trans::no, tb, m, n, k, T(1), T(0), How::packed, Method::in_quarters);
          check<T>(Trans::no, tb, m, n, k, T(1), T(1), How::packed, Method::in_quarters);
          check<T>(Trans::no, tb, m, n, k, T(1), T(1), How::added, Method::in_quarters);
        }
      }
    }
  }
  check<T>(Trans::no, Trans::no, 40, 48, 33, T(2), T(0));
  check<T>(Trans::no, Trans::yes, 40, 48, 33, T(1), T(0.5));
}

TEST(Gemm, SinglePrecision) {
  check_all<float>();
}
TEST(Gemm, DoublePrecision) {
  check_all<double>();
}

/// x A B C by one matrix, and back; a second chain in the same place leaves nothing of the first.
TEST(Gemm, ChainOfLinearLayersIsOneMatrix) {
  const std::vector<Matrix> chain{{3, 24, 40}, {3 + 24 * 40, 40, 16}, {3 + 24 * 40 + 40 * 16, 16, 8}};
  const auto weights = random_numbers<double>(3 + 24 * 40 + 40 * 16 + 16 * 8, 1);
  constexpr long rows = 5;
  const auto times = [&](const std::vector<double>& x, const Matrix& m, bool transposed) {
    const int in = transposed ? m.out : m.in, out = transposed ? m.in : m.out;
    std::vector<double> y(rows * out, 0);
    for (long r = 0; r < rows; ++r) {
      for (int i = 0; i < in; ++i) {
        for (int o = 0; o < out; ++o) {
          y[r * out + o] += x[r * in + i] * weights[m.at + (transposed ? o * m.out + i : i * m.out + o)];
        }
      }
    }
    return y;
  };
  const auto expect_near = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t k = 0; k < b.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-10);
  };
  PackedLinear<double> one;
  for (const std::size_t length : {3, 2, 1, 3}) {
    one.pack_chain(weights.data(), std::span(chain).first(length));
    EXPECT_EQ(one.w.in, chain[0].in);
    EXPECT_EQ(one.w.out, chain[length - 1].out);
    const auto x = random_numbers<double>(rows * one.w.in, 2), g = random_numbers<double>(rows * one.w.out, 3);
    std::vector<double> y(rows * one.w.out), g_x(rows * one.w.in), expected = x, expected_back = g;
    multiply_packed<Plain<double>>(one.forward, false, rows, x.data(), one.w.in, nullptr, y.data(), one.w.out);
    multiply_packed<Plain<double>>(one.backward, false, rows, g.data(), one.w.out, nullptr, g_x.data(), one.w.in);
    for (std::size_t k = 0; k < length; ++k) {
      expected = times(expected, chain[k], false);
      expected_back = times(expected_back, chain[length - 1 - k], true);
    }
    expect_near(y, expected);
    expect_near(g_x, expected_back);
  }
}

}  // namespace
}  // namespace isotrope
