#include "framework/runs/probe.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/observe/problems.h"
#include "framework/plugin/nearest.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// One segment for every model under every scheme, by GroupsKey of its trajectory. Runs of which
// legs cannot be made are told of where all are made.
std::map<std::string, recipe::SegmentSpec> Specimens(const recipe::ResolvedRecipe& recipe,
                                                     const std::vector<std::string>& plugin_path,
                                                     const LegContext& context) {
  std::map<std::string, recipe::SegmentSpec> specimens;
  std::set<std::pair<int, int>> seen;
  for (const recipe::RunRequest& run : recipe.runs) {
    if (!seen.insert({run.model, run.scheme}).second) continue;
    const absl::StatusOr<std::vector<Leg>> legs = MakeLegs(recipe, run, context);
    if (!legs.ok()) continue;
    for (const Leg& leg : *legs) {
      recipe::SegmentSpec spec;
      spec.trajectory = leg.trajectory;
      spec.evaluation = recipe.training.evaluation;
      spec.begin_step = leg.begin;
      spec.end_step = leg.end;
      spec.evaluate = true;
      spec.plugin_path = plugin_path;
      spec.id = recipe::SegmentIdentity(spec);
      specimens.emplace(GroupsKey(leg.trajectory), std::move(spec));
    }
  }
  return specimens;
}

int64_t NarrowestLinear(const std::vector<Description>& descriptions) {
  int64_t narrowest = kLeastBf16Features;
  for (const Description& description : descriptions) {
    for (const nlohmann::json& site : description.sites) {
      for (const char* side : {"in_features", "out_features"}) {
        narrowest = std::min(narrowest, site.value(side, narrowest));
      }
    }
  }
  return narrowest;
}

absl::Status CheckGroups(const recipe::ResolvedRecipe& recipe, const LegContext& context) {
  std::set<std::string> all;
  for (const auto& [key, groups] : context.groups) all.insert(groups.begin(), groups.end());
  const std::vector<std::string> names(all.begin(), all.end());
  observe::Problems problems;
  for (const auto& [name, settings] : recipe.training.groups) {
    if (all.count(name) != 0) continue;
    problems.Add(absl::StrCat(recipe.file.empty() ? recipe.name : recipe.file,
                              ": [training.groups.", name,
                              "]: no scheme of a run has an optimizer ", "group '", name, "'",
                              plugin::NearestHint(name, names)));
  }
  return problems.ToStatus();
}

}  // namespace

absl::Status Settle(const recipe::ResolvedRecipe& recipe, const Store& store,
                    const std::vector<std::string>& plugin_path, const DescribeOptions& options,
                    LegContext* context) {
  const bool open_precision = recipe.training.precision == "auto" &&
                              context->machine.device == "cpu" &&
                              context->machine.precision == "bf16";
  if (!open_precision && recipe.training.groups.empty()) return absl::OkStatus();
  const auto specimens = Specimens(recipe, plugin_path, *context);
  if (specimens.empty()) return absl::OkStatus();
  std::vector<recipe::SegmentSpec> specs;
  for (const auto& [key, spec] : specimens) specs.push_back(spec);
  std::vector<Refusal> refusals;
  const absl::StatusOr<std::vector<Description>> answers =
      Describe(specs, store, options, &refusals);
  // Told with their places where the whole plan is described.
  if (!refusals.empty()) return absl::OkStatus();
  if (!answers.ok()) return answers.status();
  const std::vector<Description>& descriptions = *answers;
  if (open_precision && NarrowestLinear(descriptions) < kLeastBf16Features) {
    context->machine.precision = "fp32";
  }
  if (recipe.training.groups.empty()) return absl::OkStatus();
  size_t i = 0;
  for (const auto& [key, spec] : specimens) {
    const std::vector<std::string>& groups = descriptions[i++].groups;
    context->groups[key] = {groups.begin(), groups.end()};
  }
  return CheckGroups(recipe, *context);
}

}  // namespace qatlas::runs
