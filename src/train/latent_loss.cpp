// SPDX-License-Identifier: MIT
#include "train/latent_loss.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/gemm.hpp"
#include "core/lane_math.hpp"

namespace isotrope {
namespace {

constexpr int entries = 9;  // of a rotation

}  // namespace

double LatentLoss::Layer::scale() const {
  return 1 / std::sqrt(static_cast<double>(in));
}

LatentLoss::LatentLoss(const EquivarianceConfig& config, const Parameters& names) : config_(config) {
  const auto of_layer = [](std::size_t t) { return fmt::format("layer.{}.latent.", t); };
  const bool one = names.contains("latent.0"), many = names.contains(of_layer(0) + "0");
  require(
      one || many,
      "equivariance.latent_weight: the model has no network for the latent loss: set model.latent_hidden, the width "
      "of its hidden layer (architecture transip)");
  require(
      many == (config.latent == LatentKind::per_layer),
      "equivariance.latent: per_layer and model.latent_per_layer: true, a network for every layer, go together: set "
      "both or none");
  if (one) add_network(names, "latent.");
  while (many && names.contains(of_layer(networks_.size()) + "0")) add_network(names, of_layer(networks_.size()));
}

void LatentLoss::add_network(const Parameters& names, const std::string& prefix) {
  Network& network = networks_.emplace_back();
  for (int k = 0; k < 2; ++k) {
    const Parameters::Entry& weight = names.entry(fmt::format("{}{}", prefix, k));
    network[k] = {weight.offset, names.entry(fmt::format("{}{}.bias", prefix, k)).offset, weight.shape[0],
                  weight.shape[1]};
  }
  width_ = network[1].out;
}

double LatentLoss::add_gradient(const Views& views, double count, std::span<const double> latent,
                                std::span<const double> parameters, std::span<double> gradient,
                                std::vector<double>& g_latent) {
  const int layers = static_cast<int>(networks_.size());
  g_latent.assign(place(views.batch.graph.owned, 0), 0.0);
  double loss = 0;
  for (int t = 0; t < layers; ++t) {
    gather(views, latent, t);
    forward(networks_[t], parameters);
    loss += difference(config_.latent_weight / (count * width_ * layers));
    backward(networks_[t], parameters, gradient);
    scatter(t, g_latent);
  }
  return loss;
}

/// The loss of one network, with `factor` before each square, and the adjoints of its output and of f(R x).
double LatentLoss::difference(double factor) {
  const std::size_t half = static_cast<std::size_t>(rows_) * width_;
  g_f_.assign(2 * half, 0.0);
  g_out_.resize(half);
  double loss = 0;
  for (std::size_t k = 0; k < half; ++k) {
    const double difference = out_[k] - f_[half + k];
    loss += factor * difference * difference;
    g_out_[k] = 2 * factor * difference;
    if (config_.both_branches) g_f_[half + k] = -g_out_[k];
  }
  return loss;
}

/// Features of structures or atoms after a layer, divided by their root mean square.
void LatentLoss::gather(const Views& views, std::span<const double> latent, int layer) {
  first_ = views.batch.labels.first_atom;
  if (config_.latent == LatentKind::per_atom) {
    first_.resize(views.batch.graph.owned + 1);
    std::iota(first_.begin(), first_.end(), 0);
  }
  const int all = static_cast<int>(first_.size()) - 1;
  rows_ = all / 2;
  f_.assign(static_cast<std::size_t>(all) * width_, 0.0);
  norm_.assign(all, 1.0);
  for (int row = 0; row < all; ++row) {
    double* f = f_.data() + static_cast<std::size_t>(row) * width_;
    for (int i = first_[row]; i < first_[row + 1]; ++i) {
      for (int c = 0; c < width_; ++c) f[c] += latent[place(i, layer) + c] / (first_[row + 1] - first_[row]);
    }
    if (!config_.normalise) continue;
    constexpr double smallest = 1e-12;
    norm_[row] = std::sqrt(std::inner_product(f, f + width_, f, 0.0) / width_ + smallest);
    for (int c = 0; c < width_; ++c) f[c] /= norm_[row];
  }
  in_.resize(static_cast<std::size_t>(rows_) * (width_ + entries));
  for (int row = 0, g = 0; row < rows_; ++row) {
    while (first_[row] >= views.batch.labels.first_atom[g + 1]) ++g;
    double* in = in_.data() + static_cast<std::size_t>(row) * (width_ + entries);
    std::copy_n(f_.data() + static_cast<std::size_t>(row) * width_, width_, in);
    for (int k = 0; k < entries; ++k) in[width_ + k] = views.rotations[g][k / 3][k % 3];
  }
}

/// T: y = silu(x W0 + b0) W1 + b1, weights divided by the roots of their numbers of rows.
void LatentLoss::forward(const Network& network, std::span<const double> parameters) {
  const std::vector<double>* x = &in_;
  for (int k = 0; k < 2; ++k) {
    const Layer& layer = network[k];
    std::vector<double>& y = k == 0 ? before_ : out_;
    y.resize(static_cast<std::size_t>(rows_) * layer.out);
    for (int row = 0; row < rows_; ++row) {
      std::copy_n(parameters.data() + layer.bias, layer.out, y.data() + static_cast<std::size_t>(row) * layer.out);
    }
    gemm<double>(Trans::no, Trans::no, rows_, layer.out, layer.in, layer.scale(), x->data(), layer.in,
                 parameters.data() + layer.weight, layer.out, 1, y.data(), layer.out);
    if (k == 1) break;
    hidden_.resize(y.size());
    std::transform(y.begin(), y.end(), hidden_.begin(), [](double value) { return silu(value); });
    x = &hidden_;
  }
}

/// From the adjoint of what T says to those of its weights and of the features that went in.
void LatentLoss::backward(const Network& network, std::span<const double> parameters, std::span<double> gradient) {
  const std::vector<double>* g = &g_out_;
  for (int k = 1; k >= 0; --k) {
    const Layer& layer = network[k];
    const std::vector<double>& x = k == 0 ? in_ : hidden_;
    std::vector<double>& g_x = k == 0 ? g_in_ : g_hidden_;
    for (int row = 0; row < rows_; ++row) {
      for (int c = 0; c < layer.out; ++c)
        gradient[layer.bias + c] += (*g)[static_cast<std::size_t>(row) * layer.out + c];
    }
    gemm<double>(Trans::yes, Trans::no, layer.in, layer.out, rows_, layer.scale(), x.data(), layer.in, g->data(),
                 layer.out, 1, gradient.data() + layer.weight, layer.out);
    g_x.resize(x.size());
    gemm<double>(Trans::no, Trans::yes, rows_, layer.in, layer.out, layer.scale(), g->data(), layer.out,
                 parameters.data() + layer.weight, layer.out, 0, g_x.data(), layer.in);
    if (k == 0) break;
    for (std::size_t i = 0; i < g_x.size(); ++i) g_x[i] *= silu_slope(before_[i]);
    g = &g_hidden_;
  }
  for (int row = 0; row < rows_; ++row) {
    for (int c = 0; c < width_; ++c)
      g_f_[static_cast<std::size_t>(row) * width_ + c] += g_in_[static_cast<std::size_t>(row) * (width_ + entries) + c];
  }
}

/// The adjoint of the normalisation, handed on to the atoms.
void LatentLoss::scatter(int layer, std::vector<double>& g_latent) const {
  for (std::size_t row = 0; row + 1 < first_.size(); ++row) {
    const double *f = f_.data() + row * width_, *g = g_f_.data() + row * width_;
    const double along = config_.normalise ? std::inner_product(f, f + width_, g, 0.0) / width_ : 0;
    const double factor = 1 / (norm_[row] * (first_[row + 1] - first_[row]));
    for (int i = first_[row]; i < first_[row + 1]; ++i) {
      for (int c = 0; c < width_; ++c) g_latent[place(i, layer) + c] = factor * (g[c] - f[c] * along);
    }
  }
}

}  // namespace isotrope
