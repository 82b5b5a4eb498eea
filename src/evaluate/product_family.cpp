// SPDX-License-Identifier: MIT
#include "evaluate/product_family.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/random.hpp"
#include "so3/cp_product.hpp"
#include "so3/exact_product.hpp"
#include "so3/gaunt_fourier.hpp"
#include "so3/gaunt_grid.hpp"
#include "so3/matrix_product.hpp"
#include "so3/vector_gaunt.hpp"
#include "so3/wigner_d.hpp"

namespace isotrope {
namespace {

enum class Parity { natural, even, both, unnatural };

int parity_of(int l, bool natural) {
  return (l % 2 == 0) == natural ? 1 : -1;
}
Irreps irreps_up_to(int first, int last, Parity parity) {
  std::vector<Irrep> blocks;
  for (int l = first; l <= last; ++l) {
    if (parity == Parity::even) blocks.push_back({1, l, 1});
    if (parity == Parity::natural || parity == Parity::both) blocks.push_back({1, l, parity_of(l, true)});
    if (parity == Parity::unnatural || parity == Parity::both) blocks.push_back({1, l, parity_of(l, false)});
  }
  return Irreps(std::move(blocks));
}

/// The blocks of z that a path reaches, of l3 <= `largest`; with `one`, the last of them.
Irreps reached(const Irreps& in, int largest, Parity parity, bool one) {
  std::vector<Irrep> blocks;
  const Irreps candidates = irreps_up_to(0, largest, parity);
  for (const Irrep& b : candidates.blocks()) {
    if (!exact_paths(in, in, Irreps({b})).empty()) blocks.push_back(b);
  }
  if (one && blocks.size() > 1) blocks = {blocks.back()};
  return Irreps(std::move(blocks));
}

struct Operands {
  Irreps in, out;
};
Operands operands(ProductSetting setting, int L, Parity in, Parity out) {
  const Irreps x = irreps_up_to(setting == ProductSetting::mimo ? 0 : L, L, in);
  return {x, reached(x, L, out, setting == ProductSetting::siso)};
}

using Product = std::unique_ptr<TensorProduct>;

/// All outputs, each path by itself; of a single l3, that path.
Product make_full(ProductSetting setting, int L) {
  const Irreps x = irreps_up_to(setting == ProductSetting::mimo ? 0 : L, L, Parity::natural);
  if (setting == ProductSetting::siso) return exact_product(x, x, reached(x, L, Parity::natural, true));
  return full_product(x, x);
}
Product make_exact(ProductSetting setting, int L) {
  const bool one = setting == ProductSetting::siso;  // then what the Gaunt products have, too
  const auto [x, z] = operands(setting, L, Parity::natural, one ? Parity::natural : Parity::both);
  return exact_product(x, x, z);
}
Product make_gaunt_paths(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::natural, Parity::natural);
  return gaunt_paths_product(x, x, z);
}
Product make_grid(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::natural, Parity::natural);
  return gaunt_grid_product(x, x, z);
}
Product make_fourier(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::natural, Parity::natural);
  return gaunt_fourier_product(x, x, z);
}
Product make_vector(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::natural, Parity::unnatural);
  return z.blocks().empty() ? nullptr : vector_gaunt_product(x, x, z);
}
Product make_matrix(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::even, Parity::even);
  return matrix_product(x, x, z);
}
/// TDN's product, at an exact rank where one is known and at its rank 7 L^2 beyond.
Product make_cp(ProductSetting setting, int L) {
  const auto [x, z] = operands(setting, L, Parity::even, Parity::even);
  const int n = components(x), n3 = components(z);
  CpSearch search;
  if (L > 2) search = {1, 150, 1e-12, 1};
  const int rank = L == 1 ? 8 : L == 2 ? 30 : 7 * L * L;
  return cp_product(x, x, z, decompose(coupling_tensor(x, x, z), n, n, n3, std::min(rank, n * n), search));
}

template <class T>
std::vector<T> rotated(const Irreps& irreps, const Mat3& rotation, const std::vector<T>& x) {
  std::vector<T> y(x.size(), T(0));
  for (std::size_t at = 0; at < x.size();) {
    for (const Irrep& b : irreps.blocks()) {
      const int d = 2 * b.l + 1;
      const std::vector<double> D = wigner_d(b.l, rotation);
      for (int p = 0; p < d; ++p) {
        double sum = 0;
        for (int q = 0; q < d; ++q) sum += D[p * d + q] * static_cast<double>(x[at + q]);
        y[at + p] = static_cast<T>(sum);
      }
      at += d;
    }
  }
  return y;
}

template <class T>
std::vector<T> product_of(const TensorProduct& product, const std::vector<T>& x, const std::vector<T>& y) {
  ProductInput<Plain<T>> in;
  in.items = static_cast<long>(x.size()) / components(product.first());
  in.channels = 1;
  in.x = x.data();
  in.y = y.data();
  std::vector<T> z(in.items * components(product.out()));
  product.forward(in, z.data());
  return z;
}

/// x for one item a pair of blocks: random numbers in that block, zero elsewhere.
std::vector<double> block_vectors(const Irreps& irreps, const std::vector<int>& block_of_item, std::uint64_t seed) {
  SplitMix random(seed);
  std::vector<double> x;
  for (int block : block_of_item) {
    for (int b = 0; b < static_cast<int>(irreps.blocks().size()); ++b) {
      for (int m = 0; m < 2 * irreps.blocks()[b].l + 1; ++m) x.push_back(b == block ? random.normal() : 0.0);
    }
  }
  return x;
}

/// Reads path coefficients off a product.
class PathReader {
 public:
  explicit PathReader(const TensorProduct& product)
      : product_(product), paths_(exact_paths(product.first(), product.second(), product.out())) {
    std::vector<int> first, second;
    const int n2 = static_cast<int>(product.second().blocks().size());
    for (int i = 0; i < static_cast<int>(product.first().blocks().size()); ++i) {
      for (int j = 0; j < n2; ++j) {
        first.push_back(i);
        second.push_back(j);
      }
    }
    items_ = static_cast<int>(first.size());
    x_ = block_vectors(product.first(), first, 1);
    y_ = block_vectors(product.second(), second, 2);
    reference_ = evaluate(*exact_product(product.first(), product.second(), product.out()), {});
    for (const ProductPath& p : paths_) {
      int component = 0;
      for (int b = 0; b < p.out; ++b) component += 2 * product.out().blocks()[b].l + 1;
      begin_.push_back((p.first * n2 + p.second) * components(product.out()) + component);
    }
  }

  int paths() const { return static_cast<int>(paths_.size()); }

  /// c_p = <z, path> / <path, path>, with z and the path alone in its block for a pair of single blocks.
  Eigen::VectorXd coefficients(const std::vector<double>& weights) const {
    const std::vector<double> z = evaluate(product_, weights);
    Eigen::VectorXd c(paths());
    for (int p = 0; p < paths(); ++p) {
      double overlap = 0, norm = 0;
      for (int m = 0; m < 2 * product_.out().blocks()[paths_[p].out].l + 1; ++m) {
        overlap += z[begin_[p] + m] * reference_[begin_[p] + m];
        norm += reference_[begin_[p] + m] * reference_[begin_[p] + m];
      }
      c[p] = overlap / norm;
    }
    return c;
  }

 private:
  std::vector<double> evaluate(const TensorProduct& product, const std::vector<double>& weights) const {
    std::vector<double> z(static_cast<std::size_t>(items_) * components(product.out()));
    ProductInput<Plain<double>> in;
    in.items = items_;
    in.channels = 1;
    in.x = x_.data();
    in.y = y_.data();
    in.weights = weights.empty() ? nullptr : weights.data();
    product.forward(in, z.data());
    return z;
  }

  const TensorProduct& product_;
  std::vector<ProductPath> paths_;
  int items_ = 0;
  std::vector<double> x_, y_, reference_;
  std::vector<int> begin_;
};

int rank_of(const Eigen::MatrixXd& m) {
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(m);
  qr.setThreshold(1e-9);
  return static_cast<int>(qr.rank());
}

std::vector<double> random_weights(int n, std::uint64_t seed) {
  SplitMix random(seed);
  std::vector<double> w(n);
  for (double& x : w) x = 0.5 + random.uniform();  // away from zero, where derivatives vanish
  return w;
}

bool has_repeated_blocks(const Irreps& irreps) {
  for (std::size_t a = 0; a < irreps.blocks().size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (irreps.blocks()[a] == irreps.blocks()[b]) return true;
    }
  }
  return false;
}

/// With a block and a weight for each path, the paths that are reached are the blocks that are not zero.
Expressivity expressivity_of_blocks(const TensorProduct& product) {
  SplitMix random(5);
  std::vector<double> x(components(product.first())), y(components(product.second()));
  for (std::vector<double>* v : {&x, &y}) {
    for (double& value : *v) value = random.normal();
  }
  const std::vector<double> z = product_of(product, x, y);
  int reached_blocks = 0, at = 0;
  for (const Irrep& b : product.out().blocks()) {
    double norm = 0;
    for (int m = 0; m < 2 * b.l + 1; ++m, ++at) norm += z[at] * z[at];
    if (norm > 1e-18) ++reached_blocks;
  }
  return {product.weights(), reached_blocks, reached_blocks, reached_blocks};
}

}  // namespace

const std::vector<FamilyMember>& product_family() {
  static const std::vector<FamilyMember> family = {
      {"clebsch-gordan-full", "exact, every path in a block of its own, all l3", 8, make_full},
      {"clebsch-gordan", "exact, paths summed with a weight each, l3 <= L", 8, make_exact},
      {"gaunt-grid", "product of functions on the sphere grid, l3 <= L", 8, make_grid},
      {"gaunt-fourier", "the same by 2-D Fourier series", 8, make_fourier},
      {"gaunt-paths", "the same by its Clebsch-Gordan paths", 8, make_gaunt_paths},
      {"vector-gaunt", "cross product of vector fields on the grid, l1 + l2 + l3 odd, l3 <= L", 8, make_vector},
      {"matrix", "product of matrices, rotations only, l3 <= L", 8, make_matrix},
      {"cp", "CP decomposition of the coupling tensor, rotations only; rank 8, 30, then 7 L^2", 4, make_cp},
  };
  return family;
}

Expressivity expressivity(const TensorProduct& product) {
  if (has_repeated_blocks(product.out())) return expressivity_of_blocks(product);
  const PathReader reader(product);
  const int n = product.weights();
  const std::vector<double> w = random_weights(n, 3);
  const Eigen::VectorXd c = reader.coefficients(w);
  // c is linear in each weight alone: differences are derivatives.
  Eigen::MatrixXd jacobian(reader.paths(), n);
  for (int k = 0; k < n; ++k) {
    std::vector<double> moved = w;
    moved[k] += 1;
    jacobian.col(k) = reader.coefficients(moved) - c;
  }
  Eigen::MatrixXd samples(reader.paths(), reader.paths() + 8);
  for (int s = 0; s < samples.cols(); ++s) samples.col(s) = reader.coefficients(random_weights(n, 100 + s));
  const double small = 1e-9 * samples.cwiseAbs().maxCoeff();
  const auto reached_paths = (samples.rowwise().norm().array() > small).count();
  return {reader.paths(), static_cast<int>(reached_paths), rank_of(jacobian), rank_of(samples)};
}

template <class T>
double rotation_error(const TensorProduct& product, int rotations) {
  SplitMix random(7);
  const int items = 16;
  std::vector<T> x(items * components(product.first())), y(items * components(product.second()));
  for (std::vector<T>* v : {&x, &y}) {
    for (T& value : *v) value = static_cast<T>(random.normal());
  }
  const std::vector<T> z = product_of(product, x, y);
  double worst = 0;
  for (int k = 0; k < rotations; ++k) {
    const Mat3 g = random_rotation(1000 + k);
    const std::vector<T> expected = rotated(product.out(), g, z);
    const std::vector<T> found = product_of(product, rotated(product.first(), g, x), rotated(product.second(), g, y));
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
      norm += std::pow(static_cast<double>(z[i]), 2);
    }
    const double error = std::sqrt(difference / norm);
    worst = std::isnan(worst) || error <= worst ? worst : error;
  }
  return worst;
}
template double rotation_error<float>(const TensorProduct&, int);
template double rotation_error<double>(const TensorProduct&, int);

}  // namespace isotrope
