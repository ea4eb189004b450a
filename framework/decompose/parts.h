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

// Column of FC2's input bits. As a cell's key it is missing where they are those of the other
// inputs, and where the part says what FC2's input has (fc2-8bit) or leaves it as it is.
inline constexpr char kFc2Bits[] = "fc2_input_bits";

// Default cell columns: those of model, N, D, G, granularity, quantizer, qat_fraction that the
// table has, and FC2's input bits where they differ from those of other inputs in some row.
std::vector<std::string> DefaultCellColumns(const observe::Table& table);

// Whether a row of the part depends on the bits of FC2's input: not where weights alone are
// quantized, another role alone, or all but FC2.
bool TellsFc2(absl::string_view part);

// Whether a column joins a cell's key only where rows collide without it: options, scheme. It is
// empty in rows of schemes that collide with none.
bool IsTelling(absl::string_view column);

// Whether a column may hold one label for weights and one for inputs, joined by '+' where they
// differ.
bool IsJoined(const std::string& column);
// The label of one operand: "lsq+int" has lsq for weights and int for inputs,
// "per-channel+token" has per-channel and per-token; "int" has int for both.
std::string LabelOfOperand(absl::string_view label, bool of_weights);

// Gathers the rows that have a `delta`. Bits come from weight_bits and input_bits, else from the
// label `precision` (W4A4); 16 and more count as not quantized. A row without `part` gets it from
// its bits. Rows that repeat a run (loss, δ and seed equal, too) count once. Left out, with a note,
// are rows of an unknown part or of bits that cannot be told, and a part of a cell that has two
// rows of one seed. NotFound without `delta`; InvalidArgument with all problems where nothing
// remains for them.
absl::StatusOr<Parts> CollectParts(const observe::Table& table,
                                   absl::Span<const std::string> cell_columns);
// The same with the default cell columns and, where rows still collide, with `options` and `scheme`
// as far as these tell them apart.
absl::StatusOr<Parts> CollectParts(const observe::Table& table);

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_PARTS_H_
