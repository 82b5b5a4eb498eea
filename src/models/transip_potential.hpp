// SPDX-License-Identifier: MIT
#pragma once
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.hpp"
#include "layers/in_duals.hpp"
#include "models/evaluated.hpp"
#include "models/transip_pass.hpp"

namespace isotrope {

/// f(numbers of a row, token) for every token that is an atom; rows [token][size], in host memory.
template <class T, class F>
void for_atom_rows(const Buffer<T>& rows, const std::vector<int>& atom, long size, const F& f) {
  const auto part = Kokkos::subview(rows.view(), std::make_pair(0L, static_cast<long>(atom.size()) * size));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (std::size_t t = 0; t < atom.size(); ++t) {
    if (atom[t] >= 0) f(host.data() + t * size, static_cast<long>(t));
  }
}
/// The same, to be written; what is not is zero. `finish` then sees all rows.
template <class T, class F, class G>
void fill_atom_rows(Buffer<T>& rows, const std::vector<int>& atom, long size, const F& f, const G& finish) {
  rows.zeros(atom.size() * size);
  const auto part = Kokkos::subview(rows.view(), std::make_pair(0L, static_cast<long>(atom.size()) * size));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (std::size_t t = 0; t < atom.size(); ++t) {
    if (atom[t] >= 0) f(host.data() + t * size, atom[t]);
  }
  finish(host.data());
  Kokkos::deep_copy(part, host);
}

/// What both kinds of TransIP share: weights, what is known of a model, seeds of the adjoint, latent features.
template <class T>
class TransipPotential : public Potential {
 public:
  TransipPotential(const ModelRecord& record, const TransipShape& shape, const std::vector<double>& frequencies)
      : shape_(shape),
        plan_(plan_weights<T>(shape, record.parameters)),
        omega_(to_device("isotrope::transip::frequencies", frequencies)) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = shape.cutoff;
    info_.symmetry = Symmetry::none;
    info_.forces = shape.forces;
    info_.gradient_forces = shape.forces == Forces::gradient;
    info_.direct_forces = shape.forces == Forces::direct;
    info_.charges = shape.charges;
    info_.multiplicities = shape.multiplicities;
    info_.latent_width = shape.latent_layers() * shape.width;
    info_.message_passing_layers = shape.layers;
    prepare(record.parameters.values());
  }

  const PotentialInfo& info() const override { return info_; }
  void set_parameters(std::span<const double> values) override { prepare(values); }

 protected:
  void prepare(std::span<const double> values) {
    plan_.plan.template prepare<T>(values, weights_);
    first_.prepare(shape_, plan_, weights_.data());
    matrices_.pack(plan_, weights_.data());
    ++version_;
  }
  /// Whether a plain pass can leave what the gradient of a loss on its forces uses.
  bool can_leave_values(const Graph& graph) const {
    return info_.gradient_forces && !info_.direct_forces && graph.owned == graph.total;
  }
  /// The plain pass run(leave), which leaves values where a gradient is likely to follow.
  template <class Run>
  void run_and_leave(const Graph& graph, Evaluated& evaluated, const Run& run) const {
    const bool leave = evaluated.wanted() && can_leave_values(graph);
    run(leave);
    evaluated.leave(leave ? Evaluated::What::values : Evaluated::What::nothing, graph, version_);
  }
  /// Whether a pass on duals, if there is to be one, finds values that a pass on InDuals has left; run() makes those
  /// that are not there: the same way every time, so that training resumed is training uninterrupted.
  template <class Run>
  Values have_values(const Graph& graph, const LossTangent& tangent, bool duals, Evaluated& evaluated,
                     const Run& run) const {
    const bool there = evaluated.take(graph, version_) == Evaluated::What::values;
    if (!duals || !can_leave_values(graph) || !tangent.direct_forces.empty()) return Values::computed;
    if (!there) run();
    return Values::there;
  }

  using PrefixRows = std::vector<std::array<int, 2>>;

  template <class A>
  typename TransipPass<A>::Constants constants() const {
    return {&shape_, &plan_, weights_.data(), &matrices_, &first_};
  }
  MixingShape mixing(bool positions) const { return {plan_.heads, shape_.frequencies, omega_.data(), positions}; }

  /// Rows of the table of embeddings of the prefix tokens.
  void find_prefix_rows(const Graph& graph, PrefixRows& rows) const {
    rows.clear();
    for (int g = 0; g < graph.graphs; ++g) {
      const int charge = place(shape_.charges, graph.charge[g], "charge"),
                multiplicity = place(shape_.multiplicities, graph.multiplicity[g], "multiplicity");
      rows.push_back(
          {shape_.species + charge, shape_.species + static_cast<int>(shape_.charges.size()) + multiplicity});
    }
  }

  /// For dE/dx: the adjoint of every energy is `scale`.
  template <class A, class Finish>
  void seed_energies(const std::vector<int>& atom, TransipArrays<T>& arrays, const Finish& finish) const {
    fill_atom_rows(
        arrays.energy.g_out, atom, A::rows, [&](T* row, int) { row[0] = static_cast<T>(shape_.scale); },
        [&](T* rows) { finish(rows, A::rows); });
  }

  /// What the loss says about each output: the tangent of its adjoint in a dual, else the adjoint itself. `finish` sees
  /// the rows of energies and forces.
  template <class A, class Finish>
  void seed_loss(const Graph& graph, const LossTangent& tangent, const std::vector<int>& atom, TransipArrays<T>& arrays,
                 const Finish& finish) const {
    const auto put = [](T* row, int width, int k, double value) {
      row[A::dual ? width + k : k] = static_cast<T>(value);
    };
    fill_atom_rows(
        arrays.energy.g_out, atom, A::rows,
        [&](T* row, int i) {
          if constexpr (A::dual) row[0] = static_cast<T>(shape_.scale);
          put(row, 1, 0, shape_.scale * tangent.energy[graph.graph[i]]);
        },
        [&](T* rows) { finish(rows, A::rows); });
    if (!tangent.direct_forces.empty()) {
      fill_atom_rows(
          arrays.force.g_out, atom, 3 * A::rows,
          [&](T* row, int i) {
            for (int k = 0; k < 3; ++k) put(row, 3, k, shape_.scale * tangent.direct_forces[i][k]);
          },
          [&](T* rows) { finish(rows, 3 * A::rows); });
    }
    if (!tangent.latent.empty()) {
      const int between = shape_.latent_layers() - 1;
      arrays.g_latent_between.resize(between);
      for (int t = 0; t <= between; ++t) {
        fill_atom_rows(
            t == between ? arrays.g_latent : arrays.g_latent_between[t], atom, static_cast<long>(plan_.pad) * A::rows,
            [&](T* row, int i) {
              const double* of_atom = tangent.latent.data() + latent_at(i, t);
              for (int k = 0; k < shape_.width; ++k) put(row, plan_.pad, k, of_atom[k]);
            },
            [](T*) {});
      }
    }
  }

  /// `rows` of a token: 2 where values lie in the places of duals.
  void collect_latent(const std::vector<int>& atom, const TransipArrays<T>& arrays, int rows, int owned,
                      Result& result) const {
    result.latent.clear();
    if (!result.want_latent) return;
    result.latent.assign(static_cast<std::size_t>(owned) * info_.latent_width, 0);
    const int between = shape_.latent_layers() - 1;
    for (int layer = 0; layer <= between; ++layer) {
      for_atom_rows(layer == between ? arrays.y : arrays.layers[layer + 1].x, atom, static_cast<long>(rows) * plan_.pad,
                    [&](const T* row, long t) {
                      std::copy_n(row, shape_.width, result.latent.begin() + latent_at(atom[t], layer));
                    });
    }
  }

  /// Where the features of an atom after a layer begin, of those that the latent loss sees.
  std::ptrdiff_t latent_at(int atom, int layer) const {
    return static_cast<std::ptrdiff_t>(atom) * info_.latent_width + static_cast<std::ptrdiff_t>(layer) * shape_.width;
  }

  TransipShape shape_;
  TransipWeights plan_;
  View<double> omega_;
  View<T> weights_;
  TransipMatrices<T> matrices_;
  FirstRows<T> first_;
  PotentialInfo info_;
  std::uint64_t version_ = 0;  ///< counts changes of the parameters

 private:
  /// Place of a value in the list of those that the model knows.
  static int place(const std::vector<int>& known, int value, const char* what) {
    const auto found = std::lower_bound(known.begin(), known.end(), value);
    require(found != known.end() && *found == value,
            "the structure has the {} {}, which the model does not know: it was made for {}", what, value,
            fmt::join(known, ", "));
    return static_cast<int>(found - known.begin());
  }
};

}  // namespace isotrope
