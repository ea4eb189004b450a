#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/observe/schema.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

// Beyond this many rows the page shows the beginning; the data have all.
constexpr size_t kMostRows = 500;

bool IsMissing(const observe::Table& table, const std::string& column) {
  for (size_t row = 0; row < table.rows(); ++row) {
    if (std::isfinite(table.NumberAt(row, column)) || !table.TextAt(row, column).empty()) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsFullPrecision(const observe::Table& table, size_t row) {
  const absl::string_view scheme = table.TextAt(row, "scheme");
  if (!scheme.empty()) return scheme == observe::kSchemeFullPrecision;
  const absl::string_view part = table.TextAt(row, "part");
  if (!part.empty()) return part == observe::kPartNone;
  double weight = table.NumberAt(row, "weight_bits");
  double input = table.NumberAt(row, "input_bits");
  int from_label[2] = {16, 16};
  const std::string label(table.TextAt(row, "precision"));
  if (std::sscanf(label.c_str(), "W%dA%d", &from_label[0], &from_label[1]) == 2) {
    if (!std::isfinite(weight)) weight = from_label[0];
    if (!std::isfinite(input)) input = from_label[1];
  }
  return !(weight < 16) && !(input < 16);
}

Section ObservationsSection(const observe::Table& observations) {
  Section section;
  section.id = "runs";
  section.title = "All observations";
  if (observations.rows() == 0) return section;
  ShownTable table;
  table.id = "observations";
  const size_t shown = std::min(observations.rows(), kMostRows);
  table.title = shown == observations.rows()
                    ? absl::StrCat(shown, shown == 1 ? " row" : " rows")
                    : absl::StrCat("The first ", shown, " of ", observations.rows(), " rows");
  table.reading =
      "One row a run; columns as in docs/observations.md. Columns without values are "
      "left out here.";
  table.collapsed = true;
  table.digits = 6;
  table.data = observations;
  std::vector<size_t> rows(shown);
  std::iota(rows.begin(), rows.end(), size_t{0});
  table.shown = observations.Take(rows);
  for (const std::string& column : observations.names()) {
    // The column is there: it was just named.
    if (IsMissing(observations, column)) table.shown.Drop(column).IgnoreError();
  }
  section.tables.push_back(std::move(table));
  return section;
}

}  // namespace qatlas::report
