// Splits the loss gap of paired runs: weights against inputs, FC2's input, roles.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_DECOMPOSE_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_DECOMPOSE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/decompose/estimate.h"
#include "framework/decompose/parts.h"
#include "framework/decompose/trends.h"
#include "framework/observe/table.h"

namespace qatlas::decompose {

struct Options {
  // Columns that, with the bits, make a cell. Empty: those that CollectParts finds.
  std::vector<std::string> cell_columns;
  // Standard errors that a change must exceed to be called one.
  double threshold = 2;
};

// What one role costs, seen from both sides; nullopt where its runs are missing.
struct RoleShare {
  std::string role;
  std::optional<Estimate> only;     // δ of only:<role>.
  std::optional<Estimate> without;  // δ_both − δ of not:<role>.
};

// Sum over the roles that were measured, against δ_both.
struct RoleSum {
  std::vector<std::string> roles;
  Estimate sum;
  std::optional<Ratio> of_both;  // sum / δ_both; nullopt without δ_both.
};

struct Cell {
  std::vector<std::pair<std::string, observe::Value>> key;
  double weight_bits = kMissing;
  double input_bits = kMissing;
  std::optional<Estimate> both, weights, inputs, fc2_8bit;
  std::optional<Ratio> inputs_to_weights;  // R = δ_inputs / δ_weights.
  std::optional<Ratio> additivity;         // δ_both / (δ_weights + δ_inputs).
  std::optional<Ratio> fc2_relief;         // 1 − δ_fc2-8bit / δ_both.
  std::vector<RoleShare> roles;            // In order of first appearance.
  std::optional<RoleSum> only_sum, without_sum;
  std::vector<std::string> missing;  // Parts that have no runs here.
};

struct Decomposition {
  Parts parts;
  std::vector<Cell> cells;  // In order of first appearance.
  Trends trends;
  std::vector<std::string> notes;
};

// From a table with `delta` (observe::PairRuns): cells, trends, notes. A cell is the cell columns
// and the bits of weights and inputs; weights-only runs belong to every cell of their weight bits,
// inputs-only runs to every cell of their input bits, and what does not depend on FC2's input bits
// to every cell of these. Errors as of CollectParts; NotFound when no quantized row has a δ.
absl::StatusOr<Decomposition> Decompose(const observe::Table& table, const Options& options = {});

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_DECOMPOSE_H_
