// A study: what one recipe has in the store. Files hold results only and compare byte for byte.
//
//   recipe.resolved.toml  the recipe with every option
//   plan.json             its runs and segments, independent of what was trained when
//   plan-<hash>.json      plans that it took the place of, of other recipes or overrides of this
//                         name, as far as they need what it does not. That is kept too, until
//                         somebody removes these files or Gc() is told to
//   observations.csv      one row a run (observations.h)
//   runs.json             run → path of segments, status
//   sites.json            site statistics of each finished run
//   site_history.csv      the same while it trained (site_history.h)
//   pairs.json            δ of each pair, sequence by sequence or step by step
#ifndef QATLAS_FRAMEWORK_RUNS_STUDY_H_
#define QATLAS_FRAMEWORK_RUNS_STUDY_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// A segment as plan.json keeps it.
struct StudySegment {
  std::string id;
  std::string trajectory;  // identity
  std::string start;       // identity of the state that the trajectory starts from, "" or file:
  int64_t start_step = 0;  // of the trajectory
  std::string parent_trajectory;  // identity; "" where it starts from initial values or a file
  int64_t end_step = 0;
  bool evaluate = false;
  bool state_wanted = false;
  bool final_of_run = false;
};

struct Study {
  std::string name;
  // Of all its plans, those of plan.json first; a segment of several plans appears several times.
  std::vector<StudySegment> segments;
  std::vector<std::filesystem::path> needless;  // plans that need nothing that others do not
};

// Writes recipe.resolved.toml and plan.json. A plan.json that needs what the new one does not is
// kept as plan-<first 8 hex digits of its SHA-256>.json.
absl::Status WriteStudyPlan(const Plan& plan, const Store& store);
// Writes observations.csv, runs.json, sites.json, site_history.csv and pairs.json of what is
// finished.
absl::Status WriteStudyResults(const Plan& plan, const Store& store);

// Names of the studies that have a plan, sorted.
std::vector<std::string> ListStudies(const Store& store);
// Without `old_plans` those that plan.json took the place of are not read and are all `needless`.
// NotFound without a plan, DataLoss where one cannot be read.
absl::StatusOr<Study> ReadStudy(const Store& store, const std::string& name, bool old_plans = true);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_STUDY_H_
