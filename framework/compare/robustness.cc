#include "framework/compare/robustness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

using fit::kNan;
// A density whose best AICc lies further than this above the best is refuted by the residuals.
constexpr double kPlausible = 10;
// Rows times forms times resamples: about a second.
constexpr double kResampleWork = 3e8;
constexpr int kLeastResamples = 100;

const char* SpaceName(fit::Space space) { return space == fit::Space::kLog ? "log " : ""; }

void Finish(const Examined& examined, Variant* variant) {
  const int first = Lowest(variant->aicc);
  variant->first = first < 0 ? "" : (*examined.ranking)[first].name;
  variant->gap = GapAt(variant->aicc, 0);
  variant->flips = first > 0;
}

double AiccUnder(const Examined& examined, size_t form, const fit::ProblemOptions& options,
                 NoiseModel model, bool from_optimum) {
  const Ranked& ranked = (*examined.ranking)[form];
  const Candidate& candidate = *examined.candidates[form];
  auto problem = fit::Problem::Create(candidate.form, candidate.name, *examined.table, options);
  if (!problem.ok()) return kNan;
  std::vector<std::vector<double>> starts;
  if (from_optimum) {
    starts = {ranked.likelihood.coordinates, ranked.fit.coordinates};
  } else {
    auto fitted = fit::Fit(*problem, examined.fit);
    if (!fitted.ok()) return kNan;
    starts = {fitted->coordinates};
  }
  const auto likelihood = Maximize(*problem, starts, model, examined.fit);
  if (!likelihood.ok() || !likelihood->maximum) return kNan;
  return Aicc(likelihood->log_likelihood, ranked.parameters, problem->rows());
}

}  // namespace

int Lowest(const std::vector<double>& values) {
  int best = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    if (best < 0 || values[i] < values[best]) best = static_cast<int>(i);
  }
  return best;
}

double GapAt(const std::vector<double>& values, size_t first) {
  double other = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < values.size(); ++i) {
    if (i != first && std::isfinite(values[i])) other = std::min(other, values[i]);
  }
  return other - values[first];
}

std::vector<Variant> VaryLoss(const Examined& examined, std::vector<std::string>* notes) {
  const std::vector<Ranked>& ranking = *examined.ranking;
  const fit::Space own = ranking[0].fit.problem->loss().space;
  const bool one_space = std::all_of(ranking.begin(), ranking.end(), [&](const Ranked& form) {
    return form.fit.problem->loss().space == own;
  });
  bool positive = true;
  for (double y : ranking[0].fit.problem->target()) positive = positive && y > 0;
  double best = one_space ? ranking[0].aicc : std::numeric_limits<double>::infinity();
  std::vector<Variant> variants;
  for (fit::Space space : {fit::Space::kLog, fit::Space::kLinear}) {
    if (space == fit::Space::kLog && !positive) continue;
    for (NoiseModel model : {NoiseModel::kGaussian, NoiseModel::kHuber, NoiseModel::kStudentT}) {
      if (one_space && space == own && model == ranking[0].likelihood.model) continue;
      Variant variant;
      variant.what = absl::StrCat(SpaceName(space),
                                  model == NoiseModel::kGaussian ? "least squares" : Name(model));
      for (size_t form = 0; form < ranking.size(); ++form) {
        fit::ProblemOptions options = examined.candidates[form]->problem;
        options.loss = {space, fit::Shape::kSquare};
        variant.aicc.push_back(AiccUnder(examined, form, options, model, true));
      }
      Finish(examined, &variant);
      if (variant.first.empty()) continue;
      best = std::min(
          best, *std::min_element(variant.aicc.begin(), variant.aicc.end(), [](double a, double b) {
            return a < b || (std::isnan(b) && !std::isnan(a));
          }));
      variants.push_back(std::move(variant));
    }
  }
  for (Variant& variant : variants) {
    variant.plausible = variant.aicc[Lowest(variant.aicc)] - best <= kPlausible;
  }
  if (one_space && ranking[0].aicc - best > kPlausible) {
    notes->push_back(absl::StrFormat(
        "The residuals speak against the density that the ranking rests on (%s%s): another has an "
        "AICc that is lower by %.1f.",
        SpaceName(own), Name(ranking[0].likelihood.model), ranking[0].aicc - best));
  }
  return variants;
}

std::vector<Variant> VarySize(const Examined& examined, std::vector<std::string>* notes) {
  const std::string& column = examined.options->alternative_size;
  if (column.empty()) return {};
  const std::vector<double>* other = examined.table->FindNumbers(column);
  if (other == nullptr) {
    notes->push_back(
        absl::StrCat("Counting parameters otherwise was not examined: there is no "
                     "column ",
                     column, "."));
    return {};
  }
  if (!std::all_of(other->begin(), other->end(),
                   [](double n) { return std::isfinite(n) && n >= 1; })) {
    notes->push_back(absl::StrCat("Counting parameters otherwise was not examined: ", column,
                                  " is not known for every run."));
    return {};
  }
  Variant variant;
  variant.what = absl::StrCat("N = ", column);
  bool changed = false;
  for (size_t form = 0; form < examined.ranking->size(); ++form) {
    const Ranked& ranked = (*examined.ranking)[form];
    const Candidate& candidate = *examined.candidates[form];
    const int size = candidate.form->Spec().CovariateIndex("N");
    if (size < 0 || !candidate.recountable || !candidate.problem.fixed.empty()) {
      variant.aicc.push_back(ranked.aicc);
      continue;
    }
    const fit::Problem& problem = *ranked.fit.problem;
    for (int64_t i = 0; i < problem.rows(); ++i) {
      changed = changed || problem.points().columns()[size][i] != (*other)[problem.row(i)];
    }
    fit::ProblemOptions options = candidate.problem;
    options.columns["N"] = column;
    variant.aicc.push_back(AiccUnder(examined, form, options, ranked.likelihood.model, false));
  }
  if (!changed) {
    notes->push_back(
        absl::StrCat("Counting parameters otherwise was not examined: no law can take ", column,
                     " in the place of N, or it is N."));
    return {};
  }
  Finish(examined, &variant);
  return {variant};
}

int ResampleRanking(const Examined& examined, std::vector<Ranked>* ranking,
                    std::vector<std::string>* notes) {
  for (Ranked& form : *ranking) form.bootstrap_first = kNan;
  const int wanted = examined.options->ranking_resamples;
  if (wanted <= 0) return 0;
  const size_t count = examined.table->rows();
  const double one = static_cast<double>(count) * static_cast<double>(ranking->size());
  const int resamples = static_cast<int>(std::min<double>(wanted, kResampleWork / one));
  if (resamples < std::min(wanted, kLeastResamples)) {
    notes->push_back("The ranking was not resampled: there are too many runs for that.");
    return 0;
  }
  int groups = 0;
  for (int group : examined.groups) groups = std::max(groups, group + 1);
  // Log densities by form and what is drawn, and the rest of each criterion.
  const size_t units = groups > 0 ? groups : count;
  std::vector<std::vector<double>> density;
  std::vector<double> penalty;
  for (const Ranked& form : *ranking) {
    const fit::Problem& problem = *form.fit.problem;
    std::vector<double>& own = density.emplace_back(units, 0.0);
    for (int64_t i = 0; i < problem.rows(); ++i) {
      const size_t row = problem.row(i);
      own[groups > 0 ? examined.groups[row] : row] += form.likelihood.by_row[i];
    }
    penalty.push_back(form.aicc + 2 * form.likelihood.log_likelihood);
  }
  std::vector<int> first(resamples, -1);
  fit::ParallelFor(resamples, examined.options->threads, 8, [&] {
    return [&, drawn = std::vector<int>(units)](int64_t begin, int64_t end) mutable {
      for (int64_t b = begin; b < end; ++b) {
        fit::Random random(examined.options->seed, static_cast<uint64_t>(b) + 1);
        std::fill(drawn.begin(), drawn.end(), 0);
        for (size_t k = 0; k < units; ++k) ++drawn[random.Below(units)];
        std::vector<double> aicc;
        for (size_t form = 0; form < density.size(); ++form) {
          double sum = 0;
          for (size_t k = 0; k < units; ++k) sum += drawn[k] * density[form][k];
          aicc.push_back(penalty[form] - 2 * sum);
        }
        first[b] = Lowest(aicc);
      }
    };
  });
  for (size_t form = 0; form < ranking->size(); ++form) {
    (*ranking)[form].bootstrap_first =
        static_cast<double>(std::count(first.begin(), first.end(), static_cast<int>(form))) /
        resamples;
  }
  return resamples;
}

}  // namespace qatlas::compare
