#include "framework/fit/optima.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

std::string TargetName(const OptimaOptions& options) {
  return options.of == "qat_fraction" ? "optimal_fraction" : absl::StrCat("optimal_", options.of);
}

struct CellData {
  std::vector<double> x, y, noise;
};

Interval Natural(const Interval& logs, bool fraction) {
  Interval interval{std::exp(logs.low), std::exp(logs.high)};
  if (fraction) interval.high = std::min(interval.high, 1.0);
  return interval;
}

MinimumOptions OptionsOf(const OptimaOptions& options) {
  MinimumOptions minimum;
  minimum.level = options.level;
  minimum.window = options.window > 1 ? std::log(options.window) : 0;
  minimum.degree = options.degree;
  minimum.replicates = options.replicates;
  minimum.seed = options.seed;
  return minimum;
}

}  // namespace

absl::StatusOr<std::vector<Optimum>> FindOptima(const observe::Table& table,
                                                const OptimaOptions& options) {
  if (options.window != 0 && !(options.window > 1)) {
    return absl::InvalidArgumentError("the window is a factor above 1, or 0 for all points");
  }
  if (options.degree != 0 && options.degree != 2 && options.degree != 3) {
    return absl::InvalidArgumentError(
        "the degree of a local fit is 2 or 3, or 0 to let it be found");
  }
  const auto of = table.Numbers(options.of);
  if (!of.ok()) return of.status();
  const auto value = table.Numbers(options.value);
  if (!value.ok()) return value.status();
  absl::Span<const double> noise;
  if (!options.noise.empty()) {
    const auto column = table.Numbers(options.noise);
    if (!column.ok()) return column.status();
    noise = *column;
  }
  const auto groups = table.GroupBy(options.per);
  if (!groups.ok()) return groups.status();

  std::vector<Optimum> optima;
  std::vector<CellData> data;
  for (const observe::Group& group : *groups) {
    Optimum optimum;
    optimum.cell = group.key;
    CellData cell;
    for (size_t row : group.rows) {
      const bool noisy = options.noise.empty() || (noise[row] > 0 && std::isfinite(noise[row]));
      const double x = (*of)[row];
      if (!(x > 0) || !std::isfinite(x) || !std::isfinite((*value)[row]) || !noisy) {
        ++optimum.left_out;
        continue;
      }
      cell.x.push_back(std::log(x));
      cell.y.push_back((*value)[row]);
      if (!options.noise.empty()) cell.noise.push_back(noise[row]);
    }
    // Full-precision rows have no fraction; a cell of them alone is no curve.
    if (cell.x.empty()) continue;
    data.push_back(std::move(cell));
    optima.push_back(std::move(optimum));
  }
  if (optima.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no row has a ", options.value, " and a ", options.of, " above 0"));
  }
  MinimumOptions minimum = OptionsOf(options);
  const auto fit_all = [&] {
    for (size_t i = 0; i < optima.size(); ++i) {
      optima[i].minimum = FitMinimum(data[i].x, data[i].y, data[i].noise, minimum);
    }
  };
  fit_all();
  if (options.pool && options.noise.empty()) {
    double sum = 0, degrees = 0;
    for (const Optimum& one : optima) {
      if (!one.minimum.found) continue;
      sum += one.minimum.residual_variance * one.minimum.degrees;
      degrees += one.minimum.degrees;
    }
    if (degrees > 0 && sum > 0) {
      minimum.variance = sum / degrees;
      minimum.degrees = degrees;
      fit_all();
    }
  }
  const bool fraction = options.of == "qat_fraction";
  for (Optimum& one : optima) {
    if (!one.minimum.found) {
      one.best = one.standard_error = kNan;
      one.interval = one.delta = one.bootstrap = {kNan, kNan};
      continue;
    }
    one.best = std::exp(one.minimum.x);
    one.standard_error = one.best * one.minimum.standard_error;
    one.interval = Natural(one.minimum.interval, fraction);
    one.delta = Natural(one.minimum.delta, fraction);
    one.bootstrap = Natural(one.minimum.bootstrap, fraction);
    if (std::isnan(one.minimum.bootstrap.low)) one.bootstrap = {kNan, kNan};
  }
  return optima;
}

observe::Table OptimaTable(const std::vector<Optimum>& optima, const OptimaOptions& options) {
  const std::string name = TargetName(options);
  observe::Table table;
  for (const Optimum& one : optima) {
    observe::Table::Row row;
    for (size_t i = 0; i < options.per.size(); ++i) row.emplace_back(options.per[i], one.cell[i]);
    const Minimum& minimum = one.minimum;
    row.emplace_back(name, one.best);
    row.emplace_back(name + "_se", one.standard_error);
    row.emplace_back(name + "_low", one.interval.low);
    row.emplace_back(name + "_high", one.interval.high);
    row.emplace_back(options.value + "_at_optimum", minimum.found ? minimum.value : kNan);
    row.emplace_back(options.value + "_at_optimum_se", minimum.found ? minimum.value_se : kNan);
    row.emplace_back("points", static_cast<double>(minimum.points));
    row.emplace_back("degree", minimum.found ? static_cast<double>(minimum.degree) : kNan);
    const std::string done =
        minimum.bends_more ? "done, but the curve bends more than the fit" : "done";
    row.emplace_back("status", minimum.found ? done : minimum.reason);
    // Names are distinct unless `per` names a result, and then the caller has chosen so.
    table.Append(row).IgnoreError();
  }
  return table;
}

nlohmann::ordered_json OptimaToJson(const std::vector<Optimum>& optima,
                                    const OptimaOptions& options) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  };
  const auto interval = [&](const Interval& one) {
    return Json{{"low", number(one.low)}, {"high", number(one.high)}};
  };
  Json json = {{"of", options.of},
               {"value", options.value},
               {"per", options.per},
               {"target", TargetName(options)},
               {"level", options.level}};
  json["optima"] = Json::array();
  for (const Optimum& one : optima) {
    const Minimum& minimum = one.minimum;
    Json cell = Json::object();
    for (size_t i = 0; i < options.per.size(); ++i) {
      const observe::Value& value = one.cell[i];
      cell[options.per[i]] = std::holds_alternative<double>(value)
                                 ? number(std::get<double>(value))
                                 : Json(std::get<std::string>(value));
    }
    json["optima"].push_back(
        {{"cell", std::move(cell)},
         {"found", minimum.found},
         {"reason", minimum.found ? Json(nullptr) : Json(minimum.reason)},
         {"best", number(one.best)},
         {"standard_error", number(one.standard_error)},
         {"interval", interval(one.interval)},
         {"delta_method", interval(one.delta)},
         {"bootstrap", interval(one.bootstrap)},
         {"value", minimum.found ? number(minimum.value) : Json(nullptr)},
         {"value_se", minimum.found ? number(minimum.value_se) : Json(nullptr)},
         {"points", minimum.points},
         {"levels", minimum.levels},
         {"degree", minimum.found ? Json(minimum.degree) : Json(nullptr)},
         {"bends_more", minimum.bends_more},
         {"left_out", one.left_out}});
  }
  return json;
}

}  // namespace qatlas::fit
