#include "framework/report/labels.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/report/figure.h"

namespace qatlas::report {

Key KeyOf(const decompose::Parts& parts, const decompose::PartDelta& delta) {
  Key key;
  for (size_t i = 0; i < parts.cell_columns.size(); ++i) {
    key.emplace_back(parts.cell_columns[i], delta.key[i]);
  }
  key.emplace_back("weight_bits", delta.weight_bits);
  key.emplace_back("input_bits", delta.input_bits);
  return key;
}

double NumberOf(const Key& key, const std::string& column) {
  for (const auto& [name, value] : key) {
    if (name != column) continue;
    const double* number = std::get_if<double>(&value);
    return number != nullptr ? *number : std::nan("");
  }
  return std::nan("");
}

std::string TextOf(const Key& key, const std::string& column) {
  for (const auto& [name, value] : key) {
    if (name != column) continue;
    const std::string* text = std::get_if<std::string>(&value);
    return text != nullptr ? *text : "";
  }
  return "";
}

std::string BitsLabel(double weight_bits, double input_bits) {
  if (!std::isfinite(weight_bits) && !std::isfinite(input_bits)) return "";
  return absl::StrCat("W", std::isfinite(weight_bits) ? ShortNumber(weight_bits) : "16", "A",
                      std::isfinite(input_bits) ? ShortNumber(input_bits) : "16");
}

std::string GroupLabel(const Key& key) {
  const std::string granularity = TextOf(key, "granularity");
  if (!granularity.empty() && granularity != "per-group") return granularity;
  const double group = NumberOf(key, "G");
  return std::isfinite(group) ? absl::StrCat("G ", ShortCount(group)) : "";
}

std::string Word(const Key& key, const std::string& column) {
  if (column == "granularity" || column == "input_bits") return "";
  if (column == "G") return GroupLabel(key);
  if (column == "weight_bits") {
    return BitsLabel(NumberOf(key, "weight_bits"), NumberOf(key, "input_bits"));
  }
  const double number = NumberOf(key, column);
  if (std::isfinite(number)) {
    if (column == "qat_fraction") return absl::StrCat("QAT fraction ", ShortNumber(number, 3));
    if (column == decompose::kFc2Bits) return absl::StrCat("FC2 input A", ShortNumber(number));
    return absl::StrCat(column, " ", ShortCount(number));
  }
  return TextOf(key, column);
}

std::string CellLabel(const Key& key, const std::vector<std::string>& without) {
  std::vector<std::string> words;
  for (const auto& [name, value] : key) {
    if (std::find(without.begin(), without.end(), name) != without.end()) continue;
    if (name == "model" && std::isfinite(NumberOf(key, "N"))) continue;
    std::string word = Word(key, name);
    if (!word.empty()) words.push_back(std::move(word));
  }
  return absl::StrJoin(words, ", ");
}

std::string CellLabel(const decompose::Cell& cell) {
  Key key = cell.key;
  key.emplace_back("weight_bits", cell.weight_bits);
  key.emplace_back("input_bits", cell.input_bits);
  return CellLabel(key);
}

std::vector<std::string> VaryingColumns(const std::vector<Key>& keys) {
  std::vector<std::string> columns;
  if (keys.empty()) return columns;
  for (const auto& [name, value] : keys.front()) {
    std::set<std::string> values;
    for (const Key& key : keys) {
      const double number = NumberOf(key, name);
      values.insert(std::isfinite(number) ? absl::StrCat(number) : TextOf(key, name));
    }
    if (values.size() > 1) columns.push_back(name);
  }
  return columns;
}

}  // namespace qatlas::report
