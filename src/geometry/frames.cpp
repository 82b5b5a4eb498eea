// SPDX-License-Identifier: MIT
#include "geometry/frames.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace isotrope {
namespace {

/// One rotation of Jacobi's method: the element (p, q) becomes 0.
void annihilate(Mat3& m, Mat3& axes, int p, int q) {
  if (m[p][q] == 0) return;
  const double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
  const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  const auto turn = [&](Mat3& rows) {
    const Vec3 x = rows[p], y = rows[q];
    rows[p] = c * x - s * y;
    rows[q] = s * x + c * y;
  };
  turn(m);
  for (Vec3& row : m) {
    const double x = row[p], y = row[q];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  }
  turn(axes);
}

/// Eigenvalues in descending order, eigenvectors as the rows of a rotation.
void diagonalise(Mat3 m, Vec3& values, Mat3& vectors) {
  vectors = {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  constexpr int enough = 30;  // converges quadratically: five are needed
  for (int sweep = 0; sweep < enough; ++sweep) {
    annihilate(m, vectors, 0, 1);
    annihilate(m, vectors, 0, 2);
    annihilate(m, vectors, 1, 2);
  }
  std::array<int, 3> order;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return m[a][a] > m[b][b]; });
  values = {m[order[0]][order[0]], m[order[1]][order[1]], m[order[2]][order[2]]};
  vectors = {vectors[order[0]], vectors[order[1]], vectors[order[2]]};
  if (determinant(vectors) < 0) vectors[2] = -1.0 * vectors[2];
}

double smooth_step(double x) {
  return x >= 1 ? 1 : x * x * x * (10 + x * (-15 + 6 * x));
}
double smooth_step_slope(double x) {
  return x >= 1 ? 0 : 30 * x * x * (1 - x) * (1 - x);
}

}  // namespace

std::vector<Vec3> frame_signs(FrameGroup group) {
  std::vector<Vec3> signs;
  for (const double x : {1.0, -1.0}) {
    for (const double y : {1.0, -1.0}) {
      for (const double z : {1.0, -1.0}) {
        if (group == FrameGroup::o3 || x * y * z > 0) signs.push_back({x, y, z});
      }
    }
  }
  return signs;
}

MolecularAxes::MolecularAxes(const Mat3& covariance, int atoms, double gap_switch) : pair_(atoms == 2) {
  diagonalise(covariance, lambda_, axes_);
  if (!(lambda_[0] > 0)) return;
  if (pair_) {
    weight_ = 1;
    return;
  }
  const double of_first = 1 / lambda_[0], g12 = (lambda_[0] - lambda_[1]) * of_first,
               g23 = (lambda_[1] - lambda_[2]) * of_first;
  const double s12 = smooth_step(g12 / gap_switch), s23 = smooth_step(g23 / gap_switch);
  const double d12 = smooth_step_slope(g12 / gap_switch) / gap_switch * s23,
               d23 = smooth_step_slope(g23 / gap_switch) / gap_switch * s12;
  weight_ = s12 * s23;
  weight_slope_ = of_first * Vec3{d12 * (1 - g12) - d23 * g23, d23 - d12, -d23};
}

double MolecularAxes::smallest_gap() const {
  if (!(lambda_[0] > 0)) return 0;
  return std::min(lambda_[0] - lambda_[1], pair_ ? lambda_[0] : lambda_[1] - lambda_[2]) / lambda_[0];
}

double smallest_frame_gap(const Structure& structure) {
  Vec3 mean{};
  for (const Vec3& r : structure.positions) mean = mean + (1.0 / structure.size()) * r;
  Mat3 covariance{};
  for (const Vec3& r : structure.positions) add_symmetric(covariance, r - mean, r - mean);
  constexpr double any_switch = 1;
  return MolecularAxes(covariance, structure.size(), any_switch).smallest_gap();
}

template <class F>
void MolecularAxes::for_pairs(const F& f) const {
  if (weight_ == 0) return;
  f(0, 1, 1 / (lambda_[0] - lambda_[1]));
  f(0, 2, 1 / (lambda_[0] - lambda_[2]));
  if (!pair_) f(1, 2, 1 / (lambda_[1] - lambda_[2]));
}

/// d v_a = sum over b of v_b (v_b . dS v_a) / (lambda_a - lambda_b), d lambda_a = v_a . dS v_a.
MolecularAxes::Tangent MolecularAxes::tangent(const Mat3& covariance) const {
  Tangent t;
  for_pairs([&](int a, int b, double inverse) {
    const double turn = inverse * dot(axes_[b], covariance * axes_[a]);
    t.axes[a] = t.axes[a] + turn * axes_[b];
    t.axes[b] = t.axes[b] - turn * axes_[a];
  });
  for (int a = 0; a < 3; ++a) t.weight += weight_slope_[a] * dot(axes_[a], covariance * axes_[a]);
  return t;
}

Mat3 MolecularAxes::adjoint(const Mat3& axes, double weight) const {
  Mat3 g{};
  for_pairs([&](int a, int b, double inverse) {
    const double turn = inverse * (dot(axes[a], axes_[b]) - dot(axes[b], axes_[a]));
    add_symmetric(g, turn * axes_[a], axes_[b]);
  });
  for (int a = 0; a < 3; ++a) add_symmetric(g, weight * weight_slope_[a] * axes_[a], axes_[a]);
  return g;
}

void add_symmetric(Mat3& m, const Vec3& x, const Vec3& y) {
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) m[a][b] += 0.5 * (x[a] * y[b] + y[a] * x[b]);
}

}  // namespace isotrope
