#include "framework/fit/problem.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>
#include <qatlas/vector_math.h>

#include "framework/fit/categories.h"
#include "framework/observe/problems.h"

namespace qatlas::fit {

std::vector<double> Problem::Values(absl::Span<const double> coordinates) const {
  std::vector<double> values;
  values.reserve(parameters_.size());
  for (const Parameter& parameter : parameters_) {
    const int c = parameter.coordinate;
    if (c < 0) {
      values.push_back(parameter.value);
    } else {
      values.push_back(coordinate(c).log ? vector_math::Exp(coordinates[c]) : coordinates[c]);
    }
  }
  return values;
}

std::vector<double> Problem::Coordinates(absl::Span<const double> values) const {
  std::vector<double> result(coordinates());
  for (int i = 0; i < coordinates(); ++i) {
    const double value = values[first_parameter_[i]];
    result[i] = coordinate(i).log ? std::log(value) : value;
  }
  return result;
}

double Problem::LowerCoordinate(int i) const {
  return coordinate(i).log ? std::log(coordinate(i).lower) : coordinate(i).lower;
}
double Problem::UpperCoordinate(int i) const {
  return coordinate(i).log ? std::log(coordinate(i).upper) : coordinate(i).upper;
}

void Problem::EvaluateRows(absl::Span<const double> values, int64_t begin, int64_t end,
                           double* prediction, double* jacobian, int64_t stride,
                           std::vector<double>* scratch) const {
  const LawBatch all = points_.Batch();
  const size_t covariates = form_->Spec().covariates.size();
  std::vector<const double*> pointers(2 * covariates);
  const auto batch = [&](int64_t from, int64_t to) {
    for (size_t c = 0; c < covariates; ++c) {
      pointers[c] = all.values[c] + from;
      pointers[covariates + c] = all.logs[c] + from;
    }
    return LawBatch{to - from, pointers.data(), pointers.data() + covariates};
  };
  if (direct_) {
    form_->Evaluate(batch(begin, end), values.data(), prediction, jacobian, stride);
    return;
  }
  const int64_t base = static_cast<int64_t>(form_->Spec().parameters.size());
  int64_t largest = 0;
  for (const Block& block : blocks_) {
    largest = std::max(largest, std::min(block.end, end) - std::max(block.begin, begin));
  }
  const size_t wanted = base + (jacobian != nullptr ? base * largest : 0);
  if (scratch->size() < wanted) scratch->resize(wanted);
  double* theta = scratch->data();
  double* local = jacobian != nullptr ? scratch->data() + base : nullptr;
  if (jacobian != nullptr) {
    for (int c = 0; c < coordinates(); ++c) {
      std::fill(jacobian + c * stride, jacobian + c * stride + (end - begin), 0.0);
    }
  }
  for (const Block& block : blocks_) {
    const int64_t from = std::max(block.begin, begin);
    const int64_t size = std::min(block.end, end) - from;
    if (size <= 0) continue;
    for (int64_t p = 0; p < base; ++p) theta[p] = values[block.parameters[p]];
    form_->Evaluate(batch(from, from + size), theta, prediction + (from - begin), local, size);
    if (jacobian == nullptr) continue;
    for (int64_t p = 0; p < base; ++p) {
      const int c = parameters_[block.parameters[p]].coordinate;
      if (c < 0) continue;
      double* into = jacobian + c * stride + (from - begin);
      const double* column = local + p * size;
      for (int64_t i = 0; i < size; ++i) into[i] += column[i];
    }
  }
}

Problem Problem::WithTarget(std::vector<double> target) const {
  QATLAS_CHECK(static_cast<int64_t>(target.size()) == rows(), "one target a row");
  Problem result = *this;
  result.target_ = std::move(target);
  return result;
}

Problem Problem::WithWeight(std::vector<double> weight) const {
  QATLAS_CHECK(static_cast<int64_t>(weight.size()) == rows(), "one weight a row");
  Problem result = *this;
  result.weight_ = std::move(weight);
  return result;
}

Problem Problem::WithLoss(const Loss& loss) const {
  QATLAS_CHECK(loss.space == loss_.space, "targets and noise are laid out for the space");
  Problem result = *this;
  result.loss_ = loss;
  return result;
}

Problem Problem::Subset(absl::Span<const char> keep) const {
  QATLAS_CHECK(static_cast<int64_t>(keep.size()) == rows(), "one mark a row");
  Problem result = *this;
  for (std::vector<double>* column : {&result.target_, &result.weight_, &result.noise_}) {
    size_t kept = 0;
    for (size_t i = 0; i < column->size(); ++i) {
      if (keep[i]) (*column)[kept++] = (*column)[i];
    }
    column->resize(kept);
  }
  std::vector<std::vector<double>> columns(points_.columns().size());
  result.rows_.clear();
  for (int64_t i = 0; i < rows(); ++i) {
    if (!keep[i]) continue;
    result.rows_.push_back(rows_[i]);
    for (size_t c = 0; c < columns.size(); ++c) columns[c].push_back(points_.columns()[c][i]);
  }
  result.points_ = LawPoints(std::move(columns));
  int64_t begin = 0;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const int64_t size =
        std::count_if(keep.begin() + blocks_[b].begin, keep.begin() + blocks_[b].end,
                      [](char k) { return k != 0; });
    result.blocks_[b].begin = begin;
    result.blocks_[b].end = begin + size;
    begin += size;
  }
  return result;
}

absl::StatusOr<std::vector<int>> Problem::Blocks(const observe::Table& table) const {
  std::vector<int> result(table.rows(), 0);
  const LawSpec& spec = form_->Spec();
  const ParameterUse use(spec);
  if (block_columns_.empty() && use.EveryRowUsesAll()) return result;
  QATLAS_ASSIGN_OR_RETURN(auto keys, CategoryKeys(table, block_columns_, options_.columns));
  std::vector<std::vector<double>> covariates;
  if (!use.EveryRowUsesAll()) {
    QATLAS_ASSIGN_OR_RETURN(covariates, ReadCovariates(*form_, options_.columns, table));
    use.BlankUnused(block_columns_, options_.per, covariates, &keys);
  }
  // The first parameter that the row depends on and that the block cannot give; -1: none.
  const auto lacks = [&](int block, size_t row) {
    for (size_t b = 0; b < spec.parameters.size(); ++b) {
      if (use.In(b, covariates, row) && blocks_[block].uses[b] == 0 &&
          !(PerColumns(options_.per, spec.parameters[b]).empty() && !Unused(block, b))) {
        return static_cast<int>(b);
      }
    }
    return -1;
  };
  // A row that depends on few parameters may find them in a block of others.
  const auto find = [&](size_t row) {
    const auto exact = block_index_.find(keys[row]);
    if (exact != block_index_.end() || use.EveryRowUsesAll()) return exact;
    return std::find_if(block_index_.begin(), block_index_.end(), [&](const auto& entry) {
      for (size_t b = 0; b < spec.parameters.size(); ++b) {
        if (!use.In(b, covariates, row)) continue;
        for (const std::string& column : PerColumns(options_.per, spec.parameters[b])) {
          const auto at = std::find(block_columns_.begin(), block_columns_.end(), column) -
                          block_columns_.begin();
          if (entry.first[at] != keys[row][at]) return false;
        }
      }
      return lacks(entry.second, row) < 0;
    });
  };
  observe::Problems problems;
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto found = find(row);
    if (found == block_index_.end()) {
      problems.Add(absl::StrCat(table.Where(row), ": the fit of '", name_, "' has no ",
                                absl::StrJoin(block_columns_, ", "), " = '",
                                absl::StrJoin(keys[row], ", "), "'"));
      continue;
    }
    result[row] = found->second;
    if (const int b = use.EveryRowUsesAll() ? -1 : lacks(found->second, row); b >= 0) {
      problems.Add(absl::StrCat(table.Where(row), ": the row has ", use.With(b)->name,
                                ", but no run that '", name_, "' was fitted to has it, and ",
                                spec.parameters[b].name, " is unknown"));
    }
  }
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  return result;
}

}  // namespace qatlas::fit
