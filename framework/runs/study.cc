#include "framework/runs/study.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/runs/files.h"
#include "framework/runs/observations.h"
#include "framework/runs/site_history.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace fs = std::filesystem;
namespace {

constexpr char kPlanFile[] = "plan.json";

nlohmann::ordered_json RunPath(const Plan& plan, const PlannedRun& run) {
  nlohmann::ordered_json path = nlohmann::ordered_json::array();
  for (int segment : run.segments) path.push_back(plan.segments[segment].spec.id);
  return path;
}

// The plan in force, then those that it took the place of. An error where the folder cannot be read
// to its end: a plan that was not seen might need anything.
absl::StatusOr<std::vector<fs::path>> PlanFiles(const Store& store, const std::string& name) {
  std::vector<fs::path> files;
  const fs::path folder = store.StudyFolder(name);
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string file = it->path().filename().string();
    if (file.rfind("plan-", 0) == 0 && it->path().extension() == ".json") {
      files.push_back(it->path());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return FileError("read the folder", folder, error.value());
  }
  std::sort(files.begin(), files.end());
  const fs::path plan = folder / kPlanFile;
  if (fs::exists(plan, error)) files.insert(files.begin(), plan);
  return files;
}

// Adds the segments of a plan; `path` is where it came from, for messages.
absl::Status ReadPlan(const nlohmann::json& json, const fs::path& path, Study* study) {
  const auto damaged = [&] {
    return absl::DataLossError(absl::StrCat(path.string(),
                                            " is not a plan; it was damaged. Remove it if nothing "
                                            "that its recipe trained is needed to go on"));
  };
  if (!json.is_object() || !json.contains("segments") || !json["segments"].is_array()) {
    return damaged();
  }
  for (const nlohmann::json& entry : json["segments"]) {
    auto is = [&](const char* key, bool (nlohmann::json::*type)() const noexcept) {
      return entry.is_object() && entry.contains(key) && (entry[key].*type)();
    };
    using nlohmann::json;
    for (const char* key : {"id", "trajectory", "start", "parent_trajectory"}) {
      if (!is(key, &json::is_string)) return damaged();
    }
    for (const char* key : {"start_step", "end_step"}) {
      if (!is(key, &json::is_number_integer)) return damaged();
    }
    for (const char* key : {"evaluate", "state_wanted", "final"}) {
      if (!is(key, &json::is_boolean)) return damaged();
    }
    StudySegment segment;
    segment.id = entry["id"];
    segment.trajectory = entry["trajectory"];
    segment.start = entry["start"];
    segment.start_step = entry["start_step"];
    segment.parent_trajectory = entry["parent_trajectory"];
    segment.end_step = entry["end_step"];
    segment.evaluate = entry["evaluate"];
    segment.state_wanted = entry["state_wanted"];
    segment.final_of_run = entry["final"];
    study->segments.push_back(std::move(segment));
  }
  return absl::OkStatus();
}

absl::Status ReadPlanFile(const fs::path& path, Study* study) {
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  return ReadPlan(json, path, study);
}

// Whether all that `one` needs `other` needs as well. A segment's id says all else of it.
bool Contains(const Study& other, const Study& one) {
  std::map<std::string, bool> finals;
  for (const StudySegment& segment : other.segments) {
    finals[segment.id] = finals[segment.id] || segment.final_of_run;
  }
  return std::all_of(one.segments.begin(), one.segments.end(), [&](const StudySegment& segment) {
    const auto found = finals.find(segment.id);
    return found != finals.end() && (found->second || !segment.final_of_run);
  });
}

// Another recipe, or other overrides, may have the same name: the plan that would be overwritten
// stays beside the new one, so that what it needs is not freed, unless the new one needs it too.
absl::Status KeepPlan(const fs::path& folder, const nlohmann::json& next) {
  const fs::path path = folder / kPlanFile;
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(path.string()));
  Study before, after;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const bool readable = ReadPlan(json, path, &before).ok();
  QATLAS_RETURN_IF_ERROR(ReadPlan(next, path, &after));
  if (readable && Contains(after, before)) return absl::OkStatus();
  const std::string kept = absl::StrCat("plan-", ShortHash(text).substr(0, 8), ".json");
  return observe::WriteFileAtomically((folder / kept).string(), text);
}

}  // namespace

absl::Status WriteStudyPlan(const Plan& plan, const Store& store) {
  const fs::path folder = store.StudyFolder(plan.recipe.name);
  QATLAS_RETURN_IF_ERROR(MakeFolders(folder));
  QATLAS_RETURN_IF_ERROR(
      observe::WriteFileAtomically((folder / "recipe.resolved.toml").string(), plan.recipe.text));
  std::set<int> finals;
  for (const PlannedRun& run : plan.runs) finals.insert(run.segments.back());
  // Where a trajectory forks: the trajectory of the state that its first piece starts from.
  std::map<std::string, std::string> parents;
  for (const PlannedRun& run : plan.runs) {
    for (size_t i = 1; i < run.segments.size(); ++i) {
      const std::string& before = plan.segments[run.segments[i - 1]].trajectory;
      const std::string& here = plan.segments[run.segments[i]].trajectory;
      if (before != here) parents[here] = before;
    }
  }
  nlohmann::ordered_json segments = nlohmann::ordered_json::array();
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    const PlannedSegment& segment = plan.segments[i];
    const auto parent = parents.find(segment.trajectory);
    segments.push_back({{"id", segment.spec.id},
                        {"trajectory", segment.trajectory},
                        {"start", segment.spec.trajectory.start},
                        {"start_step", segment.spec.trajectory.start_step},
                        {"parent_trajectory", parent == parents.end() ? "" : parent->second},
                        {"end_step", segment.spec.end_step},
                        {"evaluate", segment.spec.evaluate},
                        {"state_wanted", segment.state_wanted},
                        {"final", finals.count(static_cast<int>(i)) != 0}});
  }
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const PlannedRun& run : plan.runs) {
    runs.push_back({{"run", run.name},
                    {"steps", run.steps},
                    {"tokens", run.tokens},
                    {"quantized_from", run.quantized_from},
                    {"baseline", run.baseline < 0 ? "" : plan.runs[run.baseline].name},
                    {"segments", RunPath(plan, run)}});
  }
  const nlohmann::ordered_json json = {{"recipe", plan.recipe.name},
                                       {"data", plan.data.identity},
                                       {"device", plan.machine.device},
                                       {"isa", plan.machine.isa},
                                       {"precision", plan.machine.precision},
                                       {"libtorch", plan.machine.libtorch},
                                       {"runs", std::move(runs)},
                                       {"segments", std::move(segments)}};
  QATLAS_RETURN_IF_ERROR(KeepPlan(folder, json));
  return observe::WriteFileAtomically((folder / kPlanFile).string(), json.dump(2) + "\n");
}

absl::Status WriteStudyResults(const Plan& plan, const Store& store) {
  const fs::path folder = store.StudyFolder(plan.recipe.name);
  QATLAS_RETURN_IF_ERROR(MakeFolders(folder));
  QATLAS_ASSIGN_OR_RETURN(const observe::Table table, GatherObservations(plan, store));
  QATLAS_RETURN_IF_ERROR(observe::WriteCsv((folder / "observations.csv").string(), table));
  nlohmann::ordered_json runs = nlohmann::ordered_json::object();
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    runs[plan.runs[i].name] = {{"status", RunStatusText(plan, store, static_cast<int>(i))},
                               {"segments", RunPath(plan, plan.runs[i])}};
  }
  QATLAS_RETURN_IF_ERROR(WriteJson(folder / "runs.json", runs));
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::ordered_json sites, GatherSites(plan, store));
  QATLAS_RETURN_IF_ERROR(WriteJson(folder / "sites.json", sites));
  QATLAS_ASSIGN_OR_RETURN(const observe::Table history, GatherSiteHistory(plan, store));
  const fs::path history_file = folder / "site_history.csv";
  if (history.rows() > 0) {
    QATLAS_RETURN_IF_ERROR(observe::WriteCsv(history_file.string(), history));
  } else {
    std::error_code ignored;
    fs::remove(history_file, ignored);  // a CSV without columns is none
  }
  QATLAS_ASSIGN_OR_RETURN(const std::vector<PairDifference> pairs, GatherPairs(plan, store));
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const PairDifference& pair : pairs) {
    json.push_back({{"run", pair.run},
                    {"baseline", pair.baseline},
                    {"delta", pair.delta},
                    {"delta_se", pair.delta_se},
                    {"differences", pair.differences}});
  }
  return observe::WriteFileAtomically((folder / "pairs.json").string(), json.dump() + "\n");
}

std::vector<std::string> ListStudies(const Store& store) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(store.root() / "studies", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code one;
    if (!it->is_directory(one)) continue;
    // One that cannot be read is listed, so that reading it says why.
    const auto files = PlanFiles(store, name);
    if (!files.ok() || !files->empty()) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Study> ReadStudy(const Store& store, const std::string& name, bool old_plans) {
  QATLAS_ASSIGN_OR_RETURN(const std::vector<fs::path> files, PlanFiles(store, name));
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(store.StudyFolder(name).string(), " has no plan"));
  }
  Study study;
  study.name = name;
  for (const fs::path& file : files) {
    Study one;
    const bool superseded = &file != &files.front();
    if (!(superseded && !old_plans)) QATLAS_RETURN_IF_ERROR(ReadPlanFile(file, &one));
    if (superseded && Contains(study, one)) {
      study.needless.push_back(file);
      continue;
    }
    study.segments.insert(study.segments.end(), one.segments.begin(), one.segments.end());
  }
  return study;
}

}  // namespace qatlas::runs
