// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <span>
#include <string>
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
/// or the mean of this over all layers, pooled, with features after each and a network T of each (per_layer),
/// with f divided by its root mean square where `normalise` is set (else L falls by making f small), and with the
/// gradient through f(x), and through f(R x) too where `both_branches` is set. In double.
class LatentLoss {
 public:
  /// `names` has the parameters latent.0, latent.0.bias, latent.1, latent.1.bias, of `per_layer` after `layer.t.`.
  /// Throws where it has not.
  LatentLoss(const EquivarianceConfig& config, const Parameters& names);

  /// The share of this batch, whose second half are the views turned by `rotations`. `latent` [atoms][layers][width] of
  /// both (layers: 1 but for per_layer);
  /// `count`: structures or atoms over which the mean of all ranks goes. Adds the gradient of T to `gradient`
  /// [parameters] and writes dL/d(latent).
  double add_gradient(const Views& views, double count, std::span<const double> latent,
                      std::span<const double> parameters, std::span<double> gradient, std::vector<double>& g_latent);

  /// Of the mean: structures or atoms of one view.
  double count(double structures, double atoms) const {
    return config_.latent == LatentKind::per_atom ? atoms : structures;
  }

 private:
  struct Layer {
    std::size_t weight = 0, bias = 0;
    int in = 0, out = 0;
    double scale() const;
  };
  using Network = std::array<Layer, 2>;
  void add_network(const Parameters& names, const std::string& prefix);
  double difference(double factor);
  void gather(const Views& views, std::span<const double> latent, int layer);
  void forward(const Network& network, std::span<const double> parameters);
  void backward(const Network& network, std::span<const double> parameters, std::span<double> gradient);
  void scatter(int layer, std::vector<double>& g_latent) const;
  std::size_t place(int atom, int layer) const { return (atom * networks_.size() + layer) * width_; }

  EquivarianceConfig config_;
  std::vector<Network> networks_;
  int width_ = 0;
  int rows_ = 0;                  ///< structures or atoms of one view
  std::vector<int> first_;        ///< [2 rows + 1] first atom of a row
  std::vector<double> f_, norm_;  ///< [2 rows][width] features, normalised; [2 rows] what they were divided by
  std::vector<double> in_, before_, hidden_, out_;  ///< of T
  std::vector<double> g_f_, g_out_, g_hidden_, g_in_;
};

}  // namespace isotrope
