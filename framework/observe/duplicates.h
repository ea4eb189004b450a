// Rows that tell the same run twice, replicates that tell the noise, and labels that contradict
// each other.
#ifndef QATLAS_FRAMEWORK_OBSERVE_DUPLICATES_H_
#define QATLAS_FRAMEWORK_OBSERVE_DUPLICATES_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/observe/noise.h"
#include "framework/observe/table.h"

namespace qatlas::observe {

// What to do with rows that agree in every column.
enum class DuplicateRule {
  kMerge,   // keep the first of each set
  kKeep,    // keep all: the same information then counts several times
  kRefuse,  // an error that names them
};
// "merge", "keep", "refuse"; InvalidArgument for anything else.
absl::StatusOr<DuplicateRule> DuplicateRuleByName(absl::string_view name);

// Sets of at least two rows that agree in every column of the table, in order of first appearance;
// rows ascending. Missing equals missing, -0 equals 0. Origins do not count.
std::vector<std::vector<size_t>> ExactDuplicates(const Table& table);

struct Deduplicated {              // A table and what was removed.
  Table table;                     // what is left
  size_t removed = 0;              // Rows.
  std::vector<std::string> notes;  // what was found and what was done, with places
};
// Applies the rule. InvalidArgument under kRefuse when there are any.
absl::StatusOr<Deduplicated> ApplyDuplicateRule(Table table, DuplicateRule rule);  // as asked

// Rows of the same experiment.
struct Replicates {
  // Columns that say what was run: all but the measured ones (losses, δ, their errors, weight),
  // `run`, `baseline`, `status` and `seed`.
  std::vector<std::string> covariates;
  size_t cells = 0;       // different experiments with a finite value
  size_t replicated = 0;  // of them, with at least two rows that are no conflict
  // Standard deviation of one run about its cell's mean, pooled: pure error, free of any law.
  SeedVariance noise;
  // The same of the value divided by its cell's mean, where all means are above 0.
  SeedVariance relative;
  bool has_seed = false;  // Else none is told.
  // Rows of one experiment and one seed with different values: they cannot be the same run. Either
  // a column that tells them apart is missing (precisions labelled alike) or a run was not
  // repeatable. Rows ascending.
  std::vector<std::vector<size_t>> conflicts;
  // Rows of one experiment and one seed with the same value under different ids: one run listed
  // twice, no replicate.
  std::vector<std::vector<size_t>> repeats;
};
// Of the column `value` ("loss", "delta"). `covariates` say what was run; empty: as above. NotFound
// for an absent column.
absl::StatusOr<Replicates> FindReplicates(const Table& table, const std::string& value = "loss",
                                          std::vector<std::string> covariates = {});

// Labels that contradict columns, one sentence each with places (label_check.cc): one `precision`
// for several bit widths; a text that names a number format below 16 bits ("W4A4", "FP4", "int8")
// where `weight_bits` or `input_bits` say something else. Names of schemes, which may stand for
// several widths, are only held against bits of 16 and more.
std::vector<std::string> LabelContradictions(const Table& table);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_DUPLICATES_H_
