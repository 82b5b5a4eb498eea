// SPDX-License-Identifier: MIT
#include "models/nequip.hpp"

#include "core/error.hpp"
#include "layers/radial_tables.hpp"
#include "models/check_parameters.hpp"
#include "models/collect_energies.hpp"
#include "models/nequip_pass.hpp"

namespace isotrope {
namespace {

template <class T>
struct NequipWorkspace final : Workspace {
  DeviceGraph graph;
  NequipArrays<Plain<T>> plain;
  NequipArrays<WithTangent<T>> dual;
  Buffer<T> weight_gradient{"isotrope::nequip::weight_gradient"};
  Buffer<double> frequency_gradient{"isotrope::nequip::frequency_gradient"};
};

template <class T>
class Nequip final : public Potential {
 public:
  Nequip(const ModelRecord& record, const NequipShape& shape)
      : shape_(shape),
        signs_(coupling_signs(record, shape)),
        plan_(plan_weights<T>(shape, record.parameters, signs_)),
        names_(record.parameters),
        scale_(to_device("isotrope::nequip::scale", shape.scale)) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = record.cutoff;
    info_.symmetry = shape.parity ? Symmetry::o3 : Symmetry::so3;
    info_.message_passing_layers = shape.layers() - 1;
    set_parameters(record.parameters.values());
  }

  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<NequipWorkspace<T>>(); }
  void set_parameters(std::span<const double> values) override {
    values_.assign(values.begin(), values.end());
    host_frequencies_.assign(values_.begin() + plan_.frequencies,
                             values_.begin() + plan_.frequencies + shape_.num_bessel);
    frequencies_ = to_device("isotrope::nequip::frequencies", host_frequencies_);
    tables_.clear();
    plan_.plan.prepare<T>(values, weights_);
  }

  std::optional<TableReport> tabulate_radial(double tolerance) override {
    const NequipWeights plan = plan_weights<double>(shape_, names_, signs_);
    View<double> weights;
    plan.plan.prepare<double>(values_, weights);
    RadialTables<T> tables(basis(host_frequencies_.data()), tolerance);
    for (std::size_t t = 0; t < plan.layers.size(); ++t) {
      tables.add(plan.layers[t].radial, weights, *plan.layers[t].convolution);
    }
    tables_ = std::move(tables.layers);
    return tables.report;
  }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<NequipWorkspace<T>&>(workspace);
    scratch.graph.build(graph, shape_.species, scratch.plain.block);
    NequipPass<Plain<T>> pass(constants<Plain<T>>(), scratch.graph, halo, scratch.plain, nullptr, nullptr);
    pass.forward();
    pass.backward();
    collect_energies(graph, scratch.graph, scratch.plain.energy, scratch.plain.edges.g_r, shape_.scale, shape_.shift,
                     result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<NequipWorkspace<T>&>(workspace);
    scratch.graph.build(graph, shape_.species);
    scratch.graph.set_tangent(graph, tangent.dr, tangent.energy);
    NoHalo halo;
    NequipPass<WithTangent<T>> pass(constants<WithTangent<T>>(), scratch.graph, halo, scratch.dual,
                                    scratch.weight_gradient.zeros(plan_.plan.size()),
                                    scratch.frequency_gradient.zeros(shape_.num_bessel));
    pass.forward();
    pass.backward();
    plan_.plan.add_gradient<T>(scratch.weight_gradient.view(), values_, gradient);
    add_frequency_gradient(scratch, gradient);
  }

 private:
  BesselBasis basis(const double* frequencies) const {
    return {shape_.num_bessel, shape_.envelope, shape_.bessel_prefactor, frequencies};
  }

  template <class A>
  typename NequipPass<A>::Constants constants() const {
    EdgeModel<T> edges{basis(frequencies_.data()), shape_.harmonics, {}, weights_.data()};
    for (const NequipLayer& layer : plan_.layers) edges.layers.push_back({layer.convolution.get(), &layer.radial});
    if (!A::dual && !tables_.empty()) {
      edges.tables = &tables_;
      edges.basis.count = 0;  // nobody reads it
    }
    return {&shape_, &plan_, edges, scale_.data(), weights_.data()};
  }

  void add_frequency_gradient(const NequipWorkspace<T>& scratch, std::span<double> gradient) const {
    auto host = Kokkos::create_mirror_view(scratch.frequency_gradient.view());
    Kokkos::deep_copy(host, scratch.frequency_gradient.view());
    for (int n = 0; n < shape_.num_bessel; ++n) gradient[plan_.frequencies + n] += host(n);
  }

  NequipShape shape_;
  std::vector<std::vector<double>> signs_;
  NequipWeights plan_;
  Parameters names_;
  std::vector<double> host_frequencies_, values_;
  std::vector<std::unique_ptr<RadialTable<T>>> tables_;
  View<double> frequencies_, scale_;
  View<T> weights_;
  PotentialInfo info_;
};

}  // namespace

std::unique_ptr<Potential> make_nequip(const ModelRecord& record, Precision precision) {
  const NequipShape shape =
      NequipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  check_parameters(record.parameters, declare_parameters(shape));
  if (precision == Precision::single_precision) return std::make_unique<Nequip<float>>(record, shape);
  return std::make_unique<Nequip<double>>(record, shape);
}

}  // namespace isotrope
