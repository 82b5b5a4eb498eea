// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "core/error.hpp"
#include "core/loops.hpp"
#include "so3/item_lanes.hpp"
#include "so3/tensor_product.hpp"

/// From the formula of a product for one lane to arrays of items and channels. A product has a core over the stored
/// number T, plain data and views,
///   template <class A, class W, class Z> void forward(const Vec* x, const Vec* y, const W& w, const Z& z) const;
///   template <class A, class W, class Z>
///   void backward(const Vec* x, const Vec* y, const W& w, const Z& g_z, Vec* g_x, Vec* g_y, const W* g_w) const;
/// which adds adjoints; ProductOf makes a TensorProduct of it.
namespace isotrope {

inline constexpr int product_inputs_limit = 81;    ///< components of x and y: l <= 8
inline constexpr int product_outputs_limit = 289;  ///< components of z, unless written directly: l <= 16

/// Components of z in memory (adjoint of z: read only).
template <class A>
struct MemoryRow {
  typename A::Real* data;
  int stride;  ///< from a value to its tangent
  KOKKOS_INLINE_FUNCTION typename A::Vec get(int k) const { return A::load(data + k * stride * A::rows, stride); }
  KOKKOS_INLINE_FUNCTION void set(int k, const typename A::Vec& x) const {
    A::store(data + k * stride * A::rows, stride, x);
  }
};
/// Components of z on the stack.
template <class A>
struct LocalRow {
  typename A::Vec* data;
  KOKKOS_INLINE_FUNCTION const typename A::Vec& get(int k) const { return data[k]; }
  KOKKOS_INLINE_FUNCTION void set(int k, const typename A::Vec& x) const { data[k] = x; }
  KOKKOS_INLINE_FUNCTION void add(int k, const typename A::Vec& x) const { data[k] += x; }
};

/// Weights of one lane: none, shared, or with a row of their own per item.
template <class A>
struct WeightRow {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  enum class Kind { none, shared, item, number };
  Kind kind = Kind::none;
  T* data = nullptr;
  int stride = 0;

  KOKKOS_INLINE_FUNCTION static Vec scaled(const Lane<T>& w, const Vec& x) {
    if constexpr (A::dual) {
      return {w * x.v, w * x.t};
    } else {
      return w * x;
    }
  }
  /// w_p x
  KOKKOS_INLINE_FUNCTION Vec times(int p, const Vec& x) const {
    if (kind == Kind::none) return x;
    if (kind == Kind::shared) return scaled(load_lane(data + p * stride), x);
    if (kind == Kind::item) return A::load(data + p * stride * A::rows, stride) * x;
    return data[p] * x;
  }
  KOKKOS_INLINE_FUNCTION bool any() const { return kind != Kind::none; }
  /// As an adjoint: g_p += x.
  KOKKOS_INLINE_FUNCTION void add(int p, const Vec& x) const {
    if (kind == Kind::item) {
      add_to<A>(data + p * stride * A::rows, stride, x);
    } else {
      Lane<T> g;
      if constexpr (A::dual) {
        g = x.t;
      } else {
        g = x;
      }
      if (kind == Kind::shared) {
        scatter_lane(data + p * stride, g);
      } else {
        add_shared(data + p, T(horizontal_sum(g)));
      }
    }
  }
};

/// Where the blocks of one operand are.
struct ProductBlocks {
  View<int> begin;  ///< [blocks + 1] first component of each block
  int blocks = 0, size = 0;

  ProductBlocks() = default;
  explicit ProductBlocks(const Irreps& irreps) : blocks(static_cast<int>(irreps.blocks().size())) {
    std::vector<int> starts{0};
    for (const Irrep& b : irreps.blocks()) starts.push_back(starts.back() + 2 * b.l + 1);
    size = starts.back();
    begin = to_device("isotrope::product::blocks", starts);
  }
  /// f(component, its place in units of channels) for all components of an item.
  template <class F>
  KOKKOS_INLINE_FUNCTION void for_components(FeatureOrder order, long items, long item, const F& f) const {
    if (order == FeatureOrder::by_item) {
      for (int k = 0; k < size; ++k) f(k, item * size + k);
      return;
    }
    for (int b = 0; b < blocks; ++b) {
      const long first = begin(b), width = begin(b + 1) - first;
      for (int m = 0; m < width; ++m) f(static_cast<int>(first + m), first * items + item * width + m);
    }
  }
};

/// One lane of channels of one item, in memory.
template <class A>
struct LanePlace {
  FeatureOrder order;
  long items, item;
  int channels, channel;

  KOKKOS_INLINE_FUNCTION void load(const ProductBlocks& blocks, const typename A::Real* data,
                                   typename A::Vec* x) const {
    blocks.for_components(order, items, item, [&](int k, long place) {
      x[k] = A::load(data + place * channels * A::rows + channel, channels);
    });
  }
  KOKKOS_INLINE_FUNCTION void store(const ProductBlocks& blocks, typename A::Real* data,
                                    const typename A::Vec* x) const {
    blocks.for_components(order, items, item, [&](int k, long place) {
      A::store(data + place * channels * A::rows + channel, channels, x[k]);
    });
  }
  KOKKOS_INLINE_FUNCTION void add(const ProductBlocks& blocks, typename A::Real* data, const typename A::Vec* x) const {
    blocks.for_components(order, items, item, [&](int k, long place) {
      add_to<A>(data + place * channels * A::rows + channel, channels, x[k]);
    });
  }
};

template <class Core, class A>
struct ProductKernel {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  using Row = WeightRow<A>;
  using Arithmetic = A;
  Core core;
  ProductBlocks first, second, out;
  int weights;
  ProductInput<A> in;
  ProductAdjoint<A> g;  ///< forward: only z, which is written
  bool reverse;
  bool lanes_are_items = false;  ///< shared weights are then one number for the whole lane

  KOKKOS_INLINE_FUNCTION LanePlace<A> place(long item, int channel) const {
    return {in.order, in.items, item, in.channels, channel};
  }
  KOKKOS_INLINE_FUNCTION Row weight_row(const T* data, long item, int channel) const {
    T* p = const_cast<T*>(data);
    if (!p) return {};
    if (!in.item_weights && lanes_are_items) return {Row::Kind::number, p, 0};
    if (!in.item_weights) return {Row::Kind::shared, p + channel, in.channels};
    return {Row::Kind::item, p + item * weights * A::rows * in.channels + channel, in.channels};
  }
  KOKKOS_INLINE_FUNCTION void load_y(long item, int channel, Vec* y) const {
    if (!in.one_channel_y) return place(item, channel).load(second, in.y, y);
    const auto* numbers = reinterpret_cast<const typename A::Num*>(in.y) + item * second.size;
    for (int k = 0; k < second.size; ++k) {
      if constexpr (A::dual) {
        y[k] = {Lane<T>(numbers[k].v), Lane<T>(numbers[k].t)};
      } else {
        y[k] = Vec(numbers[k]);
      }
    }
  }

  [[gnu::noinline]] KOKKOS_FUNCTION void forward(long item, int channel) const {
    Vec x[product_inputs_limit], y[product_inputs_limit];
    place(item, channel).load(first, in.x, x);
    load_y(item, channel, y);
    T* target = const_cast<T*>(g.z);
    const Row w = weight_row(in.weights, item, channel);
    if constexpr (Core::writes_directly) {
      core.template forward<A>(x, y, w,
                               MemoryRow<A>{target + item * out.size * A::rows * in.channels + channel, in.channels});
    } else {
      Vec z[product_outputs_limit];
      core.template forward<A>(x, y, w, LocalRow<A>{z});
      place(item, channel).store(out, target, z);
    }
  }

  /// Adds the adjoint of y to g_y [second.size] where it is for all channels, else to memory.
  [[gnu::noinline]] KOKKOS_FUNCTION void backward(long item, int channel, Vec* g_y) const {
    Vec x[product_inputs_limit], y[product_inputs_limit], g_x[product_inputs_limit];
    place(item, channel).load(first, in.x, x);
    load_y(item, channel, y);
    for (int k = 0; k < first.size; ++k) g_x[k] = A::zero();
    const Row w = weight_row(in.weights, item, channel), g_w = weight_row(g.weights, item, channel);
    const Row* wanted = g.weights ? &g_w : nullptr;
    if constexpr (Core::writes_directly) {
      const MemoryRow<A> g_z{const_cast<T*>(g.z) + item * out.size * A::rows * in.channels + channel, in.channels};
      core.template backward<A>(x, y, w, g_z, g_x, g_y, wanted);
    } else {
      Vec z[product_outputs_limit];
      place(item, channel).load(out, g.z, z);
      core.template backward<A>(x, y, w, LocalRow<A>{z}, g_x, g_y, wanted);
    }
    if (g.x) place(item, channel).add(first, g.x, g_x);
  }

  KOKKOS_FUNCTION void operator()(int item, int block) const {
    const int channel = block * lane_width<T>;
    if (!reverse) return forward(item, channel);
    Vec g_y[product_inputs_limit];
    for (int k = 0; k < second.size; ++k) g_y[k] = A::zero();
    backward(item, channel, g_y);
    if (g.y) place(item, channel).add(second, g.y, g_y);
  }
  /// One channel of y: its adjoint is summed over the channels of x.
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int item) const {
    Vec g_y[product_inputs_limit];
    for (int k = 0; k < second.size; ++k) g_y[k] = A::zero();
    team.for_blocks(in.channels / lane_width<T>, [&](int b) { backward(item, b * lane_width<T>, g_y); });
    if (!g.y) return;
    auto* target = reinterpret_cast<typename A::Num*>(g.y) + static_cast<long>(item) * second.size;
    for (int k = 0; k < second.size; ++k) {
      if constexpr (A::dual) {
        const T v = team.sum(g_y[k].v), t = team.sum(g_y[k].t);
        team.once([&] { target[k] = {target[k].v + v, target[k].t + t}; });
      } else {
        const T sum = team.sum(g_y[k]);
        team.once([&] { target[k] += sum; });
      }
    }
  }
};

/// A TensorProduct from a core: Core<float> and Core<double>, made from the same tables.
template <template <class> class Core>
class ProductOf : public TensorProduct {
 public:
  template <class Tables>
  ProductOf(Irreps first, Irreps second, Irreps out, int weights, long multiplications, long table_size,
            const Tables& tables)
      : TensorProduct(std::move(first), std::move(second), std::move(out)),
        single_(tables),
        double_(tables),
        x_(first_),
        y_(second_),
        z_(out_) {
    weights_ = weights;
    multiplications_ = multiplications;
    table_size_ = table_size;
    require(x_.size <= product_inputs_limit && y_.size <= product_inputs_limit,
            "A tensor product takes up to {} components (l = 0 to 8, once each), found {} and {}.",
            product_inputs_limit, x_.size, y_.size);
    require(Core<float>::writes_directly || z_.size <= product_outputs_limit,
            "This tensor product has up to {} components (l = 0 to 16, once each), found {}.", product_outputs_limit,
            z_.size);
  }
  void forward(const ProductInput<Plain<float>>& in, float* z) const override { run(in, {z}, false); }
  void forward(const ProductInput<Plain<double>>& in, double* z) const override { run(in, {z}, false); }
  void forward(const ProductInput<WithTangent<float>>& in, float* z) const override { run(in, {z}, false); }
  void forward(const ProductInput<WithTangent<double>>& in, double* z) const override { run(in, {z}, false); }
  void backward(const ProductInput<Plain<float>>& in, const ProductAdjoint<Plain<float>>& g) const override {
    run(in, g, true);
  }
  void backward(const ProductInput<Plain<double>>& in, const ProductAdjoint<Plain<double>>& g) const override {
    run(in, g, true);
  }
  void backward(const ProductInput<WithTangent<float>>& in,
                const ProductAdjoint<WithTangent<float>>& g) const override {
    run(in, g, true);
  }
  void backward(const ProductInput<WithTangent<double>>& in,
                const ProductAdjoint<WithTangent<double>>& g) const override {
    run(in, g, true);
  }

 private:
  template <class A>
  void run(const ProductInput<A>& in, const ProductAdjoint<A>& g, bool reverse) const {
    using T = typename A::Real;
    const bool item_lanes = in.channels == 1 && lane_width<T> > 1;
    require(item_lanes || in.channels % lane_width<T> == 0,
            "A tensor product takes one channel or a multiple of {} (stored, with padding), found {}.", lane_width<T>,
            in.channels);
    require(in.order == FeatureOrder::by_item || (!Core<T>::writes_directly && !item_lanes),
            "One channel, and products with a block per path, lie by item: order is by_block.");
    const ProductKernel<Core<T>, A> kernel{core<T>(), x_, y_, z_, weights_, in, g, reverse};
    if (item_lanes) {
      for_item_lanes(kernel);
    } else if (reverse && in.one_channel_y) {
      for_teams("isotrope::product::backward", static_cast<int>(in.items), kernel);
    } else {
      for_channels("isotrope::product", static_cast<int>(in.items), in.channels / lane_width<T>, kernel);
    }
  }
  template <class T>
  const Core<T>& core() const {
    if constexpr (std::is_same_v<T, float>) {
      return single_;
    } else {
      return double_;
    }
  }
  Core<float> single_;
  Core<double> double_;
  ProductBlocks x_, y_, z_;
};

}  // namespace isotrope
