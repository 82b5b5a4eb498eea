// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/vec3.hpp"
#include "geometry/structure.hpp"

/// Frames of a molecule (Puny et al., ICLR 2022): turns into its principal axes. With x_i the positions less their
/// mean,
///
///   S = sum_i x_i x_i^T = sum_a lambda_a v_a v_a^T,   lambda_1 >= lambda_2 >= lambda_3,
///
/// and V the matrix whose rows are the v_a, a frame is diag(signs) V. The mean of a function over the frames with all
/// signs is invariant under O(3), over those with det = 1 under SO(3).
///
/// Where two lambda meet, axes jump: no continuous choice exists. Frames therefore count with the weight
///
///   w = s(g_12 / switch) s(g_23 / switch),   g_ab = (lambda_a - lambda_b) / lambda_1,
///   s(x) = x^3 (10 - 15 x + 6 x^2) for x < 1, else 1,
///
/// and the axes of the laboratory with 1 - w: continuous, with continuous derivatives, everywhere; invariant where both
/// gaps are above the switch. Of two atoms only v_1 matters: w = 1. Of a single atom nothing does: w = 0.
namespace isotrope {

enum class FrameGroup { so3, o3 };
/// Signs of the axes: 4 or 8.
std::vector<Vec3> frame_signs(FrameGroup group);

class MolecularAxes {
 public:
  MolecularAxes(const Mat3& covariance, int atoms, double gap_switch);

  double weight() const { return weight_; }
  const Mat3& axes() const { return axes_; }  ///< rows v_a, det = 1
  double smallest_gap() const;                ///< of g_12 and g_23

  struct Tangent {
    Mat3 axes{};
    double weight = 0;
  };
  /// How axes and weight move with S; 0 where the frames do not count.
  Tangent tangent(const Mat3& covariance) const;
  /// The symmetric adjoint of S from those of the axes and of the weight.
  Mat3 adjoint(const Mat3& axes, double weight) const;

 private:
  /// Calls f(a, b, 1 / (lambda_a - lambda_b)) for the pairs of axes that turn into each other.
  template <class F>
  void for_pairs(const F& f) const;

  Vec3 lambda_{};
  Mat3 axes_{};
  bool pair_ = false;  ///< two atoms
  double weight_ = 0;
  Vec3 weight_slope_{};  ///< dw / d(lambda)
};

/// The smaller of g_12 and g_23 of a structure; of two atoms 1.
double smallest_frame_gap(const Structure& structure);

/// m += (x y^T + y x^T) / 2.
void add_symmetric(Mat3& m, const Vec3& x, const Vec3& y);

}  // namespace isotrope
