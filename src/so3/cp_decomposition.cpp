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

  double run(int iterations, double tolerance) {
    double error = alternate(iterations, std::max(tolerance, 1e-4));
    // Alternating steps converge slowly, full ones quadratically: where there is a solution, they find its last digits.
    if (error < 1e-2 && unfolded_[0].size() <= 1000) error = polish(error, tolerance);
    return error;
  }
  const Factors& factors() const { return f_; }

 private:
  /// Damping lambda |dF|^2 with lambda in proportion to the squared error: strong far away, vanishing at a solution.
  double alternate(int iterations, double tolerance) {
    double error = 1, checked = 1;
    for (int k = 0; k < iterations; ++k) {
      const double lambda = std::clamp(error * error, 1e-14, 1e-2);
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

  /// Levenberg-Marquardt steps of all three factors at once.
  double polish(double error, double tolerance) {
    double damping = 1e-4 * error;
    for (int step = 0; step < 60 && error > tolerance; ++step) {
      const Factors before = f_;
      const Eigen::MatrixXd J = jacobian();
      Eigen::MatrixXd normal = J * J.transpose();
      normal.diagonal().array() += damping;
      const Matrix model = f_[0] * column_products(f_[1], f_[2]).transpose(), rest = unfolded_[0] - model;
      const Eigen::VectorXd change =
          J.transpose() * normal.ldlt().solve(Eigen::Map<const Eigen::VectorXd>(rest.data(), rest.size()));
      Eigen::Index at = 0;
      for (Matrix& m : f_) {
        m += Eigen::Map<const Matrix>(change.data() + at, m.rows(), m.cols());
        at += m.size();
      }
      const double found = measure();
      if (found < error) {
        error = found;
        damping *= 0.1;
        balance(f_);
      } else {
        f_ = before;
        damping *= 5;
        if (damping > 1) break;
      }
    }
    return error;
  }
  /// Derivatives of the numbers of the model [i][j][k] by those of the factors.
  Eigen::MatrixXd jacobian() const {
    const Matrix &a = f_[0], &b = f_[1], &c = f_[2];
    const Eigen::Index rank = a.cols(), at_b = a.size(), at_c = at_b + b.size();
    Eigen::MatrixXd J = Eigen::MatrixXd::Zero(a.rows() * b.rows() * c.rows(), at_c + c.size());
    Eigen::Index row = 0;
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
      for (Eigen::Index j = 0; j < b.rows(); ++j) {
        for (Eigen::Index k = 0; k < c.rows(); ++k, ++row) {
          for (Eigen::Index r = 0; r < rank; ++r) {
            J(row, i * rank + r) = b(j, r) * c(k, r);
            J(row, at_b + j * rank + r) = a(i, r) * c(k, r);
            J(row, at_c + k * rank + r) = a(i, r) * b(j, r);
          }
        }
      }
    }
    return J;
  }
  void update(int mode, double lambda) {
    const Matrix &a = f_[mode == 0 ? 1 : 0], &b = f_[mode == 2 ? 1 : 2];
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
