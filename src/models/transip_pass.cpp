// SPDX-License-Identifier: MIT
#include "models/transip_pass.hpp"

#include "core/error.hpp"
#include "layers/channels.hpp"
#include "layers/linear.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/rms_norm.hpp"

namespace isotrope {
namespace {

/// y of a token is the row of a table that it has; its tangent is zero.
template <class A>
struct TakeRows {
  using T = typename A::Real;
  int width;
  const int* row;
  const T* table;
  T* y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const Lane<T> e = load_lane(table + static_cast<long>(row[i]) * width + b * lane_width<T>);
    A::store(y + static_cast<long>(i) * width * A::rows + b * lane_width<T>, width, plus<T>(A::zero(), e));
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
                            TransipArrays<A>& arrays, T* weight_gradient)
    : c_(constants),
      purpose_(purpose),
      mixing_(mixing),
      arrays_(arrays),
      weight_gradient_(weight_gradient),
      tokens_(mixing.tokens()) {
  arrays_.layers.resize(c_.shape->layers);
}

template <class A>
void TransipPass<A>::leave_values_to(Duals& duals) {
  require(!A::dual && !weight_gradient_ && !purpose_.forces && mixing_.keys() == tokens_,
          "values are left by a plain pass for energies and their derivatives, of whole structures");
  duals.layers.resize(c_.shape->layers);
  duals_ = &duals;
}

template <class A>
void TransipPass<A>::forward() {
  mixing_.begin_forward();
  embed();
  for (int t = 0; t < c_.shape->layers; ++t) {
    attend(t);
    transform(t);
  }
  norm(c_.plan->norm, arrays_.x, arrays_.y);
  read_out(c_.plan->energy, arrays_.energy);
  if (purpose_.forces) read_out(c_.plan->force, arrays_.force);
}

template <class A>
void TransipPass<A>::backward() {
  const long size = tokens_ * c_.plan->pad * A::rows;
  arrays_.g_y.zeros(size);
  arrays_.g.zeros(size);
  mixing_.begin_backward();
  read_out_backward(c_.plan->energy, arrays_.energy);
  if (purpose_.forces) read_out_backward(c_.plan->force, arrays_.force);
  if (purpose_.latent) add_numbers<T>(size, arrays_.g_latent.data(), arrays_.g_y.data());
  norm_backward(c_.plan->norm, arrays_.x, arrays_.g_y.data());
  for (int t = c_.shape->layers - 1; t >= 0; --t) {
    if (purpose_.latent && t < static_cast<int>(arrays_.g_latent_between.size()))
      add_numbers<T>(size, arrays_.g_latent_between[t].data(), arrays_.g.data());
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
               TakeRows<A>{width, mixing_.row(), table, y});
}

template <class A>
void TransipPass<A>::add_rows(int width, const T* g, T* table_gradient) {
  for_channels("isotrope::transip_take_rows_backward", tokens_, width / lane_width<T>,
               TakeRowsBackward<A>{width, mixing_.row(), g, table_gradient});
}

/// mid = x + (attention of norm(x)) W.
template <class A>
void TransipPass<A>::attend(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, width = c_.plan->heads.width();
  T *q = reserve(a.q, width), *kv = a.kv.reserve((mixing_.keys() + spare_keys<T>)*2 * width * A::rows);
  if (t == 0) {
    take_rows(width, c_.first->q.data(), q);
    take_rows(2 * width, c_.first->kv.data(), kv);
  } else {
    norm(w.attention_norm, a.x, a.y);
    linear(w.query, a.y.data(), pad, 0, q, width, left(t, &DualLayer::q));
    linear(w.key_value, a.y.data(), pad, 0, kv, 2 * width, left(t, &DualLayer::kv));
  }
  mixing_.forward(t, q, a.kv, reserve(a.o, width));
  copy(a.x.data(), reserve(a.mid, pad));
  linear(w.output, a.o.data(), width, 1, a.mid.data(), pad, left(t, &DualLayer::mid));
}

/// g: from the adjoint of mid to that of x.
template <class A>
void TransipPass<A>::attend_backward(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, width = c_.plan->heads.width();
  linear_weight_gradient<A>(w.output, tokens_, a.o.data(), width, arrays_.g.data(), pad, weight_gradient_);
  T* g_o = linear_back(w.output, arrays_.g.data(), pad, t, &DualLayer::g_o, arrays_.g_hidden, width);
  T *g_q = reserve(arrays_.g_q, width), *g_kv = arrays_.g_kv.zeros(mixing_.keys() * 2 * width * A::rows);
  mixing_.backward(t, a.q.data(), a.kv.data(), g_o, g_q, arrays_.g_kv);
  if (t == 0) {
    if (weight_gradient_) first_rows_backward(g_q, g_kv);
    return;
  }
  linear_weight_gradient<A>(w.query, tokens_, a.y.data(), pad, g_q, width, weight_gradient_);
  linear_weight_gradient<A>(w.key_value, tokens_, a.y.data(), pad, g_kv, 2 * width, weight_gradient_);
  // Their sum is what is passed on.
  T* g_y = linear_back(w.query, g_q, width, t, &DualLayer::g_y, arrays_.g_y, pad);
  linear_back(w.key_value, g_kv, 2 * width, 1, g_y, pad);
  norm_backward(w.attention_norm, a.x, g_y);
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
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  norm(w.network_norm, a.mid, a.mid_y);
  T *before = reserve(a.before, hidden), *after = reserve(a.after, hidden);
  linear(w.network[0], a.mid_y.data(), pad, 0, before, hidden, left(t, &DualLayer::before));
  activate_for_slope<A>(tokens_, hidden, before, after);
  T* x = reserve(output_of(arrays_, t), pad);
  copy(a.mid.data(), x);
  linear(w.network[1], after, hidden, 1, x, pad, duals_ ? &output_of(*duals_, t) : nullptr);
}

/// g: from the adjoint of what comes out of the layer to that of mid.
template <class A>
void TransipPass<A>::transform_backward(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  linear_weight_gradient<A>(w.network[1], tokens_, a.after.data(), hidden, arrays_.g.data(), pad, weight_gradient_);
  T* g_after = linear_back(w.network[1], arrays_.g.data(), pad, t, &DualLayer::g_after, arrays_.g_hidden, hidden);
  T* g_before = reserve(arrays_.g_hidden, hidden);
  multiply_by_slope<A>(tokens_, hidden, a.before.data(), g_after, g_before);
  linear_weight_gradient<A>(w.network[0], tokens_, a.mid_y.data(), pad, g_before, hidden, weight_gradient_);
  T* g_y = linear_back(w.network[0], g_before, hidden, t, &DualLayer::g_mid_y, arrays_.g_y, pad);
  norm_backward(w.network_norm, a.mid, g_y);
}

/// out = silu(y W0) W1.
template <class A>
void TransipPass<A>::read_out(const Matrix (&network)[2], Head& head) {
  const int pad = c_.plan->pad;
  T *before = reserve(head.before, pad), *after = reserve(head.after, pad);
  linear_forward<A>(c_.weights, network[0], tokens_, arrays_.y.data(), pad, 0, before, pad);
  activate_for_slope<A>(tokens_, pad, before, after);
  linear_forward<A>(c_.weights, network[1], tokens_, after, pad, 0, reserve(head.out, network[1].out), network[1].out);
}

/// Adds to g_y.
template <class A>
void TransipPass<A>::read_out_backward(const Matrix (&network)[2], Head& head) {
  const int pad = c_.plan->pad, width = network[1].out;
  linear_weight_gradient<A>(network[1], tokens_, head.after.data(), pad, head.g_out.data(), width, weight_gradient_);
  T* g_hidden = reserve(arrays_.g_hidden, pad);
  linear_backward<A>(c_.weights, network[1], tokens_, head.g_out.data(), width, 0, g_hidden, pad);
  multiply_by_slope<A>(tokens_, pad, head.before.data(), g_hidden, g_hidden);
  linear_weight_gradient<A>(network[0], tokens_, arrays_.y.data(), pad, g_hidden, pad, weight_gradient_);
  linear_backward<A>(c_.weights, network[0], tokens_, g_hidden, pad, 1, arrays_.g_y.data(), pad);
}

/// y = x W + beta y, of duals whose values are there the tangents. Values are left in `to`.
template <class A>
void TransipPass<A>::linear(const Matrix& w, const T* x, int ldx, T beta, T* y, int ldy, Buffer<T>* to) {
  if constexpr (A::dual) {
    if (arrays_.values_there) return linear_forward_tangents<T>(c_.weights, w, tokens_, x, ldx, beta, y, ldy);
  }
  linear_forward<A>(c_.weights, w, tokens_, x, ldx, beta, y, ldy);
  if (to) set_values<T>(tokens_, ldy, y, to->reserve((tokens_ + spare_keys<T>)*ldy * 2));
}

/// gx = gy W^T + beta gx, likewise.
template <class A>
void TransipPass<A>::linear_back(const Matrix& w, const T* gy, int ldy, T beta, T* gx, int ldx) {
  if constexpr (A::dual) {
    if (arrays_.values_there) return linear_backward_tangents<T>(c_.weights, w, tokens_, gy, ldy, beta, gx, ldx);
  }
  linear_backward<A>(c_.weights, w, tokens_, gy, ldy, beta, gx, ldx);
}

template <class A>
typename A::Real* TransipPass<A>::linear_back(const Matrix& w, const T* gy, int ldy, int t,
                                              Buffer<T> DualLayer::*adjoint, Buffer<T>& scratch, int ldx) {
  T* gx = nullptr;
  if constexpr (A::dual) {
    gx = reserve(scratch, ldx);
    if (arrays_.values_there) set_values<T>(tokens_, ldx, (arrays_.layers[t].*adjoint).data(), gx);
  } else {
    gx = reserve(duals_ ? duals_->layers[t].*adjoint : scratch, ldx);
  }
  linear_back(w, gy, ldy, 0, gx, ldx);
  return gx;
}

/// Of duals whose values are there the tangents: linear layers then add to what `to` has already.
template <class A>
void TransipPass<A>::copy(const T* from, T* to) {
  if constexpr (A::dual) {
    if (arrays_.values_there) return copy_tangents<T>(tokens_, c_.plan->pad, from, to);
  }
  copy_numbers<T>(tokens_ * c_.plan->pad * A::rows, from, to);
}

template <class A>
void TransipPass<A>::norm(std::size_t gain, const Buffer<T>& x, Buffer<T>& y) {
  const int pad = c_.plan->pad;
  rms_norm<A>(tokens_, c_.shape->width, pad, c_.weights + gain, x.data(), reserve(y, pad));
}

/// g += the adjoint of x, from g_y.
template <class A>
void TransipPass<A>::norm_backward(std::size_t gain, const Buffer<T>& x, const T* g_y) {
  rms_norm_backward<A>(tokens_, c_.shape->width, c_.plan->pad, c_.weights + gain, x.data(), g_y, arrays_.g.data(),
                       gradient_at(gain));
}

template class TransipPass<Plain<float>>;
template class TransipPass<Plain<double>>;
template class TransipPass<WithTangent<float>>;
template class TransipPass<WithTangent<double>>;

}  // namespace isotrope
