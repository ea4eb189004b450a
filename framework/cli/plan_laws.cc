// Laws for the verbs that plan: from presets, files of fits, and tables.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/lab.h"
#include "framework/cli/lab_rows.h"
#include "framework/cli/lab_stages.h"
#include "framework/cli/plan_inputs.h"
#include "framework/observe/atomic_file.h"
#include "framework/plan/freeze.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

// Draws of several laws must not move together: each has a seed of its own.
plan::DrawOptions Draws(const PlanArguments& arguments, size_t index) {
  plan::DrawOptions options;
  options.seed = arguments.seed * 1000 + index;
  options.kind = arguments.intervals == "bootstrap"    ? plan::IntervalKind::kBootstrap
                 : arguments.intervals == "covariance" ? plan::IntervalKind::kCovariance
                                                       : plan::IntervalKind::kAuto;
  if (options.kind == plan::IntervalKind::kBootstrap) options.count = 500;
  return options;
}

void Add(plan::Law law, PlanLaws* laws) {
  // Several variants of one study bring the same law of the loss.
  for (const plan::Law& other : laws->laws) {
    if (other.name == law.name && other.source == law.source) return;
  }
  laws->laws.push_back(std::move(law));
}

absl::Status AddFile(Session& session, const PlanArguments& arguments, const std::string& file,
                     bool all_ranked, PlanLaws* laws) {
  auto text = observe::ReadWholeFile(file);
  if (!text.ok()) return text.status();
  auto read =
      plan::LawsFromJson(*text, file, MakeLawsOf(session), Draws(arguments, laws->laws.size()));
  if (!read.ok()) return read.status();
  laws->provenance["files"].push_back({{"file", file}, {"sha256", plan::Sha256(*text)}});
  const std::vector<std::string> asked = LawsOf(arguments.laws);
  size_t taken = 0;
  for (plan::Law& law : read->laws) {
    const bool named = std::find(asked.begin(), asked.end(), law.name) != asked.end();
    if (!asked.empty() && arguments.table.empty() && !named) continue;
    if (!all_ranked && taken > 0 && arguments.laws.empty()) break;
    laws->rows[law.target] = read->rows;
    Add(std::move(law), laws);
    ++taken;
  }
  if (taken == 0) {
    return absl::NotFoundError(
        absl::StrCat(file, " has no law named ", absl::StrJoin(asked, ", ")));
  }
  if (arguments.laws.empty()) {
    laws->notes.insert(laws->notes.end(), read->notes.begin(), read->notes.end());
  }
  return absl::OkStatus();
}

// The group of one model and seed of every row of the problem; empty where there are too few.
std::vector<std::string> GroupsOf(const fit::Problem& problem, const observe::Table& rows) {
  const std::vector<std::string> columns = GroupColumns(rows);
  if (columns.empty()) return {};
  std::vector<std::string> groups;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    std::string key;
    for (const std::string& column : columns) {
      absl::StrAppend(&key, observe::ShowValue(rows.At(problem.row(i), column)), "|");
    }
    groups.push_back(key);
  }
  const std::set<std::string> different(groups.begin(), groups.end());
  if (static_cast<int>(different.size()) < compare::kLeastGroups) groups.clear();
  return groups;
}

// Of the ranking, the first or all.
absl::Status AddFits(Session& session, const PlanArguments& arguments, const observe::Table& table,
                     const LabSettings& settings, bool all_ranked, PlanLaws* laws) {
  auto result = RunLab(session, table, settings);
  if (!result.ok()) return result.status();
  laws->notes.insert(laws->notes.end(), result->notes.begin(), result->notes.end());
  for (const auto& [form, why] : result->comparison.refused) {
    laws->notes.push_back(absl::StrCat(form, " was not fitted: ", why));
  }
  if (result->comparison.ranking.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no law of ", settings.target, " could be fitted to ", arguments.table, ": ",
        result->comparison.refused.empty() ? "" : result->comparison.refused.front().second));
  }
  const bool several = result->comparison.ranking.size() > 1;
  if (several && !all_ranked && result->comparison.verdict != compare::Verdict::kDecided) {
    laws->notes.push_back(absl::StrCat("The runs do not decide between the laws of ",
                                       settings.target, "; ", result->comparison.ranking[0].name,
                                       " is taken because it ranks first. ",
                                       result->comparison.sentence));
  }
  for (const compare::Ranked& ranked : result->comparison.ranking) {
    plan::DrawOptions draws = Draws(arguments, laws->laws.size());
    draws.groups = GroupsOf(*ranked.fit.problem, result->rows);
    auto law = plan::LawFromFit(ranked.fit, draws);
    if (!law.ok()) return law.status();
    law->name = ranked.name;
    law->text = result->laws[ranked.name];
    law->source = absl::StrCat(arguments.table, ", ", ranked.fit.problem->rows(), " rows");
    Add(*std::move(law), laws);
    if (!all_ranked) break;
  }
  laws->rows[settings.target] = std::move(result->rows);
  return absl::OkStatus();
}

// Sums fitted in two stages, each whole.
absl::Status AddStages(Session& session, const PlanArguments& arguments,
                       const observe::Table& table, const LabSettings& settings, PlanLaws* laws) {
  if (arguments.intervals == "bootstrap") {
    return absl::InvalidArgumentError(
        "laws that are fitted in stages have intervals from the covariance only");
  }
  auto staged = RunStages(session, table, settings);
  if (!staged.ok()) return staged.status();
  for (StagedLaw& law : *staged) {
    // Both stages were fitted apart: there is no refit of the whole.
    plan::DrawOptions draws = Draws(arguments, laws->laws.size());
    draws.kind = plan::IntervalKind::kCovariance;
    auto made = plan::LawFromFit(law.fit.combined, draws);
    if (!made.ok()) return made.status();
    made->name = law.name;
    made->text = law.text;
    made->source = absl::StrCat(arguments.table, ", in two stages");
    laws->rows[settings.target] = law.rows;
    Add(*std::move(made), laws);
  }
  return absl::OkStatus();
}

absl::Status AddTable(Session& session, const PlanArguments& arguments, bool all_ranked,
                      PlanLaws* laws) {
  if (arguments.laws.empty()) {
    return absl::InvalidArgumentError("--table needs --law, the forms to fit to it");
  }
  auto text = observe::ReadWholeFile(arguments.table);
  if (!text.ok()) return text.status();
  laws->provenance["table"] = {{"file", arguments.table}, {"sha256", plan::Sha256(*text)}};
  auto table = ReadObservations(arguments.table, arguments.mapping, &laws->notes);
  if (!table.ok()) return table.status();
  std::vector<std::string> targets;
  std::map<std::string, std::vector<std::string>> by_target;
  for (const std::string& name : LawsOf(arguments.laws)) {
    auto law = MakeLawsOf(session)(name);
    if (!law.ok()) return law.status();
    const std::string& target = law->form->Spec().target;
    if (by_target.count(target) == 0) targets.push_back(target);
    by_target[target].push_back(name);
  }
  LabSettings settings = arguments.settings;
  settings.bootstraps = 0;
  settings.evidence = all_ranked;
  settings.seed = arguments.seed;
  if (absl::Status status = ReadParameterItems(arguments.parameters, &settings); !status.ok()) {
    return status;
  }
  for (const std::string& target : targets) {
    settings.target = target;
    settings.laws = by_target[target];
    const absl::Status status =
        settings.stages && target == kTargetLoss
            ? AddStages(session, arguments, *table, settings, laws)
            : AddFits(session, arguments, *table, settings, all_ranked, laws);
    if (!status.ok()) return status;
  }
  laws->provenance["loss"] = settings.loss;
  laws->provenance["where"] = settings.where;
  laws->provenance["noise"] = settings.noise;
  laws->provenance["non_positive"] = settings.non_positive;
  return absl::OkStatus();
}

}  // namespace

plan::LawFactory MakeLawsOf(Session& session) {
  return [&session](const std::string& text) -> absl::StatusOr<forms::MadeLaw> {
    auto catalog = session.Catalog();
    if (!catalog.ok()) return catalog.status();
    return forms::LawFromText(text, **catalog);
  };
}

std::vector<const plan::Law*> PlanLaws::Of(const std::string& target) const {
  std::vector<const plan::Law*> found;
  for (const plan::Law& law : laws) {
    if (law.target == target) found.push_back(&law);
  }
  return found;
}

plan::World PlanLaws::World() const {
  const auto losses = Of(kTargetLoss), deltas = Of(kTargetDelta);
  return {losses.empty() ? nullptr : losses[0], deltas.empty() ? nullptr : deltas[0], {}};
}

absl::StatusOr<PlanLaws> ReadPlanLaws(Session& session, const PlanArguments& arguments,
                                      bool all_ranked) {
  PlanLaws laws;
  if (!(arguments.level > 0 && arguments.level < 1)) {
    return absl::InvalidArgumentError("--level must lie between 0 and 1");
  }
  for (const std::string& preset : arguments.presets) {
    auto catalog = session.Catalog();
    if (!catalog.ok()) return catalog.status();
    auto found =
        plan::LawsFromPreset(**catalog, MakeLawsOf(session), preset, arguments.relative_error,
                             arguments.seed * 1000 + laws.laws.size());
    if (!found.ok()) return found.status();
    for (plan::Law& law : *found) Add(std::move(law), &laws);
    laws.provenance["presets"].push_back(preset);
  }
  for (const std::string& file : arguments.fits) {
    if (absl::Status status = AddFile(session, arguments, file, all_ranked, &laws); !status.ok()) {
      return status;
    }
  }
  if (!arguments.table.empty()) {
    if (absl::Status status = AddTable(session, arguments, all_ranked, &laws); !status.ok()) {
      return status;
    }
  }
  if (laws.laws.empty()) {
    return absl::InvalidArgumentError(
        "there is no law to answer from; give --preset study:variant (chen-2025:w4a4), --fit "
        "FILE.json of `qatlas fit -o`, or --table RUNS.csv with --law");
  }
  for (const std::string& item : arguments.ranges) {
    auto range = ReadRange(item);
    if (!range.ok()) return range.status();
    for (plan::Law& law : laws.laws) law.fitted.insert({range->first, range->second});
  }
  return laws;
}

}  // namespace qatlas::cli
