// SPDX-License-Identifier: MIT
#include "models/transip_pass.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "layers/channels.hpp"
#include "layers/in_duals.hpp"
#include "layers/linear.hpp"
#include "layers/rms_norm.hpp"
#include "layers/slope_activation.hpp"

namespace isotrope {
namespace {

/// y of a token is the row of a table that it has; its tangent is zero, and all that is written where values are there.
template <class A>
struct TakeRows {
  using T = typename A::Real;
  int width;
  Values values;
  const int* row;
  const T* table;
  T* y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    T* to = y + static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    if (values == Values::there) return store_lane(to + width, Lane<T>(T(0)));
    const Lane<T> e = load_lane(table + static_cast<long>(row[i]) * width + b * lane_width<T>);
    A::store(to, width, plus<T>(A::zero(), e));
  }
};

/// The gradient of that table, added.
template <class A>
struct TakeRowsBackward {
  using T = typename A::Real;
  int width;
  const int* row;
  const T* g;
  T* table_gradient;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const auto of_token = A::load(g + static_cast<long>(i) * width * A::rows + b * lane_width<T>, width);
    add_weight_gradient<A>(table_gradient + static_cast<long>(row[i]) * width + b * lane_width<T>, of_token);
  }
};

}  // namespace

template <class T>
void FirstRows<T>::prepare(const TransipShape& shape, const TransipWeights& plan, const T* weights) {
  const TransipLayer& w = plan.layers[0];
  const int rows = shape.embeddings(), width = plan.heads.width();
  rms_norm<Plain<T>>(rows, shape.width, plan.pad, weights + w.attention_norm, weights + plan.embedding,
                     y.reserve(static_cast<std::size_t>(rows) * plan.pad));
  linear_forward<Plain<T>>(weights, w.query, rows, y.data(), plan.pad, 0,
                           q.reserve(static_cast<std::size_t>(rows) * width), width);
  linear_forward<Plain<T>>(weights, w.key_value, rows, y.data(), plan.pad, 0,
                           kv.reserve(static_cast<std::size_t>(rows) * 2 * width), 2 * width);
}
template struct FirstRows<float>;
template struct FirstRows<double>;

template <class A>
TransipPass<A>::TransipPass(const Constants& constants, const Purpose& purpose, TokenMixing<A>& mixing,
                            TransipArrays<T>& arrays, T* weight_gradient)
    : c_(constants),
      purpose_(purpose),
      mixing_(mixing),
      arrays_(arrays),
      weight_gradient_(weight_gradient),
      tokens_(mixing.tokens()) {
  require(!in_duals<A> || (!weight_gradient_ && !purpose_.forces && mixing_.keys() == tokens_),
          "values are left for duals by a pass for energies and their derivatives, of whole structures");
  arrays_.layers.resize(c_.shape->layers);
  arrays_.inner.resize(std::max<std::size_t>(arrays_.inner.size(), keeps_inner() ? c_.shape->layers : 1));
  arrays_.adjoints.resize(std::max<std::size_t>(arrays_.adjoints.size(), shared() ? c_.shape->layers : 1));
}

template <class A>
void TransipPass<A>::forward() {
  mixing_.begin_forward();
  embed();
  for (int t = 0; t < c_.shape->layers; ++t) {
    attend(t);
    transform(t);
  }
  norm(c_.plan->norm, tokens_, arrays_.x.data(), reserve(arrays_.y, c_.plan->pad));
  read_out(c_.matrices->energy, arrays_.energy);
  if (purpose_.forces) read_out(c_.matrices->force, arrays_.force);
}

template <class A>
void TransipPass<A>::backward() {
  const long size = tokens_ * c_.plan->pad * A::rows;
  T *g_y = arrays_.g_y.reserve(size), *g = arrays_.g.zeros(size);
  mixing_.begin_backward();
  read_out_backward(c_.matrices->energy, arrays_.energy, nullptr, g_y);
  if (purpose_.forces) read_out_backward(c_.matrices->force, arrays_.force, g_y, g_y);
  if (purpose_.latent) add_numbers<T>(size, arrays_.g_latent.data(), g_y);
  norm_backward(c_.plan->norm, tokens_, arrays_.x.data(), g_y, g);
  for (int t = c_.shape->layers - 1; t >= 0; --t) {
    if (purpose_.latent && t < static_cast<int>(arrays_.g_latent_between.size()))
      add_numbers<T>(size, arrays_.g_latent_between[t].data(), g);
    transform_backward(t);
    attend_backward(t);
  }
  mixing_.end_backward();
  if (weight_gradient_) embed_backward();
}

template <class A>
void TransipPass<A>::embed() {
  take_rows(c_.plan->pad, c_.weights + c_.plan->embedding, reserve(arrays_.layers[0].x, c_.plan->pad));
}

template <class A>
void TransipPass<A>::embed_backward() {
  add_rows(c_.plan->pad, arrays_.g.data(), gradient_at(c_.plan->embedding));
}

template <class A>
void TransipPass<A>::take_rows(int width, const T* table, T* y) {
  for_channels("isotrope::transip_take_rows", tokens_, width / lane_width<T>,
               TakeRows<A>{width, purpose_.values, mixing_.row(), table, y});
}

template <class A>
void TransipPass<A>::add_rows(int width, const T* g, T* table_gradient) {
  for_channels("isotrope::transip_take_rows_backward", tokens_, width / lane_width<T>,
               TakeRowsBackward<A>{width, mixing_.row(), g, table_gradient});
}

/// mid = x + (attention of norm(x)) W.
template <class A>
void TransipPass<A>::attend(int t) {
  const auto& w = c_.matrices->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, width = c_.plan->heads.width();
  Inner& b = inner(t);
  T *q = reserve(a.q, width), *kv = a.kv.reserve((mixing_.keys() + spare_keys<T>)*2 * width * A::rows);
  if (t == 0) {
    take_rows(width, c_.first->q.data(), q);
    take_rows(2 * width, c_.first->kv.data(), kv);
  } else {
    norm(c_.plan->layers[t].attention_norm, tokens_, a.x.data(), reserve(b.y, pad));
    linear(w.query, tokens_, b.y.data(), pad, nullptr, q, width);
    linear(w.key_value, tokens_, b.y.data(), pad, nullptr, kv, 2 * width);
  }
  mixing_.forward(t, q, a.kv, reserve(b.o, width));
  linear(w.output, tokens_, b.o.data(), width, a.x.data(), reserve(a.mid, pad), pad);
}

/// g: from the adjoint of mid to that of x.
template <class A>
void TransipPass<A>::attend_backward(int t) {
  const auto& w = c_.matrices->layers[t];
  Layer& a = arrays_.layers[t];
  Adjoints& adjoint = adjoints(t);
  const Inner& b = inner(t);
  const int pad = c_.plan->pad, width = c_.plan->heads.width();
  T *g = arrays_.g.data(), *g_o = reserve(adjoint.o, width), *g_q = reserve(adjoint.q, width);
  weight_gradient(w.output, tokens_, b.o.data(), width, g, pad);
  linear_back(w.output, tokens_, g, pad, nullptr, g_o, width);
  mixing_.backward(t, a.q.data(), a.kv.data(), g_o, g_q, adjoint.kv);
  const T* g_kv = adjoint.kv.data();
  if (t == 0) {
    if (weight_gradient_) first_rows_backward(g_q, g_kv);
    return;
  }
  weight_gradient(w.query, tokens_, b.y.data(), pad, g_q, width);
  weight_gradient(w.key_value, tokens_, b.y.data(), pad, g_kv, 2 * width);
  T* g_y = reserve(adjoint.y, pad);
  linear_back(w.query, tokens_, g_q, width, nullptr, g_y, pad);
  linear_back(w.key_value, tokens_, g_kv, 2 * width, g_y, g_y, pad);
  norm_backward(c_.plan->layers[t].attention_norm, tokens_, a.x.data(), g_y, g);
}

/// What FirstRows::prepare makes of the table of embeddings has no tangent, and the way back through it is linear: sums
/// over the tokens of a row go back, the tangents of duals as plain numbers.
template <class A>
void TransipPass<A>::first_rows_backward(const T* g_q, const T* g_kv) {
  using Real = Plain<T>;
  const TransipLayer& w = c_.plan->layers[0];
  const int pad = c_.plan->pad, width = c_.plan->heads.width();
  const long rows = c_.shape->embeddings();
  T *sum_q = arrays_.g_rows.zeros(rows * (3 * width + pad)), *sum_kv = sum_q + rows * width,
    *g_y = sum_kv + rows * 2 * width;
  add_rows(width, g_q, sum_q);
  add_rows(2 * width, g_kv, sum_kv);
  linear_weight_gradient<Real>(w.query, rows, c_.first->y.data(), pad, sum_q, width, weight_gradient_);
  linear_weight_gradient<Real>(w.key_value, rows, c_.first->y.data(), pad, sum_kv, 2 * width, weight_gradient_);
  linear_backward<Real>(c_.weights, w.query, rows, sum_q, width, 0, g_y, pad);
  linear_backward<Real>(c_.weights, w.key_value, rows, sum_kv, 2 * width, 1, g_y, pad);
  rms_norm_backward<Real>(rows, c_.shape->width, pad, c_.weights + w.attention_norm, c_.weights + c_.plan->embedding,
                          g_y, gradient_at(c_.plan->embedding), gradient_at(w.attention_norm));
}

/// x of the next layer = mid + silu(norm(mid) W0) W1.
template <class A>
void TransipPass<A>::transform(int t) {
  const auto& w = c_.matrices->layers[t];
  Layer& a = arrays_.layers[t];
  Inner& b = inner(t);
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  T *all_before = reserve(a.before, hidden), *out = reserve(output_of(t), pad);
  for_runs([&](const Run& run) {
    const T* mid = row(a.mid.data(), run.first, pad);
    T *y = rows_of(b.mid_y, pad, run, keeps_inner()), *before = row(all_before, run.first, hidden),
      *after = rows_of(b.after, hidden, run, keeps_inner());
    norm(c_.plan->layers[t].network_norm, run.count, mid, y);
    linear(w.network[0], run.count, y, pad, nullptr, before, hidden);
    activate_for_slope<A>(run.count, hidden, purpose_.values, before, after);
    linear(w.network[1], run.count, after, hidden, mid, row(out, run.first, pad), pad);
  });
}

/// g: from the adjoint of what comes out of the layer to that of mid.
template <class A>
void TransipPass<A>::transform_backward(int t) {
  const auto& w = c_.matrices->layers[t];
  Layer& a = arrays_.layers[t];
  Inner& b = inner(t);
  Adjoints& adjoint = adjoints(t);
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  for_runs([&](const Run& run) {
    T *g = row(arrays_.g.data(), run.first, pad), *g_after = rows_of(adjoint.after, hidden, run, shared()),
      *g_before = rows_of(arrays_.g_before, hidden, run, false), *g_y = rows_of(adjoint.mid_y, pad, run, shared());
    const T *y = rows_of(b.mid_y, pad, run, keeps_inner()), *after = rows_of(b.after, hidden, run, keeps_inner());
    weight_gradient(w.network[1], run.count, after, hidden, g, pad);
    linear_back(w.network[1], run.count, g, pad, nullptr, g_after, hidden);
    multiply_by_slope<A>(run.count, hidden, row(a.before.data(), run.first, hidden), after, g_after, g_before);
    weight_gradient(w.network[0], run.count, y, pad, g_before, hidden);
    linear_back(w.network[0], run.count, g_before, hidden, nullptr, g_y, pad);
    norm_backward(c_.plan->layers[t].network_norm, run.count, row(a.mid.data(), run.first, pad), g_y, g);
  });
}

/// out = silu(y W0) W1.
template <class A>
void TransipPass<A>::read_out(const PackedLinear<T> (&network)[2], Head& head) {
  const int pad = c_.plan->pad, width = network[1].w.out;
  T *before = reserve(head.before, pad), *after = reserve(head.after, pad);
  linear(network[0], tokens_, arrays_.y.data(), pad, nullptr, before, pad);
  activate_for_slope<A>(tokens_, pad, purpose_.values, before, after);
  linear(network[1], tokens_, after, pad, nullptr, reserve(head.out, width), width);
}

template <class A>
void TransipPass<A>::read_out_backward(const PackedLinear<T> (&network)[2], Head& head, const T* add, T* g_y) {
  const int pad = c_.plan->pad, width = network[1].w.out;
  T *g_after = reserve(head.g_after, pad), *g_before = reserve(arrays_.g_before, pad);
  weight_gradient(network[1], tokens_, head.after.data(), pad, head.g_out.data(), width);
  linear_back(network[1], tokens_, head.g_out.data(), width, nullptr, g_after, pad);
  multiply_by_slope<A>(tokens_, pad, head.before.data(), head.after.data(), g_after, g_before);
  weight_gradient(network[0], tokens_, arrays_.y.data(), pad, g_before, pad);
  linear_back(network[0], tokens_, g_before, pad, add, g_y, pad);
}

/// y = x W + what `add` has, of duals whose values are there the tangents.
template <class A>
void TransipPass<A>::linear(const PackedLinear<T>& w, long n, const T* x, int ldx, const T* add, T* y, int ldy) {
  multiply_packed<A>(w.forward, purpose_.values == Values::there, n, x, ldx, add, y, ldy);
}

/// gx = gy W^T + what `add` has, likewise.
template <class A>
void TransipPass<A>::linear_back(const PackedLinear<T>& w, long n, const T* gy, int ldy, const T* add, T* gx, int ldx) {
  multiply_packed<A>(w.backward, purpose_.values == Values::there, n, gy, ldy, add, gx, ldx);
}

template <class A>
void TransipPass<A>::weight_gradient(const PackedLinear<T>& w, long n, const T* x, int ldx, const T* gy, int ldy) {
  linear_weight_gradient<A>(w.w, n, x, ldx, gy, ldy, weight_gradient_);
}

template <class A>
void TransipPass<A>::norm(std::size_t gain, long n, const T* x, T* y) {
  rms_norm<A>(n, c_.shape->width, c_.plan->pad, c_.weights + gain, x, y);
}

/// g += the adjoint of x, from g_y.
template <class A>
void TransipPass<A>::norm_backward(std::size_t gain, long n, const T* x, const T* g_y, T* g) {
  rms_norm_backward<A>(n, c_.shape->width, c_.plan->pad, c_.weights + gain, x, g_y, g, gradient_at(gain));
}

template class TransipPass<Plain<float>>;
template class TransipPass<Plain<double>>;
template class TransipPass<InDuals<float>>;
template class TransipPass<InDuals<double>>;
template class TransipPass<WithTangent<float>>;
template class TransipPass<WithTangent<double>>;

}  // namespace isotrope
