// SPDX-License-Identifier: MIT
#include "io/composition_fit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/elements.hpp"

namespace isotrope {
namespace {

constexpr std::size_t rows_to_fold = 256;

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Matrix> matrix(const std::vector<double>& values, std::size_t width) {
  const auto columns = static_cast<Eigen::Index>(width);
  return {values.data(), static_cast<Eigen::Index>(values.size()) / columns, columns};
}

/// The columns of these elements; zero where no structure has one.
Matrix columns_of(const Eigen::Map<const Matrix>& rows, const std::vector<int>& numbers,
                  const std::vector<int>& elements) {
  Matrix chosen = Matrix::Zero(rows.rows(), static_cast<Eigen::Index>(elements.size()));
  for (std::size_t k = 0; k < elements.size(); ++k) {
    const auto found = std::find(numbers.begin(), numbers.end(), elements[k]);
    if (found != numbers.end()) chosen.col(static_cast<Eigen::Index>(k)) = rows.col(found - numbers.begin() + 1);
  }
  return chosen;
}

}  // namespace

int CompositionFit::column_of(int number) {
  const auto found = std::find(numbers_.begin(), numbers_.end(), number);
  const auto column = static_cast<int>(found - numbers_.begin()) + 1;
  if (found != numbers_.end()) return column;
  const std::size_t old_width = width();
  numbers_.push_back(number);
  std::vector<double> wider;
  for (std::size_t row = 0; row < count_; ++row) {
    wider.insert(wider.end(), rows_.begin() + row * old_width, rows_.begin() + (row + 1) * old_width);
    wider.push_back(0);
  }
  rows_ = std::move(wider);
  return column;
}

double* CompositionFit::new_row() {
  if (count_ >= rows_to_fold + width()) fold();
  rows_.resize(++count_ * width(), 0.0);
  return rows_.data() + (count_ - 1) * width();
}

/// Replaces all rows by the triangular factor, which has the same squares.
void CompositionFit::fold() {
  if (count_ == 0) return;
  const Eigen::HouseholderQR<Matrix> qr(matrix(rows_, width()));
  count_ = std::min<std::size_t>(count_, width());
  const Matrix factor = qr.matrixQR().topRows(static_cast<Eigen::Index>(count_)).triangularView<Eigen::Upper>();
  rows_.assign(factor.data(), factor.data() + factor.size());
}

void CompositionFit::add(const Structure& s) {
  if (!s.energy) return;
  const double atoms = s.size();
  for (const int number : s.numbers) column_of(number);
  double* row = new_row();
  row[0] = *s.energy / atoms;
  for (const int number : s.numbers) row[column_of(number)] += 1;
  for (int column = 1; column < width(); ++column) row[column] /= atoms;
  structures_ += 1;
}

void CompositionFit::add(const CompositionFit& other) {
  std::vector<int> columns{0};
  for (const int number : other.numbers_) columns.push_back(column_of(number));
  for (std::size_t row = 0; row < other.count_; ++row) {
    double* to = new_row();
    for (int k = 0; k < other.width(); ++k) to[columns[k]] = other.rows_[row * other.width() + k];
  }
  structures_ += other.structures_;
}

CompositionFit::Solution CompositionFit::solve(const std::vector<int>& elements) const {
  const auto rows = matrix(rows_, width());
  const Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> decomposition(columns_of(rows, numbers_, elements));
  const Eigen::VectorXd solution = decomposition.solve(rows.col(0));
  return {{solution.begin(), solution.end()}, decomposition.rank() == static_cast<Eigen::Index>(elements.size())};
}

double CompositionFit::residual(const std::vector<int>& elements, const std::vector<double>& energies) const {
  if (structures_ == 0) return std::nan("");
  const Eigen::Map<const Eigen::VectorXd> e0(energies.data(), static_cast<Eigen::Index>(energies.size()));
  const auto rows = matrix(rows_, width());
  const Eigen::VectorXd left = rows.col(0) - columns_of(rows, numbers_, elements) * e0;
  return std::sqrt(left.squaredNorm() / structures_);
}

/// Rank after rank shows its factor, with a column for every element there is.
void CompositionFit::join(const Communicator& communicator) {
  if (communicator.ranks() == 1) return;
  constexpr int all_columns = number_of_elements + 1;
  std::vector<int> every_element(number_of_elements);
  std::iota(every_element.begin(), every_element.end(), 1);
  CompositionFit all;
  for (int rank = 0; rank < communicator.ranks(); ++rank) {
    std::vector<double> shown(all_columns * all_columns + 1, 0.0);
    if (rank == communicator.rank()) {
      fold();
      for (std::size_t row = 0; row < count_; ++row) {
        const double* from = rows_.data() + row * width();
        shown[row * all_columns] = from[0];
        for (std::size_t k = 0; k < numbers_.size(); ++k) shown[row * all_columns + numbers_[k]] = from[k + 1];
      }
      shown.back() = structures_;
    }
    communicator.sum(shown);
    CompositionFit theirs;
    theirs.structures_ = shown.back();
    theirs.numbers_ = every_element;
    theirs.count_ = all_columns;
    theirs.rows_.assign(shown.begin(), shown.end() - 1);
    all.add(theirs);
  }
  *this = std::move(all);
}

}  // namespace isotrope
