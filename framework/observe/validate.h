// Checks of a table before a fit: all problems at once, before any computing.
#ifndef QATLAS_FRAMEWORK_OBSERVE_VALIDATE_H_
#define QATLAS_FRAMEWORK_OBSERVE_VALIDATE_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct Requirements {  // What a table must have.
  // Columns that must be there, of that kind, with no missing and no infinite value.
  std::vector<std::string> numbers;
  std::vector<std::string> texts;  // Names.
  // Of these, wherever present in the table and named above: every value above zero. δ may be
  // negative and is not among them.
  std::vector<std::string> positive = {"loss", "train_loss",  "N",          "N_total", "D",
                                       "G",    "weight_bits", "input_bits", "flops"};
  // No two rows may agree in all of these columns (those the table has). Empty: not checked.
  std::vector<std::string> unique_by;
  // At least as many rows as a fit has parameters.
  size_t parameters = 0;
};

// Ok, or one InvalidArgument with every problem: what, in which rows (the first few, as file:line)
// and, for an absent column, the nearest names.
absl::Status Validate(const Table& table, const Requirements& requirements);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_VALIDATE_H_
