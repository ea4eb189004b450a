// The worker's word on every segment of a plan, and where in the recipe its complaints belong.
#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/plugin/problems.h"
#include "framework/runs/describe.h"
#include "framework/runs/plan.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

constexpr size_t kShownSites = 4;

// "scheme 'w4a4 group=24', model 's'" of the run that a refused segment is of.
std::string Who(const Plan& plan, const Refusal& refusal) {
  const PlannedSegment& segment = plan.segments[refusal.spec];
  if (segment.runs.empty()) return "";
  const recipe::RunRequest* request = nullptr;
  for (const int run : segment.runs) {
    const recipe::RunRequest& candidate = plan.runs[static_cast<size_t>(run)].request;
    if (request == nullptr || request->scheme == 0) request = &candidate;
  }
  const std::string model =
      absl::StrCat("model '", plan.recipe.models[static_cast<size_t>(request->model)].name, "'");
  if (segment.spec.trajectory.rules.empty()) return model;
  return absl::StrCat("scheme '", plan.recipe.schemes[static_cast<size_t>(request->scheme)].label,
                      "', ", model);
}

std::string Where(const Plan& plan, const Refusal& refusal) {
  const auto& rules = plan.segments[refusal.spec].spec.trajectory.rules;
  if (refusal.rule >= 0 && static_cast<size_t>(refusal.rule) < rules.size() &&
      !rules[static_cast<size_t>(refusal.rule)].where.empty()) {
    return rules[static_cast<size_t>(refusal.rule)].where;
  }
  return plan.recipe.file;
}

std::string Sites(const std::vector<std::string>& sites) {
  if (sites.empty()) return "";
  const size_t shown = std::min(sites.size(), kShownSites);
  return absl::StrCat(
      sites.size() == 1 ? "site " : "sites ",
      absl::StrJoin(sites.begin(), sites.begin() + static_cast<int64_t>(shown), ", "),
      shown < sites.size() ? absl::StrCat(" and ", sites.size() - shown, " more") : "", ": ");
}

// A line for each place, scheme, model and complaint; the sites that share it stand together. A
// foreign checkpoint, which all models start from, is told once a model.
absl::Status Explain(const Plan& plan, const std::vector<recipe::SegmentSpec>& specs,
                     const std::vector<Refusal>& refusals) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::string>> lines;
  for (const Refusal& refusal : refusals) {
    const recipe::SegmentSpec& spec = specs[refusal.spec];
    std::string who = Who(plan, refusal);
    if (spec.start_is_foreign && absl::StartsWith(refusal.what, spec.start_checkpoint)) {
      who = who.substr(who.rfind("model '"));
    }
    auto& sites = lines[{Where(plan, refusal), std::move(who), refusal.what}];
    if (refusal.site.empty()) continue;
    if (std::find(sites.begin(), sites.end(), refusal.site) == sites.end()) {
      sites.push_back(refusal.site);
    }
  }
  plugin::Problems problems;
  for (const auto& [key, sites] : lines) {
    const auto& [where, who, what] = key;
    problems.Add(where, absl::StrCat(who, ": ", Sites(sites), what));
  }
  return problems.ToStatus();
}

}  // namespace

absl::Status DescribeSegments(const Store& store, const DescribeOptions& options, Plan* plan) {
  std::vector<recipe::SegmentSpec> specs;
  for (const PlannedSegment& segment : plan->segments) {
    recipe::SegmentSpec spec = segment.spec;
    if (plan->recipe.start_checkpoint.has_value() &&
        absl::StartsWith(spec.trajectory.start, "file:")) {
      spec.start_checkpoint = std::filesystem::absolute(*plan->recipe.start_checkpoint).string();
      spec.start_is_foreign = true;
    }
    specs.push_back(std::move(spec));
  }
  std::vector<Refusal> refusals;
  const absl::StatusOr<std::vector<Description>> descriptions =
      Describe(specs, store, options, &refusals);
  if (!descriptions.ok()) {
    return refusals.empty() ? descriptions.status() : Explain(*plan, specs, refusals);
  }
  for (size_t i = 0; i < descriptions->size(); ++i) {
    plan->segments[i].description = (*descriptions)[i];
  }
  return absl::OkStatus();
}

}  // namespace qatlas::runs
