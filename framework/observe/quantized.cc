#include "framework/observe/quantized.h"

#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

// What bits count as not quantized; docs/observations.md.
constexpr double kFullBits = 16;

enum class Says { kNothing, kFull, kQuantized };

// A column that tells how rows were quantized.
struct Witness {
  std::string name;  // in the table
  const TextColumn* texts = nullptr;
  const std::vector<double>* numbers = nullptr;
  const char* full = nullptr;  // the text for full precision

  Says Row(size_t row) const {
    if (numbers != nullptr) {
      return (*numbers)[row] < kFullBits ? Says::kQuantized : Says::kNothing;
    }
    const absl::string_view text = (*texts)[row];
    if (text.empty()) return Says::kNothing;
    return text == full ? Says::kFull : Says::kQuantized;
  }
  std::string Show(size_t row) const {
    return numbers != nullptr ? absl::StrCat(name, " = ", ShowNumber((*numbers)[row]))
                              : absl::StrCat(name, " = '", (*texts)[row], "'");
  }
};

std::vector<Witness> Witnesses(const Table& table,
                               const std::map<std::string, std::string>& columns) {
  std::vector<Witness> result;
  for (const auto& [name, full] : {std::pair{"scheme", kSchemeFullPrecision},
                                   {"precision", kSchemeFullPrecision},
                                   {"part", kPartNone},
                                   {"weight_bits", nullptr},
                                   {"input_bits", nullptr}}) {
    const auto mapped = columns.find(name);
    Witness witness;
    witness.name = mapped == columns.end() ? name : mapped->second;
    witness.full = full;
    if (full != nullptr) {
      witness.texts = table.FindTexts(witness.name);
    } else {
      witness.numbers = table.FindNumbers(witness.name);
    }
    if (witness.texts != nullptr || witness.numbers != nullptr) result.push_back(witness);
  }
  return result;
}

}  // namespace

bool TellsQuantized(const Table& table) {
  return table.FindNumbers("quantized") != nullptr || !Witnesses(table, {}).empty();
}

absl::StatusOr<std::vector<double>> QuantizedRows(
    const Table& table, const std::map<std::string, std::string>& columns) {
  const auto mapped = [&](const char* name) {
    const auto found = columns.find(name);
    return found == columns.end() ? std::string(name) : found->second;
  };
  std::vector<double> result(table.rows(), 0.0);
  Problems problems;
  if (const std::vector<double>* given = table.FindNumbers(mapped("quantized"))) {
    for (size_t row = 0; row < table.rows(); ++row) {
      const double value = (*given)[row];
      if (std::isnan(value)) continue;
      if (value != 0 && value != 1) {
        problems.Add(
            absl::StrCat(table.Where(row), ": quantized = ", ShowNumber(value), " must be 0 or 1"));
      }
      result[row] = value;
    }
    if (!problems.empty()) return problems.ToStatus();
    return result;
  }
  const std::vector<Witness> witnesses = Witnesses(table, columns);
  if (witnesses.empty()) {
    const std::vector<double>* group = table.FindNumbers(mapped("G"));
    if (group == nullptr) {
      return absl::InvalidArgumentError(
          "nothing tells quantized rows from those of full precision: there is no column scheme, "
          "precision, part, weight_bits, input_bits or G; add a column quantized of 0 and 1");
    }
    for (size_t row = 0; row < table.rows(); ++row) result[row] = !std::isnan((*group)[row]);
    return result;
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    const Witness* full = nullptr;
    const Witness* quantized = nullptr;
    for (const Witness& witness : witnesses) {
      const Says says = witness.Row(row);
      if (says == Says::kFull && full == nullptr) full = &witness;
      if (says == Says::kQuantized && quantized == nullptr) quantized = &witness;
    }
    if (full != nullptr && quantized != nullptr) {
      problems.Add(absl::StrCat(table.Where(row), ": ", full->Show(row),
                                " says full precision, but ", quantized->Show(row),
                                " says quantized"));
    }
    result[row] = quantized != nullptr;
  }
  if (!problems.empty()) return problems.ToStatus();
  return result;
}

}  // namespace qatlas::observe
