#include "framework/fit/stages.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/observe/quantized.h"

namespace qatlas::fit {
namespace {

// Which stage a parameter of the composed form belongs to, and its name there.
struct StageName {
  bool of_delta;
  std::string name;
};

// "delta_k[W4A4]" -> {true, "k[W4A4]"}. The name must be one of the form's.
StageName InStage(const forms::Composed& form, const std::string& name) {
  const std::string base = name.substr(0, name.find('['));
  const std::string category = name.substr(base.size());
  const size_t index = form.Spec().ParameterIndex(base);
  if (index < form.BaseParameters()) return {false, name};
  const LawParameter& own = form.delta()->Spec().parameters[index - form.BaseParameters()];
  return {true, absl::StrCat(own.name, category)};
}

absl::Status AtStage(const absl::Status& status, const char* stage) {
  return absl::Status(status.code(), absl::StrCat(stage, ": ", status.message()));
}

class Stager {
 public:
  Stager(const forms::Composed& form, const std::string& name, const StageOptions& options)
      : form_(form), name_(name), options_(options) {}

  // Divides fixed, tied and per among the stages.
  absl::Status Divide() {
    base_ = options_.problem;
    base_.fixed.clear();
    base_.tied.clear();
    base_.per.clear();
    delta_ = base_;
    delta_.target = options_.delta;
    delta_.weight = options_.delta_weight;
    delta_.noise = options_.delta_noise;
    delta_.loss = options_.delta_loss;
    delta_.non_positive = options_.delta_non_positive;
    for (const auto& [name, value] : options_.problem.fixed) {
      QATLAS_RETURN_IF_ERROR(CheckName(name));
      const StageName own = InStage(form_, name);
      Of(own).fixed[own.name] = value;
    }
    for (const auto& [name, columns] : options_.problem.per) {
      QATLAS_RETURN_IF_ERROR(CheckName(name));
      const StageName own = InStage(form_, name);
      Of(own).per[own.name] = columns;
    }
    for (const auto& [name, to] : options_.problem.tied) {
      QATLAS_RETURN_IF_ERROR(CheckName(name));
      QATLAS_RETURN_IF_ERROR(CheckName(to));
      const StageName own = InStage(form_, name), other = InStage(form_, to);
      if (own.of_delta != other.of_delta) {
        return absl::InvalidArgumentError(absl::StrCat("cannot fit '", name_, "' in stages: '",
                                                       name, "' is tied to '", to,
                                                       "' of the other stage; fit both at once"));
      }
      Of(own).tied[own.name] = other.name;
    }
    return absl::OkStatus();
  }

  const ProblemOptions& base() const { return base_; }
  const ProblemOptions& delta() const { return delta_; }

  // Fills fit->combined from the stages.
  absl::Status Combine(std::shared_ptr<const forms::Composed> form, const observe::Table& rows,
                       StagedFit* fit) const {
    auto free = Problem::Create(form, name_, rows, options_.problem);
    if (!free.ok()) return AtStage(free.status(), "both stages together");
    // The values found, held: nothing is searched, and everything is computed as for any fit.
    ProblemOptions held = options_.problem;
    held.tied.clear();
    std::vector<std::pair<const FitResult*, const Estimate*>> found;
    for (const Parameter& parameter : free->parameters()) {
      const StageName own = InStage(form_, parameter.name);
      const FitResult& stage = own.of_delta ? fit->delta : fit->base;
      const auto estimate = std::find_if(stage.estimates.begin(), stage.estimates.end(),
                                         [&](const Estimate& e) { return e.name == own.name; });
      if (estimate != stage.estimates.end()) {
        held.fixed[parameter.name] = estimate->value;
        found.emplace_back(&stage, &*estimate);
      } else if (parameter.coordinate < 0) {
        found.emplace_back(nullptr, nullptr);
      } else {
        return absl::InvalidArgumentError(absl::StrCat(
            "cannot fit '", name_, "' in stages: quantized rows need '", parameter.name,
            "', which no ", own.of_delta ? "pair" : "row of full precision", " can tell"));
      }
    }
    QATLAS_ASSIGN_OR_RETURN(const Problem fixed, Problem::Create(form, name_, rows, held));
    QATLAS_ASSIGN_OR_RETURN(fit->combined, Fit(fixed, options_.fit));
    FitResult& combined = fit->combined;
    combined.problem = std::make_shared<const Problem>(*std::move(free));
    combined.coordinates = combined.problem->Coordinates(combined.values);
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i].second == nullptr) continue;
      Estimate estimate = *found[i].second;
      estimate.name = combined.estimates[i].name;
      estimate.parameter = combined.estimates[i].parameter;
      combined.estimates[i] = std::move(estimate);
    }
    FillCovariance(found, fit);
    Judge(fit);
    return absl::OkStatus();
  }

 private:
  ProblemOptions& Of(const StageName& own) { return own.of_delta ? delta_ : base_; }

  absl::Status CheckName(const std::string& name) const {
    if (form_.Spec().ParameterIndex(name.substr(0, name.find('['))) >= 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("cannot fit '", name_, "' in stages: it has no parameter '", name, "'"));
  }

  // Blocks of the two stages; empty where a stage has none.
  static void FillCovariance(const std::vector<std::pair<const FitResult*, const Estimate*>>& found,
                             StagedFit* fit) {
    FitResult& combined = fit->combined;
    const Problem& problem = *combined.problem;
    const int m = problem.coordinates();
    combined.covariance.clear();
    const auto lacks = [](const FitResult& stage) {
      return stage.problem->coordinates() > 0 && stage.covariance.empty();
    };
    if (m == 0 || lacks(fit->base) || lacks(fit->delta)) return;
    struct Place {
      const FitResult* stage;
      int coordinate;
    };
    std::vector<Place> places(m, {nullptr, -1});
    for (size_t i = 0; i < found.size(); ++i) {
      const int c = problem.parameters()[i].coordinate;
      if (c < 0 || found[i].first == nullptr) continue;
      const FitResult* stage = found[i].first;
      const auto index = found[i].second - stage->estimates.data();
      places[c] = {stage, stage->problem->parameters()[index].coordinate};
    }
    combined.covariance.assign(static_cast<size_t>(m) * m, 0.0);
    for (int a = 0; a < m; ++a) {
      for (int b = 0; b < m; ++b) {
        const Place p = places[a], q = places[b];
        if (p.stage != q.stage || p.coordinate < 0 || q.coordinate < 0) continue;
        const int own = p.stage->problem->coordinates();
        combined.covariance[a * m + b] = p.stage->covariance[p.coordinate * own + q.coordinate];
      }
    }
  }

  static void Judge(StagedFit* fit) {
    FitResult& combined = fit->combined;
    combined.starts = combined.searched = combined.agreeing = combined.failed = 0;
    combined.iterations = 0;
    combined.converged = fit->base.converged && fit->delta.converged;
    combined.identifiability = {};
    combined.notes.clear();
    for (const auto& [stage, what] :
         {std::pair{&fit->base, "The base"}, std::pair{&fit->delta, "δ"}}) {
      const Identifiability& own = stage->identifiability;
      combined.identifiability.condition =
          std::max(combined.identifiability.condition, own.condition);
      if (!own.identifiable && combined.identifiability.identifiable) {
        combined.identifiability = own;
        combined.identifiability.reason = absl::StrCat(what, ": ", own.reason);
      }
      for (const std::string& note : stage->notes) {
        combined.notes.push_back(absl::StrCat(what, ": ", note));
      }
    }
    combined.notes.push_back(
        "Fitted in two stages, the base on runs of full precision and δ on pairs; the errors of "
        "the "
        "two are taken as independent.");
  }

  const forms::Composed& form_;
  const std::string& name_;
  const StageOptions& options_;
  ProblemOptions base_, delta_;
};

}  // namespace

absl::StatusOr<StagedFit> FitInStages(std::shared_ptr<const forms::Composed> form,
                                      const std::string& name, const observe::Table& table,
                                      const StageOptions& options) {
  Stager stager(*form, name, options);
  QATLAS_RETURN_IF_ERROR(stager.Divide());
  QATLAS_ASSIGN_OR_RETURN(const std::vector<double> quantized,
                          observe::QuantizedRows(table, options.problem.columns));
  QATLAS_ASSIGN_OR_RETURN(const absl::Span<const double> delta, table.Numbers(options.delta));
  const std::string& target =
      options.problem.target.empty() ? form->Spec().target : options.problem.target;
  QATLAS_ASSIGN_OR_RETURN(const absl::Span<const double> loss, table.Numbers(target));
  std::vector<size_t> full, pairs, both;
  size_t unpaired = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    if (quantized[row] == 0) {
      full.push_back(row);
    } else if (std::isnan(delta[row])) {
      ++unpaired;
      continue;
    } else {
      pairs.push_back(row);
    }
    if (!std::isnan(loss[row])) both.push_back(row);
  }
  if (full.empty() || pairs.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot fit '", name, "' in stages: ", full.size(), " rows are of full precision and ",
        pairs.size(), " quantized rows have a ", options.delta, "; both are needed"));
  }
  StagedFit fit;
  const auto stage = [&](const std::shared_ptr<const LawForm>& law, const char* what,
                         const std::vector<size_t>& rows,
                         const ProblemOptions& posed) -> absl::StatusOr<FitResult> {
    const auto problem = Problem::Create(law, name, table.Take(rows), posed);
    if (!problem.ok()) return AtStage(problem.status(), what);
    auto result = Fit(*problem, options.fit);
    return result.ok() ? std::move(result) : AtStage(result.status(), what);
  };
  QATLAS_ASSIGN_OR_RETURN(
      fit.base, stage(form->base(), "the base on rows of full precision", full, stager.base()));
  QATLAS_ASSIGN_OR_RETURN(fit.delta, stage(form->delta(), "δ on pairs", pairs, stager.delta()));
  QATLAS_RETURN_IF_ERROR(stager.Combine(form, table.Take(both), &fit));
  if (unpaired > 0) {
    fit.combined.notes.push_back(
        absl::StrCat(unpaired, " quantized rows without a ", options.delta, " were left out."));
  }
  return fit;
}

}  // namespace qatlas::fit
