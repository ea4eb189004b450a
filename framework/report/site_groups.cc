#include "framework/report/site_groups.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/observe/schema.h"
#include "framework/report/labels.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

constexpr size_t kMostGroups = 6;

bool Has(const observe::Table& sites, const std::string& column,
         const std::set<std::string>& runs) {
  for (size_t row = 0; row < sites.rows(); ++row) {
    if (std::isfinite(sites.NumberAt(row, column)) &&
        runs.count(std::string(sites.TextAt(row, "run"))) > 0) {
      return true;
    }
  }
  return false;
}

// `told` are further columns, which tell runs apart that the others do not.
Key KeyOfRow(const observe::Table& table, size_t row, const std::vector<std::string>& told) {
  Key key;
  for (const char* column : {"model", "N", "D", "quantizer", "G", "granularity", "qat_fraction",
                             "weight_bits", "input_bits"}) {
    if (table.Has(column)) key.emplace_back(column, table.At(row, column));
  }
  if (table.NumberAt(row, decompose::kFc2Bits) != table.NumberAt(row, "input_bits")) {
    key.emplace_back(decompose::kFc2Bits, table.NumberAt(row, decompose::kFc2Bits));
  }
  for (const std::string& column : told) key.emplace_back(column, table.At(row, column));
  return key;
}

// Of options and scheme those that tell runs of one label and seed apart.
std::vector<std::string> TellingColumns(const observe::Table& table, bool full_precision) {
  std::vector<std::string> told;
  if (full_precision) return told;
  for (const char* column : {"options", "scheme"}) {
    if (table.FindTexts(column) == nullptr) continue;
    std::map<std::string, std::string> value_of;  // by label and seed
    for (size_t row = 0; row < table.rows(); ++row) {
      const absl::string_view part = table.TextAt(row, "part");
      if (IsFullPrecision(table, row) || (!part.empty() && part != observe::kPartBoth)) continue;
      const std::string key =
          absl::StrCat(CellLabel(KeyOfRow(table, row, told)), "\n", table.NumberAt(row, "seed"));
      const std::string value(table.TextAt(row, column));
      if (value_of.emplace(key, value).first->second == value) continue;
      told.emplace_back(column);
      break;
    }
  }
  return told;
}

// Groups of runs of one part, with their labels. Full precision has neither bits nor groups.
std::vector<RunGroup> GroupsOf(const observe::Table& table, bool full_precision) {
  std::vector<RunGroup> groups;
  // A quantizer that all runs share tells none of them apart.
  std::set<std::string> quantizers;
  for (size_t row = 0; row < table.rows(); ++row) {
    if (!IsFullPrecision(table, row)) quantizers.emplace(table.TextAt(row, "quantizer"));
  }
  std::vector<std::string> unsaid;
  if (quantizers.size() < 2) unsaid.emplace_back("quantizer");
  const std::vector<std::string> told = TellingColumns(table, full_precision);
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string run(table.TextAt(row, "run"));
    const bool plain = IsFullPrecision(table, row);
    const absl::string_view part = table.TextAt(row, "part");
    if (run.empty() || plain != full_precision) continue;
    if (!plain && !part.empty() && part != observe::kPartBoth) continue;
    const Key key = KeyOfRow(table, row, told);
    const std::string label =
        plain ? CellLabel(key, {"G", "granularity", "weight_bits", "input_bits",
                                decompose::kFc2Bits, "qat_fraction", "quantizer"})
              : CellLabel(key, unsaid);
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const RunGroup& group) { return group.label == label; });
    if (found == groups.end()) {
      found = groups.insert(groups.end(),
                            {label, table.NumberAt(row, "N"), table.NumberAt(row, "D"), {}});
    }
    found->runs.insert(run);
  }
  return groups;
}

double OrZero(double value) { return std::isfinite(value) ? value : 0; }

// Those of the largest budget of each size, small models first; for noise the largest size alone.
std::vector<RunGroup> Chosen(std::vector<RunGroup> groups, bool largest_size_only) {
  double largest = 0;
  std::map<double, double> budgets;
  for (const RunGroup& group : groups) {
    const double size = OrZero(group.size);
    largest = std::max(largest, size);
    double& budget = budgets[size];
    budget = std::max(budget, OrZero(group.budget));
  }
  std::vector<RunGroup> chosen;
  for (RunGroup& group : groups) {
    const double size = OrZero(group.size);
    if (OrZero(group.budget) < budgets[size]) continue;
    if (largest_size_only && size < largest) continue;
    chosen.push_back(std::move(group));
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const RunGroup& a, const RunGroup& b) {
    return OrZero(a.size) < OrZero(b.size);
  });
  if (chosen.size() > kMostGroups) chosen.resize(kMostGroups);
  return chosen;
}

}  // namespace

std::vector<RunGroup> ShownGroups(const observe::Table& observations, const observe::Table& sites,
                                  const SiteStatistic& statistic) {
  // What the tensors look like is read off full precision, where it was recorded.
  std::vector<RunGroup> groups;
  for (bool full_precision : {true, false}) {
    if (full_precision && statistic.of_noise) continue;
    for (RunGroup& group : GroupsOf(observations, full_precision)) {
      if (!Has(sites, statistic.column, group.runs)) continue;
      if (full_precision) {
        group.label = absl::StrCat("full precision", group.label.empty() ? "" : ", ", group.label);
      }
      groups.push_back(std::move(group));
    }
    if (!groups.empty()) break;
  }
  return Chosen(std::move(groups), statistic.of_noise);
}

double Median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string RoleAndOperand(const observe::Table& sites, size_t row) {
  return absl::StrCat(sites.TextAt(row, "role"), ".", sites.TextAt(row, "operand"));
}

std::vector<std::string> RolesAndOperands(const observe::Table& sites) {
  std::vector<std::string> names;
  for (size_t row = 0; row < sites.rows(); ++row) {
    std::string name = RoleAndOperand(sites, row);
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  }
  return names;
}

}  // namespace qatlas::report
