// SPDX-License-Identifier: MIT
#include "so3/exact_product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/exact_core.hpp"

namespace isotrope {
namespace {

std::vector<int> centres(const Irreps& irreps) {
  std::vector<int> places;
  int at = 0;
  for (const Irrep& b : irreps.blocks()) {
    places.push_back(at + b.l);
    at += 2 * b.l + 1;
  }
  return places;
}

/// The coefficient of X_m1 Y_m2 in row (l3, M), read off the real 3j symbol. Even l1 + l2 + l3 maps real to real part;
/// odd maps them crosswise, X + i Y -> i (X + i Y).
double coefficient(int l1, int m1, int l2, int m2, int l3) {
  const std::vector<double>& c = wigner_3j(l1, l2, l3);
  const auto at = [&](int a, int b, int m3) { return c[((l1 + a) * (2 * l2 + 1) + l2 + b) * (2 * l3 + 1) + l3 + m3]; };
  const int M = m1 + m2;
  if ((l1 + l2 + l3) % 2 == 0) return at(std::abs(m1), std::abs(m2), M);
  return M > 0 ? at(std::abs(m1), std::abs(m2), -M) : at(-std::abs(m1), std::abs(m2), 0);
}

class TableBuilder {
 public:
  TableBuilder(const Irreps& first, const Irreps& second, const Irreps& out, const std::vector<ProductPath>& paths,
               const std::vector<double>& scale)
      : first_(first), second_(second), out_(out), paths_(paths), scale_(scale) {}

  ExactTables build() {
    for (std::size_t i = 0; i < first_.blocks().size(); ++i) {
      for (std::size_t j = 0; j < second_.blocks().size(); ++j) add_pair(static_cast<int>(i), static_cast<int>(j));
    }
    return std::move(tables_);
  }

 private:
  void add_pair(int i, int j) {
    const int l1 = first_.blocks()[i].l, l2 = second_.blocks()[j].l;
    for (int M = 0; M <= l1 + l2; ++M) {
      ExactGroup g{centres(first_)[i],
                   centres(second_)[j],
                   0,
                   M,
                   0,
                   static_cast<int>(tables_.rows.size()),
                   0,
                   static_cast<int>(tables_.matrix.size())};
      // For M = 0 the products of m1 and -m1 are conjugates: one of them is enough.
      g.m1 = M == 0 ? 0 : std::max(-l1, M - l2);
      g.terms = std::min(l1, M + l2) - g.m1 + 1;
      for (std::size_t p = 0; p < paths_.size(); ++p) {
        if (paths_[p].first == i && paths_[p].second == j) add_row(g, static_cast<int>(p), l1, l2);
      }
      if (g.rows > 0) tables_.groups.push_back(g);
    }
  }

  void add_row(ExactGroup& g, int path, int l1, int l2) {
    const int l3 = out_.blocks()[paths_[path].out].l, centre = centres(out_)[paths_[path].out];
    const bool even = (l1 + l2 + l3) % 2 == 0;
    if (l3 < g.M || (g.M == 0 && !even && std::min(l1, l2) == 0)) return;
    ExactRow row{path, centre + g.M, centre - g.M, 1};
    if (!even) row = {path, centre - g.M, centre + g.M, -1};
    if (g.M == 0) (even ? row.b : row.a) = -1;
    if (g.M == 0) row.sign_b = 1;
    tables_.rows.push_back(row);
    ++g.rows;
    for (int k = 0; k < g.terms; ++k)
      tables_.matrix.push_back(scale_[path] * coefficient(l1, g.m1 + k, l2, g.M - g.m1 - k, l3));
  }

  const Irreps &first_, &second_, &out_;
  const std::vector<ProductPath>& paths_;
  const std::vector<double>& scale_;
  ExactTables tables_;
};

template <class T>
using DirectCore = ExactCore<T, true>;
template <class T>
using SummedCore = ExactCore<T, false>;

bool reachable(const Irrep& a, const Irrep& b, const Irrep& c) {
  return std::abs(a.l - b.l) <= c.l && c.l <= a.l + b.l && c.parity == a.parity * b.parity;
}

void check_multiplicities(const Irreps& irreps) {
  for (const Irrep& b : irreps.blocks())
    require(b.mul == 1 && b.l <= 16,
            "Irreps of a tensor product: expected blocks 1xl with l <= 16 (copies are channels), found '{}'.",
            irreps.text());
}

template <template <class> class Core>
std::unique_ptr<TensorProduct> make(const Irreps& first, const Irreps& second, const Irreps& out,
                                    const std::vector<ProductPath>& paths) {
  std::vector<int> into(out.blocks().size(), 0);
  for (const ProductPath& p : paths) ++into[p.out];
  std::vector<double> scale;
  for (const ProductPath& p : paths) scale.push_back(std::sqrt((2 * out.blocks()[p.out].l + 1.0) / into[p.out]));
  const ExactTables tables = exact_tables(first, second, out, paths, scale);
  const ExactSource source{tables, ProductBlocks(first), ProductBlocks(second), ProductBlocks(out)};
  return std::make_unique<ProductOf<Core>>(first, second, out, static_cast<int>(paths.size()), tables.multiplications(),
                                           static_cast<long>(tables.matrix.size()), source);
}

}  // namespace

ExactTables exact_tables(const Irreps& first, const Irreps& second, const Irreps& out,
                         const std::vector<ProductPath>& paths, const std::vector<double>& scale) {
  return TableBuilder(first, second, out, paths, scale).build();
}

std::vector<ProductPath> exact_paths(const Irreps& first, const Irreps& second, const Irreps& out) {
  std::vector<ProductPath> paths;
  const auto size = [](const Irreps& irreps) { return static_cast<int>(irreps.blocks().size()); };
  for (int k = 0; k < size(out); ++k) {
    for (int i = 0; i < size(first); ++i) {
      for (int j = 0; j < size(second); ++j) {
        if (reachable(first.blocks()[i], second.blocks()[j], out.blocks()[k])) paths.push_back({i, j, k});
      }
    }
  }
  return paths;
}

std::unique_ptr<TensorProduct> exact_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  for (const Irreps* irreps : {&first, &second, &out}) check_multiplicities(*irreps);
  const std::vector<ProductPath> paths = exact_paths(first, second, out);
  std::vector<bool> reached(out.blocks().size(), false);
  for (const ProductPath& p : paths) reached[p.out] = true;
  for (std::size_t k = 0; k < reached.size(); ++k) {
    const Irrep& b = out.blocks()[k];
    require(reached[k], "No path leads from '{}' x '{}' to {}{}: leave it out of the output irreps '{}'.", first.text(),
            second.text(), b.l, b.parity > 0 ? 'e' : 'o', out.text());
  }
  return make<SummedCore>(first, second, out, paths);
}

std::unique_ptr<TensorProduct> full_product(const Irreps& first, const Irreps& second, int l_max) {
  check_multiplicities(first);
  check_multiplicities(second);
  struct Entry {
    int l, parity, i, j;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  for (int i = 0; i < static_cast<int>(first.blocks().size()); ++i) {
    for (int j = 0; j < static_cast<int>(second.blocks().size()); ++j) {
      const Irrep &a = first.blocks()[i], &b = second.blocks()[j];
      for (int l = std::abs(a.l - b.l); l <= std::min(a.l + b.l, l_max); ++l)
        entries.push_back({l, a.parity * b.parity, i, j});
    }
  }
  std::sort(entries.begin(), entries.end());
  std::vector<Irrep> blocks;
  std::vector<ProductPath> paths;
  for (const Entry& e : entries) {
    paths.push_back({e.i, e.j, static_cast<int>(blocks.size())});
    blocks.push_back({1, e.l, e.parity});
  }
  return make<DirectCore>(first, second, Irreps(std::move(blocks)), paths);
}

}  // namespace isotrope
