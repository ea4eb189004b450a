// From files to the table that a fit reads: read, mapped, filtered, without duplicates, paired.
#ifndef QATLAS_FRAMEWORK_OBSERVE_LOAD_H_
#define QATLAS_FRAMEWORK_OBSERVE_LOAD_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/observe/duplicates.h"
#include "framework/observe/import.h"
#include "framework/observe/pairs.h"
#include "framework/observe/table.h"

namespace qatlas::observe {

enum class PairingMode {  // When rows are paired.
  kAuto,    // where the table has a loss and tells full precision: scheme, part or the rule;
            // where it has no δ also other columns (QuantizedRows), and then what is wrong with
            // its pairs is a note
  kAlways,  // an error where it cannot be done
  kNever,
};

struct LoadSpec {  // What is read, and how.
  // Read by their endings and appended in this order, each mapped by itself. Names with * ? [ are
  // patterns as a shell has them; a pattern that fits no file is an error.
  std::vector<std::string> files;
  // Without `columns` the files must have the standard columns, and all of theirs are kept.
  ImportSpec import;
  DuplicateRule duplicates = DuplicateRule::kMerge;  // What is done.
  PairingMode pairing = PairingMode::kAuto;          // When.
  PairingRule pair;                                  // How.
  // Where `files` and `pair` were written, for messages; empty: not known.
  std::string files_place, pair_place;
};

struct Loaded {                         // What was read.
  Table table;                          // What is fitted.
  std::vector<std::string> files;       // as read
  size_t rows_read = 0;                 // before the filter
  std::vector<std::string> notes;       // sentences: duplicates, rows without a pair
  bool paired = false;                  // δ was computed.
  std::vector<Unpaired> unpaired;       // Rows and why.
  std::vector<std::string> matched_by;  // Columns.
};

// Errors as ReadTable, Import, ApplyDuplicateRule and PairRuns have them, with the recipe's place
// before them where it is known. InvalidArgument where the filter leaves no row.
absl::StatusOr<Loaded> Load(const LoadSpec& spec);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_LOAD_H_
