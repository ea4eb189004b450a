#include "framework/report/delta_section.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/observe/schema.h"
#include "framework/report/findings.h"
#include "framework/report/labels.h"

namespace qatlas::report {
namespace {

// One way to look at δ: against `x`, a panel for each value of `panel`, and a line for each
// combination of what else varies.
struct View {
  const char* id;
  const char* x;
  const char* x_title;
  const char* what;   // "training data"
  const char* panel;  // cell column
  bool x_log;
  bool split_by_bits;  // a figure for each W4A4, W3A3, ...
};
constexpr View kViews[] = {
    {"data", "D", "D (training tokens)", "training data", "G", true, true},
    {"size", "N", "N (parameters of the blocks' linears)", "model size", "G", true, true},
    {"group", "G", "G (elements that share a scale)", "group size", "D", true, true},
    {"bits", "bits", "bits of weights and inputs", "bits", "D", false, false},
    {"fraction", "qat_fraction", "share of the tokens trained quantized", "QAT fraction", "D",
     false, true},
};

struct Point {
  const decompose::PartDelta* delta = nullptr;
  Key key;
  double x = 0;
};

double LevelOf(const View& view, const Key& key) {
  if (absl::string_view(view.x) != "bits") return NumberOf(key, view.x);
  const double weight = NumberOf(key, "weight_bits");
  return weight == NumberOf(key, "input_bits") ? weight : std::nan("");
}

// Columns that the place in the figure tells already.
std::vector<std::string> Told(const View& view) {
  std::vector<std::string> told = {view.x, view.panel};
  const absl::string_view x = view.x;
  const absl::string_view panel = view.panel;
  if (x == "N") told.insert(told.end(), {"model", "N_total"});
  if (x == "G" || panel == "G") told.emplace_back("granularity");
  if (x == "bits" || view.split_by_bits) told.insert(told.end(), {"weight_bits", "input_bits"});
  return told;
}

// Names in the order of their numbers, so that 32 comes before 128.
using SortKey = std::pair<std::vector<double>, std::string>;

SortKey Order(const Key& key, const std::vector<std::string>& columns, const std::string& name) {
  std::vector<double> numbers;
  for (const std::string& column : columns) {
    const double number = NumberOf(key, column);
    // What covers the whole reduction stands behind the groups.
    const bool whole = column == "G" && !absl::StartsWith(GroupLabel(key), "G ");
    numbers.push_back(whole || !std::isfinite(number) ? 1e300 : number);
  }
  return {std::move(numbers), name};
}

void AppendData(const Point& point, observe::Table* table) {
  const decompose::Estimate& estimate = point.delta->estimate;
  for (const decompose::SeedDelta& seed : point.delta->seeds) {
    observe::Table::Row row(point.key.begin(), point.key.end());
    row.insert(row.end(), {{"seed", seed.seed},
                           {"delta", seed.delta},
                           {"delta_se", seed.se},
                           {"mean", estimate.value},
                           {"evaluation_error", estimate.evaluation_se},
                           {"training_error", estimate.training_se},
                           {"error", estimate.known_se()},
                           {"seeds", static_cast<double>(estimate.seeds)}});
    // Every row has the same columns of the same kinds.
    table->Append(row).IgnoreError();
  }
}

// A line of one panel: one combination of everything that neither x nor the panel tells.
struct Line {
  size_t panel = 0;
  size_t series = 0;
  std::string name;
  std::vector<Point> points;  // by x
};

class Drawing {
 public:
  Drawing(const View& view, const observe::Table& observations, const std::vector<FittedLaw>& laws)
      : view_(view), observations_(observations), laws_(laws) {}

  void Add(const Line& line) {
    std::vector<double> x, y, error, seed_x, seed_y;
    for (const Point& point : line.points) {
      x.push_back(point.x);
      y.push_back(point.delta->estimate.value);
      error.push_back(point.delta->estimate.known_se());
      errors_known_ |= std::isfinite(error.back());
      levels_.push_back(point.x);
      AppendData(point, &figure_.data);
      if (point.delta->seeds.size() < 2) continue;
      for (const decompose::SeedDelta& seed : point.delta->seeds) {
        seed_x.push_back(point.x);
        seed_y.push_back(seed.delta);
      }
    }
    const bool curve = AddCurves(line);
    if (!seed_x.empty()) {
      nlohmann::json seeds = PointTrace(line.name, seed_x, seed_y, {}, line.series, false);
      seeds["marker"] = {{"color", PaleColor(line.series, .45)}, {"size", 4}};
      seeds["showlegend"] = false;
      seeds["hoverinfo"] = "skip";
      seeds_shown_ = true;
      Put(line, std::move(seeds));
    }
    nlohmann::json means = PointTrace(line.name, x, y, error, line.series, !curve);
    means["showlegend"] = !line.name.empty() && in_legend_.insert(line.name).second;
    Put(line, std::move(means));
  }

  Figure Finish(const std::string& bits, const StepCount& count, std::vector<std::string> panels) {
    figure_.id = absl::StrCat("delta-", view_.id, bits.empty() ? "" : "-" + bits);
    // That nothing is known is no headline; the reading says it.
    const std::string phrase = count.error_unknown == count.total() ? "" : StepPhrase(count);
    figure_.title = absl::StrCat(bits.empty() ? "" : bits + ": ", "δ against ", view_.what,
                                 phrase.empty() ? "" : absl::StrCat(" – it ", phrase));
    figure_.reading = absl::StrCat(
        "Large marks are means of δ over seeds, ",
        errors_known_ ? "with one standard error (evaluation and training together; apart in the "
                        "data)"
                      : "without bars: the table tells no error of δ",
        seeds_shown_ ? "; small pale marks are single seeds. " : ". ",
        drawn_.empty()
            ? "Lines join the marks and are no fit."
            : absl::StrCat("As fitted: ", Drawn(),
                           ", with the 95% band of the first where its fit has one; marks off a "
                           "curve by more than their bars are what the form misses."));
    figure_.layout = Axes(view_.x_title, "δ (nats/token)", view_.x_log, false);
    if (!view_.x_log) figure_.layout["xaxis"]["rangemode"] = "nonnegative";
    TickAt(levels_, &figure_.layout["xaxis"]);
    if (panels.size() > 1 || !panels[0].empty()) figure_.panels = std::move(panels);
    return std::move(figure_);
  }

 private:
  void Put(const Line& line, nlohmann::json trace) {
    InPanel(line.panel, &trace);
    // A click on the legend hides everything of the name.
    trace["legendgroup"] = PlotText(line.name);
    figure_.traces.push_back(std::move(trace));
  }

  bool AddCurves(const Line& line) {
    // Along bits two columns move at once.
    const absl::string_view x = view_.x;
    if (line.points.size() < 2 || x == "bits") return false;
    const decompose::PartDelta& delta = *line.points.front().delta;
    bool any = false;
    for (const FittedLaw& law : laws_) {
      if (!CanVary(law, view_.x, x == "qat_fraction") ||
          !FittedTo(law, delta.weight_bits, delta.input_bits)) {
        continue;
      }
      std::optional<Curve> curve = CurveAlong(law, observations_, delta.seeds.front().row, view_.x,
                                              line.points.front().x, line.points.back().x);
      if (!curve.has_value()) continue;
      if (any) curve->low.clear();  // bands on bands hide everything
      for (nlohmann::json& trace : CurveTraces(*curve, line.series, LawDash(DrawnAt(law.name)))) {
        Put(line, std::move(trace));
      }
      any = true;
    }
    return any;
  }

  // The place of a law among those that this figure draws.
  size_t DrawnAt(const std::string& name) {
    const auto found = std::find(drawn_.begin(), drawn_.end(), name);
    if (found != drawn_.end()) return static_cast<size_t>(found - drawn_.begin());
    drawn_.push_back(name);
    return drawn_.size() - 1;
  }

  // "qat-unified (dotted), qat-no-data (dashed)"
  std::string Drawn() const {
    std::vector<std::string> words;
    for (size_t i = 0; i < drawn_.size(); ++i) {
      words.push_back(absl::StrCat(drawn_[i], " (", LawDashWord(i), ")"));
    }
    return absl::StrJoin(words, ", ");
  }

  const View& view_;
  const observe::Table& observations_;
  const std::vector<FittedLaw>& laws_;
  std::vector<std::string> drawn_;  // names of the laws with a curve here
  Figure figure_;
  std::vector<double> levels_;
  std::set<std::string> in_legend_;
  bool errors_known_ = false;
  bool seeds_shown_ = false;
};

// Index of each name in the order of its key.
std::map<std::string, size_t> Places(const std::map<std::string, SortKey>& order) {
  std::vector<std::pair<SortKey, std::string>> sorted;
  for (const auto& [name, key] : order) sorted.emplace_back(key, name);
  std::sort(sorted.begin(), sorted.end());
  std::map<std::string, size_t> places;
  for (const auto& [key, name] : sorted) places.emplace(name, places.size());
  return places;
}

std::vector<Line> MakeLines(const View& view, const std::vector<Point>& points,
                            std::vector<std::string>* panels) {
  std::vector<Key> keys;
  for (const Point& point : points) keys.push_back(point.key);
  const std::vector<std::string> told = Told(view);
  std::vector<std::string> columns;  // that a line's name needs
  for (const std::string& column : VaryingColumns(keys)) {
    if (std::find(told.begin(), told.end(), column) == told.end()) columns.push_back(column);
  }
  // The model's name says no more than N where both are there.
  const auto name_of = [&](const Key& key) {
    std::vector<std::string> words;
    for (const std::string& column : columns) {
      if (column == "model" && std::isfinite(NumberOf(key, "N"))) continue;
      std::string word = Word(key, column);
      // Beside a line of another FC2 input one without a word would have no name.
      if (word.empty() && column == decompose::kFc2Bits) word = "FC2 input as all";
      if (!word.empty()) words.push_back(std::move(word));
    }
    return absl::StrJoin(words, ", ");
  };
  std::map<std::string, SortKey> panel_order;
  std::map<std::string, SortKey> line_order;
  for (const Key& key : keys) {
    const std::string panel = Word(key, view.panel);
    panel_order.emplace(panel, Order(key, {view.panel}, panel));
    const std::string name = name_of(key);
    line_order.emplace(name, Order(key, columns, name));
  }
  const std::map<std::string, size_t> panel_places = Places(panel_order);
  const std::map<std::string, size_t> line_places = Places(line_order);
  panels->assign(panel_places.size(), "");
  for (const auto& [panel, place] : panel_places) (*panels)[place] = panel;
  std::map<std::pair<size_t, size_t>, Line> lines;
  for (const Point& point : points) {
    const std::string name = name_of(point.key);
    const size_t panel = panel_places.at(Word(point.key, view.panel));
    const size_t series = line_places.at(name);
    Line& line = lines[{panel, series}];
    line.panel = panel;
    line.series = series;
    line.name = name;
    line.points.push_back(point);
  }
  std::vector<Line> result;
  for (auto& [place, line] : lines) {
    std::stable_sort(line.points.begin(), line.points.end(),
                     [](const Point& a, const Point& b) { return a.x < b.x; });
    result.push_back(std::move(line));
  }
  return result;
}

bool IsOfTraining(const observe::Table& observations, const std::vector<Point>& points) {
  for (const Point& point : points) {
    for (const decompose::SeedDelta& seed : point.delta->seeds) {
      if (observations.TextAt(seed.row, "delta_of") == "training") return true;
    }
  }
  return false;
}

}  // namespace

Section DeltaSection(const observe::Table& observations,
                     const decompose::Decomposition& decomposition,
                     const std::vector<FittedLaw>& laws) {
  Section section;
  section.id = "delta";
  section.title = "What quantization costs";
  std::vector<Point> both;
  std::set<std::string> labels;
  // Schemes of one operand alone have no run of both.
  const auto has = [&](const char* part) {
    return absl::c_any_of(decomposition.parts.deltas,
                          [&](const decompose::PartDelta& delta) { return delta.part == part; });
  };
  const char* part = observe::kPartBoth;
  if (!has(part) && has(observe::kPartWeights) != has(observe::kPartInputs)) {
    part = has(observe::kPartWeights) ? observe::kPartWeights : observe::kPartInputs;
  }
  for (const decompose::PartDelta& delta : decomposition.parts.deltas) {
    if (delta.part != part) continue;
    both.push_back({&delta, KeyOf(decomposition.parts, delta), 0});
    labels.insert(BitsLabel(delta.weight_bits, delta.input_bits));
  }
  if (both.empty()) return section;
  section.paragraphs.push_back(absl::StrCat(
      "δ is the ", IsOfTraining(observations, both) ? "smoothed training loss" : "validation loss",
      " of a quantized run minus that of its full-precision pair: same model, same data in the "
      "same "
      "order, same seed",
      IsOfTraining(observations, both) ? "; its evaluation error is paired over the training steps"
                                       : "",
      ". Here ", part == observe::kPartBoth ? "both operands" : absl::StrCat(part, " alone"),
      " are quantized."));
  for (const View& view : kViews) {
    for (const std::string& bits : view.split_by_bits ? labels : std::set<std::string>{""}) {
      std::vector<Point> shown;
      std::set<double> levels;
      for (Point point : both) {
        const std::string label = BitsLabel(point.delta->weight_bits, point.delta->input_bits);
        if (view.split_by_bits && label != bits) continue;
        point.x = LevelOf(view, point.key);
        // A logarithmic axis has no place for 0.
        if (!std::isfinite(point.x) || (view.x_log && point.x <= 0)) continue;
        levels.insert(point.x);
        shown.push_back(std::move(point));
      }
      if (levels.size() < 2) continue;
      std::vector<std::string> panels;
      const std::vector<Line> lines = MakeLines(view, shown, &panels);
      // Shares that each belong to a series of their own compare nothing.
      if (!view.x_log && std::none_of(lines.begin(), lines.end(),
                                      [](const Line& line) { return line.points.size() > 1; })) {
        continue;
      }
      Drawing drawing(view, observations, laws);
      for (const Line& line : lines) drawing.Add(line);
      section.figures.push_back(
          drawing.Finish(bits, CountSteps(decomposition.trends, view.x, observe::kPartBoth, bits),
                         std::move(panels)));
    }
  }
  return section;
}

}  // namespace qatlas::report
