#include "framework/observe/duplicates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/algorithm/container.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace qatlas::observe {
namespace {

constexpr size_t kShown = 3;

// Columns that measure or name a run, and so do not say what was run.
bool IsCovariate(const std::string& name) {
  static constexpr absl::string_view kOthers[] = {"run",    "seed",     "loss",     "loss_se",
                                                  "delta",  "baseline", "delta_se", "train_loss",
                                                  "status", "weight"};
  return !absl::c_linear_search(kOthers, name);
}

std::string Places(const Table& table, const std::vector<size_t>& rows) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(rows.size(), kShown); ++i) shown.push_back(table.Where(rows[i]));
  std::string text = absl::StrJoin(shown, ", ");
  if (rows.size() > kShown) absl::StrAppend(&text, " and ", rows.size() - kShown, " more");
  return text;
}

std::string Sets(const Table& table, const std::vector<std::vector<size_t>>& sets) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(sets.size(), kShown); ++i) {
    shown.push_back(absl::StrCat("(", Places(table, sets[i]), ")"));
  }
  std::string text = absl::StrJoin(shown, ", ");
  if (sets.size() > kShown) absl::StrAppend(&text, " and ", sets.size() - kShown, " more sets");
  return text;
}

// Rows of each label, ascending, in two arrays: a vector a label would cost more than the table.
class RowsByLabel {
 public:
  explicit RowsByLabel(const std::vector<uint32_t>& labels) : rows_(labels.size()) {
    begin_.push_back(0);
    for (uint32_t label : labels) {
      if (label + 2 > begin_.size()) begin_.resize(label + 2);
      ++begin_[label + 1];
    }
    for (size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    std::vector<size_t> next(begin_.begin(), begin_.end());
    for (size_t row = 0; row < labels.size(); ++row) rows_[next[labels[row]]++] = row;
  }
  size_t size() const { return begin_.size() - 1; }
  absl::Span<const size_t> operator[](size_t label) const {
    return absl::MakeConstSpan(rows_).subspan(begin_[label], begin_[label + 1] - begin_[label]);
  }

 private:
  std::vector<size_t> begin_, rows_;
};

}  // namespace

absl::StatusOr<DuplicateRule> DuplicateRuleByName(absl::string_view name) {
  if (name == "merge") return DuplicateRule::kMerge;
  if (name == "keep") return DuplicateRule::kKeep;
  if (name == "refuse") return DuplicateRule::kRefuse;
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no rule for duplicate rows: merge (keep the first), keep, or refuse"));
}

std::vector<std::vector<size_t>> ExactDuplicates(const Table& table) {
  std::vector<std::vector<size_t>> sets;
  if (table.columns() == 0) return sets;
  const absl::StatusOr<std::vector<uint32_t>> labels = table.GroupLabels(table.names());
  if (!labels.ok()) return sets;  // Its only error is an absent column.
  const RowsByLabel rows(*labels);
  for (size_t label = 0; label < rows.size(); ++label) {
    const absl::Span<const size_t> set = rows[label];
    if (set.size() > 1) sets.emplace_back(set.begin(), set.end());
  }
  return sets;
}

absl::StatusOr<Deduplicated> ApplyDuplicateRule(Table table, DuplicateRule rule) {
  Deduplicated result;
  const std::vector<std::vector<size_t>> sets = ExactDuplicates(table);
  if (sets.empty()) {
    result.table = std::move(table);
    return result;
  }
  size_t extra = 0;
  for (const std::vector<size_t>& set : sets) extra += set.size() - 1;
  const std::string what = absl::StrCat(extra, extra == 1 ? " row repeats" : " rows repeat",
                                        " an earlier one in every column: ", Sets(table, sets));
  if (rule == DuplicateRule::kRefuse) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, "; take them out, or let them be merged or kept"));
  }
  if (rule == DuplicateRule::kKeep) {
    result.table = std::move(table);
    result.notes.push_back(absl::StrCat(what, "; all were kept and count as separate runs."));
    return result;
  }
  std::vector<bool> drop(table.rows(), false);
  for (const std::vector<size_t>& set : sets) {
    for (size_t i = 1; i < set.size(); ++i) drop[set[i]] = true;
  }
  result.table = table.Filter([&](size_t row) { return !drop[row]; });
  result.removed = extra;
  result.notes.push_back(absl::StrCat(what, "; the first of each set was kept."));
  return result;
}

absl::StatusOr<Replicates> FindReplicates(const Table& table, const std::string& value,
                                          std::vector<std::string> covariates) {
  const absl::StatusOr<absl::Span<const double>> values = table.Numbers(value);
  if (!values.ok()) return values.status();
  Replicates result;
  result.covariates = std::move(covariates);
  if (result.covariates.empty()) {
    for (const std::string& name : table.names()) {
      if (IsCovariate(name) && name != value) result.covariates.push_back(name);
    }
  }
  const std::vector<double>* seeds = table.FindNumbers("seed");
  result.has_seed = seeds != nullptr;
  const absl::StatusOr<std::vector<uint32_t>> labels = table.GroupLabels(result.covariates);
  if (!labels.ok()) return labels.status();
  const RowsByLabel by_label(*labels);
  std::vector<std::vector<double>> pooled, relative;
  int single = 0;
  bool positive = true;
  for (size_t label = 0; label < by_label.size(); ++label) {
    std::vector<size_t> rows;
    for (size_t row : by_label[label]) {
      if (std::isfinite((*values)[row])) rows.push_back(row);
    }
    if (rows.empty()) continue;
    ++result.cells;
    if (rows.size() == 1) {
      ++single;
      continue;
    }
    // By seed; rows of an unknown seed are taken for different ones.
    const auto seed = [&](size_t row) { return seeds == nullptr ? kMissing : (*seeds)[row]; };
    std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) {
      const bool missing_a = std::isnan(seed(a)), missing_b = std::isnan(seed(b));
      return missing_a != missing_b ? missing_b : !missing_a && seed(a) < seed(b);
    });
    std::vector<double> different;
    bool conflict = false;
    for (size_t begin = 0; begin < rows.size();) {
      size_t end = begin + 1;
      while (end < rows.size() && seed(rows[end]) == seed(rows[begin])) ++end;
      if (end - begin > 1) {
        const std::vector<size_t> same(rows.begin() + begin, rows.begin() + end);
        const bool equal = std::all_of(same.begin(), same.end(), [&](size_t row) {
          return (*values)[row] == (*values)[same[0]];
        });
        (equal ? result.repeats : result.conflicts).push_back(same);
        conflict = conflict || !equal;
      }
      different.push_back((*values)[rows[begin]]);
      begin = end;
    }
    // Rows that are not the same experiment after all say nothing about its noise.
    if (conflict) continue;
    if (different.size() == 1) {
      ++single;
      continue;
    }
    ++result.replicated;
    double mean = 0;
    for (double one : different) mean += one / static_cast<double>(different.size());
    positive = positive && mean > 0;
    pooled.push_back(different);
    for (double& one : different) one /= mean;
    relative.push_back(std::move(different));
  }
  result.noise = PooledVariance(pooled);
  result.noise.cells_single = single;
  if (pooled.empty()) result.noise.reason = "no experiment was run with two seeds";
  result.relative = positive ? PooledVariance(relative) : SeedVariance{};
  if (!positive) result.relative.reason = "a mean is not above 0";
  return result;
}

}  // namespace qatlas::observe
