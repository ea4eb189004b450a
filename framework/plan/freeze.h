// Predictions written down before the runs that test them.
#ifndef QATLAS_FRAMEWORK_PLAN_FREEZE_H_
#define QATLAS_FRAMEWORK_PLAN_FREEZE_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/observe/table.h"
#include "framework/plan/law.h"

namespace qatlas::plan {

// Predictions of a law at points, with intervals: of the law, and of a single new run (the law's
// and the scatter of runs about it together).
struct Forecast {
  std::vector<double> value;
  std::vector<fit::Interval> law;  // empty where nothing says how unsure the law is
  std::vector<fit::Interval> run;  // empty where the scatter of runs is not known
};
// Errors: what BoundLaw refuses; OutOfRange where the law has no finite value at a point.
absl::StatusOr<Forecast> Predict(const Law& law, const std::vector<Point>& points, double level,
                                 uint64_t seed = 1);

struct FreezeInputs {
  std::vector<Law> laws;  // of one target; the first is the chosen one
  std::vector<Point> points;
  observe::Table rows;        // that the laws were fitted to; none for published constants
  nlohmann::json provenance;  // where the laws come from, and what a refit needs (loss, fixed, ...)
  std::string created;        // time, ISO 8601
  double level = .95;
  bool allow_unidentified = false;
};

// The content of a frozen file, its hash included (key "sha256": of all other keys, dumped without
// blanks). FailedPrecondition: a law without an interval for a single run, since coverage could not
// be scored; a law that is not identifiable. InvalidArgument: no points, the same point twice.
absl::StatusOr<nlohmann::json> Freeze(const FreezeInputs& inputs);

// Creates the file, whole or not at all. AlreadyExists where there is a file: frozen predictions
// are never rewritten. It is left read-only.
absl::Status WriteFrozen(const std::string& path, const nlohmann::json& frozen);

// Reads a frozen file. DataLoss where its content does not have the hash that it states, or not
// `expected` (its beginning is enough; empty: not asked).
absl::StatusOr<nlohmann::json> ReadFrozen(const std::string& path,
                                          const std::string& expected = "");

// SHA-256 as 64 hexadecimal digits.
std::string Sha256(const std::string& bytes);

// Columns of numbers and texts as {"columns": {name: [...]}}, missing numbers null; and back.
nlohmann::json TableToJson(const observe::Table& table);
absl::StatusOr<observe::Table> TableFromJson(const nlohmann::json& json);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_FREEZE_H_
