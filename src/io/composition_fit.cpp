// SPDX-License-Identifier: MIT
#include "io/composition_fit.hpp"

#include <Eigen/Dense>

namespace isotrope {

namespace {

constexpr std::size_t rows_in_block = 512;

}  // namespace

struct CompositionFit::State {
  struct Row {
    std::map<int, double> fractions;  ///< column -> part of the atoms
    double energy;                    ///< an atom
  };
  std::map<int, int> column_of;  ///< atomic number -> column, in the order of appearance
  std::vector<Row> rows;
  Eigen::MatrixXd triangle;  ///< [at most columns + 1, columns + 1]; the last column is that of the energies

  void fold();
};

CompositionFit::CompositionFit() : state_(std::make_unique<State>()) {}
CompositionFit::~CompositionFit() = default;

void CompositionFit::State::fold() {
  const auto columns = static_cast<Eigen::Index>(column_of.size()), old = triangle.cols() - 1;
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(triangle.rows() + static_cast<Eigen::Index>(rows.size()), columns + 1);
  if (triangle.rows() > 0) {
    matrix.topLeftCorner(triangle.rows(), old) = triangle.leftCols(old);
    matrix.topRightCorner(triangle.rows(), 1) = triangle.rightCols(1);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Eigen::Index row = triangle.rows() + static_cast<Eigen::Index>(i);
    for (const auto& [column, fraction] : rows[i].fractions) matrix(row, column) = fraction;
    matrix(row, columns) = rows[i].energy;
  }
  rows.clear();
  const Eigen::Index kept = std::min(matrix.rows(), columns + 1);
  Eigen::HouseholderQR<Eigen::MatrixXd> qr(matrix);
  triangle = qr.matrixQR().topRows(kept).triangularView<Eigen::Upper>();
}

void CompositionFit::add(const std::vector<int>& numbers, double energy) {
  State& s = *state_;
  const double part = 1.0 / static_cast<double>(numbers.size());
  State::Row row{{}, energy * part};
  for (int number : numbers) {
    const auto column = s.column_of.try_emplace(number, static_cast<int>(s.column_of.size())).first->second;
    row.fractions[column] += part;
  }
  s.rows.push_back(std::move(row));
  if (s.rows.size() == rows_in_block) s.fold();
}

std::map<int, double> CompositionFit::energies() {
  State& s = *state_;
  if (!s.rows.empty()) s.fold();
  std::map<int, double> energies;
  if (s.column_of.empty()) return energies;
  const Eigen::Index columns = s.triangle.cols() - 1;
  const Eigen::VectorXd solution =
      s.triangle.leftCols(columns).completeOrthogonalDecomposition().solve(s.triangle.rightCols(1));
  for (const auto& [number, column] : s.column_of) energies[number] = solution[column];
  return energies;
}

}  // namespace isotrope
