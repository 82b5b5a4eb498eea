// SPDX-License-Identifier: MIT
// Weights as plain numbers read them, merged once for a set of weights and the species that were met.
#include "layers/linear.hpp"
#include "models/mace_pass.hpp"

namespace isotrope {

template <class A>
void MacePass<A>::merge_weights() {
  if (arrays_.merged_of != c_.set) arrays_.merged.assign(c_.shape->species, 0);
  arrays_.merged_of = c_.set;
  std::vector<int> fresh;
  for (int s = 0; s < c_.shape->species; ++s) {
    if (arrays_.merged[s] || graph_.rows_of[s] == 0) continue;
    arrays_.merged[s] = 1;
    fresh.push_back(s);
  }
  for (int t = 0; t <= last(); ++t) {
    const MaceLayer& layer = c_.plan->layers[t];
    arrays_.layers[t].folded = fold_product<T>(*layer.basis, c_.shape->species, fresh, c_.weights + layer.product,
                                               layer.message.block[0].pad, arrays_.layers[t].product);
    if (skip_is_merged(t)) merge_skip(t, fresh);
  }
}

/// W_linear W_skip of species: [l][species] matrices from all paths to l to the channels.
template <class A>
void MacePass<A>::merge_skip(int t, const std::vector<int>& species) {
  const MaceLayer& layer = c_.plan->layers[t];
  const int last_l = static_cast<int>(layer.skip.size()) - 1;
  const Matrix end = merged(t, last_l, c_.shape->species - 1);
  T* to = arrays_.layers[t].skip.reserve(end.at + static_cast<std::size_t>(end.in) * end.out);
  for (int l = 0; l <= last_l; ++l) {
    const Matrix& linear = layer.linear[l];
    for (int s : species) {
      const Matrix m = merged(t, l, s);
      linear_forward<Plain<T>>(c_.weights, layer.skip[l][s], linear.in, c_.weights + linear.at, linear.out, 0,
                               to + m.at, m.out);
    }
  }
}

/// Where the matrix of an l and a species lies.
template <class A>
Matrix MacePass<A>::merged(int t, int l, int s) const {
  const MaceLayer& layer = c_.plan->layers[t];
  std::size_t at = 0;
  for (int before = 0; before < l; ++before) {
    at += static_cast<std::size_t>(c_.shape->species) * layer.linear[before].in * layer.linear[before].out;
  }
  const Matrix& linear = layer.linear[l];
  return {at + static_cast<std::size_t>(s) * linear.in * linear.out, linear.in, linear.out};
}

#define ISOTROPE_INSTANTIATE(A)               \
  template void MacePass<A>::merge_weights(); \
  template Matrix MacePass<A>::merged(int, int, int) const;
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
