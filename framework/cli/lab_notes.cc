#include "framework/cli/lab_notes.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "framework/fit/stats.h"
#include "framework/observe/duplicates.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

// Runs that the best law misses by far: wild ones do not move the default loss, and must be said.
void NoteOutliers(const compare::Ranked& best, const observe::Table& rows,
                  std::vector<std::string>* notes) {
  constexpr double kFar = 10;
  constexpr size_t kShown = 5;
  const fit::FitResult& fit = best.fit;
  const bool log = fit.problem->loss().space == fit::Space::kLog;
  std::vector<double> misses;
  for (int64_t i = 0; i < fit.problem->rows(); ++i) {
    misses.push_back(log ? std::log(fit.problem->target()[i] / fit.prediction[i])
                         : fit.residual[i]);
  }
  const double scale = fit::NormalizedMad(misses);
  std::vector<std::string> far;
  for (size_t i = 0; i < misses.size(); ++i) {
    if (scale > 0 && !(std::abs(misses[i]) <= kFar * scale)) {
      far.push_back(rows.Where(fit.problem->row(static_cast<int64_t>(i))));
    }
  }
  if (far.empty()) return;
  const size_t count = far.size();
  const bool many = 10 * count > misses.size();
  far.resize(std::min(count, kShown));
  notes->push_back(absl::StrCat(count, count == 1 ? " run lies" : " runs lie", " more than ", kFar,
                                " robust standard deviations off ", best.name, ": ",
                                absl::StrJoin(far, ", "), count > kShown ? " and more" : "",
                                many ? "; so many are no scatter of single runs: something that "
                                       "the law does not know sets them apart."
                                     : "."));
}

// The columns of a table that say how its rows were quantized, the most telling one first.
constexpr const char* kNotedKinds[] = {"precision", "weight_bits", "input_bits", "part",
                                       "quantizer", "granularity", "scheme"};

// Whether the fitted law tells the values of a column apart.
bool ReadsKind(const fit::Problem& problem, const std::string& column) {
  const LawSpec& spec = problem.form().Spec();
  if (spec.CovariateIndex(column) >= 0 || spec.CovariateIndex(kQuantized) >= 0) return true;
  const auto splits = [&](const std::vector<std::string>& per) {
    return absl::c_linear_search(per, column);
  };
  return absl::c_any_of(spec.parameters,
                        [&](const LawParameter& parameter) { return splits(parameter.per); });
}

// Kinds of runs that the law does not tell apart although its misses do: a fit of a mixture, whose
// parameters are those of none of them.
void NoteMixture(const compare::Ranked& best, const LabSettings& settings,
                 const observe::Table& rows, std::vector<std::string>* notes) {
  constexpr double kShare = .5;  // of the scatter of the misses, that a column explains
  constexpr size_t kShown = 4;
  const fit::FitResult& fit = best.fit;
  const int64_t n = fit.problem->rows();
  if (n < 8) return;
  for (const char* column : kNotedKinds) {
    if (!rows.Has(column) || ReadsKind(*fit.problem, column)) continue;
    for (const auto& [parameter, columns] : settings.per) {
      // Whoever splits by one kind knows of the others.
      if (absl::c_linear_search(columns, column)) return;
    }
    std::map<std::string, std::vector<double>> kinds;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double miss = fit.residual[i] / std::abs(fit.prediction[i]);
      kinds[observe::ShowValue(rows.At(fit.problem->row(i), column))].push_back(miss);
      sum += miss;
      squares += miss * miss;
    }
    const double k = static_cast<double>(kinds.size());
    if (kinds.size() < 2 || n < static_cast<int64_t>(3 * kinds.size())) continue;
    const double total = squares - sum * sum / static_cast<double>(n);
    double between = -sum * sum / static_cast<double>(n);
    std::vector<std::string> shown;
    for (const auto& [kind, misses] : kinds) {
      const double kind_sum = absl::c_accumulate(misses, 0.0);
      between += kind_sum * kind_sum / static_cast<double>(misses.size());
      if (shown.size() < kShown) {
        shown.push_back(absl::StrFormat("%s %+.1f%%", kind,
                                        100 * kind_sum / static_cast<double>(misses.size())));
      }
    }
    // The share less what k kinds would explain by chance.
    const double within = (total - between) / (static_cast<double>(n) - k);
    if (!(total > 0) || 1 - within * static_cast<double>(n - 1) / total < kShare) continue;
    notes->push_back(absl::StrCat("A mixture is fitted: runs differ by ", column, ", which ",
                                  best.name,
                                  " does not read (mean miss: ", absl::StrJoin(shown, ", "),
                                  kinds.size() > kShown ? " and more" : "",
                                  "). Choose one kind (--map where=...), or give each "
                                  "a parameter of its own (--per NAME=",
                                  column, ")."));
    return;
  }
}

// Runs that agree in all that the table tells, the seed too, but not in the target.
void NoteConflicts(const observe::Table& rows, const std::string& target,
                   std::vector<std::string>* notes) {
  const auto replicates = observe::FindReplicates(rows, target);
  if (!replicates.ok() || replicates->conflicts.empty()) return;
  const std::vector<size_t>& first = replicates->conflicts.front();
  const size_t count = replicates->conflicts.size();
  notes->push_back(absl::StrCat(count, count == 1 ? " set" : " sets",
                                " of rows agree in all that the table tells, the seed too, "
                                "but not in ",
                                target, " (", rows.Where(first[0]), " and ", rows.Where(first[1]),
                                count > 1 ? ", and others" : "",
                                "): a column that tells them apart is missing, as where several "
                                "precisions carry one label."));
}

}  // namespace

void NoteRows(const compare::Comparison& comparison, const LabSettings& settings,
              const observe::Table& rows, std::vector<std::string>* notes) {
  constexpr size_t kMostRows = 100'000;  // beyond these the search for equal rows takes seconds
  if (rows.rows() <= kMostRows) NoteConflicts(rows, settings.target, notes);
  for (std::string& contradiction : observe::LabelContradictions(rows)) {
    notes->push_back(std::move(contradiction));
  }
  if (comparison.ranking.empty()) return;
  NoteMixture(comparison.ranking[0], settings, rows, notes);
  NoteOutliers(comparison.ranking[0], rows, notes);
}

}  // namespace qatlas::cli
