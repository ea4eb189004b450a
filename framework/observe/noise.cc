#include "framework/observe/noise.h"

#include <cmath>

#include <absl/strings/str_cat.h>

namespace qatlas::observe {
namespace {

// Mean and its standard error; deviations are taken from the mean, so that losses of 3 with
// differences of 1e-6 keep their digits.
MeanDifference Summarize(absl::Span<const double> values) {
  MeanDifference result;
  result.count = values.size();
  const double n = static_cast<double>(values.size());
  result.mean = CompensatedSum(values) / n;
  if (values.size() < 2) return result;
  std::vector<double> squares;
  squares.reserve(values.size());
  for (double value : values) squares.push_back((value - result.mean) * (value - result.mean));
  result.standard_error = std::sqrt(CompensatedSum(squares) / (n - 1) / n);
  return result;
}

absl::Status CheckFinite(absl::Span<const double> losses, absl::string_view which) {
  for (size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("the loss of sequence ", i, which, " is not finite"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

double CompensatedSum(absl::Span<const double> values) {
  double sum = 0, lost = 0;
  for (double value : values) {
    const double next = sum + value;
    // The smaller of the two terms is the one that loses digits (Neumaier 1974).
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return std::isfinite(sum) ? sum + lost : sum;
}

absl::StatusOr<MeanDifference> PairedMeanDifference(absl::Span<const double> a,
                                                    absl::Span<const double> b) {
  if (a.size() != b.size()) {
    return absl::InvalidArgumentError(absl::StrCat("one run has losses of ", a.size(),
                                                   " sequences, its pair of ", b.size(),
                                                   "; both must be evaluated on the same ones"));
  }
  if (a.empty()) return absl::InvalidArgumentError("there are no sequences to compare");
  if (absl::Status status = CheckFinite(a, " of the first run"); !status.ok()) return status;
  if (absl::Status status = CheckFinite(b, " of the second run"); !status.ok()) return status;
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return Summarize(differences);
}

absl::StatusOr<MeanDifference> MeanLoss(absl::Span<const double> losses) {
  if (losses.empty()) return absl::InvalidArgumentError("there are no sequences");
  if (absl::Status status = CheckFinite(losses, ""); !status.ok()) return status;
  return Summarize(losses);
}

SeedVariance PooledVariance(absl::Span<const std::vector<double>> cells) {
  SeedVariance pooled;
  std::vector<double> squares;
  for (const std::vector<double>& all : cells) {
    std::vector<double> values;
    for (double value : all) {
      if (std::isfinite(value)) values.push_back(value);
    }
    if (values.size() == 1) ++pooled.cells_single;
    if (values.size() < 2) continue;
    ++pooled.cells_used;
    pooled.degrees_of_freedom += static_cast<int>(values.size()) - 1;
    const double mean = CompensatedSum(values) / static_cast<double>(values.size());
    for (double value : values) squares.push_back((value - mean) * (value - mean));
  }
  if (pooled.degrees_of_freedom > 0) {
    pooled.variance = CompensatedSum(squares) / pooled.degrees_of_freedom;
  } else if (pooled.cells_single > 0) {
    pooled.reason = absl::StrCat("each of the ", pooled.cells_single,
                                 " cells has one seed; at least one needs two");
  } else {
    pooled.reason = "there are no cells";
  }
  return pooled;
}

absl::StatusOr<SeedVariance> PooledSeedVariance(const Table& table,
                                                absl::Span<const std::string> cell_columns,
                                                const std::string& value) {
  const absl::StatusOr<absl::Span<const double>> values = table.Numbers(value);
  if (!values.ok()) return values.status();
  const absl::StatusOr<std::vector<Group>> groups = table.GroupBy(cell_columns);
  if (!groups.ok()) return groups.status();
  std::vector<std::vector<double>> cells;
  for (const Group& group : *groups) {
    std::vector<double>& cell = cells.emplace_back();
    for (size_t row : group.rows) cell.push_back((*values)[row]);
  }
  return PooledVariance(cells);
}

}  // namespace qatlas::observe
