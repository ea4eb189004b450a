#include "framework/plan/naming.h"

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/compare/likelihood.h"
#include "framework/fit/fit.h"
#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::plan {
namespace {

observe::Table TableOf(const std::vector<Point>& points) {
  std::set<std::string> numbers, texts;
  for (const Point& point : points) {
    for (const auto& [name, value] : point.numbers) numbers.insert(name);
    for (const auto& [name, text] : point.texts) texts.insert(name);
  }
  observe::Table table;
  for (const std::string& name : numbers) {
    std::vector<double> column;
    for (const Point& point : points) {
      const auto found = point.numbers.find(name);
      column.push_back(found == point.numbers.end() ? observe::kMissing : found->second);
    }
    QATLAS_CHECK(table.SetNumbers(name, std::move(column)).ok(), "columns of one length");
  }
  for (const std::string& name : texts) {
    std::vector<std::string> column;
    for (const Point& point : points) {
      const auto found = point.texts.find(name);
      column.push_back(found == point.texts.end() ? "" : found->second);
    }
    QATLAS_CHECK(table.SetTexts(name, column).ok(), "columns of one length");
  }
  return table;
}

// Index of the law with the lowest AICc and its lead; -1 where one cannot be fitted.
std::pair<int, double> Rank(const std::vector<const Law*>& laws, const observe::Table& table) {
  std::vector<double> criteria;
  for (const Law* law : laws) {
    fit::ProblemOptions options;
    options.loss = {fit::Space::kLog, fit::Shape::kSquare};
    const auto problem = fit::Problem::Create(law->form, law->name, table, options);
    if (!problem.ok()) return {-1, 0};
    fit::FitOptions search;
    search.threads = 1;
    search.searched = 8;
    const auto fit = fit::Fit(*problem, search);
    if (!fit.ok()) return {-1, 0};
    const auto likelihood =
        compare::FitLikelihood(*problem, fit->prediction, compare::NoiseModel::kGaussian);
    if (!likelihood.ok()) return {-1, 0};
    const double aicc =
        compare::Aicc(likelihood->log_likelihood, problem->coordinates() + 1, problem->rows());
    if (!std::isfinite(aicc)) return {-1, 0};
    criteria.push_back(aicc);
  }
  int best = 0;
  for (size_t i = 1; i < criteria.size(); ++i) {
    if (criteria[i] < criteria[best]) best = static_cast<int>(i);
  }
  double lead = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < criteria.size(); ++i) {
    if (static_cast<int>(i) != best) lead = std::min(lead, criteria[i] - criteria[best]);
  }
  return {best, lead};
}

}  // namespace

absl::StatusOr<Naming> SimulateNaming(const std::vector<const Law*>& laws, size_t truth,
                                      const std::vector<Point>& points, const RunError& error,
                                      double evidence, int sets, uint64_t seed, int threads) {
  QATLAS_CHECK(truth < laws.size(), "the truth is one of the laws");
  if (points.empty() || sets < 1) {
    return absl::InvalidArgumentError("there is nothing to simulate: no runs, or no sets");
  }
  const Law& law = *laws[truth];
  std::vector<double> values;
  for (const Point& point : points) {
    QATLAS_ASSIGN_OR_RETURN(const BoundLaw bound, BoundLaw::Create(law, point));
    values.push_back(bound.Value(-1));
    if (!(values.back() > 0) || !std::isfinite(values.back())) {
      return absl::OutOfRangeError(
          absl::StrCat(law.name, " is not finite and above 0 at ", Show(point)));
    }
  }
  const observe::Table base = TableOf(points);
  std::vector<std::pair<int, double>> ranks(sets);
  fit::ParallelFor(sets, threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t set = begin; set < end; ++set) {
        fit::Random random(seed, static_cast<uint64_t>(set));
        std::vector<double> target;
        for (const double value : values) {
          double y = -1;
          // An error that makes the target negative is drawn again: it has no logarithm.
          for (int attempt = 0; attempt < 100 && y <= 0; ++attempt) {
            y = value * std::exp(error.relative * random.Normal()) +
                error.absolute * random.Normal();
          }
          target.push_back(y > 0 ? y : value);
        }
        observe::Table table = base;
        QATLAS_CHECK(table.SetNumbers(law.target, std::move(target)).ok(), "one target a run");
        ranks[set] = Rank(laws, table);
      }
    };
  });
  Naming naming;
  naming.sets = sets;
  for (const auto& [best, lead] : ranks) {
    if (best == static_cast<int>(truth)) ++naming.best;
    if (best < 0 || lead < evidence) {
      ++naming.undecided;
    } else {
      ++(best == static_cast<int>(truth) ? naming.right : naming.wrong);
    }
  }
  return naming;
}

}  // namespace qatlas::plan
