// What a table of observations holds and what can be fitted from it, before any fit.
#ifndef QATLAS_FRAMEWORK_OBSERVE_PROFILE_H_
#define QATLAS_FRAMEWORK_OBSERVE_PROFILE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/observe/design.h"
#include "framework/observe/duplicates.h"
#include "framework/observe/load.h"
#include "framework/observe/outliers.h"
#include "framework/observe/table.h"

namespace qatlas::observe {

struct ColumnProfile {                            // Of one column.
  std::string name;                               // Of the column.
  ColumnKind kind = ColumnKind::kNumber;          // Number or text.
  bool standard = false;                          // one of StandardColumns()
  std::string unit;                               // "" where there is none.
  size_t count = 0;                               // not missing
  size_t missing = 0;                             // Rows.
  double minimum = kMissing, maximum = kMissing;  // of numbers
  double decades = kMissing;                      // log10(maximum / minimum), both above 0
  size_t levels = 0;                              // different values; kMostLevels: so many or more
  std::vector<std::pair<std::string, size_t>>
      common;                                   // the most frequent, up to 5; few levels only
  static constexpr size_t kMostLevels = 10000;  // More: not counted.
};

// One thing that the table allows, allows with reserve, or does not.
struct Finding {
  enum class Kind { kCan, kLimited, kCannot };  // How grave it is.
  Kind kind;                                    // How grave.
  std::string text;                             // a sentence
};

struct Profile {                       // What a table holds.
  size_t rows = 0;                     // Of the table.
  std::vector<ColumnProfile> columns;  // In its order.
  // Rows by kind, where the table tells it (scheme, part, or bits); else all are `other`.
  size_t full_precision = 0, quantized = 0, other = 0;             // Rows.
  std::vector<std::pair<std::string, Collinearity>> collinearity;  // by kind of rows
  std::vector<std::pair<std::string, CrossTable>> cells;           // Pairs of columns.
  std::optional<Replicates> replicates;                            // of the loss, else of δ
  std::string replicates_of;                                       // Column of seeds.
  std::vector<std::string> contradictions;                         // of labels
  std::optional<OutlierScreen> outliers;                           // of the loss, else of δ
  bool paired = false;                                             // δ was computed.
  size_t pairs = 0;                                                // rows with a δ
  size_t not_positive = 0;                                         // of them, with δ <= 0
  std::vector<std::string> matched_by;                             // Columns.
  std::vector<std::string> unpaired;    // reasons with places, the first kShown
  size_t unpaired_count = 0;            // Rows.
  std::vector<std::string> notes;       // of loading
  std::vector<Finding> findings;        // Gravest first.
  static constexpr size_t kShown = 20;  // At most.
};

// Time and memory grow linearly in the rows (the outlier screen is the largest part).
Profile ProfileTable(const Loaded& loaded);

// The findings alone, from the measured rest (profile_findings.cc). Rows are those of each kind.
std::vector<Finding> Findings(const Table& table, const Profile& profile,
                              const std::vector<size_t>& full_precision,
                              const std::vector<size_t>& quantized,
                              const std::vector<size_t>& other);

// For a terminal of 100 columns; places of outliers and conflicts come from `table`.
std::string ProfileAsText(const Profile& profile, const Table& table);
// Unknown numbers are null.
nlohmann::ordered_json ProfileAsJson(const Profile& profile, const Table& table);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_PROFILE_H_
