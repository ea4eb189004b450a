#include "framework/observe/pairs.h"

#include <cmath>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/expression.h"
#include "framework/observe/problems.h"
#include "framework/observe/quantized.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

std::vector<std::string> DefaultMatch(const Table& table) {
  std::vector<std::string> match = {table.FindTexts("model") != nullptr ? "model" : "N", "D"};
  if (table.Has("seed")) match.push_back("seed");
  return match;
}

absl::StatusOr<std::vector<bool>> FindFullPrecision(const Table& table,
                                                    const std::string& condition) {
  if (!condition.empty()) {
    absl::StatusOr<Expression> expression = Expression::Parse(condition);
    if (!expression.ok()) return expression.status();
    return expression->Conditions(table);
  }
  std::vector<bool> full(table.rows());
  const TextColumn* schemes = table.FindTexts("scheme");
  const TextColumn* parts = table.FindTexts("part");
  if (schemes == nullptr && parts == nullptr) {
    if (!TellsQuantized(table)) {
      return absl::InvalidArgumentError(
          "cannot tell which rows are full precision: give a column 'scheme' (with 'fp'), 'part' "
          "(with 'none'), 'precision' (with 'fp') or 'weight_bits' (16 or missing), or a "
          "condition");
    }
    const absl::StatusOr<std::vector<double>> quantized = QuantizedRows(table);
    if (!quantized.ok()) return quantized.status();
    for (size_t row = 0; row < table.rows(); ++row) full[row] = (*quantized)[row] == 0;
    return full;
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    full[row] = schemes != nullptr
                    ? (*schemes)[row].empty() || (*schemes)[row] == kSchemeFullPrecision
                    : (*parts)[row] == kPartNone;
  }
  return full;
}

class Pairer {
 public:
  Pairer(const Table& table, const PairingRule& rule) : rule_(rule) { pairing_.table = table; }

  absl::StatusOr<Pairing> Run() {
    if (absl::Status status = Prepare(); !status.ok()) return status;
    for (size_t row = 0; row < full_.size(); ++row) {
      if (!full_[row]) PairRow(row);
    }
    if (!problems_.empty()) return problems_.ToStatus();
    Table& table = pairing_.table;
    absl::Status status = table.SetNumbers("delta", std::move(delta_));
    if (status.ok()) status = table.SetNumbers("delta_se", std::move(delta_se_));
    if (status.ok() && table.Has("run")) status = table.SetTexts("baseline", baseline_);
    if (!status.ok()) return status;
    return std::move(pairing_);
  }

 private:
  absl::Status Prepare() {
    const Table& table = pairing_.table;
    pairing_.matched_by = rule_.match.empty() ? DefaultMatch(table) : rule_.match;
    absl::StatusOr<std::vector<bool>> full = FindFullPrecision(table, rule_.full_precision);
    if (!full.ok()) {
      problems_.Add(absl::StrCat("pairing: ", full.status().message()));
    } else {
      full_ = *std::move(full);
    }
    absl::StatusOr<absl::Span<const double>> loss = table.Numbers(rule_.loss);
    if (!loss.ok()) problems_.Add(absl::StrCat("pairing: ", loss.status().message()));
    for (const std::string& name : pairing_.matched_by) {
      if (!table.Has(name)) {
        problems_.Add(absl::StrCat("pairing: ", table.NoSuchColumn(name).message()));
      }
    }
    if (!problems_.empty()) return problems_.ToStatus();
    loss_ = *loss;
    const std::vector<double>* loss_se = table.FindNumbers(rule_.loss_se);
    const std::vector<double>* delta = table.FindNumbers("delta");
    const std::vector<double>* delta_se = table.FindNumbers("delta_se");
    const TextColumn* baseline = table.FindTexts("baseline");
    const std::vector<double> missing(table.rows(), kMissing);
    loss_se_ = loss_se == nullptr ? missing : *loss_se;
    delta_ = delta == nullptr || rule_.recompute ? missing : *delta;
    delta_se_ = delta_se == nullptr || rule_.recompute ? missing : *delta_se;
    if (baseline != nullptr) {
      baseline_ = *baseline;
    } else {
      baseline_.AppendMissing(table.rows());
    }
    runs_ = table.FindTexts("run");
    if (runs_ != nullptr) {
      for (size_t row = 0; row < table.rows(); ++row) {
        if (!(*runs_)[row].empty()) by_run_[(*runs_)[row]].push_back(row);
      }
    }
    absl::StatusOr<std::vector<Group>> groups = table.GroupBy(pairing_.matched_by);
    if (!groups.ok()) return groups.status();
    group_of_.resize(table.rows());
    candidates_.resize(groups->size());
    for (size_t group = 0; group < groups->size(); ++group) {
      for (size_t row : (*groups)[group].rows) {
        group_of_[row] = group;
        if (full_[row]) candidates_[group].push_back(row);
      }
    }
    for (size_t row = 0; row < full_.size(); ++row) {
      if (!full_[row]) continue;
      pairing_.full_precision.push_back(row);
      delta_[row] = delta_se_[row] = kMissing;
    }
    return absl::OkStatus();
  }

  std::string Name(size_t row) const {
    std::string name = pairing_.table.Where(row);
    if (runs_ != nullptr && !(*runs_)[row].empty()) {
      absl::StrAppend(&name, " (run '", (*runs_)[row], "')");
    }
    return name;
  }

  std::string MatchOf(size_t row) const {
    std::vector<std::string> values;
    for (const std::string& name : pairing_.matched_by) {
      values.push_back(absl::StrCat(name, " ", ShowValue(pairing_.table.At(row, name))));
    }
    return absl::StrJoin(values, ", ");
  }

  void PairRow(size_t row) {
    if (!std::isnan(delta_[row])) {
      pairing_.quantized.push_back(row);
      return;
    }
    const std::string named(baseline_[row]);
    if (!named.empty() && runs_ != nullptr) {
      const auto found = by_run_.find(named);
      if (found == by_run_.end()) {
        problems_.Add(absl::StrCat(Name(row), ": its baseline '", named, "' is the run of no row"));
      } else if (found->second.size() > 1) {
        problems_.Add(absl::StrCat(Name(row), ": its baseline '", named, "' is the run of both ",
                                   pairing_.table.Where(found->second[0]), " and ",
                                   pairing_.table.Where(found->second[1])));
      } else {
        Subtract(row, found->second[0]);
      }
      return;
    }
    // A missing value fits nothing: an unknown seed is not the same as another unknown seed.
    for (const std::string& name : pairing_.matched_by) {
      if (ShowValue(pairing_.table.At(row, name)) == "missing") {
        Leave(row, absl::StrCat("its ", name, " is missing"));
        return;
      }
    }
    const std::vector<size_t>& fitting = candidates_[group_of_[row]];
    if (fitting.empty()) {
      Leave(row, absl::StrCat("no full-precision row with ", MatchOf(row)));
    } else if (fitting.size() > 1) {
      problems_.Add(absl::StrCat(Name(row), ": two full-precision rows fit (", MatchOf(row),
                                 "): ", Name(fitting[0]), " and ", Name(fitting[1]),
                                 "; drop one, match by more columns, or name the baseline"));
    } else {
      Subtract(row, fitting[0]);
    }
  }

  void Subtract(size_t row, size_t pair) {
    if (!std::isfinite(loss_[row])) {
      Leave(row, absl::StrCat("it has no ", rule_.loss));
    } else if (!std::isfinite(loss_[pair])) {
      Leave(row, absl::StrCat("its full-precision row ", Name(pair), " has no ", rule_.loss));
    } else {
      delta_[row] = loss_[row] - loss_[pair];
      delta_se_[row] = std::hypot(loss_se_[row], loss_se_[pair]);
      if (runs_ != nullptr) baseline_.Set(row, std::string((*runs_)[pair]));
      pairing_.quantized.push_back(row);
    }
  }

  void Leave(size_t row, const std::string& why) {
    delta_se_[row] = kMissing;
    pairing_.unpaired.push_back({row, absl::StrCat(Name(row), ": ", why)});
  }

  const PairingRule& rule_;
  Pairing pairing_;
  Problems problems_;
  std::vector<bool> full_;
  std::vector<double> loss_se_, delta_, delta_se_;
  absl::Span<const double> loss_;
  TextColumn baseline_;
  const TextColumn* runs_ = nullptr;
  absl::flat_hash_map<std::string, std::vector<size_t>> by_run_;
  std::vector<size_t> group_of_;                 // [rows]
  std::vector<std::vector<size_t>> candidates_;  // Full-precision rows of each group.
};

}  // namespace

absl::StatusOr<Pairing> PairRuns(const Table& table, const PairingRule& rule) {
  return Pairer(table, rule).Run();
}

}  // namespace qatlas::observe
