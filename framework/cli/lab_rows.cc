#include "framework/cli/lab_rows.h"

#include <cmath>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "framework/observe/expression.h"
#include "framework/observe/import.h"
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

// Whether the condition itself says which kinds of rows are meant.
absl::StatusOr<bool> NamesKind(const std::string& where, bool of_loss) {
  if (where.empty()) return false;
  const auto expression = observe::Expression::Parse(where);
  if (!expression.ok()) return expression.status();
  const std::vector<std::string> columns = expression->Columns();
  return absl::c_linear_search(columns, "part") ||
         (of_loss && absl::c_linear_search(columns, "scheme"));
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
  if (!chosen.Has(target)) return chosen.NoSuchColumn(target);
  const bool of_delta = target == kTargetDelta;
  const bool of_loss = target == kTargetLoss;
  const auto names_kind = NamesKind(where, of_loss);
  if (!names_kind.ok()) return names_kind.status();
  const bool has_kind = chosen.Has("part") || chosen.Has("scheme");
  size_t without = 0;
  size_t other = 0;
  observe::Table rows = chosen.Filter([&](size_t row) {
    if (!*names_kind && has_kind) {
      const absl::string_view part = chosen.TextAt(row, "part");
      const bool wanted = of_delta  ? part.empty() || part == observe::kPartBoth
                          : of_loss ? FullPrecision(chosen, row) ||
                                          (joint && (part.empty() || part == observe::kPartBoth))
                                    : true;
      if (!wanted) {
        ++other;
        return false;
      }
    }
    if (std::isfinite(chosen.NumberAt(row, target))) return true;
    // A full-precision row has no δ; that is no loss.
    if (!of_delta || !FullPrecision(chosen, row)) ++without;
    return false;
  });
  if (without > 0) {
    notes->push_back(absl::StrCat(without, " rows without a ", target, " were left out."));
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
