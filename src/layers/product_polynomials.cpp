// SPDX-License-Identifier: MIT
#include "layers/product_polynomials.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/loops.hpp"

namespace isotrope {
namespace {

constexpr int most_components = ProductPolynomials::most_components;
using Factors = std::array<int, 3>;

/// The pairs of factors that a monomial has.
std::set<std::array<int, 2>> pairs_of(const Factors& f) {
  return {{f[0], f[1]}, {f[0], f[2]}, {f[1], f[2]}};
}

/// The pair that most of the monomials have; of several the first.
std::array<int, 2> most_frequent_pair(const std::vector<Factors>& monomials) {
  std::map<std::array<int, 2>, int> count;
  for (const Factors& f : monomials) {
    for (const auto& pair : pairs_of(f)) ++count[pair];
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(count.begin(), count.end(), fewer)->first;
}

/// What a sorted monomial has beside a pair of its factors.
int third_of(const Factors& f, const std::array<int, 2>& pair) {
  return f[0] + f[1] + f[2] - pair[0] - pair[1];
}

}  // namespace

ProductPolynomials::ProductPolynomials(const std::vector<ProductTerm>& terms, int components)
    : tables_{components, terms.empty() ? 0 : terms.back().output + 1, {}, {}, {}, {}} {
  std::vector<std::map<Factors, std::vector<const ProductTerm*>>> polynomials(tables_.outputs);
  for (const ProductTerm& term : terms) {
    Factors f = term.factors;
    for (int& k : f) k = k < 0 ? components : k;
    std::sort(f.begin(), f.end());
    polynomials[term.output][f].push_back(&term);
  }
  std::vector<int> pair_begin{0}, pair, third_begin{0}, third, term_begin{0}, weight;
  std::vector<double> value;
  for (const auto& polynomial : polynomials) {
    std::vector<Factors> left;
    for (const auto& [factors, of_monomial] : polynomial) left.push_back(factors);
    while (!left.empty()) {
      const auto chosen = most_frequent_pair(left);
      const auto has_not = [&](const Factors& f) { return pairs_of(f).count(chosen) == 0; };
      const auto mine = std::stable_partition(left.begin(), left.end(), has_not);
      for (auto f = mine; f != left.end(); ++f) {
        for (const ProductTerm* term : polynomial.at(*f)) {
          weight.push_back(term->weight);
          value.push_back(term->value);
        }
        term_begin.push_back(static_cast<int>(weight.size()));
        third.push_back(third_of(*f, chosen));
      }
      left.erase(mine, left.end());
      pair.insert(pair.end(), chosen.begin(), chosen.end());
      third_begin.push_back(static_cast<int>(third.size()));
    }
    pair_begin.push_back(static_cast<int>(pair.size() / 2));
  }
  monomials_ = static_cast<int>(third.size());
  tables_.pairs_of = to_device("isotrope::product::pairs_of", pair_begin);
  tables_.pair = to_device("isotrope::product::pair", pair);
  tables_.thirds_of = to_device("isotrope::product::thirds_of", third_begin);
  tables_.third = to_device("isotrope::product::third", third);
  terms_of_ = to_device("isotrope::product::terms_of", term_begin);
  weight_ = to_device("isotrope::product::term_weight", weight);
  value_ = to_device("isotrope::product::term_value", value);
}

namespace {

/// Where coefficients lie: those of a lane of channels together, since a host takes them one lane after the other; on
/// devices those of a monomial.
struct CoefficientLayout {
  long lane, monomial;
};
template <class T>
CoefficientLayout coefficient_layout(int monomials, int pad) {
  if (device_build) return {1, pad};
  return {static_cast<long>(monomials) * lane_width<T>, lane_width<T>};
}

template <class T>
struct Fold {
  View<int> terms_of, weight;
  View<double> value;
  const T* weights;
  T* coefficients;
  CoefficientLayout layout;
  int pad;
  KOKKOS_FUNCTION void operator()(int m, int lane) const {
    Lane<T> sum(T(0));
    for (int n = terms_of(m); n < terms_of(m + 1); ++n) {
      sum += static_cast<T>(value(n)) * load_lane(weights + weight(n) * pad + lane * lane_width<T>);
    }
    store_lane(coefficients + lane * layout.lane + m * layout.monomial, sum);
  }
};

/// The atoms that pass through the polynomials together. Of the last ones of a species the last is taken several times.
template <class T>
struct Polynomials {
  using Vec = Lane<T>;
  static constexpr int together = device_build ? 1 : 4;
  PolynomialTables tables;
  const T* coefficients;  // of this species
  CoefficientLayout layout;
  int row_begin, row_end;

  /// Calls f(atom, its place among those together, component, address) for l = 0, 1, ... of the features.
  template <class F>
  KOKKOS_FORCEINLINE_FUNCTION void for_components(const Features<Plain<T>>& x, int item, int lane, int count,
                                                  const F& f) const {
    for (int a = 0; a < together; ++a) {
      const int wanted = row_begin + item * together + a, atom = wanted < row_end ? wanted : row_end - 1;
      for (int l = 0, i = 0; i < count; ++l) {
        const T* p = x.at(l, atom, 0) + lane * lane_width<T>;
        for (int m = 0; m <= 2 * l; ++m, ++i, p += x.layout.block[l].pad) f(a, i, const_cast<T*>(p));
      }
    }
  }
};

template <class T>
struct PolynomialsForward {
  using Vec = Lane<T>;
  static constexpr int together = Polynomials<T>::together;
  Polynomials<T> p;
  Features<Plain<T>> x_of, b_of;

  KOKKOS_FUNCTION void operator()(int item, int lane) const {
    Vec x[most_components + 1][together], b[most_components][together];
    p.for_components(x_of, item, lane, p.tables.components,
                     [&](int a, int i, T* number) { x[i][a] = load_lane(number); });
    for (int a = 0; a < together; ++a) x[p.tables.components][a] = Vec(T(1));
    const T* c = p.coefficients + lane * p.layout.lane;
    for (int o = 0; o < p.tables.outputs; ++o) {
      Vec sum[together];
      for (int a = 0; a < together; ++a) sum[a] = Vec(T(0));
      for (int q = p.tables.pairs_of(o); q < p.tables.pairs_of(o + 1); ++q) {
        Vec inner[together];
        for (int a = 0; a < together; ++a) inner[a] = Vec(T(0));
        for (int m = p.tables.thirds_of(q); m < p.tables.thirds_of(q + 1); ++m) {
          const Vec coefficient = load_lane(c + m * p.layout.monomial);
          const Vec* xk = x[p.tables.third(m)];
          for (int a = 0; a < together; ++a) inner[a] += coefficient * xk[a];
        }
        const Vec *xi = x[p.tables.pair(2 * q)], *xj = x[p.tables.pair(2 * q + 1)];
        for (int a = 0; a < together; ++a) sum[a] += xi[a] * xj[a] * inner[a];
      }
      for (int a = 0; a < together; ++a) b[o][a] = sum[a];
    }
    p.for_components(b_of, item, lane, p.tables.outputs, [&](int a, int o, T* number) { store_lane(number, b[o][a]); });
  }
};

template <class T>
struct PolynomialsBackward {
  using Vec = Lane<T>;
  static constexpr int together = Polynomials<T>::together;
  Polynomials<T> p;
  Features<Plain<T>> x_of, g_b_of, g_x_of;

  KOKKOS_FUNCTION void operator()(int item, int lane) const {
    Vec x[most_components + 1][together], g_x[most_components + 1][together], g_b[most_components][together];
    p.for_components(x_of, item, lane, p.tables.components, [&](int a, int i, T* number) {
      x[i][a] = load_lane(number);
      g_x[i][a] = Vec(T(0));
    });
    for (int a = 0; a < together; ++a) {
      x[p.tables.components][a] = Vec(T(1));
      g_x[p.tables.components][a] = Vec(T(0));
    }
    p.for_components(g_b_of, item, lane, p.tables.outputs,
                     [&](int a, int o, T* number) { g_b[o][a] = load_lane(number); });
    const T* c = p.coefficients + lane * p.layout.lane;
    for (int o = 0; o < p.tables.outputs; ++o) {
      for (int q = p.tables.pairs_of(o); q < p.tables.pairs_of(o + 1); ++q) one_pair(c, q, g_b[o], x, g_x);
    }
    p.for_components(g_x_of, item, lane, p.tables.components,
                     [&](int a, int i, T* number) { store_lane(number, g_x[i][a]); });
  }

  KOKKOS_FORCEINLINE_FUNCTION void one_pair(const T* c, int q, const Vec* g_b, const Vec (*x)[together],
                                            Vec (*g_x)[together]) const {
    const int i = p.tables.pair(2 * q), j = p.tables.pair(2 * q + 1);
    Vec inner[together], g_inner[together];
    for (int a = 0; a < together; ++a) {
      inner[a] = Vec(T(0));
      g_inner[a] = g_b[a] * x[i][a] * x[j][a];
    }
    for (int m = p.tables.thirds_of(q); m < p.tables.thirds_of(q + 1); ++m) {
      const Vec coefficient = load_lane(c + m * p.layout.monomial);
      const int k = p.tables.third(m);
      for (int a = 0; a < together; ++a) {
        inner[a] += coefficient * x[k][a];
        g_x[k][a] += coefficient * g_inner[a];
      }
    }
    for (int a = 0; a < together; ++a) {
      const Vec g = g_b[a] * inner[a];
      g_x[i][a] += g * x[j][a];
      g_x[j][a] += g * x[i][a];
    }
  }
};

/// On a host the outer loop is over lanes, so that coefficients of a lane stay in the first cache.
template <class F>
struct LanesFirst {
  F f;
  KOKKOS_INLINE_FUNCTION void operator()(int outer, int inner) const {
    if constexpr (device_build) {
      f(outer, inner);
    } else {
      f(inner, outer);
    }
  }
};

}  // namespace

template <class T>
void ProductPolynomials::fold(const T* weights, int pad, T* coefficients) const {
  for_channels("isotrope::fold_product", monomials_, pad / lane_width<T>,
               Fold<T>{terms_of_, weight_, value_, weights, coefficients, coefficient_layout<T>(monomials_, pad), pad});
}

/// Calls f with the polynomials of each species and the lengths of the loops over groups of atoms and lanes.
template <class T, class F>
void ProductPolynomials::for_species(const std::vector<int>& segment, const T* coefficients,
                                     const Features<Plain<T>>& x, const F& f) const {
  constexpr int together = Polynomials<T>::together;
  const int pad = x.layout.block[0].pad;
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    const int atoms = segment[s + 1] - segment[s];
    const Polynomials<T> p{tables_, coefficients + size(s, pad), coefficient_layout<T>(monomials_, pad), segment[s],
                           segment[s + 1]};
    const int items = (atoms + together - 1) / together, lanes = pad / lane_width<T>;
    f(p, device_build ? items : lanes, device_build ? lanes : items);
  }
}

template <class T>
void ProductPolynomials::forward(const std::vector<int>& segment, const T* coefficients, const Features<Plain<T>>& x,
                                 const Features<Plain<T>>& b) const {
  for_species<T>(segment, coefficients, x, [&](const Polynomials<T>& p, int outer, int inner) {
    using Kernel = PolynomialsForward<T>;
    for_channels("isotrope::product", outer, inner, LanesFirst<Kernel>{Kernel{p, x, b}});
  });
}

template <class T>
void ProductPolynomials::backward(const std::vector<int>& segment, const T* coefficients, const Features<Plain<T>>& x,
                                  const Features<Plain<T>>& g_b, const Features<Plain<T>>& g_x) const {
  for_species<T>(segment, coefficients, x, [&](const Polynomials<T>& p, int outer, int inner) {
    using Kernel = PolynomialsBackward<T>;
    for_channels("isotrope::product_backward", outer, inner, LanesFirst<Kernel>{Kernel{p, x, g_b, g_x}});
  });
}

#define ISOTROPE_INSTANTIATE(T)                                                                               \
  template void ProductPolynomials::fold<T>(const T*, int, T*) const;                                         \
  template void ProductPolynomials::forward<T>(const std::vector<int>&, const T*, const Features<Plain<T>>&,  \
                                               const Features<Plain<T>>&) const;                              \
  template void ProductPolynomials::backward<T>(const std::vector<int>&, const T*, const Features<Plain<T>>&, \
                                                const Features<Plain<T>>&, const Features<Plain<T>>&) const;
ISOTROPE_INSTANTIATE(float)
ISOTROPE_INSTANTIATE(double)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
