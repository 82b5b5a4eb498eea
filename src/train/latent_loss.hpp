// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/parameters.hpp"
#include "train/equivariance_config.hpp"
#include "train/views.hpp"

namespace isotrope {

/// Latent equivariance (Elhag et al., arXiv 2510.00027; our reading): a network T with two layers predicts the features
/// of a turned structure from those of the structure and the rotation,
///
///   L = w mean over structures (pooled: f is the mean of the features of the atoms) or atoms (per_atom) of
///       mean over channels of (T(f(x), R) - f(R x))^2
///
/// with f divided by its root mean square where `normalise` is set (else L falls by making f small), and with the
/// gradient through f(x), and through f(R x) too where `both_branches` is set. In double.
class LatentLoss {
 public:
  /// `names` has the parameters latent.0, latent.0.bias, latent.1, latent.1.bias. Throws where it has not.
  LatentLoss(const EquivarianceConfig& config, const Parameters& names, int width);

  /// The share of this batch, whose second half are the views turned by `rotations`. `latent` [atoms][width] of both;
  /// `count`: structures or atoms over which the mean of all ranks goes. Adds the gradient of T to `gradient`
  /// [parameters] and writes dL/d(latent).
  double add_gradient(const Views& views, double count, std::span<const double> latent,
                      std::span<const double> parameters, std::span<double> gradient, std::vector<double>& g_latent);

  /// Of the mean: structures or atoms of one view.
  double count(double structures, double atoms) const { return config_.per_atom ? atoms : structures; }

 private:
  struct Layer {
    std::size_t weight = 0, bias = 0;
    int in = 0, out = 0;
    double scale() const;
  };
  void gather(const Views& views, std::span<const double> latent);
  void forward(std::span<const double> parameters);
  void backward(std::span<const double> parameters, std::span<double> gradient);
  void scatter(const Views& views, std::vector<double>& g_latent) const;

  EquivarianceConfig config_;
  int width_;
  Layer layers_[2];
  int rows_ = 0;                  ///< structures or atoms of one view
  std::vector<int> first_;        ///< [2 rows + 1] first atom of a row
  std::vector<double> f_, norm_;  ///< [2 rows][width] features, normalised; [2 rows] what they were divided by
  std::vector<double> in_, before_, hidden_, out_;  ///< of T
  std::vector<double> g_f_, g_out_, g_hidden_, g_in_;
};

}  // namespace isotrope
