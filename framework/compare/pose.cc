#include "framework/compare/pose.h"

#include <set>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace qatlas::compare {
namespace {

// Rows of the table that every problem uses, ascending.
std::vector<size_t> CommonRows(const std::vector<fit::Problem>& problems, size_t rows) {
  std::vector<int> uses(rows, 0);
  for (const fit::Problem& problem : problems) {
    for (int64_t i = 0; i < problem.rows(); ++i) ++uses[problem.row(i)];
  }
  std::vector<size_t> common;
  for (size_t row = 0; row < rows; ++row) {
    if (uses[row] == static_cast<int>(problems.size())) common.push_back(row);
  }
  return common;
}

}  // namespace

absl::Status CheckCandidates(const std::vector<Candidate>& candidates) {
  if (candidates.empty()) return absl::InvalidArgumentError("there is no law to compare");
  std::set<std::string> names;
  for (const Candidate& candidate : candidates) {
    if (!names.insert(candidate.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two laws to compare are called '", candidate.name, "'"));
    }
    if (candidate.form->Spec().target != candidates[0].form->Spec().target) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", candidates[0].name, "' predicts ", candidates[0].form->Spec().target, " and '",
          candidate.name, "' predicts ", candidate.form->Spec().target,
          "; compare them apart, or bring them to one target through the full-precision law"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<observe::Table> PoseAll(const std::vector<Candidate>& candidates,
                                       const observe::Table& given, Comparison* comparison,
                                       std::vector<const Candidate*>* posed,
                                       std::vector<fit::Problem>* problems) {
  observe::Table table = given;
  for (int round = 0; round < 3; ++round) {
    posed->clear();
    problems->clear();
    comparison->refused.clear();
    for (const Candidate& candidate : candidates) {
      auto problem = fit::Problem::Create(candidate.form, candidate.name, table, candidate.problem);
      if (!problem.ok()) {
        comparison->refused.emplace_back(candidate.name, std::string(problem.status().message()));
        continue;
      }
      posed->push_back(&candidate);
      problems->push_back(*std::move(problem));
    }
    if (problems->empty()) {
      std::vector<std::string> reasons;
      for (const auto& [name, reason] : comparison->refused) reasons.push_back(reason);
      return absl::InvalidArgumentError(
          absl::StrCat("no law can be fitted to these rows:\n", absl::StrJoin(reasons, "\n")));
    }
    const std::vector<size_t> common = CommonRows(*problems, table.rows());
    if (common.size() == table.rows()) return table;
    comparison->notes.push_back(absl::StrCat(table.rows() - common.size(),
                                             " rows that not every law can use were left out, so "
                                             "that all are judged on the same runs."));
    table = table.Take(common);
  }
  return absl::InternalError("the rows that every law can use could not be settled");
}

}  // namespace qatlas::compare
