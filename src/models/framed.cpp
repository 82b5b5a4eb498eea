// SPDX-License-Identifier: MIT
#include "models/framed.hpp"

#include <algorithm>
#include <array>

#include "layers/token_exchange.hpp"

namespace isotrope {
namespace {

Vec3 transposed_times(const Mat3& m, const Vec3& x) {
  return x[0] * m[0] + x[1] * m[1] + x[2] * m[2];
}

/// One frame of every structure, or the axes of the laboratory with the same signs.
struct Pass {
  bool laboratory = false;
  Vec3 signs{};

  Mat3 turn(const Mat3& axes) const {
    Mat3 turned{};
    for (int a = 0; a < 3; ++a) {
      turned[a] = laboratory ? Vec3{} : signs[a] * axes[a];
      if (laboratory) turned[a][a] = signs[a];
    }
    return turned;
  }
};

struct FramedWorkspace final : Workspace {
  std::unique_ptr<Workspace> inner;
  std::vector<Vec3> centred;        ///< [total] positions less their mean
  std::vector<MolecularAxes> axes;  ///< [graphs]
  Graph turned;
  Result answer;
  LossTangent tangent;
  std::vector<MolecularAxes::Tangent> moves;  ///< [graphs]
};

/// What comes back from the passes for the axes and the weight of a structure.
struct Adjoint {
  Mat3 axes{};
  double frames = 0, laboratory = 0;  ///< mean energies
};

class Framed final : public Potential {
 public:
  Framed(std::unique_ptr<Potential> inner, FrameGroup group, double gap_switch)
      : inner_(std::move(inner)), signs_(frame_signs(group)), gap_switch_(gap_switch), info_(inner_->info()) {
    info_.symmetry = group == FrameGroup::o3 ? Symmetry::o3 : Symmetry::so3;
    info_.latent_width = 0;
  }

  double gap_switch() const { return gap_switch_; }
  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override {
    auto scratch = std::make_unique<FramedWorkspace>();
    scratch->inner = inner_->make_workspace();
    return scratch;
  }
  void set_parameters(std::span<const double> values) override { inner_->set_parameters(values); }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<FramedWorkspace&>(workspace);
    find_axes(graph, halo, scratch);
    result.atom_energy.assign(graph.owned, 0);
    result.dE_dr.clear();
    result.latent.clear();
    result.position_gradient.assign(info_.gradient_forces ? graph.owned : 0, Vec3{});
    result.direct_forces.assign(info_.direct_forces ? graph.owned : 0, Vec3{});
    std::vector<Adjoint> adjoint(graph.graphs);
    for (const Pass& pass : passes(scratch)) {
      turn_positions(graph, pass, scratch);
      inner_->evaluate(scratch.turned, halo, *scratch.inner, scratch.answer);
      add(graph, pass, scratch, result, adjoint);
    }
    if (info_.gradient_forces) pull_back(graph, halo, scratch, adjoint, result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<FramedWorkspace&>(workspace);
    NoHalo halo;
    find_axes(graph, halo, scratch);
    move_axes(graph, tangent, scratch);
    for (const Pass& pass : passes(scratch)) {
      turn_positions(graph, pass, scratch);
      turn_tangent(graph, pass, tangent, scratch);
      inner_->add_loss_gradient(scratch.turned, scratch.tangent, *scratch.inner, gradient);
    }
  }

 private:
  static constexpr int numbers_of_adjoint = 11;

  /// Every rank has the positions of all; that with the prefix says what S is, so that rounding cannot part them.
  void find_axes(const Graph& graph, Halo& halo, FramedWorkspace& scratch) const {
    std::vector<Vec3> mean(graph.graphs, Vec3{});
    std::vector<int> atoms(graph.graphs, 0);
    const auto for_atoms = [&](const auto& f) {
      for (int i = 0; i < graph.total; ++i) {
        if (graph.species[i] >= 0) f(i, i < graph.owned ? graph.graph[i] : 0);
      }
    };
    for_atoms([&](int i, int g) {
      mean[g] = mean[g] + graph.position[i];
      ++atoms[g];
    });
    std::vector<Mat3> covariance(graph.graphs, Mat3{});
    scratch.centred.assign(graph.total, Vec3{});
    for_atoms([&](int i, int g) {
      const Vec3 x = graph.position[i] - (1.0 / atoms[g]) * mean[g];
      scratch.centred[i] = x;
      add_symmetric(covariance[g], x, x);
    });
    std::array<double, 9> numbers;
    for (int k = 0; k < 9; ++k) numbers[k] = covariance.at(0)[k / 3][k % 3];
    StructureNumbers exchange(graph, numbers);
    halo.forward(exchange);
    for (int k = 0; k < 9; ++k) covariance[0][k / 3][k % 3] = numbers[k];
    scratch.axes.clear();
    for (int g = 0; g < graph.graphs; ++g) scratch.axes.emplace_back(covariance[g], atoms[g], gap_switch_);
    scratch.turned = graph;
  }

  /// Those that count for some structure.
  std::vector<Pass> passes(const FramedWorkspace& scratch) const {
    std::vector<Pass> wanted;
    const auto add_where = [&](bool laboratory, const auto& counts) {
      if (std::none_of(scratch.axes.begin(), scratch.axes.end(), counts)) return;
      for (const Vec3& signs : signs_) wanted.push_back({laboratory, signs});
    };
    add_where(false, [](const MolecularAxes& axes) { return axes.weight() > 0; });
    add_where(true, [](const MolecularAxes& axes) { return axes.weight() < 1; });
    return wanted;
  }

  double share(const Pass& pass, const MolecularAxes& axes) const {
    return (pass.laboratory ? 1 - axes.weight() : axes.weight()) / static_cast<double>(signs_.size());
  }

  void turn_positions(const Graph& graph, const Pass& pass, FramedWorkspace& scratch) const {
    for (int i = 0; i < graph.total; ++i) {
      const int g = i < graph.owned ? graph.graph[i] : 0;
      scratch.turned.position[i] = pass.turn(scratch.axes[g].axes()) * scratch.centred[i];
    }
  }

  void add(const Graph& graph, const Pass& pass, const FramedWorkspace& scratch, Result& result,
           std::vector<Adjoint>& adjoint) const {
    const Result& answer = scratch.answer;
    for (int i = 0; i < graph.owned; ++i) {
      const int g = graph.graph[i];
      const MolecularAxes& axes = scratch.axes[g];
      const Mat3 turn = pass.turn(axes.axes());
      const double factor = share(pass, axes);
      result.atom_energy[i] += factor * answer.atom_energy[i];
      (pass.laboratory ? adjoint[g].laboratory : adjoint[g].frames) +=
          answer.atom_energy[i] / static_cast<double>(signs_.size());
      if (info_.direct_forces)
        result.direct_forces[i] = result.direct_forces[i] + factor * transposed_times(turn, answer.direct_forces[i]);
      if (!info_.gradient_forces) continue;
      const Vec3& slope = answer.position_gradient[i];
      result.position_gradient[i] = result.position_gradient[i] + factor * transposed_times(turn, slope);
      if (pass.laboratory) continue;
      for (int a = 0; a < 3; ++a)
        adjoint[g].axes[a] = adjoint[g].axes[a] + factor * pass.signs[a] * slope[a] * scratch.centred[i];
    }
  }

  /// From the axes and the weight to the positions. Every rank makes the exchanges, with or without atoms.
  void pull_back(const Graph& graph, Halo& halo, const FramedWorkspace& scratch, std::vector<Adjoint>& adjoint,
                 Result& result) const {
    Adjoint& first = adjoint.at(0);
    std::array<double, numbers_of_adjoint> numbers;
    for (int k = 0; k < 9; ++k) numbers[k] = first.axes[k / 3][k % 3];
    numbers[9] = first.frames, numbers[10] = first.laboratory;
    StructureNumbers exchange(graph, numbers);
    halo.reverse(exchange);
    halo.forward(exchange);
    for (int k = 0; k < 9; ++k) first.axes[k / 3][k % 3] = numbers[k];
    first.frames = numbers[9], first.laboratory = numbers[10];
    std::vector<Mat3> of_covariance;
    for (int g = 0; g < graph.graphs; ++g)
      of_covariance.push_back(scratch.axes[g].adjoint(adjoint[g].axes, adjoint[g].frames - adjoint[g].laboratory));
    for (int i = 0; i < graph.owned; ++i) {
      result.position_gradient[i] =
          result.position_gradient[i] + 2.0 * (of_covariance[graph.graph[i]] * scratch.centred[i]);
    }
  }

  /// Tangents of axes and weights for the tangent of the positions.
  void move_axes(const Graph& graph, const LossTangent& tangent, FramedWorkspace& scratch) const {
    std::vector<Mat3> covariance(graph.graphs, Mat3{});
    for (int i = 0; i < graph.owned && !tangent.position.empty(); ++i)
      add_symmetric(covariance[graph.graph[i]], 2.0 * tangent.position[i], scratch.centred[i]);
    scratch.moves.clear();
    for (int g = 0; g < graph.graphs; ++g) scratch.moves.push_back(scratch.axes[g].tangent(covariance[g]));
  }

  /// The loss by what the inner potential says in this pass.
  void turn_tangent(const Graph& graph, const Pass& pass, const LossTangent& tangent, FramedWorkspace& scratch) const {
    LossTangent& turned = scratch.tangent;
    turned.energy.resize(graph.graphs);
    for (int g = 0; g < graph.graphs; ++g) {
      const double weight_moves = scratch.moves[g].weight / static_cast<double>(signs_.size());
      turned.energy[g] = share(pass, scratch.axes[g]) * tangent.energy[g] + (pass.laboratory ? -1 : 1) * weight_moves;
    }
    turned.position.assign(tangent.position.size(), Vec3{});
    turned.direct_forces.assign(tangent.direct_forces.size(), Vec3{});
    for (int i = 0; i < graph.owned; ++i) {
      const int g = graph.graph[i];
      const Mat3 turn = pass.turn(scratch.axes[g].axes());
      const double factor = share(pass, scratch.axes[g]);
      if (!tangent.direct_forces.empty()) turned.direct_forces[i] = factor * (turn * tangent.direct_forces[i]);
      if (tangent.position.empty()) continue;
      const Vec3 with_axes = pass.laboratory ? Vec3{} : pass.turn(scratch.moves[g].axes) * scratch.centred[i];
      turned.position[i] = factor * (turn * tangent.position[i] + with_axes);
    }
  }

  std::unique_ptr<Potential> inner_;
  std::vector<Vec3> signs_;
  double gap_switch_;
  PotentialInfo info_;
};

}  // namespace

std::unique_ptr<Potential> average_over_frames(std::unique_ptr<Potential> inner, FrameGroup group, double gap_switch) {
  return std::make_unique<Framed>(std::move(inner), group, gap_switch);
}

double gap_switch_of(const Potential& potential) {
  const auto* framed = dynamic_cast<const Framed*>(&potential);
  return framed ? framed->gap_switch() : 0;
}

}  // namespace isotrope
