// Pairs quantized rows with the full-precision row of the same model, data and seed.
#ifndef QATLAS_FRAMEWORK_OBSERVE_PAIRS_H_
#define QATLAS_FRAMEWORK_OBSERVE_PAIRS_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct PairingRule {  // Which rows are pairs.
  // Columns in which a pair agrees. Empty: `model` (or `N` where there is no model), `D`, and
  // `seed` where the table has one; Pairing::matched_by says what was taken.
  std::vector<std::string> match;
  // Condition (expression.h) that holds for full-precision rows. Empty: scheme is 'fp' or missing;
  // without a column `scheme`, part is 'none'.
  std::string full_precision;
  // The loss whose difference is δ, and its standard error (used where the table has it).
  std::string loss = "loss";
  std::string loss_se = "loss_se";  // Column.
  // Recomputes δ also where the table already holds one.
  bool recompute = false;
};

struct Unpaired {      // A row without a pair.
  size_t row;          // Of the table.
  std::string reason;  // "runs.csv:7: no full-precision row with model 'm', D 1000000, seed 2".
};

struct Pairing {  // What was paired.
  // All rows of the input, in order, with `baseline` (where rows have a `run`), `delta` and
  // `delta_se` filled for pairs. Full-precision rows and unpaired rows have them missing.
  Table table;
  std::vector<size_t> quantized;        // Rows that have a δ.
  std::vector<size_t> full_precision;   // Rows that may be baselines.
  std::vector<Unpaired> unpaired;       // Rows and why.
  std::vector<std::string> matched_by;  // Columns.

  // The rows that have a δ alone.
  Table Deltas() const { return table.Take(quantized); }
};

// Computes δ = loss(quantized) − loss(full precision) for every pair.
// - A row that has a `delta` keeps it and its `delta_se` (they come from paired sequences); one
//   that names its `baseline` is paired with that run; any other by the rule.
// - delta_se from two loss_se is sqrt(a² + b²): it leaves out that both were evaluated on the same
//   sequences and is therefore too wide; missing when either is missing.
// - A row without a loss, or without a baseline that has one, is listed in `unpaired`.
// InvalidArgument, all at once: two full-precision rows fit one row (both named), a `baseline`
// that no row has or that two rows have, no way to tell full precision, an absent column.
absl::StatusOr<Pairing> PairRuns(const Table& table, const PairingRule& rule = {});

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_PAIRS_H_
