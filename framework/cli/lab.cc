#include "framework/cli/lab.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/lab_notes.h"
#include "framework/cli/lab_rows.h"
#include "framework/compare/json.h"
#include "framework/compare/verdict.h"
#include "framework/fit/procedure.h"
#include "framework/observe/load.h"
#include "framework/plugin/nearest.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

// The procedure of Hoffmann et al. 2022 as Besiroglu et al. 2024 state it: a loss and a search.
constexpr char kHoffmann[] = "hoffmann";

// One of a few names, or an error that lists them.
absl::Status CheckName(const char* what, const std::string& name,
                       const std::vector<std::string>& names) {
  if (absl::c_linear_search(names, name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("there is no ", what, " '", name, "'",
                                                 plugin::NearestHint(name, names),
                                                 "; there are: ", absl::StrJoin(names, ", ")));
}

// How intervals were resampled, and what the criteria do not account for.
std::string NoteOnDependence(const compare::Comparison& comparison, const LabSettings& settings) {
  std::string how = "R";
  if (settings.bootstraps > 0) {
    if (comparison.resampled_groups > 0) {
      how = absl::StrCat("Bootstraps draw the ", comparison.resampled_groups,
                         " groups of runs of one model and seed, and r");
    } else if (settings.resample == "residuals") {
      how = "Bootstraps draw residuals, and r";
    } else {
      how = absl::StrCat("Bootstraps draw single runs",
                         settings.resample == "auto" ? ", since the table does not tell at least 5 "
                                                       "groups of one model and seed, and r"
                                                     : ", and r");
    }
  }
  return absl::StrCat(how,
                      "uns that share a trunk or a full-precision pair are not independent, so "
                      "that differences of AICc overstate the evidence.");
}

// The full-precision law fitted to the full-precision rows, for forms that predict the loss.
absl::StatusOr<fit::FitResult> FitFullPrecision(Session& session, const observe::Table& table,
                                                const LabSettings& settings) {
  if (settings.full_precision.empty()) {
    return absl::InvalidArgumentError(
        "it predicts the loss; name the full-precision law that is taken off (full_precision in a "
        "recipe, "
        "--full-precision on the command line)");
  }
  auto law = LawByText(session, settings.full_precision, kTargetLoss);
  if (!law.ok()) return law.status();
  LabSettings loss = settings;
  loss.target = kTargetLoss;
  std::vector<std::string> notes;
  auto rows = ChooseRows(table, kTargetLoss, "", &notes);
  if (!rows.ok()) return rows.status();
  loss.noise.clear();
  loss.noise_exact = false;
  auto options = ProblemOptionsOf(loss);
  if (!options.ok()) return options.status();
  auto problem = fit::Problem::Create(law->form, law->name, *rows, *options);
  if (!problem.ok()) return problem.status();
  auto search = FitOptionsOf(settings);
  if (!search.ok()) return search.status();
  return fit::Fit(*problem, *search);
}

}  // namespace

std::vector<std::string> LossNames() {
  std::vector<std::string> names = fit::LossNames();
  names.push_back(kHoffmann);
  return names;
}

std::vector<std::string> IntervalNames() { return {"profile", "covariance"}; }
std::vector<std::string> ResampleNames() { return {"auto", "groups", "pairs", "residuals"}; }

absl::StatusOr<fit::ProblemOptions> ProblemOptionsOf(const LabSettings& settings) {
  fit::ProblemOptions options;
  if (absl::Status known = CheckName("loss", settings.loss, LossNames()); !known.ok()) return known;
  if (const auto procedure = fit::ProcedureByName(settings.loss); procedure.ok()) {
    options.loss = procedure->loss;
  } else {
    auto loss = fit::LossByName(settings.loss);
    if (!loss.ok()) return loss.status();
    options.loss = *loss;
  }
  if (settings.huber_delta > 0) options.loss.delta = settings.huber_delta;
  auto non_positive = fit::NonPositiveByName(settings.non_positive);
  if (!non_positive.ok()) return non_positive.status();
  options.non_positive = *non_positive;
  options.noise = settings.noise;
  options.noise_exact = settings.noise_exact;
  options.weight = settings.weight;
  if (options.noise_exact && options.noise.empty()) {
    return absl::InvalidArgumentError(
        "standard errors that are the whole noise need their column; name it as the noise");
  }
  return options;
}

absl::StatusOr<fit::FitOptions> FitOptionsOf(const LabSettings& settings) {
  fit::FitOptions options;
  if (const auto procedure = fit::ProcedureByName(settings.loss); procedure.ok()) {
    options = procedure->options;
  }
  if (absl::Status set = fit::SetSearch(settings.search, &options); !set.ok()) return set;
  if (absl::Status known = CheckName("kind of interval", settings.intervals, IntervalNames());
      !known.ok()) {
    return known;
  }
  if (settings.intervals == "covariance") options.intervals = fit::Intervals::kCovariance;
  if (settings.sandwich) options.covariance = fit::Covariance::kSandwich;
  return options;
}

nlohmann::ordered_json ToJson(const LabResult& result) {
  nlohmann::ordered_json json = compare::ToJson(result.comparison);
  for (auto& entry : json["ranking"]) {
    const auto law = result.laws.find(entry["name"].get<std::string>());
    if (law != result.laws.end()) entry["fit"]["law"] = law->second;
  }
  return json;
}

std::string TitleOfTarget(const std::string& target) {
  if (target == kTargetDelta) return "Which law describes δ";
  if (target == kTargetLoss) return "Which law describes the full-precision loss";
  return absl::StrCat("Which law describes ", target);
}

absl::StatusOr<observe::Table> ReadObservations(const std::string& path,
                                                const std::vector<std::string>& mapping,
                                                std::vector<std::string>* notes) {
  auto items = observe::ParseImportSpec(mapping);
  if (!items.ok()) return items.status();
  observe::LoadSpec spec;
  spec.files = {path};
  spec.import = *std::move(items);
  auto loaded = observe::Load(spec);
  if (!loaded.ok()) return loaded.status();
  notes->insert(notes->end(), loaded->notes.begin(), loaded->notes.end());
  return std::move(loaded->table);
}

absl::StatusOr<LabResult> RunLab(Session& session, const observe::Table& table,
                                 const LabSettings& settings) {
  LabResult result;
  result.settings = settings;
  const bool joint = settings.target == kTargetLoss && DescribeBoth(session, settings);
  auto rows = ChooseRows(table, settings.target, settings.where, &result.notes, joint);
  if (!rows.ok()) return rows.status();
  result.rows = *std::move(rows);
  auto options = ProblemOptionsOf(settings);
  if (!options.ok()) return options.status();
  auto search = FitOptionsOf(settings);
  if (!search.ok()) return search.status();
  if (absl::Status known = CheckName("resampling", settings.resample, ResampleNames());
      !known.ok()) {
    return known;
  }

  if (options->non_positive == fit::NonPositive::kDrop && options->loss.space == fit::Space::kLog) {
    int64_t dropped = 0;
    for (size_t row = 0; row < result.rows.rows(); ++row) {
      dropped += result.rows.NumberAt(row, settings.target) <= 0 ? 1 : 0;
    }
    if (dropped > 0) {
      result.notes.push_back(absl::StrCat(
          dropped, dropped == 1 ? " row" : " rows", " with ", settings.target,
          " of 0 or less were left out, since the loss takes logarithms; that biases the fit "
          "upwards."));
    }
  }

  std::vector<compare::Candidate> candidates;
  std::vector<std::pair<std::string, std::string>> refused;
  absl::StatusOr<fit::FitResult> full_precision = absl::NotFoundError("");
  bool tried_full_precision = false;
  auto laws = MakeLaws(session, settings, result.rows);
  if (!laws.ok()) return laws.status();
  for (LabLaw& made : *laws) {
    const std::string& law = made.law.name;
    const std::shared_ptr<const LawForm>& form = made.law.form;
    for (const std::string& assumption : made.law.assumptions) {
      result.notes.push_back(absl::StrCat(law, ": ", assumption, "."));
    }
    compare::Candidate candidate{law, form, *options};
    candidate.problem.fixed = std::move(made.law.fixed);
    candidate.problem.tied = std::move(made.law.tied);
    candidate.problem.per = std::move(made.law.per);
    result.laws[law] = std::move(made.text);
    const std::string& target = form->Spec().target;
    if (target == kTargetLoss && settings.target == kTargetDelta) {
      if (!tried_full_precision) {
        full_precision = FitFullPrecision(session, table, settings);
        tried_full_precision = true;
      }
      if (!full_precision.ok()) {
        refused.emplace_back(law, std::string(full_precision.status().message()));
        continue;
      }
      auto delta = compare::DeltaFromLoss(form, full_precision->problem->shared_form(),
                                          full_precision->values);
      if (!delta.ok()) return delta.status();
      candidate.form = *delta;
      result.laws.erase(law);  // it is another law now
      candidate.recountable = false;
      for (const auto& [name, value] : compare::FixedFrom(*full_precision, *form)) {
        candidate.problem.fixed.insert({name, value});
      }
    } else if (target != settings.target) {
      return absl::InvalidArgumentError(
          absl::StrCat("law '", law, "' predicts ", target, ", not ", settings.target));
    }
    candidates.push_back(std::move(candidate));
  }
  if (candidates.empty()) {
    std::string why;
    for (const auto& [law, reason] : refused) absl::StrAppend(&why, "\n  ", law, ": ", reason);
    return absl::FailedPreconditionError(absl::StrCat("none of the laws can be fitted:", why));
  }
  compare::CompareOptions compare_options;
  auto noise = compare::NoiseModelByName(settings.likelihood);
  if (!noise.ok()) return noise.status();
  compare_options.noise = *noise;
  compare_options.fit = *search;
  compare_options.seed = settings.seed;
  compare_options.alternative_size = settings.alternative_size;
  if (!settings.evidence) {
    compare_options.extrapolated.clear();
    compare_options.scales.clear();
    compare_options.regions.clear();
    compare_options.nested = compare_options.robustness = false;
    compare_options.ranking_resamples = 0;
  }
  compare_options.bootstrap = settings.bootstraps > 0;
  compare_options.resampling.replicates = settings.bootstraps;
  compare_options.resampling.seed = settings.seed;
  if (settings.resample == "residuals") {
    compare_options.resampling.resampling = fit::Resampling::kResiduals;
  }
  compare_options.draw_groups = settings.resample == "auto" || settings.resample == "groups";
  for (const char* column : {"model", "N", "D", "G", "precision"}) {
    if (result.rows.Has(column)) compare_options.together.push_back(column);
  }
  compare_options.resampled_together = GroupColumns(result.rows);
  auto comparison = compare::Compare(candidates, result.rows, compare_options);
  if (!comparison.ok()) return comparison.status();
  result.comparison = *std::move(comparison);
  if (settings.resample == "groups" && result.comparison.resampled_groups == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("bootstraps over groups need a model (or N) and a seed in every row, and at "
                     "least ",
                     compare::kLeastGroups, " groups of one model and seed"));
  }
  if (!refused.empty()) {
    for (auto& entry : refused) result.comparison.refused.push_back(std::move(entry));
    compare::Judge(&result.comparison);
  }
  NoteRows(result.comparison, settings, result.rows, &result.notes);
  result.comparison.notes.push_back(NoteOnDependence(result.comparison, settings));
  return result;
}

}  // namespace qatlas::cli
