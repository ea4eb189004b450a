// Texts that name number formats, held against the columns of bits.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <absl/algorithm/container.h>
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/duplicates.h"

namespace qatlas::observe {
namespace {

constexpr double kFull = 16;  // bits from which on nothing is quantized

struct NamedBits {
  std::optional<double> weights, inputs;
};

// Digits at `at` that are no part of a longer number or a fraction; nullopt where there are none.
std::optional<double> Digits(const std::string& text, size_t at) {
  size_t end = at;
  while (end < text.size() && absl::ascii_isdigit(text[end])) ++end;
  if (end == at || end - at > 2) return std::nullopt;
  return std::stod(text.substr(at, end - at));
}

// Bits that a text names: "W4A8", "FP4", "int8", "NF4". A format without W or A is taken for the
// weights', or for the inputs' in a column of these.
NamedBits BitsOf(absl::string_view label, bool of_inputs) {
  const std::string text = absl::AsciiStrToLower(label);
  NamedBits bits;
  const auto starts = [&](size_t at) { return at == 0 || !absl::ascii_isalpha(text[at - 1]); };
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == 'w' && starts(at)) {
      if (const auto weights = Digits(text, at + 1)) {
        bits.weights = *weights;
        size_t next = at + 1;
        while (next < text.size() && absl::ascii_isdigit(text[next])) ++next;
        if (next < text.size() && text[next] == 'a') bits.inputs = Digits(text, next + 1);
        return bits;
      }
    }
    for (const absl::string_view format : {"fp", "int", "nf"}) {
      if (!absl::StartsWith(absl::string_view(text).substr(at), format)) continue;
      if (const auto number = Digits(text, at + format.size())) {
        (of_inputs ? bits.inputs : bits.weights) = *number;
      }
    }
  }
  return bits;
}

std::string FirstPlace(const Table& table, const std::vector<size_t>& rows) {
  std::string text = table.Where(rows[0]);
  if (rows.size() > 1) absl::StrAppend(&text, " and ", rows.size() - 1, " more");
  return text;
}

// A label of `precision` stands for one pair of widths.
void CheckPrecision(const Table& table, std::vector<std::string>* found) {
  const TextColumn* labels = table.FindTexts("precision");
  const std::vector<double>* weights = table.FindNumbers("weight_bits");
  if (labels == nullptr || weights == nullptr) return;
  std::map<uint32_t, std::map<double, size_t>> seen;  // label -> bits -> first row
  for (size_t row = 0; row < table.rows(); ++row) {
    if ((*labels)[row].empty() || std::isnan((*weights)[row])) continue;
    seen[labels->code(row)].try_emplace((*weights)[row], row);
  }
  for (const auto& [code, bits] : seen) {
    if (bits.size() < 2) continue;
    std::vector<std::string> widths;
    for (const auto& [value, row] : bits) {
      widths.push_back(absl::StrCat(value, " (", table.Where(row), ")"));
    }
    found->push_back(absl::StrCat("The precision '", labels->words()[code],
                                  "' stands for several weight_bits: ", absl::StrJoin(widths, ", "),
                                  "."));
  }
}

void CheckColumn(const Table& table, const std::string& name, std::vector<std::string>* found) {
  const TextColumn& labels = *table.FindTexts(name);
  const bool of_inputs = absl::StrContains(name, "input") || absl::StrContains(name, "activation");
  std::vector<NamedBits> named;
  for (const std::string& word : labels.words()) named.push_back(BitsOf(word, of_inputs));
  for (const bool inputs : {false, true}) {
    const char* column = inputs ? "input_bits" : "weight_bits";
    const std::vector<double>* bits = table.FindNumbers(column);
    if (bits == nullptr) continue;
    std::map<uint32_t, std::vector<size_t>> wrong;
    for (size_t row = 0; row < table.rows(); ++row) {
      const NamedBits& label = named[labels.code(row)];
      const std::optional<double>& claim = inputs ? label.inputs : label.weights;
      const double value = (*bits)[row];
      if (!claim || *claim >= kFull || std::isnan(value) || value == *claim) continue;
      if (name == "scheme" && value < kFull) continue;
      wrong[labels.code(row)].push_back(row);
    }
    for (const auto& [code, rows] : wrong) {
      const NamedBits& label = named[code];
      found->push_back(absl::StrCat("The ", name, " '", labels.words()[code], "' names ",
                                    inputs ? *label.inputs : *label.weights, " bits, but ", column,
                                    " is ", (*bits)[rows[0]], ": ", FirstPlace(table, rows), "."));
    }
  }
}

}  // namespace

std::vector<std::string> LabelContradictions(const Table& table) {
  std::vector<std::string> found;
  CheckPrecision(table, &found);
  static constexpr absl::string_view kNames[] = {"run",  "baseline", "model",
                                                 "part", "status",   "granularity"};
  for (const std::string& name : table.names()) {
    if (table.FindTexts(name) == nullptr || absl::c_linear_search(kNames, name)) continue;
    CheckColumn(table, name, &found);
  }
  return found;
}

}  // namespace qatlas::observe
