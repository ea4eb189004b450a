// How the rows of a table lie in the space of covariates: what varies, what varies together, and
// which combinations are not there.
#ifndef QATLAS_FRAMEWORK_OBSERVE_DESIGN_H_
#define QATLAS_FRAMEWORK_OBSERVE_DESIGN_H_

#include <string>
#include <vector>

#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

// Different values, ascending, of the rows where the column is finite; values within 2% of the one
// before are one level, given by the first (budgets are rounded to whole steps).
std::vector<double> Levels(const Table& table, const std::string& column,
                           absl::Span<const size_t> rows);

// N and D over a set of rows.
struct Collinearity {
  size_t rows = 0;                    // with both above 0
  size_t levels_n = 0, levels_d = 0;  // different values
  double correlation = kMissing;      // of ln N and ln D; NaN where one is constant
  // Of the two logarithms, centred and of unit length: sqrt((1 + |r|) / (1 - |r|)), at most 1e8.
  double condition = kMissing;
  double ratio_low = kMissing, ratio_high = kMissing;  // of D / N
  double spread = kMissing;  // standard deviation of ln D that ln N does not explain
  enum class Verdict { kSeparable, kWeak, kInseparable, kConstant, kNone };  // Of the design.
  Verdict verdict = Verdict::kNone;                                          // of the design
  // "the full-precision rows lie at D ≈ 100·N (98.4 to 101): ...", a sentence without its first
  // capital and its full stop; `who` names the rows. Empty for kNone.
  std::string sentence;
};
// Inseparable: D/N within a factor 1.25, or a spread below .1. Weak: |r| above .95.
Collinearity MeasureCollinearity(const Table& table, absl::Span<const size_t> rows,
                                 const std::string& who);

// The full cross of the factors that vary.
struct CrossTable {
  std::vector<std::string> factors;              // of N (or model), D, G, weight_bits, input_bits
  std::vector<std::vector<std::string>> levels;  // [factors], as shown
  size_t possible = 0;                           // cells of the cross
  size_t filled = 0;                             // cells with runs
  std::vector<std::string> missing;              // "N 3e7, D 1e10"; the first `kShown`
  // Rows by the levels of N (down) and D (across); empty where one does not vary or has more than
  // 16 levels.
  std::vector<std::vector<size_t>> counts;
  static constexpr size_t kShown = 12;  // levels at most
};
// Factors of one level or of more than 64 are left out.
CrossTable CrossCells(const Table& table, absl::Span<const size_t> rows);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_DESIGN_H_
