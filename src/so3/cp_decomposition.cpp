// SPDX-License-Identifier: MIT
#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "so3/cp_product.hpp"

namespace isotrope {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Factors = std::array<Matrix, 3>;

/// The tensor unfolded along each mode: [n_mode][the other two, the first of them outer].
std::array<Matrix, 3> unfold(const std::vector<double>& tensor, const std::array<int, 3>& n) {
  std::array<Matrix, 3> m;
  for (int mode = 0; mode < 3; ++mode) {
    const int a = mode == 0 ? 1 : 0, b = mode == 2 ? 1 : 2;
    m[mode].resize(n[mode], n[a] * n[b]);
    std::array<int, 3> at{};
    for (at[0] = 0; at[0] < n[0]; ++at[0]) {
      for (at[1] = 0; at[1] < n[1]; ++at[1]) {
        for (at[2] = 0; at[2] < n[2]; ++at[2])
          m[mode](at[mode], at[a] * n[b] + at[b]) = tensor[(at[0] * n[1] + at[1]) * n[2] + at[2]];
      }
    }
  }
  return m;
}

/// Column by column the products of two factors: [n_a n_b][rank].
Matrix column_products(const Matrix& a, const Matrix& b) {
  Matrix p(a.rows() * b.rows(), a.cols());
  for (int i = 0; i < a.rows(); ++i) {
    for (int j = 0; j < b.rows(); ++j) p.row(i * b.rows() + j) = a.row(i).cwiseProduct(b.row(j));
  }
  return p;
}

/// The three parts of every column get the same length: else one grows as another shrinks, and damping acts unevenly.
void balance(Factors& f) {
  for (int r = 0; r < f[0].cols(); ++r) {
    const double norms[3] = {f[0].col(r).norm(), f[1].col(r).norm(), f[2].col(r).norm()};
    const double mean = std::cbrt(norms[0] * norms[1] * norms[2]);
    if (!(mean > 0)) continue;
    for (int mode = 0; mode < 3; ++mode) f[mode].col(r) *= mean / norms[mode];
  }
}

/// One descent from random factors.
class Descent {
 public:
  Descent(const std::array<Matrix, 3>& unfolded, int rank, std::uint64_t seed) : unfolded_(unfolded) {
    SplitMix random(seed);
    for (int mode = 0; mode < 3; ++mode) {
      f_[mode].resize(unfolded[mode].rows(), rank);
      for (int k = 0; k < f_[mode].size(); ++k) f_[mode].data()[k] = random.normal();
    }
    norm_ = unfolded[0].norm();
    const double scale = std::cbrt(norm_ / model_norm());
    for (Matrix& m : f_) m *= scale;
  }

  /// Damping lambda |dF|^2 with lambda in proportion to the squared error: strong far away, vanishing at a solution.
  double run(int iterations, double tolerance) {
    double error = 1, checked = 1;
    for (int k = 0; k < iterations; ++k) {
      const double lambda = std::clamp(error * error, 1e-20, 1e-2);
      for (int mode = 0; mode < 3; ++mode) update(mode, lambda);
      balance(f_);
      error = measure();
      if (!(error > tolerance)) break;
      if (k % 500 == 499) {
        if (!(error < 0.995 * checked)) break;  // stuck in a local minimum
        checked = error;
      }
    }
    return error;
  }
  const Factors& factors() const { return f_; }

 private:
  /// By normal equations, whose rounding bounds the error from below; near a solution by QR, which takes longer.
  void update(int mode, double lambda) {
    const Matrix &a = f_[mode == 0 ? 1 : 0], &b = f_[mode == 2 ? 1 : 2];
    if (lambda < 1e-12) {
      const auto rank = f_[mode].cols(), rows = a.rows() * b.rows();
      Eigen::MatrixXd system(rows + rank, rank), right(rows + rank, f_[mode].rows());
      system << column_products(a, b), std::sqrt(lambda) * Eigen::MatrixXd::Identity(rank, rank);
      right << unfolded_[mode].transpose(), std::sqrt(lambda) * f_[mode].transpose();
      f_[mode] = system.householderQr().solve(right).transpose();
      return;
    }
    Eigen::MatrixXd normal = (a.transpose() * a).cwiseProduct(b.transpose() * b);
    normal.diagonal().array() += lambda;
    const Matrix right = unfolded_[mode] * column_products(a, b) + lambda * f_[mode];
    f_[mode] = normal.ldlt().solve(right.transpose()).transpose();
  }
  double measure() const { return (unfolded_[0] - f_[0] * column_products(f_[1], f_[2]).transpose()).norm() / norm_; }
  double model_norm() const { return (f_[0] * column_products(f_[1], f_[2]).transpose()).norm(); }

  const std::array<Matrix, 3>& unfolded_;
  Factors f_;
  double norm_ = 1;
};

std::vector<double> flat(const Matrix& m) {
  return {m.data(), m.data() + m.size()};
}

}  // namespace

CpFactors decompose(const std::vector<double>& tensor, int n1, int n2, int n3, int rank, const CpSearch& search) {
  require(rank >= 1 && rank <= 256, "A CP decomposition has a rank of 1 to 256, found {}.", rank);
  require(tensor.size() == static_cast<std::size_t>(n1) * n2 * n3, "A tensor of {} x {} x {} has {} numbers, found {}.",
          n1, n2, n3, static_cast<long>(n1) * n2 * n3, tensor.size());
  const auto unfolded = unfold(tensor, {n1, n2, n3});
  CpFactors best;
  best.rank = rank;
  best.error = INFINITY;
  for (int start = 0; start < search.starts && !(best.error <= search.tolerance); ++start) {
    Descent descent(unfolded, rank, search.seed + 1000003ULL * start);
    const double error = descent.run(search.iterations, search.tolerance);
    if (!(error < best.error)) continue;
    best.error = error;
    best.first = flat(descent.factors()[0]);
    best.second = flat(descent.factors()[1]);
    best.out = flat(descent.factors()[2]);
  }
  return best;
}

CpFactors exact_decomposition(const std::vector<double>& tensor, int n1, int n2, int n3, double tolerance,
                              const CpSearch& search) {
  int below = 0, enough = std::min(n1 * n2, 256);
  CpFactors best = decompose(tensor, n1, n2, n3, enough, search);
  while (enough - below > 1) {
    const int rank = (below + enough) / 2;
    CpFactors found = decompose(tensor, n1, n2, n3, rank, search);
    if (found.error <= tolerance) {
      enough = rank;
      best = std::move(found);
    } else {
      below = rank;
    }
  }
  return best;
}

}  // namespace isotrope
