// SPDX-License-Identifier: MIT
#include "layers/attention.hpp"

#include <algorithm>

#include "core/gemm.hpp"
#include "layers/channels.hpp"
#include "layers/in_duals.hpp"

namespace isotrope {
namespace {

/// Numbers of a block of rows of the matrix of weights: as many as stay in a core's cache.
constexpr long block_numbers = 1L << 16;
constexpr long fewest_rows = 16;

/// A matrix whose rows are `stride` apart; of a dual its value and its tangent rows.
template <class A>
struct Operand {
  using T = typename A::Real;
  T* value;
  long part;    ///< from a value row to its tangent row
  long stride;  ///< from a row to the next

  Operand from(long row) const { return {value + row * stride, part, stride}; }
};

/// Part of rows [row][value|tangent][width] that begins at channel `at`.
template <class A>
Operand<A> columns(const typename A::Real* data, long width, long at) {
  return {const_cast<typename A::Real*>(data) + at, width, width * A::rows};
}

/// C = op(X) op(Y) + beta C. The values and tangents of X meet those of C in one product where they lie alike; where
/// values are there, C has its own already.
template <class A>
void multiply(Values values, Trans tx, Trans ty, long m, long n, long k, const Operand<A>& x, const Operand<A>& y,
              typename A::Real beta, const Operand<A>& c) {
  using T = typename A::Real;
  const auto product = [&](const T* a, const T* b, T factor, T* out) {
    gemm<T>(tx, ty, m, n, k, 1, a, x.stride, b, y.stride, factor, out, c.stride);
  };
  if constexpr (A::dual) {
    if (values == Values::computed && tx == Trans::no) {
      gemm<T>(tx, ty, 2 * m, n, k, 1, x.value, x.part, y.value, y.stride, beta, c.value, c.part);
      product(x.value, y.value + y.part, 1, c.value + c.part);
      return;
    }
    product(x.value, y.value + y.part, beta, c.value + c.part);
    product(x.value + x.part, y.value, 1, c.value + c.part);
    if (values == Values::there) return;
  }
  product(x.value, y.value, beta, c.value);
}

/// Rows of logits become rows of weights, in place. The largest logit is subtracted: weights do not depend on it.
template <class A>
struct Softmax {
  using T = typename A::Real;
  int n, pad;
  T* rows;
  KOKKOS_FUNCTION void operator()(long i) const {
    constexpr int w = lane_width<T>;
    T* s = rows + i * pad * A::rows;
    for (int c = n; c < pad; ++c) {
      s[c] = s[0];
      if constexpr (A::dual) s[pad + c] = T(0);
    }
    Lane<T> top = load_lane(s);
    for (int c = w; c < pad; c += w) top = max_lane(top, load_lane(s + c));
    const T shift = horizontal_max(top);
    typename A::Vec sum = A::zero();
    for (int c = 0; c < pad; c += w) {
      const typename A::Vec e = keep_live<A>(exp_lane(typename A::Vec(A::load(s + c, pad) - shift)), c, n);
      A::store(s + c, pad, e);
      sum += e;
    }
    const typename A::Num scale = T(1) / horizontal_sum(sum);
    for (int c = 0; c < pad; c += w) A::store(s + c, pad, A::load(s + c, pad) * spread<A>(scale));
  }
};

/// The adjoint of the logits from that of the weights, over it: g_s = p (g - sum p g). The tangent of the weights comes
/// from that of the logits by the same formula.
template <class A>
struct SoftmaxBackward {
  using T = typename A::Real;
  int n, pad;
  const T* weights;
  T* g;
  KOKKOS_FUNCTION void operator()(long i) const {
    constexpr int w = lane_width<T>;
    const T* p = weights + i * pad * A::rows;
    T* g_row = g + i * pad * A::rows;
    typename A::Vec sum = A::zero();
    for (int c = 0; c < pad; c += w) sum += A::load(p + c, pad) * keep_live<A>(A::load(g_row + c, pad), c, n);
    const typename A::Num mean = horizontal_sum(sum);
    for (int c = 0; c < pad; c += w) {
      const typename A::Vec g_s = A::load(p + c, pad) * (A::load(g_row + c, pad) - spread<A>(mean));
      A::store(g_row + c, pad, keep_live<A>(g_s, c, n));
    }
  }
};

/// One head of one structure: its parts of the arrays, block by block of queries. Rows of weights are whole lanes of
/// keys: what products leave beyond the last comes from the next rows of kv and is not read.
template <class A>
struct Head {
  using T = typename A::Real;
  long queries, keys;
  int size, pad;
  Operand<A> q, k, v;

  Head(const HeadShape& shape, const AttentionRange& range, int head, const T* q_data, const T* kv_data)
      : queries(range.query_end - range.query_begin),
        keys(range.key_end - range.key_begin),
        size(shape.size),
        pad(padded<T>(static_cast<int>(keys))),
        q(columns<A>(q_data, shape.width(), head * shape.size).from(range.query_begin)),
        k(columns<A>(kv_data, 2 * shape.width(), head * shape.size).from(range.key_begin)),
        v(columns<A>(kv_data, 2 * shape.width(), shape.width() + head * shape.size).from(range.key_begin)) {}

  long block() const {
    return std::min(std::max(queries, 1L), std::max(fewest_rows, block_numbers / std::max(pad, 1)));
  }
  /// A block of rows [query][row][pad].
  Operand<A> rows_of(Buffer<T>& buffer) const { return columns<A>(buffer.reserve(block() * pad * A::rows), pad, 0); }
  long weights() const { return queries * pad * A::rows; }  ///< numbers of all of them
  /// Once also where there are no queries: keys then have the adjoint zero.
  template <class F>
  void for_blocks(const F& f) const {
    long begin = 0;
    do {
      f(begin, std::min(block(), queries - begin));
      begin += block();
    } while (begin < queries);
  }
  /// p of queries [begin, begin + count).
  void weigh(long begin, long count, const Operand<A>& p) const {
    multiply<A>(Values::computed, Trans::no, Trans::yes, count, pad, size, q.from(begin), k, 0, p);
    for_each("isotrope::attention_softmax", count, Softmax<A>{static_cast<int>(keys), pad, p.value});
  }
};

/// p of queries [begin, begin + count) of a pass whose values are there, except where those of p are not `kept`.
template <class T>
void weigh_tangents(const Head<WithTangent<T>>& head, bool kept, long begin, long count,
                    const Operand<WithTangent<T>>& p) {
  const auto plain = [](const Operand<WithTangent<T>>& x) { return Operand<InDuals<T>>{x.value, x.part, x.stride}; };
  const int keys = static_cast<int>(head.keys), pad = head.pad;
  const auto q = head.q.from(begin);
  if (!kept) {
    multiply<InDuals<T>>(Values::computed, Trans::no, Trans::yes, count, pad, head.size, plain(q), plain(head.k), 0,
                         plain(p));
    for_each("isotrope::attention_softmax", count, Softmax<InDuals<T>>{keys, pad, p.value});
  }
  multiply<WithTangent<T>>(Values::there, Trans::no, Trans::yes, count, pad, head.size, q, head.k, 0, p);
  for_each("isotrope::attention_softmax_tangents", count,
           SoftmaxBackward<InDuals<T>>{keys, pad, p.value, p.value + p.part});
}
template <class A>
void weigh(Values values, const Head<A>& head, bool kept, long begin, long count, const Operand<A>& p) {
  if constexpr (A::dual) {
    if (values == Values::there) return weigh_tangents(head, kept, begin, count, p);
  }
  head.weigh(begin, count, p);
}

/// Where weights are, which are kept for the way back or not.
template <class A>
class Weights {
 public:
  using T = typename A::Real;
  Weights(const HeadShape& shape, const std::vector<AttentionRange>& ranges, Buffer<T>& buffer) : buffer_(buffer) {
    long total = 0;
    for (const AttentionRange& range : ranges) {
      const Head<A> head(shape, range, 0, nullptr, nullptr);
      kept_ = kept_ && head.pad <= 2 * shape.size && head.block() == head.queries;
      total += shape.heads * head.weights();
    }
    if (kept_) next_ = buffer.reserve(total);
  }
  bool kept() const { return kept_; }
  /// Of the heads one after the other.
  Operand<A> of(const Head<A>& head) {
    if (!kept_) return head.rows_of(buffer_);
    T* begin = next_;
    next_ += head.weights();
    return columns<A>(begin, head.pad, 0);
  }

 private:
  Buffer<T>& buffer_;
  bool kept_ = true;
  T* next_ = nullptr;
};

template <class F>
void for_heads(const HeadShape& shape, const std::vector<AttentionRange>& ranges, const F& f) {
  for (const AttentionRange& range : ranges) {
    for (int head = 0; head < shape.heads; ++head) f(range, head);
  }
}

}  // namespace

template <class A>
void attention_forward(const HeadShape& shape, const std::vector<AttentionRange>& ranges, Values values,
                       const typename A::Real* q, const typename A::Real* kv,
                       AttentionScratch<typename A::Real>& scratch, typename A::Real* o) {
  Weights<A> weights(shape, ranges, scratch.weights);
  for_heads(shape, ranges, [&](const AttentionRange& range, int h) {
    const Head<A> head(shape, range, h, q, kv);
    const Operand<A> out = columns<A>(o, shape.width(), h * shape.size).from(range.query_begin);
    const Operand<A> p = weights.of(head);
    head.for_blocks([&](long begin, long count) {
      weigh(values, head, weights.kept(), begin, count, p);
      multiply<A>(values, Trans::no, Trans::no, count, head.size, head.keys, p, head.v, 0, out.from(begin));
    });
  });
}

template <class A>
void attention_backward(const HeadShape& shape, const std::vector<AttentionRange>& ranges, Values values,
                        const typename A::Real* q, const typename A::Real* kv, const typename A::Real* g_o,
                        AttentionScratch<typename A::Real>& scratch, typename A::Real* g_q, typename A::Real* g_kv) {
  using T = typename A::Real;
  Weights<A> weights(shape, ranges, scratch.weights);
  for_heads(shape, ranges, [&](const AttentionRange& range, int h) {
    const Head<A> head(shape, range, h, q, kv), g_head(shape, range, h, g_q, g_kv);
    const Operand<A> g_out = columns<A>(g_o, shape.width(), h * shape.size).from(range.query_begin);
    const Operand<A> p = weights.of(head), g_p = head.rows_of(scratch.g_weights);
    head.for_blocks([&](long begin, long count) {
      const T sum = begin > 0 ? 1 : 0;
      if (!weights.kept()) weigh(values, head, false, begin, count, p);
      multiply<A>(values, Trans::yes, Trans::no, head.keys, head.size, count, p, g_out.from(begin), sum, g_head.v);
      // Not kept, with values as well.
      multiply<A>(Values::computed, Trans::no, Trans::yes, count, head.pad, head.size, g_out.from(begin), head.v, 0,
                  g_p);
      for_each("isotrope::attention_softmax_backward", count,
               SoftmaxBackward<A>{static_cast<int>(head.keys), head.pad, p.value, g_p.value});
      multiply<A>(values, Trans::no, Trans::no, count, head.size, head.keys, g_p, head.k, 0, g_head.q.from(begin));
      multiply<A>(values, Trans::yes, Trans::no, head.keys, head.size, count, g_p, head.q.from(begin), sum, g_head.k);
    });
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                                     \
  template void attention_forward<A>(const HeadShape&, const std::vector<AttentionRange>&, Values, const A::Real*,  \
                                     const A::Real*, AttentionScratch<A::Real>&, A::Real*);                         \
  template void attention_backward<A>(const HeadShape&, const std::vector<AttentionRange>&, Values, const A::Real*, \
                                      const A::Real*, const A::Real*, AttentionScratch<A::Real>&, A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
