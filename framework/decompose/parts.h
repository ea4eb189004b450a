// The δs of a study, gathered over seeds: one for each cell, part and bits.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_PARTS_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_PARTS_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include "framework/decompose/estimate.h"
#include "framework/observe/noise.h"
#include "framework/observe/table.h"

namespace qatlas::decompose {

struct SeedDelta {
  double seed = kMissing;
  double delta = kMissing;
  double se = kMissing;  // Evaluation.
  size_t row = 0;        // Of the table.
};

struct PartDelta {
  // One value a cell column. Of weights or inputs alone, quantizer and granularity are those of
  // that operand: "lsq" where the cell has "lsq+int".
  std::vector<observe::Value> key;
  std::string part;               // both, weights, inputs, fc2-8bit, only:<role>, not:<role>
  double weight_bits = kMissing;  // Missing where the part quantizes no weights,
  double input_bits = kMissing;   // or no inputs.
  std::vector<SeedDelta> seeds;
  // Mean over seeds. Its evaluation error is the mean of the seeds' errors, not divided by their
  // number: all are evaluated on the same sequences. Its training error is
  // sqrt(pooled variance / seeds).
  Estimate estimate;
};

struct Parts {
  std::vector<std::string> cell_columns;
  std::vector<PartDelta> deltas;        // In order of first appearance.
  observe::SeedVariance seed_variance;  // Pooled over all deltas.
  std::vector<std::string> notes;       // What was passed over, and why.
};

// Default cell columns: those of model, N, D, G, granularity, quantizer, qat_fraction that the
// table has.
std::vector<std::string> DefaultCellColumns(const observe::Table& table);

// Whether a column may hold one label for weights and one for inputs, joined by '+' where they
// differ.
bool IsJoined(const std::string& column);
// The label of one operand: "lsq+int" has lsq for weights and int for inputs,
// "per-channel+token" has per-channel and per-token; "int" has int for both.
std::string LabelOfOperand(absl::string_view label, bool of_weights);

// Gathers the rows that have a `delta`. Bits come from weight_bits and input_bits, else from the
// label `precision` (W4A4); 16 and more count as not quantized. A row without `part` gets it from
// its bits. NotFound without `delta`; InvalidArgument, all at once, for two rows of one cell, part,
// bits and seed (both named), an unknown part, or bits that cannot be told.
absl::StatusOr<Parts> CollectParts(const observe::Table& table,
                                   absl::Span<const std::string> cell_columns);

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_PARTS_H_
