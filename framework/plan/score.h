// Later runs held against frozen predictions.
#ifndef QATLAS_FRAMEWORK_PLAN_SCORE_H_
#define QATLAS_FRAMEWORK_PLAN_SCORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/compare/compare.h"
#include "framework/observe/table.h"
#include "framework/plan/sources.h"

namespace qatlas::plan {

struct ScoreOptions {
  double tolerance = 1e-6;      // relative, within which a run's covariates are a point's
  fit::ProblemOptions problem;  // of the refits
  compare::CompareOptions compare;
};

struct ScoredRun {
  size_t point = 0;
  size_t row = 0;  // of the table
  double observed = 0, predicted = 0;
  std::optional<fit::Interval> interval;  // of a single run, by the chosen law
  bool inside = false;
};

struct ScoredLaw {
  std::string name;
  double rmse = 0, bias = 0, mean_relative_error = 0;  // NaN where no target is other than 0
  int64_t covered = 0, with_interval = 0;
  fit::Interval coverage;  // 95% of the share covered, Clopper-Pearson
};

struct Score {
  std::string target, chosen, created, sha256;
  double level = .95;
  std::vector<ScoredRun> runs;
  std::vector<ScoredLaw> laws;               // in the frozen order, the chosen first
  std::vector<std::string> not_found;        // points without a run
  size_t unmatched = 0;                      // new rows at no point
  size_t already_fitted = 0;                 // rows that were in the fit; not scored
  std::optional<compare::Comparison> refit;  // rivals on old and new rows together
  std::optional<bool> still_first;
  std::string sentence;  // quotable
  std::vector<std::string> notes;
};

// frozen: from ReadFrozen. table: rows of the target's kind; those without the target are passed
// over. A run that stands among the rows the laws were fitted to is not scored. All new rows, at a
// frozen point or not, take part in the refit.
// Errors: a column that the points need is absent; FailedPrecondition: no run is at any point.
absl::StatusOr<Score> ScoreFrozen(const nlohmann::json& frozen, const observe::Table& table,
                                  const LawFactory& make, const ScoreOptions& options);

nlohmann::json ToJson(const Score& score);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_SCORE_H_
