// A profile for the terminal.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/profile.h"

namespace qatlas::observe {
namespace {

// Columns on the terminal, counting characters and not bytes.
size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string ShortOrNone(double value) {
  if (std::isnan(value)) return "";
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.4g", value);
  return buffer;
}

// Rows of cells under a heading, the first column to the left and the others to the right unless
// marked.
void Grid(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& left,
          std::string* out) {
  std::vector<size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], Width(row[i]));
  }
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(width[i] - Width(row[i]), ' ');
      const bool to_left = i < left.size() && left[i];
      absl::StrAppend(&line, " ", to_left ? row[i] : pad, to_left ? pad : row[i], " ");
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    absl::StrAppend(out, line, "\n");
  }
}

void Columns(const Profile& profile, std::string* out) {
  std::vector<std::vector<std::string>> rows = {
      {"column", "kind", "count", "missing", "levels", "min", "max", "decades", "most common"}};
  for (const ColumnProfile& column : profile.columns) {
    std::vector<std::string> common;
    for (const auto& [value, count] : column.common) {
      if (common.size() == 3) break;
      common.push_back(absl::StrCat(value, " (", count, ")"));
    }
    const bool many =
        column.levels >= ColumnProfile::kMostLevels && column.kind == ColumnKind::kNumber;
    rows.push_back(
        {column.name, column.kind == ColumnKind::kNumber ? "number" : "text",
         absl::StrCat(column.count), column.missing > 0 ? absl::StrCat(column.missing) : "",
         absl::StrCat(column.levels, many ? "+" : ""), ShortOrNone(column.minimum),
         ShortOrNone(column.maximum), ShortOrNone(column.decades), absl::StrJoin(common, ", ")});
  }
  Grid(rows, {true, true, false, false, false, false, false, false, true}, out);
}

void Cells(const std::string& who, const CrossTable& cross, std::string* out) {
  std::vector<std::string> factors;
  for (size_t f = 0; f < cross.factors.size(); ++f) {
    factors.push_back(absl::StrCat(cross.factors[f], " ", cross.levels[f].size()));
  }
  absl::StrAppend(out, "\nCells of ", who, ": ", cross.filled, " of ", cross.possible, " (",
                  absl::StrJoin(factors, " × "), ")\n");
  if (!cross.counts.empty()) {
    std::vector<std::vector<std::string>> rows = {{"N \\ D"}};
    for (const std::string& level : cross.levels[1]) rows[0].push_back(level);
    for (size_t i = 0; i < cross.counts.size(); ++i) {
      rows.push_back({cross.levels[0][i]});
      for (size_t count : cross.counts[i]) {
        rows.back().push_back(count > 0 ? absl::StrCat(count) : "·");
      }
    }
    Grid(rows, {true}, out);
  }
  const size_t missing = cross.possible - cross.filled;
  if (missing == 0) return;
  absl::StrAppend(out, "  not there, ", std::min(missing, cross.missing.size()), " of ", missing,
                  ": ", absl::StrJoin(cross.missing, "; "), "\n");
}

void Runs(const Profile& profile, const Table& table, std::string* out) {
  if (profile.replicates) {
    const Replicates& replicates = *profile.replicates;
    absl::StrAppend(out, "\nReplicates of the ", profile.replicates_of, ": ", replicates.replicated,
                    " of ", replicates.cells, " cells have several runs");
    if (replicates.noise.known()) {
      absl::StrAppend(out, "; one run's standard deviation is ",
                      ShortOrNone(std::sqrt(replicates.noise.variance)));
      if (replicates.relative.known()) {
        absl::StrAppend(out, " (", ShortOrNone(100 * std::sqrt(replicates.relative.variance)),
                        "%)");
      }
      absl::StrAppend(out, ", ", replicates.noise.degrees_of_freedom, " degrees of freedom");
    }
    absl::StrAppend(out, ".\n");
    const auto sets = [&](const std::vector<std::vector<size_t>>& all, const char* what) {
      if (all.empty()) return;
      absl::StrAppend(out, "  ", all.size(), what, "\n");
      for (size_t i = 0; i < std::min<size_t>(all.size(), 5); ++i) {
        std::vector<std::string> places;
        for (size_t row : all[i]) {
          if (places.size() == 6) break;
          places.push_back(absl::StrCat(table.Where(row), " (",
                                        ShortOrNone(table.NumberAt(row, profile.replicates_of)),
                                        ")"));
        }
        absl::StrAppend(out, "    ", absl::StrJoin(places, ", "), "\n");
      }
    };
    sets(replicates.conflicts,
         " sets of rows agree in every covariate and in the seed but not in the result: a column "
         "that tells them apart is missing (precisions labelled alike?)");
    sets(replicates.repeats, " sets of rows repeat one run under several ids");
  }
  for (const std::string& one : profile.contradictions) {
    absl::StrAppend(out, "Label: ", one, "\n");
  }
  if (profile.paired) {
    absl::StrAppend(out, "\nPairs: ", profile.pairs, " rows have a δ (matched by ",
                    absl::StrJoin(profile.matched_by, ", "), "), ", profile.unpaired_count,
                    " have no pair.\n");
    for (const std::string& reason : profile.unpaired) absl::StrAppend(out, "  ", reason, "\n");
    if (profile.unpaired_count > profile.unpaired.size()) {
      absl::StrAppend(out, "  and ", profile.unpaired_count - profile.unpaired.size(), " more\n");
    }
  }
  if (!profile.outliers) return;
  const OutlierScreen& screen = *profile.outliers;
  if (!screen.reason.empty()) {
    absl::StrAppend(out, "\nOutliers: not screened, ", screen.reason, ".\n");
    return;
  }
  absl::StrAppend(out, "\nOutliers: ", screen.count, " of ", screen.screened,
                  " rows stand more than 6 robust standard deviations (",
                  ShortOrNone(100 * screen.scale), "% each) from their neighbours.\n");
  for (const Outlier& one : screen.outliers) {
    absl::StrAppend(out, "  ", table.Where(one.row), ": ", ShortOrNone(one.value),
                    ", neighbours say ", ShortOrNone(one.expected), " (", ShortOrNone(one.score),
                    ")\n");
  }
}

}  // namespace

std::string ProfileAsText(const Profile& profile, const Table& table) {
  std::string out = absl::StrCat(profile.rows, " rows");
  if (profile.full_precision + profile.quantized > 0) {
    absl::StrAppend(&out, ": ", profile.full_precision, " full precision, ", profile.quantized,
                    " quantized");
  }
  absl::StrAppend(&out, "\n\n");
  Columns(profile, &out);
  for (const auto& [who, cross] : profile.cells) Cells(who, cross, &out);
  if (!profile.collinearity.empty()) absl::StrAppend(&out, "\n");
  for (const auto& [who, shape] : profile.collinearity) {
    absl::StrAppend(&out, "N and D: ", shape.sentence, ".\n");
  }
  Runs(profile, table, &out);
  static constexpr const char* kHeads[] = {"\nWhat can be fitted\n", "\nWith reserve\n",
                                           "\nWhat cannot be fitted\n"};
  int last = -1;
  for (const Finding& finding : profile.findings) {
    if (static_cast<int>(finding.kind) != last) {
      last = static_cast<int>(finding.kind);
      out += kHeads[last];
    }
    absl::StrAppend(&out, "  ", finding.text, "\n");
  }
  return out;
}

}  // namespace qatlas::observe
