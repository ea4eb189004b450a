#include "framework/fit/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/fit/identify.h"
#include "framework/fit/local.h"
#include "framework/fit/search.h"
#include "framework/fit/uncertainty.h"

namespace qatlas::fit {
namespace {

// How often a lower optimum that a profile found is followed.
constexpr int kMostRestarts = 3;

void FillEstimates(FitResult* result) {
  const Problem& problem = *result->problem;
  const LawSpec& spec = problem.form().Spec();
  for (size_t i = 0; i < result->values.size(); ++i) {
    const Parameter& parameter = problem.parameters()[i];
    const LawParameter& law = spec.parameters[parameter.base];
    Estimate estimate;
    estimate.name = parameter.name;
    estimate.parameter = law.name;
    estimate.category = parameter.category;
    estimate.meaning = law.meaning;
    estimate.unit = law.unit;
    estimate.value = result->values[i];
    estimate.fixed = parameter.coordinate < 0;
    estimate.log = parameter.log;
    result->estimates.push_back(std::move(estimate));
  }
}

void FillErrors(FitResult* result) {
  const Problem& problem = *result->problem;
  const int64_t n = problem.rows();
  std::vector<double> scratch;
  result->prediction.resize(n);
  problem.Evaluate(result->values, result->prediction.data(), nullptr, n, &scratch);
  result->residual.resize(n);
  double mean = 0;
  for (double y : problem.target()) mean += y / static_cast<double>(n);
  double squares = 0;
  double total = 0;
  double relative = 0;
  int64_t nonzero = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double y = problem.target()[i];
    const double r = result->residual[i] = y - result->prediction[i];
    squares += r * r;
    total += (y - mean) * (y - mean);
    if (y != 0) {
      relative += std::abs(r / y);
      ++nonzero;
    }
  }
  // Targets that are all the same leave nothing to explain.
  result->r_squared = total > 0 ? 1 - squares / total : (squares == 0 ? 1 : 0);
  result->rmse = std::sqrt(squares / static_cast<double>(n));
  result->mean_relative_error = nonzero > 0 ? relative / static_cast<double>(nonzero) : 0;
}

void FillNotes(FitResult* result) {
  const Problem& problem = *result->problem;
  if (problem.dropped() > 0) {
    result->notes.push_back(absl::StrCat(problem.dropped(), " rows with ", problem.target_name(),
                                         " of 0 or less were left out, since the loss takes "
                                         "logarithms; that biases the fit upwards."));
  }
  if (problem.loss().space != problem.options().loss.space) {
    result->notes.push_back(absl::StrCat(
        "Some ", problem.target_name(),
        " are 0 or less, so the loss is taken on the target itself and not on its logarithm "
        "(non-positive = linear; drop and refuse are the other choices)."));
  }
  if (problem.loss().shape != problem.options().loss.shape) {
    result->notes.push_back(absl::StrCat("The likelihood of ", problem.options().loss.Name(),
                                         " has no maximum with ", problem.rows(), " runs for ",
                                         problem.coordinates(), " free parameters; the fit is by ",
                                         problem.loss().Name(), "."));
  }
  std::vector<std::string> unused;
  std::vector<std::string> lacking;
  const LawSpec& spec = problem.form().Spec();
  for (const Parameter& parameter : problem.parameters()) {
    if (!parameter.unused) continue;
    const std::string& with = spec.parameters[parameter.base].only_with;
    unused.push_back(parameter.name);
    if (std::find(lacking.begin(), lacking.end(), with) == lacking.end()) lacking.push_back(with);
  }
  if (!unused.empty()) {
    result->notes.push_back(absl::StrCat(
        "No run has ", absl::StrJoin(lacking, " or "), ", so ", absl::StrJoin(unused, ", "), " ",
        unused.size() > 1 ? "are" : "is", " left out of the fit; the value shown means nothing."));
  }
  if (result->agreeing == 1 && result->searched > 1 && result->searched < result->starts) {
    result->notes.push_back(
        absl::StrCat("Only one of ", result->searched,
                     " searches ended at the best optimum; a search of more of the ",
                     result->starts, " starts may find a better one."));
  }
  if (!result->converged) {
    result->notes.push_back("The best search ended before it met its tolerance.");
  }
  if (!result->identifiability.identifiable) {
    result->notes.push_back(
        absl::StrCat("Not identifiable: ", result->identifiability.reason, "."));
  }
}

// What a search has found, without its uncertainty.
void Describe(const Refit& found, FitResult* result) {
  result->coordinates = found.coordinates;
  result->objective = found.objective;
  result->iterations = found.iterations;
  result->converged = found.converged || result->problem->coordinates() == 0;
  result->values = result->problem->Values(result->coordinates);
  result->identifiability = {};
  result->covariance.clear();
  result->model_covariance.clear();
  result->leverage.clear();
  result->notes.clear();
  result->estimates.clear();
  FillEstimates(result);
  FillErrors(result);
}

}  // namespace

Refit FitFrom(const Problem& problem, absl::Span<const double> coordinates,
              const FitOptions& options) {
  LocalSearcher searcher(problem, options);
  return searcher.Run(coordinates, options.local);
}

absl::StatusOr<FitResult> Fit(const Problem& given, const FitOptions& options) {
  FitResult result;
  result.form = given.form_name();
  result.problem = std::make_shared<const Problem>(given);
  const Problem& problem = *result.problem;
  const MultiStart multi = SearchStarts(problem, options);
  const std::vector<Refit>& searches = multi.searches;
  const auto best =
      std::min_element(searches.begin(), searches.end(),
                       [](const Refit& a, const Refit& b) { return a.objective < b.objective; });
  if (!std::isfinite(best->objective)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "'", problem.form_name(), "' has no finite objective at any of ", searches.size(),
        " starts; are the units of the covariates those of the form?"));
  }
  result.starts = static_cast<int>(multi.starts);
  result.optima = multi.optima;
  result.stopped_early = multi.stopped_early;
  result.searched = static_cast<int>(searches.size());
  const double floor = RoundingFloor(problem);
  for (const Refit& search : searches) {
    if (!std::isfinite(search.objective)) ++result.failed;
  }
  Refit found = *best;
  for (int again = 0;; ++again) {
    Describe(found, &result);
    const std::optional<Refit> better = FillUncertainty(options, &result);
    if (!better || again == kMostRestarts) break;
    // A profile has come upon a lower optimum than all starts.
    const Refit refit = FitFrom(problem, better->coordinates, options);
    if (!(refit.objective < found.objective)) break;
    found = refit;
  }
  result.agreeing = 0;
  for (const Refit& search : searches) {
    if (Agrees(search.objective, found.objective, floor)) ++result.agreeing;
  }
  JudgeOtherOptima(searches, options.level, &result);
  FillNotes(&result);
  return result;
}

}  // namespace qatlas::fit
