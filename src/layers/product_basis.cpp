// SPDX-License-Identifier: MIT
#include "layers/product_basis.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.hpp"
#include "core/loops.hpp"
#include "layers/channels.hpp"

namespace isotrope {
namespace {

/// One polynomial term: M and the sorted factors, with a coefficient for every path.
using Monomials = std::map<std::vector<int>, Eigen::VectorXd>;

Monomials fold(const CouplingTable& table, int components) {
  Monomials terms;
  const int stride = table.nu + 2;
  for (std::size_t n = 0; n < table.values.size(); ++n) {
    const int* row = table.indices.data() + n * stride;
    const int path = row[table.nu + 1];
    std::vector<int> key(row, row + table.nu + 1);
    const bool good = path >= 0 && path < table.paths && key[0] >= 0 && key[0] <= 2 * table.L &&
                      std::all_of(key.begin() + 1, key.end(), [&](int i) { return i >= 0 && i < components; });
    require(good, "coupling table L = {}, nu = {}: entry {} is out of range", table.L, table.nu, n);
    std::sort(key.begin() + 1, key.end());
    auto [term, inserted] = terms.try_emplace(key, Eigen::VectorXd::Zero(table.paths));
    term->second[path] += table.values[n];
  }
  return terms;
}

/// Columns of `a` that the earlier ones do not span, and `mix` such that a = a(:, chosen) * mix. Each chosen column
/// stays as sparse as it was.
std::vector<int> independent_columns(const Eigen::MatrixXd& a, Eigen::MatrixXd& mix) {
  std::vector<int> chosen;
  Eigen::MatrixXd basis(a.rows(), 0);
  for (int k = 0; k < a.cols(); ++k) {
    Eigen::VectorXd rest = a.col(k);
    for (int twice = 0; twice < 2; ++twice) rest -= basis * (basis.transpose() * rest);
    if (rest.norm() <= 1e-8 * a.col(k).norm() || a.col(k).norm() == 0) continue;
    basis.conservativeResize(Eigen::NoChange, basis.cols() + 1);
    basis.col(basis.cols() - 1) = rest.normalized();
    chosen.push_back(k);
  }
  Eigen::MatrixXd picked(a.rows(), chosen.size());
  for (std::size_t k = 0; k < chosen.size(); ++k) picked.col(k) = a.col(chosen[k]);
  mix.resize(chosen.size(), a.cols());
  if (!chosen.empty()) mix = picked.colPivHouseholderQr().solve(a);
  return chosen;
}

/// The terms of one (L, nu) over independent paths; fills `mixing` but its first weight.
std::vector<ProductTerm> reduce(const CouplingTable& table, int components, int first_output,
                                ProductBasis::Mixing& mixing) {
  const Monomials monomials = fold(table, components);
  Eigen::MatrixXd dense(monomials.size(), table.paths);
  int row = 0;
  for (const auto& [key, coefficients] : monomials) dense.row(row++) = coefficients.transpose();
  Eigen::MatrixXd mix;
  const std::vector<int> chosen = independent_columns(dense, mix);
  mixing.L = table.L;
  mixing.nu = table.nu;
  mixing.paths = table.paths;
  mixing.independent = static_cast<int>(chosen.size());
  for (int k = 0; k < mix.rows(); ++k) {
    for (int p = 0; p < mix.cols(); ++p) mixing.mix.push_back(mix(k, p));
  }
  std::vector<ProductTerm> terms;
  row = 0;
  for (const auto& [key, coefficients] : monomials) {
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      const double value = dense(row, chosen[k]);
      if (std::abs(value) < 1e-13 * dense.col(chosen[k]).cwiseAbs().maxCoeff()) continue;
      std::array<int, 3> factors{-1, -1, -1};
      std::copy(key.begin() + 1, key.end(), factors.begin());
      terms.push_back({first_output + key[0], mixing.weight + static_cast<int>(k), factors, value});
    }
    ++row;
  }
  return terms;
}

}  // namespace

ProductBasis::ProductBasis(const std::vector<CouplingTable>& tables, int l_max)
    : components((l_max + 1) * (l_max + 1)) {
  require(components <= max_components, "product basis: l_max is {}, at most 3 is supported", l_max);
  std::vector<ProductTerm> terms;
  int L = -1, first_output = 0;
  for (const CouplingTable& table : tables) {
    if (table.L != L) {
      first_output = outputs;
      outputs += 2 * table.L + 1;
      L = table.L;
    }
    Mixing& m = mixing.emplace_back();
    m.weight = weights;
    const std::vector<ProductTerm> reduced = reduce(table, components, first_output, m);
    terms.insert(terms.end(), reduced.begin(), reduced.end());
    weights += m.independent;
  }
  require(weights <= max_weights, "product basis: {} independent couplings, at most {} are supported", weights,
          max_weights);
  std::stable_sort(terms.begin(), terms.end(), [](const ProductTerm& a, const ProductTerm& b) {
    return std::pair(a.output, a.weight) < std::pair(b.output, b.weight);
  });
  std::vector<int> begins, slot_output, slot_weight, all_factors;
  std::vector<double> values;
  for (std::size_t n = 0; n < terms.size(); ++n) {
    const ProductTerm& t = terms[n];
    if (n == 0 || t.output != terms[n - 1].output || t.weight != terms[n - 1].weight) {
      begins.push_back(static_cast<int>(n));
      slot_output.push_back(t.output);
      slot_weight.push_back(t.weight);
    }
    all_factors.insert(all_factors.end(), t.factors.begin(), t.factors.end());
    values.push_back(t.value);
  }
  slots = static_cast<int>(begins.size());
  // The kernels write what has a term; what has none would keep undefined memory.
  for (int L_of = 0, first = 0; first < outputs; first += 2 * L_of++ + 1) {
    for (int M = 0; M <= 2 * L_of; ++M) {
      require(std::find(slot_output.begin(), slot_output.end(), first + M) != slot_output.end(),
              "product basis: no coupling leads to L = {}, M = {}", L_of, M);
    }
  }
  begins.push_back(static_cast<int>(terms.size()));
  begin = to_device("isotrope::product::begin", begins);
  output = to_device("isotrope::product::output", slot_output);
  weight = to_device("isotrope::product::weight", slot_weight);
  factors = to_device("isotrope::product::factors", all_factors);
  value = to_device("isotrope::product::value", values);
  polynomials = ProductPolynomials(terms, components);
  on_grid = SpherePowers::of(tables, l_max, static_cast<int>(terms.size()));
}

namespace {

// ---- numbers with tangents, for the gradient of the weights: slot by slot ----------------------------------------

/// What both directions read of an atom and a block of channels.
template <class A>
struct ProductAtom {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  Features<A> features;
  /// Component i = l^2 + m of block l.
  KOKKOS_INLINE_FUNCTION T* at(int atom, int i, int channel, int& pad) const {
    int l = 0;
    while ((l + 1) * (l + 1) <= i) ++l;
    int block = 0;
    while (features.layout.block[block].l != l) ++block;
    pad = features.layout.block[block].pad;
    return features.at(block, atom, i - l * l) + channel;
  }
  KOKKOS_INLINE_FUNCTION void load(int atom, int count, int channel, Vec* x) const {
    for (int i = 0; i < count; ++i) {
      int pad = 0;
      const T* p = at(atom, i, channel, pad);
      x[i] = A::load(p, pad);
    }
  }
};

template <class A>
struct ProductForward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  int row_begin, components, slots, pad;
  View<int> begin, output, weight, factors;
  View<double> value;
  const T* weights;  // of this species
  ProductAtom<A> x_of, b_of;

  KOKKOS_FUNCTION void operator()(int item, int block) const {
    const int atom = row_begin + item, channel = block * lane_width<T>;
    Vec x[ProductBasis::max_components];
    x_of.load(atom, components, channel, x);
    Vec sum = A::zero();
    for (int s = 0; s < slots; ++s) {
      Vec polynomial = A::zero();
      for (int n = begin(s); n < begin(s + 1); ++n) {
        const int i = factors(3 * n), j = factors(3 * n + 1), k = factors(3 * n + 2);
        Vec term = x[i] * static_cast<T>(value(n));
        if (j >= 0) term = term * x[j];
        if (k >= 0) term = term * x[k];
        polynomial += term;
      }
      sum += times(load_lane(weights + weight(s) * pad + channel), polynomial);
      if (s + 1 == slots || output(s + 1) != output(s)) {
        int out_pad = 0;
        T* target = b_of.at(atom, output(s), channel, out_pad);
        A::store(target, out_pad, sum);
        sum = A::zero();
      }
    }
  }
};

/// Several atoms of a species a work item, so that weight gradients are summed before they meet those of others.
template <class A>
struct ProductBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  static constexpr int atoms_per_item = 16;
  int row_begin, row_end, components, outputs, slots, n_weights, pad;
  View<int> begin, output, weight, factors;
  View<double> value;
  const T* weights;
  T* weight_gradient;
  ProductAtom<A> x_of, g_b_of, g_x_of;

  KOKKOS_FUNCTION void operator()(int item, int block) const {
    const int channel = block * lane_width<T>;
    Lane<T> g_w[ProductBasis::max_weights];
    for (int k = 0; k < n_weights; ++k) g_w[k] = Lane<T>(T(0));
    const int first = row_begin + item * atoms_per_item;
    const int last = first + atoms_per_item < row_end ? first + atoms_per_item : row_end;
    for (int atom = first; atom < last; ++atom) one_atom(atom, channel, g_w);
    for (int k = 0; k < n_weights; ++k) scatter_lane(weight_gradient + k * pad + channel, g_w[k]);
  }

  KOKKOS_INLINE_FUNCTION void one_atom(int atom, int channel, Lane<T>* g_w) const {
    Vec x[ProductBasis::max_components], g_x[ProductBasis::max_components], g_b[ProductBasis::max_components];
    x_of.load(atom, components, channel, x);
    g_b_of.load(atom, outputs, channel, g_b);
    for (int i = 0; i < components; ++i) g_x[i] = A::zero();
    for (int s = 0; s < slots; ++s) {
      const Vec g = times(load_lane(weights + weight(s) * pad + channel), g_b[output(s)]);
      Vec polynomial = A::zero();
      for (int n = begin(s); n < begin(s + 1); ++n) {
        const int i = factors(3 * n), j = factors(3 * n + 1), k = factors(3 * n + 2);
        const T c = static_cast<T>(value(n));
        const Vec cg = g * c;
        if (k >= 0) {
          const Vec jk = x[j] * x[k], gi = cg * x[i];
          g_x[i] += cg * jk;
          g_x[j] += gi * x[k];
          g_x[k] += gi * x[j];
          polynomial += x[i] * jk * c;
        } else if (j >= 0) {
          g_x[i] += cg * x[j];
          g_x[j] += cg * x[i];
          polynomial += x[i] * x[j] * c;
        } else {
          g_x[i] += cg;
          polynomial += x[i] * c;
        }
      }
      g_w[weight(s)] += (g_b[output(s)] * polynomial).t;
    }
    for (int i = 0; i < components; ++i) {
      int x_pad = 0;
      T* target = g_x_of.at(atom, i, channel, x_pad);
      A::store(target, x_pad, g_x[i]);
    }
  }
};

template <class A>
void slots_forward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                   const Features<A>& x, const Features<A>& b) {
  const int pad = x.layout.block[0].pad;
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    for_channels("isotrope::product", segment[s + 1] - segment[s], pad / lane_width<typename A::Real>,
                 ProductForward<A>{segment[s],
                                   p.components,
                                   p.slots,
                                   pad,
                                   p.begin,
                                   p.output,
                                   p.weight,
                                   p.factors,
                                   p.value,
                                   weights + s * p.weights * pad,
                                   {x},
                                   {b}});
  }
}

template <class A>
void slots_backward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                    const Features<A>& x, const Features<A>& g_b, const Features<A>& g_x,
                    typename A::Real* weight_gradient) {
  constexpr int per_item = ProductBackward<A>::atoms_per_item;
  const int pad = x.layout.block[0].pad;
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    const int atoms = segment[s + 1] - segment[s];
    const std::size_t at = s * p.weights * pad;
    for_channels("isotrope::product_backward", (atoms + per_item - 1) / per_item, pad / lane_width<typename A::Real>,
                 ProductBackward<A>{segment[s],
                                    segment[s + 1],
                                    p.components,
                                    p.outputs,
                                    p.slots,
                                    p.weights,
                                    pad,
                                    p.begin,
                                    p.output,
                                    p.weight,
                                    p.factors,
                                    p.value,
                                    weights + at,
                                    weight_gradient + at,
                                    {x},
                                    {g_b},
                                    {g_x}});
  }
}

}  // namespace

// ---- both ---------------------------------------------------------------------------------------------------------

template <class T>
const T* fold_product(const ProductBasis& p, int all_species, const std::vector<int>& wanted, const T* weights, int pad,
                      Buffer<T>& folded) {
  if (p.on_grid) return nullptr;
  T* coefficients = folded.reserve(p.polynomials.size(all_species, pad));
  for (int s : wanted) {
    p.polynomials.fold(weights + static_cast<std::size_t>(s) * p.weights * pad, pad,
                       coefficients + p.polynomials.size(s, pad));
  }
  return coefficients;
}

namespace {
template <class T>
const T* fold_all(const ProductBasis& p, std::size_t species, const T* weights, int pad, Buffer<T>& folded) {
  std::vector<int> all(species);
  std::iota(all.begin(), all.end(), 0);
  return fold_product(p, static_cast<int>(species), all, weights, pad, folded);
}
}  // namespace

template <class A>
void product_forward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                     const Features<A>& x, const Features<A>& b, [[maybe_unused]] const typename A::Real* folded) {
  if constexpr (A::dual) {
    slots_forward<A>(p, segment, weights, x, b);
  } else if (p.on_grid) {
    p.on_grid->forward(segment, weights, x, b);
  } else {
    Buffer<typename A::Real> own;
    if (!folded) folded = fold_all(p, segment.size() - 1, weights, x.layout.block[0].pad, own);
    p.polynomials.forward(segment, folded, x, b);
  }
}

template <class A>
void product_backward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                      const Features<A>& x, const Features<A>& g_b, const Features<A>& g_x,
                      [[maybe_unused]] typename A::Real* weight_gradient,
                      [[maybe_unused]] const typename A::Real* folded) {
  if constexpr (A::dual) {
    slots_backward<A>(p, segment, weights, x, g_b, g_x, weight_gradient);
  } else if (p.on_grid) {
    p.on_grid->backward(segment, weights, x, g_b, g_x);
  } else {
    Buffer<typename A::Real> own;
    if (!folded) folded = fold_all(p, segment.size() - 1, weights, x.layout.block[0].pad, own);
    p.polynomials.backward(segment, folded, x, g_b, g_x);
  }
}

#define ISOTROPE_INSTANTIATE(A)                                                                                       \
  template void product_forward<A>(const ProductBasis&, const std::vector<int>&, const A::Real*, const Features<A>&,  \
                                   const Features<A>&, const A::Real*);                                               \
  template void product_backward<A>(const ProductBasis&, const std::vector<int>&, const A::Real*, const Features<A>&, \
                                    const Features<A>&, const Features<A>&, A::Real*, const A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE
template const float* fold_product(const ProductBasis&, int, const std::vector<int>&, const float*, int,
                                   Buffer<float>&);
template const double* fold_product(const ProductBasis&, int, const std::vector<int>&, const double*, int,
                                    Buffer<double>&);

}  // namespace isotrope
