// SPDX-License-Identifier: MIT
#include "train/views.hpp"

#include "core/hash.hpp"
#include "core/random.hpp"
#include "so3/wigner_d.hpp"

namespace isotrope {
namespace {

Mat3 transpose(const Mat3& m) {
  Mat3 t;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) t[a][b] = m[b][a];
  return t;
}

/// R S R^T.
Mat3 rotated(const Mat3& rotation, const Mat3& s) {
  const Mat3 t = transpose(s);  // rows of t are the columns of s
  const Mat3 left = transpose({rotation * t[0], rotation * t[1], rotation * t[2]});
  return {rotation * left[0], rotation * left[1], rotation * left[2]};
}

/// The second view is there for the latent loss alone.
void mask(Labels& labels) {
  for (auto* flags : {&labels.has_energy, &labels.has_forces, &labels.has_stress}) flags->assign(labels.graphs(), 0);
}

}  // namespace

void rotate_batch(Batch& batch, std::span<const Mat3> rotations) {
  Graph& graph = batch.graph;
  for (int i = 0; i < graph.owned; ++i) {
    const Mat3& rotation = rotations[graph.graph[i]];
    graph.position[i] = rotation * graph.position[i];
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) graph.r[e] = rotation * graph.r[e];
    batch.labels.forces[i] = rotation * batch.labels.forces[i];
  }
  for (int g = 0; g < batch.labels.graphs(); ++g)
    batch.labels.stress[g] = rotated(rotations[g], batch.labels.stress[g]);
}

std::vector<Mat3> random_rotations(const Batch& batch, const EquivarianceConfig& config, std::uint64_t seed,
                                   std::int64_t step, int view) {
  const std::uint64_t of_step[] = {seed, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(view)};
  const std::uint64_t start = hash_bytes(of_step, sizeof(of_step));
  std::vector<Mat3> rotations;
  for (int g = 0; g < batch.labels.graphs(); ++g) {
    const int first = batch.labels.first_atom[g], atoms = batch.labels.first_atom[g + 1] - first;
    const Vec3* positions = batch.graph.position.data() + first;
    rotations.push_back(
        random_rotation(config.rotation_per_batch ? start : hash_bytes(positions, atoms * sizeof(Vec3), start)));
  }
  return rotations;
}

Views make_views(Batch batch, const EquivarianceConfig& config, std::uint64_t seed, std::int64_t step) {
  Views views{std::move(batch), {}};
  if (config.augmentation) rotate_batch(views.batch, random_rotations(views.batch, config, seed, step, 1));
  if (config.latent_weight == 0 || views.batch.labels.graphs() == 0) return views;
  Batch second = views.batch;
  views.rotations = random_rotations(second, config, seed, step, 2);
  rotate_batch(second, views.rotations);
  if (!config.loss_on_both_views) mask(second.labels);
  views.batch = join({&views.batch, &second});
  return views;
}

}  // namespace isotrope
