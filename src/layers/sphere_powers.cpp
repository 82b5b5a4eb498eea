// SPDX-License-Identifier: MIT
#include "layers/sphere_powers.hpp"

#include <algorithm>
#include <cmath>

#include "layers/product_basis.hpp"
#include "so3/gaunt_powers.hpp"
#include "so3/grid_powers.hpp"

namespace isotrope {
namespace {

/// A term, a product of up to three factors and their adjoints, takes about as long as two multiplications on the grid:
/// 841 terms 35 us an atom forward and backward, 906 multiplications 17 (64 channels, single precision, AVX2).
constexpr int multiplications_per_term = 2;

bool is_power(const CouplingTable& table, int l_max) {
  if (table.paths != 1 || table.nu * l_max < table.L) return false;
  const Couplings power = gaunt_power_couplings(l_max, table.L, table.nu);
  if (power.indices != table.indices) return false;
  return std::equal(power.values.begin(), power.values.end(), table.values.begin(),
                    [](double a, double b) { return std::abs(a - b) <= 1e-12; });
}

}  // namespace

std::shared_ptr<const SpherePowers> SpherePowers::of(const std::vector<CouplingTable>& tables, int l_max, int terms) {
  if (device_build || tables.empty()) return nullptr;
  auto p = std::make_shared<SpherePowers>();
  for (const CouplingTable& t : tables) {
    p->L_max_ = std::max(p->L_max_, t.L);
    p->correlation_ = std::max(p->correlation_, t.nu);
  }
  if (static_cast<int>(tables.size()) != (p->L_max_ + 1) * p->correlation_) return nullptr;
  for (std::size_t k = 0; k < tables.size(); ++k) {
    const int L = static_cast<int>(k) / p->correlation_, nu = p->correlation_ - static_cast<int>(k) % p->correlation_;
    if (tables[k].L != L || tables[k].nu != nu || !is_power(tables[k], l_max)) return nullptr;
    p->scale_.push_back(gaunt_power_scale(l_max, L, nu));
  }
  p->powers_ = grid_powers(harmonics_irreps(l_max), harmonics_irreps(p->L_max_), p->correlation_);
  if (p->powers_->multiplications() > static_cast<long>(multiplications_per_term) * terms) return nullptr;
  return p;
}

/// [species][nu - 1][L][pad], scaled as the couplings are.
template <class T>
std::vector<T> SpherePowers::grid_weights(const std::vector<int>& segment, const T* weights, int pad) const {
  const std::size_t size = static_cast<std::size_t>(powers_->weights()) * pad;
  std::vector<T> w((segment.size() - 1) * size);
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    for (int k = 0; k < powers_->weights(); ++k) {
      const int L = k / correlation_, nu = correlation_ - k % correlation_;
      T* to = w.data() + s * size + static_cast<std::size_t>((nu - 1) * (L_max_ + 1) + L) * pad;
      const T* from = weights + s * size + static_cast<std::size_t>(k) * pad;
      for (int c = 0; c < pad; ++c) to[c] = static_cast<T>(scale_[k]) * from[c];
    }
  }
  return w;
}

namespace {
template <class T>
ProductInput<Plain<T>> input_of(const Features<Plain<T>>& x) {
  ProductInput<Plain<T>> in;
  in.items = x.atoms;
  in.channels = x.layout.block[0].pad;
  in.x = in.y = x.data;
  in.order = FeatureOrder::by_block;
  return in;
}
}  // namespace

template <class T>
void SpherePowers::forward(const std::vector<int>& segment, const T* weights, const Features<Plain<T>>& x,
                           const Features<Plain<T>>& b) const {
  ProductInput<Plain<T>> in = input_of(x);
  const std::vector<T> w = grid_weights(segment, weights, in.channels);
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    in.weights = w.data() + s * powers_->weights() * in.channels;
    in.begin = segment[s];
    in.end = segment[s + 1];
    powers_->forward(in, b.data);
  }
}

template <class T>
void SpherePowers::backward(const std::vector<int>& segment, const T* weights, const Features<Plain<T>>& x,
                            const Features<Plain<T>>& g_b, const Features<Plain<T>>& g_x) const {
  ProductInput<Plain<T>> in = input_of(x);
  const std::vector<T> w = grid_weights(segment, weights, in.channels);
  std::fill(g_x.data, g_x.data + g_x.size(), T(0));
  ProductAdjoint<Plain<T>> g;
  g.z = g_b.data;
  g.x = g_x.data;
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    in.weights = w.data() + s * powers_->weights() * in.channels;
    in.begin = segment[s];
    in.end = segment[s + 1];
    powers_->backward(in, g);
  }
}

#define ISOTROPE_INSTANTIATE(T)                                                                         \
  template void SpherePowers::forward<T>(const std::vector<int>&, const T*, const Features<Plain<T>>&,  \
                                         const Features<Plain<T>>&) const;                              \
  template void SpherePowers::backward<T>(const std::vector<int>&, const T*, const Features<Plain<T>>&, \
                                          const Features<Plain<T>>&, const Features<Plain<T>>&) const;
ISOTROPE_INSTANTIATE(float)
ISOTROPE_INSTANTIATE(double)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
