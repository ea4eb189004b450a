// Leaving out one run at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <absl/strings/str_cat.h>

#include "framework/compare/robustness.h"
#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

using fit::kNan;
constexpr double kWork = 5e6;  // rows times forms times runs left out: about a second

// By row of the table.
std::vector<double> DensityByRow(const Ranked& form, size_t rows) {
  std::vector<double> result(rows, 0.0);
  const fit::Problem& problem = *form.fit.problem;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    result[problem.row(i)] = form.likelihood.by_row[i];
  }
  return result;
}

// Rows to leave out: all, or those on which the first two forms disagree most.
std::vector<size_t> Chosen(const Examined& examined) {
  const std::vector<Ranked>& ranking = *examined.ranking;
  const size_t rows = examined.table->rows();
  std::vector<size_t> chosen(rows);
  std::iota(chosen.begin(), chosen.end(), 0);
  const double affordable =
      kWork / (static_cast<double>(rows) * static_cast<double>(ranking.size()));
  const size_t limit = static_cast<size_t>(
      std::max(1.0, std::min(affordable, static_cast<double>(examined.options->influence_runs))));
  if (rows <= limit) return chosen;
  std::vector<double> weight = DensityByRow(ranking[0], rows);
  if (ranking.size() > 1) {
    const std::vector<double> other = DensityByRow(ranking[1], rows);
    for (size_t row = 0; row < rows; ++row) weight[row] -= other[row];
  }
  std::stable_sort(chosen.begin(), chosen.end(),
                   [&](size_t a, size_t b) { return std::abs(weight[a]) > std::abs(weight[b]); });
  chosen.resize(limit);
  return chosen;
}

// The parameter of the leading form that moves most.
void FillShift(const Ranked& form, const Likelihood& without, Influence* influence) {
  const fit::Problem& problem = *form.fit.problem;
  influence->values = without.values;
  influence->shift = kNan;
  for (int c = 0; c < problem.coordinates(); ++c) {
    const size_t p = &problem.coordinate(c) - problem.parameters().data();
    const double error = form.fit.estimates[p].search_standard_error;
    const double shift = (without.coordinates[c] - form.likelihood.coordinates[c]) / error;
    if (!std::isfinite(shift)) continue;
    if (std::isnan(influence->shift) || std::abs(shift) > std::abs(influence->shift)) {
      influence->shift = shift;
      influence->parameter = problem.coordinate(c).name;
    }
  }
}

}  // namespace

std::vector<Influence> LeaveEachOut(const Examined& examined, std::vector<std::string>* notes) {
  const std::vector<Ranked>& ranking = *examined.ranking;
  if (examined.options->influence_runs <= 0) return {};
  const std::vector<size_t> rows = Chosen(examined);
  if (rows.size() < examined.table->rows()) {
    notes->push_back(absl::StrCat("Of ", examined.table->rows(), " runs the ", rows.size(),
                                  " on which the first two laws disagree most were left out one by "
                                  "one."));
  }
  std::vector<double> all;
  for (const Ranked& form : ranking) all.push_back(form.aicc);
  const double gap = GapAt(all, 0);
  std::vector<Influence> result(rows.size());
  fit::ParallelFor(static_cast<int64_t>(rows.size()), examined.options->threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        Influence& influence = result[k];
        influence.row = rows[k];
        const observe::Table& table = *examined.table;
        influence.where = std::string(table.TextAt(rows[k], "run"));
        if (influence.where.empty()) influence.where = table.Where(rows[k]);
        std::vector<double> aicc;
        for (const Ranked& form : ranking) {
          const fit::Problem& problem = *form.fit.problem;
          std::vector<char> keep(problem.rows());
          for (int64_t i = 0; i < problem.rows(); ++i) keep[i] = problem.row(i) != rows[k];
          const fit::Problem rest = problem.Subset(keep);
          const auto likelihood =
              Maximize(rest, {form.likelihood.coordinates}, form.likelihood.model, examined.fit);
          const bool usable = likelihood.ok() && likelihood->maximum;
          aicc.push_back(usable ? Aicc(likelihood->log_likelihood, form.parameters, rest.rows())
                                : kNan);
          if (&form == &ranking[0] && usable) FillShift(form, *likelihood, &influence);
        }
        const int first = Lowest(aicc);
        influence.first = first < 0 ? "" : ranking[first].name;
        influence.flips = first > 0;
        influence.gap = GapAt(aicc, 0);
        influence.gap_change = influence.gap - gap;
      }
    };
  });
  std::stable_sort(result.begin(), result.end(), [](const Influence& a, const Influence& b) {
    const auto size = [](const Influence& i) {
      return std::isfinite(i.gap_change) ? std::abs(i.gap_change)
                                         : std::numeric_limits<double>::infinity();
    };
    return size(a) > size(b);
  });
  return result;
}

}  // namespace qatlas::compare
