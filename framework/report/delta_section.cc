#include "framework/report/delta_section.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/fit/predict.h"
#include "framework/observe/schema.h"

namespace qatlas::report {
namespace {

// The mean over the seeds of one cell, and a row of the table that lies in it.
struct DeltaCell {
  size_t row = 0;
  const decompose::Estimate* estimate = nullptr;
};

std::vector<std::string> Present(const observe::Table& table, std::vector<std::string> names) {
  names.erase(std::remove_if(names.begin(), names.end(),
                             [&table](const std::string& name) { return !table.Has(name); }),
              names.end());
  return names;
}

std::vector<std::string> CellColumns(const observe::Table& table) {
  return Present(table, {"model", "N", "D", "precision", "quantizer", "weight_bits", "input_bits", "G",
                         "granularity", "qat_fraction"});
}

// One way to look at δ: against x, a line for each combination of the series' columns.
struct View {
  std::string id;
  std::string x;
  std::string x_title;
  bool x_log;
  std::vector<std::string> series;
  bool largest_budget_only;
  bool split_by_precision;
  std::string title;
};

std::string Describe(const observe::Table& table, size_t row, const std::vector<std::string>& columns) {
  std::vector<std::string> words;
  for (const std::string& column : columns) {
    const observe::Value value = table.At(row, column);
    if (const double* number = std::get_if<double>(&value)) {
      if (std::isfinite(*number)) words.push_back(absl::StrCat(column, " ", ShortCount(*number)));
    } else if (const std::string& text = std::get<std::string>(value); !text.empty()) {
      words.push_back(text);
    }
  }
  return absl::StrJoin(words, ", ");
}

// The law's curve for one series: its row with x running between the ends.
nlohmann::json LawTrace(const observe::Table& table, size_t row, const View& view, double low, double high,
                        const fit::FitResult& law, size_t series) {
  const std::vector<double> x = view.x_log ? fit::LogSpaced(low, high, 40) : std::vector<double>();
  if (x.empty()) return nullptr;
  const std::vector<size_t> rows(x.size(), row);
  observe::Table grid = table.Take(rows);
  if (!grid.SetNumbers(view.x, x).ok()) return nullptr;
  auto prediction = fit::Predict(law, grid);
  if (!prediction.ok()) return nullptr;  // a category of its own for each x (one curve per D and G)
  nlohmann::json trace = PointTrace("", x, prediction->value, {}, series, true);
  trace["mode"] = "lines";
  trace["line"]["dash"] = "dot";
  trace["line"]["width"] = 1.2;
  trace["showlegend"] = false;
  trace["hoverinfo"] = "skip";
  return trace;
}

Figure DrawView(const observe::Table& table, const std::vector<DeltaCell>& cells, const View& view,
                const std::string& precision, const fit::FitResult* law) {
  Figure figure;
  figure.id = absl::StrCat("delta-", view.id, precision.empty() ? "" : "-" + precision);
  figure.title = precision.empty() ? view.title : absl::StrCat(precision, ": ", view.title);
  std::map<std::string, std::vector<const DeltaCell*>> lines;
  std::map<std::string, std::vector<double>> order;
  for (const DeltaCell& cell : cells) {
    const std::string name = Describe(table, cell.row, view.series);
    lines[name].push_back(&cell);
    std::vector<double>& key = order[name];
    if (key.empty()) {
      for (const std::string& column : view.series) key.push_back(table.NumberAt(cell.row, column));
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, line] : lines) names.push_back(name);
  std::sort(names.begin(), names.end(), [&order](const std::string& a, const std::string& b) {
    return std::make_pair(order[a], a) < std::make_pair(order[b], b);
  });
  size_t series = 0;
  for (const std::string& name : names) {
    std::vector<const DeltaCell*>& line = lines[name];
    std::sort(line.begin(), line.end(), [&](const DeltaCell* a, const DeltaCell* b) {
      return table.NumberAt(a->row, view.x) < table.NumberAt(b->row, view.x);
    });
    std::vector<double> x;
    std::vector<double> y;
    std::vector<double> error;
    for (const DeltaCell* cell : line) {
      x.push_back(table.NumberAt(cell->row, view.x));
      y.push_back(cell->estimate->value);
      error.push_back(cell->estimate->known_se());
      observe::Table::Row row;
      for (const std::string& column : CellColumns(table)) row.emplace_back(column, table.At(cell->row, column));
      row.emplace_back("delta", cell->estimate->value);
      row.emplace_back("evaluation_error", cell->estimate->evaluation_se);
      row.emplace_back("training_error", cell->estimate->training_se);
      row.emplace_back("error", cell->estimate->known_se());
      row.emplace_back("seeds", static_cast<double>(cell->estimate->seeds));
      (void)figure.data.Append(row);
    }
    figure.traces.push_back(PointTrace(name, x, y, error, series, law == nullptr));
    if (law != nullptr && x.size() > 1) {
      nlohmann::json curve = LawTrace(table, line.front()->row, view, x.front(), x.back(), *law, series);
      if (curve.is_object()) figure.traces.push_back(std::move(curve));
    }
    ++series;
  }
  figure.reading = absl::StrCat(
      "Each point is the mean over seeds of δ, in nats per token; bars are one standard error, evaluation and "
      "training together (apart in the data).",
      law != nullptr ? absl::StrCat(" Dotted: ", law->form, ", fitted to all points.") : "");
  figure.layout = Axes(view.x_title, "δ (nats/token)", view.x_log, false);
  if (view.x == "G") figure.layout["xaxis"]["type"] = "log";
  return figure;
}

}  // namespace

Section DeltaSection(const observe::Table& observations, const decompose::Parts& parts,
                     const fit::FitResult* law) {
  Section section;
  section.id = "delta";
  section.title = "What quantization costs";
  std::vector<DeltaCell> cells;
  for (const decompose::PartDelta& delta : parts.deltas) {
    if (delta.part == observe::kPartBoth) cells.push_back({delta.seeds.front().row, &delta.estimate});
  }
  if (cells.empty()) {
    section.paragraphs.push_back("There are no finished pairs of a quantized and a full-precision run.");
    return section;
  }
  section.paragraphs.push_back(
      "δ is the validation loss of a quantized run minus that of its full-precision pair: same model, same data "
      "in the same order, same seed.");
  const View views[] = {
      {"data", "D", "D (training tokens)", true, {"N", "G"}, false, true, "δ against training data"},
      {"size", "N", "N (parameters of the blocks' linears)", true, {"D", "G"}, false, true,
       "δ against model size"},
      {"group", "G", "G (elements that share a scale)", true, {"N", "precision"}, true, false,
       "δ against group size, at the largest budget"},
      {"bits", "weight_bits", "bits", false, {"N", "G"}, true, false, "δ against bits, at the largest budget"},
  };
  double largest = 0;
  std::set<std::string> precisions;
  for (const DeltaCell& cell : cells) {
    largest = std::max(largest, observations.NumberAt(cell.row, "D"));
    precisions.insert(std::string(observations.TextAt(cell.row, "precision")));
  }
  for (const View& view : views) {
    for (const std::string& precision : view.split_by_precision ? precisions : std::set<std::string>{""}) {
      std::vector<DeltaCell> shown;
      std::set<double> levels;
      for (const DeltaCell& cell : cells) {
        if (view.split_by_precision && observations.TextAt(cell.row, "precision") != precision) continue;
        if (view.largest_budget_only && observations.NumberAt(cell.row, "D") < largest) continue;
        const double x = observations.NumberAt(cell.row, view.x);
        if (!std::isfinite(x)) continue;
        levels.insert(x);
        shown.push_back(cell);
      }
      if (levels.size() < 2) continue;
      section.figures.push_back(DrawView(observations, shown, view, precision, law));
    }
  }
  return section;
}

}  // namespace qatlas::report
