#include "framework/cli/lab_rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/observe/expression.h"
#include "framework/observe/import.h"
#include "framework/observe/number.h"
#include "framework/observe/quantized.h"
#include "framework/observe/schema.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

bool FullPrecision(const observe::Table& table, size_t row) {
  const absl::string_view part = table.TextAt(row, "part");
  if (!part.empty()) return part == observe::kPartNone;
  const absl::string_view scheme = table.TextAt(row, "scheme");
  return scheme.empty() || scheme == observe::kSchemeFullPrecision;
}

// Whether the condition itself says which kinds of rows are meant. `told`: by scheme or part; where
// the table has neither, the columns that tell instead are heard.
absl::StatusOr<bool> NamesKind(const std::string& where, bool of_loss, bool told) {
  if (where.empty()) return false;
  const auto expression = observe::Expression::Parse(where);
  if (!expression.ok()) return expression.status();
  const std::vector<std::string> columns = expression->Columns();
  const auto names = [&](const char* column) { return absl::c_linear_search(columns, column); };
  if (names("part") || (of_loss && names("scheme"))) return true;
  return !told &&
         (names("precision") || names("weight_bits") || names("input_bits") || names("quantized"));
}

// [rows]: true for full precision, by scheme and part, or else by what tells it. Empty: nothing
// tells it.
absl::StatusOr<std::vector<bool>> FullPrecisionRows(const observe::Table& table) {
  std::vector<bool> full;
  if (table.Has("part") || table.Has("scheme")) {
    for (size_t row = 0; row < table.rows(); ++row) full.push_back(FullPrecision(table, row));
  } else if (observe::TellsQuantized(table)) {
    const auto quantized = observe::QuantizedRows(table);
    if (!quantized.ok()) return quantized.status();
    for (double is : *quantized) full.push_back(is == 0);
  }
  return full;
}

// Why there is no such target, and what to do.
absl::Status NoTarget(const observe::Table& table, const std::string& target) {
  const absl::Status missing = table.NoSuchColumn(target);
  if (target != kTargetDelta) return missing;
  return absl::Status(
      missing.code(),
      absl::StrCat(missing.message(),
                   "\nδ is computed where the table has a 'loss', and a 'scheme' ('fp' for full "
                   "precision), 'precision' or 'weight_bits' that tell quantized rows from their "
                   "full-precision pairs (--map names columns; `qatlas observations` shows what a "
                   "table has). To fit a law of the loss: --target loss"));
}

// "; f.csv:4, f.csv:6 and 3 more"
std::string Places(const observe::Table& table, const std::vector<size_t>& rows) {
  constexpr size_t kShown = 5;
  std::vector<std::string> places;
  for (size_t i = 0; i < std::min(kShown, rows.size()); ++i) {
    places.push_back(table.Where(rows[i]));
  }
  return absl::StrCat(
      absl::StrJoin(places, ", "),
      rows.size() > kShown ? absl::StrCat(" and ", rows.size() - kShown, " more") : "");
}

// A run that diverged says nothing to a law, and leaving it out unasked would flatter the fit.
absl::Status NotFinite(const observe::Table& table, const std::string& target,
                       const std::vector<size_t>& rows) {
  return absl::InvalidArgumentError(
      absl::StrCat(rows.size(), rows.size() == 1 ? " row has a " : " rows have a ", target,
                   " that is NaN or infinite: ", Places(table, rows), ". To leave ",
                   rows.size() == 1 ? "it" : "them", " out, add where = \"abs(", target,
                   ") < 1e9\" to the fit, or --map 'where=abs(", target,
                   ") < 1e9' to the command; an empty field stands for what was not measured"));
}

}  // namespace

absl::StatusOr<observe::Table> ChooseRows(const observe::Table& table, const std::string& target,
                                          const std::string& where, std::vector<std::string>* notes,
                                          bool joint) {
  observe::Table chosen = table;
  if (!where.empty()) {
    observe::ImportSpec spec;
    spec.where = where;
    spec.keep_others = true;
    auto filtered = observe::Import(table, spec);
    if (!filtered.ok()) return filtered.status();
    chosen = *std::move(filtered);
  }
  if (!chosen.Has(target)) return NoTarget(chosen, target);
  const bool of_delta = target == kTargetDelta;
  const bool of_loss = target == kTargetLoss;
  const bool told = chosen.Has("part") || chosen.Has("scheme");
  const auto names_kind = NamesKind(where, of_loss, told);
  if (!names_kind.ok()) return names_kind.status();
  const auto full = of_loss || of_delta ? FullPrecisionRows(chosen) : std::vector<bool>();
  if (!full.ok()) return full.status();
  const auto is_full = [&](size_t row) { return !full->empty() && (*full)[row]; };
  std::vector<size_t> without, wild;
  size_t other = 0;
  observe::Table rows = chosen.Filter([&](size_t row) {
    if (!*names_kind && !full->empty()) {
      const absl::string_view part = chosen.TextAt(row, "part");
      const bool both = part.empty() || part == observe::kPartBoth;
      const bool wanted = of_delta ? both : is_full(row) || (joint && both);
      if (!wanted) {
        ++other;
        return false;
      }
    }
    const double value = chosen.NumberAt(row, target);
    if (std::isfinite(value)) return true;
    if (std::isinf(value) || observe::IsWrittenNan(value)) wild.push_back(row);
    // A full-precision row has no δ; that is no loss.
    if (!of_delta || !is_full(row)) without.push_back(row);
    return false;
  });
  if (!wild.empty()) return NotFinite(chosen, target, wild);
  if (!without.empty()) {
    notes->push_back(absl::StrCat(
        without.size(), without.size() == 1 ? " row" : " rows", " without a finite ", target,
        without.size() == 1 ? " was" : " were", " left out: ", Places(chosen, without), "."));
  }
  if (of_loss && other > 0 && rows.rows() > 0) {
    notes->push_back(absl::StrCat(
        other, other == 1 ? " quantized row was" : " quantized rows were",
        " left out: none of the laws tells them from full precision. A where that names scheme or "
        "part chooses otherwise."));
  }
  if (rows.rows() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no row has a ", target,
                     of_delta ? "; δ needs pairs of a quantized and a full-precision row of the "
                                "same model, D and seed"
                              : "",
                     other > 0 ? absl::StrCat("; ", other, " rows are of another kind") : ""));
  }
  return rows;
}

std::vector<std::string> GroupColumns(const observe::Table& rows) {
  const char* model = rows.Has("model") ? "model" : "N";
  if (!rows.Has(model) || !rows.Has("seed")) return {};
  for (size_t row = 0; row < rows.rows(); ++row) {
    if (std::isnan(rows.NumberAt(row, "seed"))) return {};
  }
  return {model, "seed"};
}

}  // namespace qatlas::cli
