// SPDX-License-Identifier: MIT
#include "models/mace.hpp"

#include <atomic>

#include "core/error.hpp"
#include "layers/radial_tables.hpp"
#include "models/check_parameters.hpp"
#include "models/collect_energies.hpp"
#include "models/mace_pass.hpp"
#include "models/mace_radial.hpp"

namespace isotrope {
namespace {

template <class T>
struct MaceWorkspace final : Workspace {
  DeviceGraph graph;
  MaceArrays<Plain<T>> plain;
  MaceArrays<WithTangent<T>> dual;
  Buffer<T> weight_gradient{"isotrope::mace::weight_gradient"};
};

template <class T>
class Mace final : public Potential {
 public:
  Mace(const ModelRecord& record, const MaceShape& shape, const std::vector<CouplingTable>& tables)
      : shape_(shape),
        plan_(plan_weights<T>(shape, record.parameters, tables)),
        names_(record.parameters),
        couplings_(tables),
        radial_(record, shape),
        scale_(to_device("isotrope::mace::scale", shape.scale)) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = record.cutoff;
    info_.symmetry = Symmetry::o3;
    info_.message_passing_layers = shape.layers - 1;
    set_parameters(record.parameters.values());
  }

  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<MaceWorkspace<T>>(); }
  void set_parameters(std::span<const double> values) override {
    values_.assign(values.begin(), values.end());
    tables_.clear();
    static std::atomic<long> sets = 0;
    set_ = ++sets;
    plan_.plan.prepare<T>(values, weights_);
  }

  std::optional<TableReport> tabulate_radial(double tolerance) override {
    if (shape_.agnesi) return std::nullopt;  // a table for each pair of elements would be too many
    const MaceWeights plan = plan_weights<double>(shape_, names_, couplings_);
    View<double> weights;
    plan.plan.prepare<double>(values_, weights);
    RadialTables<T> tables(radial_.host_basis(shape_), tolerance);
    for (std::size_t t = 0; t < plan.layers.size(); ++t) {
      tables.add(plan.layers[t].radial, weights, *plan.layers[t].convolution);
    }
    tables_ = std::move(tables.layers);
    return tables.report;
  }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<MaceWorkspace<T>&>(workspace);
    scratch.graph.build(graph, shape_.species, scratch.plain.block_rows);
    MacePass<Plain<T>> pass(constants<Plain<T>>(), scratch.graph, halo, scratch.plain, nullptr);
    pass.run();
    collect_energies(graph, scratch.graph, scratch.plain.energy, scratch.plain.edges.g_r, shape_.scale, shape_.shift,
                     result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<MaceWorkspace<T>&>(workspace);
    scratch.graph.build(graph, shape_.species);
    scratch.graph.set_tangent(graph, tangent.dr, tangent.energy);
    NoHalo halo;
    MacePass<WithTangent<T>> pass(constants<WithTangent<T>>(), scratch.graph, halo, scratch.dual,
                                  scratch.weight_gradient.zeros(plan_.plan.size()));
    pass.run();
    plan_.plan.add_gradient<T>(scratch.weight_gradient.view(), values_, gradient);
  }

 private:
  template <class A>
  typename MacePass<A>::Constants constants() const {
    const bool tables = !A::dual && !tables_.empty();
    EdgeModel<T> edges{radial_.basis(shape_), {shape_.l_max, -1, false}, {}, weights_.data()};
    edges.length_wanted = shape_.zbl;
    // Tables leave the radial basis to the pair term and the density alone.
    if (tables && !shape_.pair_energy && !shape_.density_normalised) edges.basis.count = 0;
    for (const MaceLayer& layer : plan_.layers) edges.layers.push_back({layer.convolution.get(), &layer.radial});
    if (tables) edges.tables = &tables_;
    return {&shape_, &plan_, edges, scale_.data(), weights_.data(), &radial_.zbl(), set_};
  }

  MaceShape shape_;
  MaceWeights plan_;
  Parameters names_;
  std::vector<CouplingTable> couplings_;
  MaceRadial radial_;
  std::vector<double> values_;
  std::vector<std::unique_ptr<RadialTable<T>>> tables_;
  View<double> scale_;
  View<T> weights_;
  long set_ = 0;  ///< of weights, in the whole program
  PotentialInfo info_;
};

}  // namespace

std::unique_ptr<Potential> make_mace(const ModelRecord& record, Precision precision) {
  const int species = static_cast<int>(record.elements.size());
  const MaceShape shape = MaceShape::from(record.hyperparameters, species, record.cutoff);
  const std::vector<CouplingTable> tables = coupling_tables(record, shape);
  check_parameters(record.parameters, declare_parameters(shape, tables));
  if (precision == Precision::single_precision) return std::make_unique<Mace<float>>(record, shape, tables);
  return std::make_unique<Mace<double>>(record, shape, tables);
}

}  // namespace isotrope
