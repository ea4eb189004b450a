// Best sizes at given FLOPs: the IsoFLOP profiles and the envelope of training curves of Hoffmann
// et al. 2022 (arXiv 2203.15556), with power laws through them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/fit/optima.h"
#include "framework/fit/distributions.h"
#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

struct Run {
  double size, flops, loss, noise;
};

// Rows with N, C and the loss above 0, [..]; C from its column, else 6·N·D.
absl::StatusOr<std::vector<Run>> ReadRuns(const observe::Table& table, const BudgetOptions& options,
                                          std::vector<std::string>* notes) {
  const auto n = table.Numbers("N");
  if (!n.ok()) return n.status();
  const auto loss = table.Numbers("loss");
  if (!loss.ok()) return loss.status();
  const bool given = table.Has(options.flops);
  absl::Span<const double> flops, d, noise;
  if (given) {
    const auto column = table.Numbers(options.flops);
    if (!column.ok()) return column.status();
    flops = *column;
  } else {
    const auto column = table.Numbers("D");
    if (!column.ok()) return column.status();
    d = *column;
    notes->push_back(
        absl::StrCat("There is no column ", options.flops, ": budgets are 6·N·D FLOPs."));
  }
  if (!options.noise.empty()) {
    const auto column = table.Numbers(options.noise);
    if (!column.ok()) return column.status();
    noise = *column;
  }
  std::vector<Run> runs;
  size_t left_out = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const Run run = {(*n)[row], given ? flops[row] : 6 * (*n)[row] * d[row], (*loss)[row],
                     noise.empty() ? 1 : noise[row]};
    const bool good = run.size > 0 && run.flops > 0 && run.loss > 0 && run.noise > 0 &&
                      std::isfinite(run.size * run.flops) && std::isfinite(run.loss) &&
                      std::isfinite(run.noise);
    good ? runs.push_back(run) : static_cast<void>(++left_out);
  }
  if (left_out > 0) {
    notes->push_back(absl::StrCat(left_out,
                                  " rows without N, FLOPs, loss or noise above 0 were "
                                  "left out."));
  }
  if (runs.empty()) return absl::FailedPreconditionError("no row has N, FLOPs and a loss above 0");
  return runs;
}

// ln N = ln k + a ln C through the optima that were found.
PowerLaw FitPowerLaw(const std::vector<BudgetOptimum>& optima, double level, bool of_tokens) {
  PowerLaw law;
  law.bootstrap = {kNan, kNan};
  std::vector<double> x, y, weight;
  double mean_x = 0, mean_y = 0, total = 0;
  for (const BudgetOptimum& one : optima) {
    if (!one.found) continue;
    const double se = one.size_se / one.size;
    x.push_back(std::log(one.flops));
    y.push_back(std::log(of_tokens ? one.tokens : one.size));
    weight.push_back(1 / (se * se));
    mean_x += weight.back() * x.back();
    mean_y += weight.back() * y.back();
    total += weight.back();
  }
  law.points = static_cast<int>(x.size());
  if (law.points < 3) {
    law.reason = absl::StrCat("a power law needs three budgets with an optimum, not ", law.points);
    return law;
  }
  mean_x /= total;
  mean_y /= total;
  double xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += weight[i] * (x[i] - mean_x) * (x[i] - mean_x);
    xy += weight[i] * (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (!(xx > 0)) {
    law.reason = "all optima belong to one budget";
    return law;
  }
  law.found = true;
  law.exponent = xy / xx;
  for (size_t i = 0; i < x.size(); ++i) {
    const double residual = y[i] - mean_y - law.exponent * (x[i] - mean_x);
    law.chi_square += weight[i] * residual * residual;
  }
  // Errors of the optima are estimates, and the law is an approximation: what the points scatter
  // beyond their errors widens the interval, and few points widen it by Student's t.
  const double degrees = law.points - 2;
  const double scale = std::max(1.0, law.chi_square / degrees);
  law.exponent_se = std::sqrt(scale / xx);
  const double t = StudentQuantile(.5 + level / 2, degrees);
  law.interval = {law.exponent - t * law.exponent_se, law.exponent + t * law.exponent_se};
  law.coefficient = std::exp(mean_y - law.exponent * mean_x);
  law.ln_coefficient_se = std::sqrt(scale * (1 / total + mean_x * mean_x / xx));
  return law;
}

void FitLaws(BudgetOptima* result, double level) {
  result->size = FitPowerLaw(result->optima, level, false);
  result->tokens = FitPowerLaw(result->optima, level, true);
}

struct Sample {
  double log_flops, loss;
};
using SizeCurve = std::pair<double, std::vector<Sample>>;  // size, samples by ascending FLOPs

// The loss of a curve at a budget, by lines between its samples; NaN beyond them.
double At(const SizeCurve& curve, double log_flops) {
  const std::vector<Sample>& samples = curve.second;
  if (log_flops < samples.front().log_flops || log_flops > samples.back().log_flops) return kNan;
  size_t above = 1;
  while (above + 1 < samples.size() && samples[above].log_flops < log_flops) ++above;
  const Sample &a = samples[above - 1], &b = samples[above];
  return a.loss + (b.loss - a.loss) * (log_flops - a.log_flops) / (b.log_flops - a.log_flops);
}

std::vector<SizeCurve> MakeCurves(const std::vector<Run>& runs) {
  std::map<double, std::map<double, std::pair<double, int>>> grouped;
  for (const Run& run : runs) {
    auto& [sum, count] = grouped[run.size][std::log(run.flops)];
    sum += run.loss;
    ++count;
  }
  std::vector<SizeCurve> curves;
  for (const auto& [size, points] : grouped) {
    if (points.size() < 2) continue;
    SizeCurve curve{size, {}};
    for (const auto& [log_flops, sum] : points) {
      curve.second.push_back({log_flops, sum.first / sum.second});
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

BudgetOptimum ReadEnvelope(const std::vector<SizeCurve>& curves, double log_flops) {
  BudgetOptimum optimum;
  optimum.flops = std::exp(log_flops);
  optimum.size = optimum.size_se = optimum.tokens = optimum.loss = kNan;
  optimum.interval = {kNan, kNan};
  std::vector<std::pair<double, double>> there;  // size, loss; sizes may repeat in a resample
  for (const SizeCurve& curve : curves) {
    const double loss = At(curve, log_flops);
    if (!std::isnan(loss) && (there.empty() || there.back().first != curve.first)) {
      there.emplace_back(curve.first, loss);
    }
  }
  optimum.points = static_cast<int>(there.size());
  if (there.size() < 3) {
    optimum.reason = "fewer than three curves reach this budget";
    return optimum;
  }
  size_t best = 0;
  for (size_t i = 1; i < there.size(); ++i) {
    if (there[i].second < there[best].second) best = i;
  }
  if (best == 0 || best + 1 == there.size()) {
    optimum.reason = best == 0 ? "the smallest size is best: an edge"
                               : "the largest size is best: "
                                 "an edge";
    return optimum;
  }
  optimum.found = true;
  optimum.size = there[best].first;
  // The best size lies anywhere between the middles to its neighbours.
  const double low = std::sqrt(there[best - 1].first * optimum.size);
  const double high = std::sqrt(there[best + 1].first * optimum.size);
  optimum.interval = {low, high};
  optimum.size_se = optimum.size * std::log(high / low) / std::sqrt(12);
  optimum.tokens = optimum.flops / (6 * optimum.size);
  optimum.loss = there[best].second;
  return optimum;
}

}  // namespace

absl::StatusOr<BudgetOptima> IsoFlop(const observe::Table& table, const BudgetOptions& options) {
  if (!(options.tolerance >= 0 && options.tolerance < 1)) {
    return absl::InvalidArgumentError("the tolerance of a budget is a share from 0 to below 1");
  }
  BudgetOptima result;
  auto runs = ReadRuns(table, options, &result.notes);
  if (!runs.ok()) return runs.status();
  std::stable_sort(runs->begin(), runs->end(),
                   [](const Run& a, const Run& b) { return a.flops < b.flops; });
  // A budget is what lies within the tolerance of its smallest run: it cannot grow run by run.
  observe::Table profiles;
  size_t begin = 0, singles = 0;
  for (size_t i = 1; i <= runs->size(); ++i) {
    if (i < runs->size() && (*runs)[i].flops <= (*runs)[begin].flops * (1 + options.tolerance)) {
      continue;
    }
    double log_mean = 0;
    for (size_t k = begin; k < i; ++k) {
      log_mean += std::log((*runs)[k].flops) / static_cast<double>(i - begin);
    }
    if (i - begin == 1) {
      ++singles;
    } else {
      for (size_t k = begin; k < i; ++k) {
        const Run& run = (*runs)[k];
        absl::Status status = profiles.Append({{"budget", std::exp(log_mean)},
                                               {"N", run.size},
                                               {"loss", run.loss},
                                               {"noise", run.noise}});
        if (!status.ok()) return status;
      }
    }
    begin = i;
  }
  if (singles > 0) {
    result.notes.push_back(absl::StrCat(singles,
                                        " runs have a budget of their own and were left "
                                        "out."));
  }
  if (profiles.rows() == 0) {
    return absl::FailedPreconditionError(
        "no two runs have the same FLOPs; IsoFLOP profiles need several sizes at each budget");
  }
  OptimaOptions local;
  local.of = "N";
  local.per = {"budget"};
  local.noise = options.noise.empty() ? "" : "noise";
  local.pool = options.pool;
  local.window = options.window;
  local.degree = options.degree;
  local.level = options.level;
  local.replicates = options.replicates;
  local.seed = options.seed;
  auto optima = FindOptima(profiles, local);
  if (!optima.ok()) return optima.status();
  for (const Optimum& one : *optima) {
    BudgetOptimum optimum;
    optimum.flops = std::get<double>(one.cell[0]);
    optimum.found = one.minimum.found;
    optimum.reason = one.minimum.reason;
    optimum.points = one.minimum.points;
    optimum.size = one.best;
    optimum.size_se = one.standard_error;
    optimum.interval = one.interval;
    optimum.tokens = optimum.flops / (6 * optimum.size);
    optimum.loss = optimum.found ? one.minimum.value : kNan;
    result.optima.push_back(std::move(optimum));
  }
  FitLaws(&result, options.level);
  return result;
}

absl::StatusOr<BudgetOptima> Envelope(const observe::Table& table, const BudgetOptions& options) {
  BudgetOptima result;
  auto runs = ReadRuns(table, options, &result.notes);
  if (!runs.ok()) return runs.status();
  const std::vector<SizeCurve> curves = MakeCurves(*runs);
  if (curves.size() < 3) {
    return absl::FailedPreconditionError(absl::StrCat(
        "an envelope needs training curves (at least two losses along D) of three sizes; the table "
        "has ",
        curves.size()));
  }
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const SizeCurve& curve : curves) {
    low = std::min(low, curve.second.front().log_flops);
    high = std::max(high, curve.second.back().log_flops);
  }
  std::vector<double> grid;
  for (int i = 0; i < std::max(options.grid, 2); ++i) {
    grid.push_back(low + (high - low) * i / (std::max(options.grid, 2) - 1));
  }
  const auto read = [&](const std::vector<SizeCurve>& from) {
    std::vector<BudgetOptimum> optima;
    for (double log_flops : grid) optima.push_back(ReadEnvelope(from, log_flops));
    return optima;
  };
  result.optima = read(curves);
  FitLaws(&result, options.level);
  if (!result.size.found || options.replicates < 2) return result;
  std::vector<double> exponents;
  for (int replicate = 0; replicate < options.replicates; ++replicate) {
    Random random(options.seed, static_cast<uint64_t>(replicate));
    std::vector<SizeCurve> drawn;
    for (size_t i = 0; i < curves.size(); ++i) drawn.push_back(curves[random.Below(curves.size())]);
    std::sort(drawn.begin(), drawn.end(),
              [](const SizeCurve& a, const SizeCurve& b) { return a.first < b.first; });
    const PowerLaw law = FitPowerLaw(read(drawn), options.level, false);
    if (law.found) exponents.push_back(law.exponent);
  }
  if (static_cast<double>(exponents.size()) < .9 * options.replicates) {
    result.notes.push_back(
        "Too few sizes to resample curves: the exponent has no bootstrap "
        "interval.");
    return result;
  }
  std::sort(exponents.begin(), exponents.end());
  const auto at = [&](double p) {
    return exponents[static_cast<size_t>(p * static_cast<double>(exponents.size() - 1) + .5)];
  };
  const double tail = (1 - options.level) / 2;
  result.size.bootstrap = {at(tail), at(1 - tail)};
  result.tokens.bootstrap = {1 - at(1 - tail), 1 - at(tail)};
  return result;
}

observe::Table BudgetTable(const BudgetOptima& optima) {
  observe::Table table;
  for (const BudgetOptimum& one : optima.optima) {
    const observe::Table::Row row = {{"flops", one.flops},
                                     {"N_opt", one.size},
                                     {"N_opt_se", one.size_se},
                                     {"N_opt_low", one.interval.low},
                                     {"N_opt_high", one.interval.high},
                                     {"D_opt", one.tokens},
                                     {"loss_at_optimum", one.loss},
                                     {"points", static_cast<double>(one.points)},
                                     {"status", one.found ? std::string("done") : one.reason}};
    table.Append(row).IgnoreError();  // Distinct names of one kind each: it cannot fail.
  }
  return table;
}

nlohmann::ordered_json BudgetToJson(const BudgetOptima& optima, const std::string& method) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  };
  const auto interval = [&](const Interval& one) {
    return Json{{"low", number(one.low)}, {"high", number(one.high)}};
  };
  const auto law = [&](const PowerLaw& one) {
    if (!one.found) return Json{{"found", false}, {"reason", one.reason}};
    return Json{{"found", true},
                {"exponent", number(one.exponent)},
                {"exponent_se", number(one.exponent_se)},
                {"interval", interval(one.interval)},
                {"bootstrap", interval(one.bootstrap)},
                {"coefficient", number(one.coefficient)},
                {"ln_coefficient_se", number(one.ln_coefficient_se)},
                {"points", one.points},
                {"chi_square", number(one.chi_square)}};
  };
  Json json = {{"method", method}};
  json["optima"] = Json::array();
  for (const BudgetOptimum& one : optima.optima) {
    json["optima"].push_back({{"flops", number(one.flops)},
                              {"found", one.found},
                              {"reason", one.found ? Json(nullptr) : Json(one.reason)},
                              {"N_opt", number(one.size)},
                              {"N_opt_se", number(one.size_se)},
                              {"interval", interval(one.interval)},
                              {"D_opt", number(one.tokens)},
                              {"loss", number(one.loss)},
                              {"points", one.points}});
  }
  json["N_opt_power_law"] = law(optima.size);
  json["D_opt_power_law"] = law(optima.tokens);
  json["notes"] = optima.notes;
  return json;
}

}  // namespace qatlas::fit
