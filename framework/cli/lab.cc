#include "framework/cli/lab.h"

#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/observe/csv.h"
#include "framework/observe/expression.h"
#include "framework/observe/import.h"
#include "framework/observe/pairs.h"
#include "framework/observe/schema.h"
#include "framework/plugin/loader.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

bool FullPrecision(const observe::Table& table, size_t row) {
  const absl::string_view part = table.TextAt(row, "part");
  if (!part.empty()) return part == observe::kPartNone;
  const absl::string_view scheme = table.TextAt(row, "scheme");
  return scheme.empty() || scheme == observe::kSchemeFullPrecision;
}

absl::StatusOr<observe::Table> Rows(const observe::Table& table, const LabSettings& settings,
                                    std::vector<std::string>* notes) {
  observe::Table chosen = table;
  if (!settings.where.empty()) {
    observe::ImportSpec spec;
    spec.where = settings.where;
    spec.keep_others = true;
    auto filtered = observe::Import(table, spec);
    if (!filtered.ok()) return filtered.status();
    chosen = *std::move(filtered);
  }
  if (!chosen.Has(settings.target)) return chosen.NoSuchColumn(settings.target);
  const bool of_delta = settings.target == kTargetDelta;
  const bool of_loss = settings.target == kTargetLoss;
  const bool has_kind = chosen.Has("part") || chosen.Has("scheme");
  size_t without = 0;
  size_t other = 0;
  observe::Table rows = chosen.Filter([&](size_t row) {
    if (settings.where.empty() && has_kind) {
      const absl::string_view part = chosen.TextAt(row, "part");
      const bool wanted = of_delta  ? part.empty() || part == observe::kPartBoth
                          : of_loss ? FullPrecision(chosen, row)
                                    : true;
      if (!wanted) {
        ++other;
        return false;
      }
    }
    if (std::isfinite(chosen.NumberAt(row, settings.target))) return true;
    // A full-precision row has no δ; that is no loss.
    if (!of_delta || !FullPrecision(chosen, row)) ++without;
    return false;
  });
  if (without > 0) {
    notes->push_back(absl::StrCat(without, " rows without a ", settings.target, " were left out."));
  }
  if (rows.rows() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no row has a ", settings.target,
                     of_delta ? "; δ needs pairs of a quantized and a full-precision row of the "
                                "same model, D and seed"
                              : "",
                     other > 0 ? absl::StrCat("; ", other, " rows are of another kind") : ""));
  }
  return rows;
}

absl::StatusOr<std::shared_ptr<const LawForm>> Create(Session& session, const std::string& name) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  auto form = plugin::Create<LawForm>(**catalog, name);
  if (!form.ok()) return form.status();
  return std::shared_ptr<const LawForm>(*std::move(form));
}

absl::StatusOr<fit::ProblemOptions> Problem(const LabSettings& settings) {
  fit::ProblemOptions options;
  auto loss = fit::LossByName(settings.loss);
  if (!loss.ok()) return loss.status();
  options.loss = *loss;
  if (settings.huber_delta > 0) options.loss.delta = settings.huber_delta;
  auto non_positive = fit::NonPositiveByName(settings.non_positive);
  if (!non_positive.ok()) return non_positive.status();
  options.non_positive = *non_positive;
  options.noise = settings.noise;
  options.fixed = settings.fixed;
  return options;
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
  auto form = Create(session, settings.full_precision);
  if (!form.ok()) return form.status();
  LabSettings loss = settings;
  loss.target = kTargetLoss;
  loss.where.clear();
  std::vector<std::string> notes;
  auto rows = Rows(table, loss, &notes);
  if (!rows.ok()) return rows.status();
  auto options = Problem(loss);
  if (!options.ok()) return options.status();
  options->fixed.clear();
  options->noise.clear();
  auto problem = fit::Problem::Create(*form, settings.full_precision, *rows, *options);
  if (!problem.ok()) return problem.status();
  return fit::Fit(*problem);
}

}  // namespace

std::string TitleOfTarget(const std::string& target) {
  if (target == kTargetDelta) return "Which law describes δ";
  if (target == kTargetLoss) return "Which law describes the full-precision loss";
  return absl::StrCat("Which law describes ", target);
}

absl::StatusOr<observe::Table> ReadObservations(const std::string& path,
                                                const std::vector<std::string>& mapping,
                                                std::vector<std::string>* notes) {
  absl::StatusOr<observe::Table> table = absl::UnknownError("");
  if (mapping.empty()) {
    table = observe::ReadTable(path);
  } else {
    auto spec = observe::ParseImportSpec(mapping);
    if (!spec.ok()) return spec.status();
    table = observe::ImportFile(path, *spec);
  }
  if (!table.ok()) return table.status();
  const bool can_pair = table->Has("loss") && (table->Has("scheme") || table->Has("part"));
  if (!can_pair) return table;
  auto pairing = observe::PairRuns(*table);
  if (!pairing.ok()) return pairing.status();
  if (!pairing->unpaired.empty()) {
    notes->push_back(absl::StrCat(
        pairing->unpaired.size(),
        " rows have no full-precision pair; the first: ", pairing->unpaired.front().reason));
  }
  return std::move(pairing->table);
}

absl::StatusOr<LabResult> RunLab(Session& session, const observe::Table& table,
                                 const LabSettings& settings) {
  LabResult result;
  result.settings = settings;
  auto rows = Rows(table, settings, &result.notes);
  if (!rows.ok()) return rows.status();
  result.rows = *std::move(rows);
  auto options = Problem(settings);
  if (!options.ok()) return options.status();

  std::vector<compare::Candidate> candidates;
  std::vector<std::pair<std::string, std::string>> refused;
  absl::StatusOr<fit::FitResult> full_precision = absl::NotFoundError("");
  bool tried_full_precision = false;
  for (const std::string& law : settings.laws) {
    auto form = Create(session, law);
    if (!form.ok()) return form.status();
    compare::Candidate candidate{law, *form, *options};
    const std::string& target = (*form)->Spec().target;
    if (target == kTargetLoss && settings.target == kTargetDelta) {
      if (!tried_full_precision) {
        full_precision = FitFullPrecision(session, table, settings);
        tried_full_precision = true;
      }
      if (!full_precision.ok()) {
        refused.emplace_back(law, std::string(full_precision.status().message()));
        continue;
      }
      auto delta = compare::DeltaFromLoss(*form, full_precision->problem->shared_form(),
                                          full_precision->values);
      if (!delta.ok()) return delta.status();
      candidate.form = *delta;
      for (const auto& [name, value] : compare::FixedFrom(*full_precision, **form)) {
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
  compare_options.seed = settings.seed;
  compare_options.bootstrap = settings.bootstraps > 0;
  compare_options.resampling.replicates = settings.bootstraps;
  compare_options.resampling.seed = settings.seed;
  for (const char* column : {"model", "N", "D", "G", "precision"}) {
    if (result.rows.Has(column)) compare_options.together.push_back(column);
  }
  auto comparison = compare::Compare(candidates, result.rows, compare_options);
  if (!comparison.ok()) return comparison.status();
  result.comparison = *std::move(comparison);
  for (auto& entry : refused) result.comparison.refused.push_back(std::move(entry));
  return result;
}

}  // namespace qatlas::cli
