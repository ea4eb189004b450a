#include "framework/plan/score.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/compare/json.h"
#include "framework/fit/distributions.h"
#include "framework/fit/json.h"
#include "framework/observe/number.h"
#include "framework/plan/freeze.h"

namespace qatlas::plan {
namespace {

using nlohmann::json;

std::string Show(const json& point) {
  std::string text;
  for (const auto& [name, value] : point.items()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, "=",
                    value.is_number()   ? observe::ShowNumber(value.get<double>())
                    : value.is_string() ? value.get<std::string>()
                                        : "?");
  }
  return text;
}

bool Near(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

absl::StatusOr<bool> IsAt(const observe::Table& table, size_t row, const json& point,
                          double tolerance) {
  for (const auto& [name, value] : point.items()) {
    if (!table.Has(name)) return table.NoSuchColumn(name);
    if (value.is_number()) {
      if (!Near(table.NumberAt(row, name), value.get<double>(), tolerance)) return false;
    } else if (value.is_string() && table.TextAt(row, name) != value.get<std::string>()) {
      return false;
    }
  }
  return true;
}

// Whether a row stands among those that the laws were fitted to: the same target and the same
// numbers wherever both have one.
bool WasFitted(const observe::Table& table, size_t row, const observe::Table& fitted,
               const std::string& target) {
  for (size_t old = 0; old < fitted.rows(); ++old) {
    if (fitted.NumberAt(old, target) != table.NumberAt(row, target)) continue;
    bool same = true;
    for (const char* name : {"N", "D", "G", "weight_bits", "seed"}) {
      if (!fitted.Has(name) || !table.Has(name)) continue;
      const double a = fitted.NumberAt(old, name), b = table.NumberAt(row, name);
      same = same && (a == b || (std::isnan(a) && std::isnan(b)));
    }
    if (same) return true;
  }
  return false;
}

fit::Interval ClopperPearson(int64_t hits, int64_t of) {
  const double k = static_cast<double>(hits), n = static_cast<double>(of);
  return {hits == 0 ? 0.0 : fit::BetaQuantile(.025, k, n - k + 1),
          hits == of ? 1.0 : fit::BetaQuantile(.975, k + 1, n - k)};
}

std::optional<fit::Interval> IntervalOf(const json& prediction) {
  const auto found = prediction.find("run_interval");
  if (found == prediction.end() || !found->is_array() || found->size() != 2 ||
      !(*found)[0].is_number() || !(*found)[1].is_number()) {
    return std::nullopt;
  }
  return fit::Interval{(*found)[0].get<double>(), (*found)[1].get<double>()};
}

// Rivals again, on old and new rows together.
void Refit(const json& frozen, const observe::Table& fitted, const observe::Table& fresh,
           const LawFactory& make, const ScoreOptions& options, Score* score) {
  if (frozen["laws"].size() < 2) {
    score->notes.push_back("One law was frozen alone, so there is nothing to rank it against.");
    return;
  }
  observe::Table rows = fitted;
  if (absl::Status status = rows.AppendTable(fresh); !status.ok()) {
    score->notes.push_back(absl::StrCat("No refit: ", std::string(status.message())));
    return;
  }
  std::vector<compare::Candidate> candidates;
  for (const json& law : frozen["laws"]) {
    const std::string name = law["name"].get<std::string>();
    // Files of before had no text; there a preset "form:name" is refitted as its form.
    const auto text = law.find("law");
    auto made = make(text != law.end() && text->is_string() ? text->get<std::string>()
                                                            : name.substr(0, name.find(':')));
    if (!made.ok()) {
      score->notes.push_back(
          absl::StrCat("No refit of ", name, ": ", std::string(made.status().message())));
      continue;
    }
    compare::Candidate candidate;
    candidate.name = name;
    candidate.form = made->form;
    candidate.problem = options.problem;
    candidate.problem.fixed.insert(made->fixed.begin(), made->fixed.end());
    candidate.problem.tied = made->tied;
    candidate.problem.per = made->per;
    candidates.push_back(std::move(candidate));
  }
  if (candidates.size() < 2) return;
  auto comparison = compare::Compare(candidates, rows, options.compare);
  if (!comparison.ok() || comparison->ranking.empty()) {
    score->notes.push_back(
        absl::StrCat("The laws could not be refitted to old and new runs: ",
                     comparison.ok() ? "none fits" : std::string(comparison.status().message())));
    return;
  }
  score->still_first = comparison->ranking[0].name == score->chosen;
  score->refit = *std::move(comparison);
}

}  // namespace

absl::StatusOr<Score> ScoreFrozen(const json& frozen, const observe::Table& table,
                                  const LawFactory& make, const ScoreOptions& options) {
  Score score;
  score.target = frozen["target"].get<std::string>();
  score.chosen = frozen["chosen"].get<std::string>();
  score.created = frozen["created"].get<std::string>();
  score.sha256 = frozen["sha256"].get<std::string>();
  score.level = frozen["level"].get<double>();
  if (!(options.tolerance >= 0 && options.tolerance < .5)) {
    return absl::InvalidArgumentError("the tolerance must lie between 0 and .5");
  }
  if (!table.Has(score.target)) return table.NoSuchColumn(score.target);
  QATLAS_ASSIGN_OR_RETURN(const observe::Table fitted, TableFromJson(frozen["fitted_to"]));
  const json& points = frozen["points"];
  std::vector<char> found(points.size(), 0);
  std::vector<size_t> fresh;
  size_t without = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const double observed = table.NumberAt(row, score.target);
    if (!std::isfinite(observed)) {
      ++without;
      continue;
    }
    if (WasFitted(table, row, fitted, score.target)) {
      ++score.already_fitted;
      continue;
    }
    fresh.push_back(row);
    bool matched = false;
    for (size_t p = 0; p < points.size() && !matched; ++p) {
      QATLAS_ASSIGN_OR_RETURN(matched, IsAt(table, row, points[p], options.tolerance));
      if (!matched) continue;
      found[p] = 1;
      ScoredRun run;
      run.point = p;
      run.row = row;
      run.observed = observed;
      const json& prediction = frozen["laws"][0]["predictions"][p];
      run.predicted = prediction["value"].get<double>();
      run.interval = IntervalOf(prediction);
      run.inside = run.interval && observed >= run.interval->low && observed <= run.interval->high;
      score.runs.push_back(run);
    }
    if (!matched) ++score.unmatched;
  }
  for (size_t p = 0; p < points.size(); ++p) {
    if (!found[p]) score.not_found.push_back(Show(points[p]));
  }
  if (score.runs.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no run of the table is at one of the ", points.size(), " frozen points (within ",
        observe::ShowNumber(options.tolerance), " of each covariate; --tolerance widens it)",
        score.already_fitted > 0
            ? absl::StrCat("; ", score.already_fitted, " rows were in the fit already")
            : ""));
  }
  for (const json& law : frozen["laws"]) {
    ScoredLaw scored;
    scored.name = law["name"].get<std::string>();
    double squares = 0, sum = 0, relative = 0;
    int64_t counted = 0;
    for (const ScoredRun& run : score.runs) {
      const json& prediction = law["predictions"][run.point];
      const double error = prediction["value"].get<double>() - run.observed;
      squares += error * error;
      sum += error;
      if (run.observed != 0) {
        relative += std::abs(error / run.observed);
        ++counted;
      }
      const auto interval = IntervalOf(prediction);
      if (!interval) continue;
      ++scored.with_interval;
      scored.covered += run.observed >= interval->low && run.observed <= interval->high ? 1 : 0;
    }
    const double n = static_cast<double>(score.runs.size());
    scored.rmse = std::sqrt(squares / n);
    scored.bias = sum / n;
    scored.mean_relative_error =
        counted > 0 ? relative / static_cast<double>(counted) : observe::kMissing;
    if (scored.with_interval > 0) {
      scored.coverage = ClopperPearson(scored.covered, scored.with_interval);
    }
    score.laws.push_back(std::move(scored));
  }
  if (without > 0) {
    score.notes.push_back(absl::StrCat(without, " rows have no ", score.target, "."));
  }
  Refit(frozen, fitted, table.Take(fresh), make, options, &score);
  const ScoredLaw& chosen = score.laws[0];
  score.sentence = absl::StrCat(
      score.chosen, " predicted ", score.runs.size(), score.runs.size() == 1 ? " run" : " runs",
      " with a root mean square error of ", observe::ShowNumber(chosen.rmse), " nats/token; ",
      chosen.covered, " of ", chosen.with_interval, " lie in the ",
      observe::ShowNumber(100 * score.level), "% interval");
  if (score.still_first) {
    absl::StrAppend(&score.sentence,
                    *score.still_first
                        ? "; refitted on old and new runs it still ranks first"
                        : absl::StrCat("; refitted on old and new runs ",
                                       score.refit->ranking[0].name, " ranks first in its place"));
  }
  absl::StrAppend(&score.sentence, ".");
  return score;
}

json ToJson(const Score& score) {
  json runs = json::array(), laws = json::array();
  for (const ScoredRun& run : score.runs) {
    runs.push_back({{"point", run.point},
                    {"row", run.row},
                    {"observed", fit::Number(run.observed)},
                    {"predicted", fit::Number(run.predicted)},
                    {"interval", run.interval ? fit::ToJson(*run.interval) : json(nullptr)},
                    {"inside", run.interval ? json(run.inside) : json(nullptr)}});
  }
  for (const ScoredLaw& law : score.laws) {
    laws.push_back(
        {{"name", law.name},
         {"rmse", fit::Number(law.rmse)},
         {"bias", fit::Number(law.bias)},
         {"mean_relative_error", fit::Number(law.mean_relative_error)},
         {"covered", law.covered},
         {"with_interval", law.with_interval},
         {"coverage_interval", law.with_interval > 0 ? fit::ToJson(law.coverage) : json(nullptr)}});
  }
  return {{"sentence", score.sentence},
          {"target", score.target},
          {"chosen", score.chosen},
          {"created", score.created},
          {"sha256", score.sha256},
          {"level", score.level},
          {"runs", runs},
          {"laws", laws},
          {"not_found", score.not_found},
          {"unmatched_rows", score.unmatched},
          {"rows_already_fitted", score.already_fitted},
          {"still_first", score.still_first ? json(*score.still_first) : json(nullptr)},
          {"refit", score.refit ? compare::ToJson(*score.refit) : json(nullptr)},
          {"notes", score.notes}};
}

}  // namespace qatlas::plan
