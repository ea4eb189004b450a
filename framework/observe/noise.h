// The two parts of the error of δ: evaluation (paired over sequences) and training (over seeds).
#ifndef QATLAS_FRAMEWORK_OBSERVE_NOISE_H_
#define QATLAS_FRAMEWORK_OBSERVE_NOISE_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

// Sum with Neumaier's compensation: error independent of the number of terms.
double CompensatedSum(absl::Span<const double> values);

struct MeanDifference {              // Of paired numbers.
  double mean = kMissing;            // mean(a - b), nats/token.
  double standard_error = kMissing;  // sd(a - b) / sqrt(n); NaN for fewer than two sequences.
  size_t count = 0;                  // Of pairs.
};

// The mean of the differences, pair by pair, of two runs' losses over the same validation
// sequences, [n] each, with its standard error. Sequences that both runs find hard cancel.
// InvalidArgument for different lengths, no sequences, or a loss that is not finite.
absl::StatusOr<MeanDifference> PairedMeanDifference(absl::Span<const double> a,
                                                    absl::Span<const double> b);

// Mean and standard error of one run's losses over its sequences. Same errors.
absl::StatusOr<MeanDifference> MeanLoss(absl::Span<const double> losses);

struct SeedVariance {                            // Pooled over cells.
  double variance = kMissing;                    // Of one seed's value; NaN when unknown.
  int degrees_of_freedom = 0;                    // Pooled.
  int cells_used = 0;                            // With at least two seeds.
  int cells_single = 0;                          // With one: they tell nothing.
  std::string reason;                            // Why the variance is unknown; empty when known.
  bool known() const { return reason.empty(); }  // Else reason says.
};

// Variance between seeds pooled over cells: sum over cells of squared deviations from the cell's
// mean / sum of (seeds - 1). Rows that agree in `cell_columns` are one cell; rows whose `value` is
// missing are passed over. With no cell of two seeds the variance is unknown, never 0.
// NotFound for an absent column.
absl::StatusOr<SeedVariance> PooledSeedVariance(const Table& table,
                                                absl::Span<const std::string> cell_columns,
                                                const std::string& value = "delta");

// The same from values grouped by hand: one inner vector a cell.
SeedVariance PooledVariance(absl::Span<const std::vector<double>> cells);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_NOISE_H_
