// SPDX-License-Identifier: MIT
#include "models/mace_pass_weights.hpp"

#include "models/mace_pass.hpp"

namespace isotrope {
namespace {

using Chain = std::vector<Matrix>;

Chain join(Chain chain, const Chain& next) {
  chain.insert(chain.end(), next.begin(), next.end());
  return chain;
}

/// One matrix for each degree, of the chain of each.
template <class T, class F>
void pack_chains(const T* weights, DegreeLinear<T>& packed, std::size_t degrees, const F& chain_of) {
  packed.resize(degrees);
  for (std::size_t l = 0; l < degrees; ++l) packed[l].pack_chain(weights, chain_of(l));
}

}  // namespace

/// What plain numbers pass one after the other is one matrix for them: the linear layer after the convolution and the
/// skip connection right behind it, the linear layer after the product and what reads its output, that of the last
/// layer the first matrix of the readout.
template <class A>
void MacePass<A>::prepare_weights() {
  const bool other = arrays_.prepared_of != c_.set;
  if (other) arrays_.prepared.assign(c_.shape->species, 0);
  arrays_.prepared_of = c_.set;
  std::vector<int> fresh;
  for (int s = 0; s < c_.shape->species; ++s) {
    if (arrays_.prepared[s] || graph_.rows_of[s] == 0) continue;
    arrays_.prepared[s] = 1;
    fresh.push_back(s);
  }
  for (int t = 0; t <= last(); ++t) {
    if (other) pack_common(t);
    pack_for_species(t, fresh);
    if constexpr (!A::dual) {
      const MaceLayer& layer = c_.plan->layers[t];
      auto& mine = arrays_.layers[t].weights;
      mine.folded = fold_product<T>(*layer.basis, c_.shape->species, fresh, c_.weights + layer.product,
                                    layer.message.block[0].pad, mine.product);
    }
  }
}

/// What the layer before left to those that read its features.
template <class A>
std::vector<Matrix> MacePass<A>::left_to(int t, std::size_t l) const {
  if (t == 0 || !product_is_merged(t - 1)) return {};
  return {c_.plan->layers[t - 1].product_linear[l]};
}

/// What comes at once after the output of layer t.
template <class A>
std::vector<Matrix> MacePass<A>::right_after(int t) const {
  if (!readout_is_merged(t)) return {};
  return {c_.plan->layers[t].readout[0]};
}

template <class A>
void MacePass<A>::pack_common(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& mine = arrays_.layers[t].weights;
  pack_chains(c_.weights, mine.up, layer.linear_up.size(),
              [&](std::size_t l) { return join(left_to(t, l), {layer.linear_up[l]}); });
  if (!skip_is_merged(t)) {
    pack_chains(c_.weights, mine.linear, layer.linear.size(), [&](std::size_t l) { return Chain{layer.linear[l]}; });
  }
  if (!product_is_merged(t)) {
    pack_chains(c_.weights, mine.product_linear, layer.product_linear.size(),
                [&](std::size_t l) { return join({layer.product_linear[l]}, right_after(t)); });
  }
  mine.readout.resize(layer.readout.size());
  for (std::size_t k = 0; k < layer.readout.size(); ++k) {
    mine.readout[k].pack_chain(c_.weights, join(k == 0 ? left_to(t + 1, 0) : Chain{}, {layer.readout[k]}));
  }
}

template <class A>
void MacePass<A>::pack_for_species(int t, const std::vector<int>& species) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& skip = arrays_.layers[t].weights.skip;
  skip.resize(c_.shape->species);
  for (int s : species) {
    pack_chains(c_.weights, skip[s], layer.skip.size(), [&](std::size_t l) {
      const Chain it{layer.skip[l][s]};
      if (skip_is_merged(t)) return join({layer.linear[l]}, it);
      return join(join(left_to(t, l), it), right_after(t));
    });
  }
}

#define ISOTROPE_INSTANTIATE(A) template void MacePass<A>::prepare_weights();
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
