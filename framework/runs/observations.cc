#include "framework/runs/observations.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/observe/noise.h"
#include "framework/observe/number.h"
#include "framework/observe/schema.h"
#include "framework/runs/files.h"
#include "framework/runs/records.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

using observe::kMissing;

bool OfTraining(const Plan& plan) { return plan.recipe.training.delta_of == "training"; }

absl::StatusOr<RunResult> ReadResult(const Store& store, const std::string& id) {
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, store.Result(id));
  absl::StatusOr<RunResult> result = ResultFromJson(json);
  if (result.ok()) return result;
  return absl::DataLossError(absl::StrCat((store.SegmentFolder(id) / kResultFile).string(), ": ",
                                          result.status().message()));
}

// Results of every finished run, by index.
absl::StatusOr<std::map<int, RunResult>> Results(const Plan& plan, const Store& store) {
  std::map<int, RunResult> results;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const std::string& id = plan.segments[plan.runs[i].segments.back()].spec.id;
    if (!store.Finished(id)) continue;
    QATLAS_ASSIGN_OR_RETURN(results[static_cast<int>(i)], ReadResult(store, id));
  }
  return results;
}

// D and what was trained beyond it.
double TrainedTokens(const PlannedRun& run) {
  const double per_step = static_cast<double>(run.tokens) / static_cast<double>(run.steps);
  return static_cast<double>(run.tokens) + per_step * static_cast<double>(run.extra_steps);
}

// The losses that a pair is compared by, the run's and its baseline's: of the validation sequences,
// or of the last steps that both trained in. Forked late, a run may have fewer steps of its own
// than the window of the smoothed loss wants; both end at the same step.
struct PairedLosses {
  std::vector<double> run, baseline;
};

PairedLosses LossesOfPair(const Plan& plan, int run, const std::map<int, RunResult>& results) {
  const RunResult& a = results.at(run);
  const RunResult& b = results.at(plan.runs[run].baseline);
  if (!OfTraining(plan)) return {a.per_sequence, b.per_sequence};
  const int64_t count =
      static_cast<int64_t>(std::min(a.train_losses.size(), b.train_losses.size()));
  return {{a.train_losses.end() - count, a.train_losses.end()},
          {b.train_losses.end() - count, b.train_losses.end()}};
}

// Missing where δ is of the training loss and one of the two did not train.
absl::StatusOr<observe::MeanDifference> Delta(const Plan& plan, int run,
                                              const std::map<int, RunResult>& results) {
  const int baseline = plan.runs[run].baseline;
  const PairedLosses losses = LossesOfPair(plan, run, results);
  if (OfTraining(plan) && losses.run.empty()) return observe::MeanDifference();
  absl::StatusOr<observe::MeanDifference> delta =
      observe::PairedMeanDifference(losses.run, losses.baseline);
  if (!delta.ok()) {
    return absl::Status(delta.status().code(),
                        absl::StrCat(plan.runs[run].name, " against ", plan.runs[baseline].name,
                                     ": ", delta.status().message()));
  }
  return delta;
}

// "W4A4", "W4" (inputs in full precision), "W4A4 fc2 A8"; "fp".
std::string PrecisionLabel(const recipe::SchemeVariant& scheme) {
  if (scheme.rules.empty()) return "fp";
  std::string label;
  if (scheme.weight_bits.has_value()) {
    absl::StrAppend(&label, "W", observe::FormatNumber(*scheme.weight_bits));
  }
  if (scheme.input_bits.has_value()) {
    absl::StrAppend(&label, "A", observe::FormatNumber(*scheme.input_bits));
  }
  if (scheme.fc2_input_bits.has_value()) {
    absl::StrAppend(&label, " fc2 A", observe::FormatNumber(*scheme.fc2_input_bits));
  }
  return label;
}

// What the quantizers of an operand say under `key`, where all that the test `wanted` picks by role
// say the same.
template <typename Wanted>
std::optional<double> Told(const nlohmann::json& sites, const char* operand, const char* key,
                           Wanted wanted) {
  std::optional<double> told;
  for (const nlohmann::json& site : sites) {
    if (TextAt(site, "operand") != operand || !wanted(TextAt(site, "role"))) continue;
    if (!site.contains("quantizer") || site["quantizer"].is_null()) continue;
    const double value = NumberAt(site, key);
    if (value != value || told.value_or(value) != value) return std::nullopt;
    told = value;
  }
  return told;
}

// The scheme with the labels that the recipe does not know: options of an outside quantizer may
// have any name, but the quantizer says its nominal bits and group.
recipe::SchemeVariant Labelled(recipe::SchemeVariant scheme, const nlohmann::json& sites) {
  const auto any = [](const std::string&) { return true; };
  const auto fc2 = [](const std::string& role) { return role == "fc2"; };
  const auto others = [](const std::string& role) { return role != "fc2"; };
  const std::optional<double> input = Told(sites, "input", "nominal_bits", others);
  const std::optional<double> fc2_input = Told(sites, "input", "nominal_bits", fc2);
  if (!scheme.weight_bits) scheme.weight_bits = Told(sites, "weight", "nominal_bits", any);
  if (!scheme.input_bits) scheme.input_bits = input.has_value() ? input : fc2_input;
  if (!scheme.fc2_input_bits && input && fc2_input && *input != *fc2_input) {
    scheme.fc2_input_bits = fc2_input;
  }
  if (!scheme.group) {
    std::optional<double> group = Told(sites, "weight", "nominal_group", any);
    if (!group) group = Told(sites, "input", "nominal_group", any);
    if (group) scheme.group = static_cast<int64_t>(*group);
  }
  return scheme;
}

std::string Granularity(const recipe::SchemeVariant& scheme) {
  if (scheme.granularity.empty() || scheme.granularity.rfind("per-", 0) == 0) {
    return scheme.granularity;
  }
  return absl::StrCat("per-", scheme.granularity);
}

// Elements that share a scale. A group of 0 covers what depends on the linear, the features of its
// reduction, or all of its weights where they have one scale: the mean over the quantized linears,
// each counted with its number of weights. Missing where the sites are not known, and for inputs
// with one scale, of which a batch decides how many share it.
double GroupOf(const recipe::SchemeVariant& scheme, const Description& description) {
  if (!scheme.group.has_value()) return kMissing;
  if (*scheme.group > 0) return static_cast<double>(*scheme.group);
  const bool weights = scheme.weight_bits.has_value();
  const std::string granularity = Granularity(scheme);  // of weights first: "per-tensor+token"
  const bool tensor = granularity.substr(0, granularity.find('+')) == "per-tensor";
  if (tensor && !weights) return kMissing;
  double sum = 0, count = 0;
  for (const nlohmann::json& site : description.sites) {
    if (TextAt(site, "operand") != (weights ? "weight" : "input")) continue;
    if (!site.contains("quantizer") || site["quantizer"].is_null()) continue;
    const double features = NumberAt(site, "in_features");
    const double elements = features * NumberAt(site, "out_features");
    sum += (tensor ? elements : features) * elements;
    count += elements;
  }
  return count > 0 ? sum / count : kMissing;
}

double OrMissing(const std::optional<double>& value) { return value.value_or(kMissing); }

bool HasPair(const Plan& plan, int run, const std::map<int, RunResult>& results) {
  const int baseline = plan.runs[run].baseline;
  return baseline >= 0 && results.count(run) != 0 && results.count(baseline) != 0;
}

}  // namespace

std::string RunStatusText(const Plan& plan, const Store& store, int run) {
  const std::vector<int>& path = plan.runs[run].segments;
  const std::string& last = plan.segments[path.back()].spec.id;
  if (store.Finished(last)) return "done";
  for (int segment : path) {
    const std::string& id = plan.segments[segment].spec.id;
    if (store.Finished(id)) continue;
    const std::optional<Failure> failure = store.ReadFailure(id);
    if (!failure.has_value()) continue;
    return absl::StrCat("failed: ", failure->Show());
  }
  return "missing";
}

absl::StatusOr<observe::Table> GatherObservations(const Plan& plan, const Store& store) {
  QATLAS_ASSIGN_OR_RETURN(const auto results, Results(plan, store));
  observe::Table table = observe::EmptyObservations();
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const Description& description = plan.segments[run.segments.back()].description;
    const recipe::SchemeVariant scheme =
        Labelled(plan.recipe.schemes[run.request.scheme], description.sites);
    const bool quantized = !scheme.rules.empty();
    observe::Table::Row row = {
        {"run", run.name},
        {"model", plan.recipe.models[run.request.model].name},
        {"D", static_cast<double>(run.tokens)},
        {"scheme", quantized ? scheme.name : observe::kSchemeFullPrecision},
        {"precision", PrecisionLabel(scheme)},
        {"part", quantized ? scheme.part : observe::kPartNone},
        {"seed", static_cast<double>(run.request.seed)},
        {"status", RunStatusText(plan, store, static_cast<int>(i))},
        {"label", scheme.label},
        {"grid", run.request.grid},
    };
    auto number = [&](const char* name, double value) { row.push_back({name, value}); };
    number("weight_bits", OrMissing(scheme.weight_bits));
    number("input_bits", OrMissing(scheme.input_bits));
    number("fc2_input_bits", scheme.fc2_input_bits.has_value() ? *scheme.fc2_input_bits
                                                               : OrMissing(scheme.input_bits));
    if (!scheme.options.empty()) row.push_back({"options", scheme.options});
    if (quantized) {
      number("G", GroupOf(scheme, description));
      // One division, so that a fifth is written as .2.
      const int64_t steps = run.steps + run.extra_steps;
      number("qat_fraction",
             static_cast<double>(steps - run.quantized_from) / static_cast<double>(steps));
      row.push_back({"granularity", Granularity(scheme)});
      row.push_back({"quantizer", scheme.quantizer});
      if (run.baseline >= 0) row.push_back({"baseline", plan.runs[run.baseline].name});
    }
    if (const auto found = results.find(static_cast<int>(i)); found != results.end()) {
      const RunResult& result = found->second;
      number("N", result.parameters);
      number("N_total", result.all_parameters);
      number("loss", result.loss);
      number("loss_se", result.loss_se);
      number("train_loss", result.train_loss);
      number("flops", result.flops_per_token * TrainedTokens(run));
    } else if (description.block_linears > 0) {
      number("N", static_cast<double>(description.block_linears));
      number("N_total", static_cast<double>(description.total));
    }
    if (HasPair(plan, static_cast<int>(i), results)) {
      QATLAS_ASSIGN_OR_RETURN(const observe::MeanDifference delta,
                              Delta(plan, static_cast<int>(i), results));
      number("delta", delta.mean);
      number("delta_se", delta.standard_error);
      row.push_back({"delta_of", plan.recipe.training.delta_of});
    }
    QATLAS_RETURN_IF_ERROR(table.Append(row));
  }
  return table;
}

absl::StatusOr<std::vector<PairDifference>> GatherPairs(const Plan& plan, const Store& store) {
  QATLAS_ASSIGN_OR_RETURN(const auto results, Results(plan, store));
  std::vector<PairDifference> pairs;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const int run = static_cast<int>(i);
    if (!HasPair(plan, run, results)) continue;
    QATLAS_ASSIGN_OR_RETURN(const observe::MeanDifference delta, Delta(plan, run, results));
    PairDifference pair;
    pair.run = plan.runs[i].name;
    pair.baseline = plan.runs[plan.runs[i].baseline].name;
    pair.delta = delta.mean;
    pair.delta_se = delta.standard_error;
    const PairedLosses losses = LossesOfPair(plan, run, results);
    if (losses.run.empty()) continue;
    for (size_t s = 0; s < losses.run.size(); ++s) {
      pair.differences.push_back(losses.run[s] - losses.baseline[s]);
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

absl::StatusOr<std::vector<std::string>> RunsWithoutLearning(const Plan& plan, const Store& store) {
  constexpr double kMargin = .05;  // nats
  std::vector<std::string> names;
  if (!plan.data.info.has_value()) return names;
  QATLAS_ASSIGN_OR_RETURN(const auto results, Results(plan, store));
  for (const auto& [run, result] : results) {
    if (result.loss > plan.data.info->unigram_entropy - kMargin) {
      names.push_back(plan.runs[run].name);
    }
  }
  return names;
}

absl::StatusOr<nlohmann::ordered_json> GatherSites(const Plan& plan, const Store& store) {
  nlohmann::ordered_json sites = nlohmann::ordered_json::object();
  for (const PlannedRun& run : plan.runs) {
    const std::string& id = plan.segments[run.segments.back()].spec.id;
    std::error_code error;
    const std::filesystem::path path = store.SegmentFolder(id) / kSitesFile;
    if (!store.Finished(id) || !std::filesystem::exists(path, error)) continue;
    QATLAS_ASSIGN_OR_RETURN(nlohmann::json json, ReadJson(path));
    sites[run.name] = std::move(json);
  }
  return sites;
}

}  // namespace qatlas::runs
