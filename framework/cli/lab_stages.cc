#include "framework/cli/lab_stages.h"

#include <memory>
#include <utility>

#include "absl/algorithm/container.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/lab_rows.h"
#include "framework/forms/compose.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

absl::Status CheckTarget(const LabSettings& settings) {
  if (settings.target == kTargetLoss) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a fit in stages is of the loss: give the target loss and the sum of a law of the loss and "
      "one of delta");
}

struct SplitLaw {
  LabLaw whole;
  forms::LawRequest base, delta;
};

absl::StatusOr<std::vector<SplitLaw>> Split(Session& session, const LabSettings& settings,
                                            const observe::Table& table) {
  if (absl::Status status = CheckTarget(settings); !status.ok()) return status;
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  auto laws = MakeLaws(session, settings, table);
  if (!laws.ok()) return laws.status();
  std::vector<SplitLaw> split;
  for (LabLaw& law : *laws) {
    auto parts = forms::SplitSum(law.request, **catalog);
    if (!parts.ok()) return parts.status();
    split.push_back({std::move(law), std::move(parts->first), std::move(parts->second)});
  }
  return split;
}

absl::StatusOr<std::vector<LabSettings>> ComparisonsOfStages(Session& session,
                                                             const LabSettings& settings,
                                                             const observe::Table& table) {
  auto split = Split(session, settings, table);
  if (!split.ok()) return split.status();
  LabSettings base = settings;
  base.stages = false;
  base.laws.clear();
  base.requests.clear();
  // What was said of parameters is in the requests.
  base.fixed.clear();
  base.tied.clear();
  base.per.clear();
  base.overrides = {};
  LabSettings delta = base;
  base.name += "-base";
  delta.name += "-delta";
  delta.target = kTargetDelta;
  if (!delta.noise.empty()) delta.noise = "delta_se";
  const auto add = [](const forms::LawRequest& law, LabSettings* to) {
    if (absl::c_linear_search(to->laws, law.name)) return;
    to->laws.push_back(law.name);
    to->requests.push_back(law);
  };
  for (const SplitLaw& law : *split) {
    add(law.base, &base);
    add(law.delta, &delta);
  }
  return std::vector<LabSettings>{std::move(base), std::move(delta)};
}

}  // namespace

absl::StatusOr<std::vector<StagedLaw>> RunStages(Session& session, const observe::Table& table,
                                                 const LabSettings& settings) {
  auto split = Split(session, settings, table);
  if (!split.ok()) return split.status();
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  auto problem = ProblemOptionsOf(settings);
  if (!problem.ok()) return problem.status();
  auto search = FitOptionsOf(settings);
  if (!search.ok()) return search.status();
  std::vector<StagedLaw> staged;
  for (const SplitLaw& law : *split) {
    StagedLaw result;
    result.name = law.whole.law.name;
    result.text = law.whole.text;
    auto rows = ChooseRows(table, settings.target, settings.where, &result.notes, true);
    if (!rows.ok()) return rows.status();
    auto base = forms::MakeLaw(law.base, **catalog);
    if (!base.ok()) return base.status();
    auto delta = forms::MakeLaw(law.delta, **catalog);
    if (!delta.ok()) return delta.status();
    auto sum = forms::Compose(base->form, delta->form);
    if (!sum.ok()) return sum.status();
    fit::StageOptions options;
    options.problem = *problem;
    options.problem.fixed = law.whole.law.fixed;
    options.problem.tied = law.whole.law.tied;
    options.problem.per = law.whole.law.per;
    options.delta_loss = problem->loss;
    options.delta_non_positive = problem->non_positive;
    options.delta_weight = settings.weight;
    if (!settings.noise.empty()) options.delta_noise = "delta_se";
    options.fit = *search;
    auto fit = fit::FitInStages(*sum, result.name, *rows, options);
    if (!fit.ok()) return fit.status();
    result.fit = *std::move(fit);
    result.rows = *std::move(rows);
    staged.push_back(std::move(result));
  }
  return staged;
}

absl::StatusOr<std::vector<LabSettings>> StagesApart(Session& session,
                                                     const std::vector<LabSettings>& fits,
                                                     const observe::Table& table) {
  std::vector<LabSettings> apart;
  for (const LabSettings& settings : fits) {
    if (!settings.stages) {
      apart.push_back(settings);
      continue;
    }
    auto stages = ComparisonsOfStages(session, settings, table);
    if (!stages.ok()) return stages.status();
    apart.insert(apart.end(), stages->begin(), stages->end());
  }
  return apart;
}

}  // namespace qatlas::cli
