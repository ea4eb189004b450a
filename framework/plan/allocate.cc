#include "framework/plan/allocate.h"

#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/observe/number.h"
#include "framework/plan/solve.h"

namespace qatlas::plan {
namespace {

constexpr double kLeastSize = 1e4, kLeastData = 1e4;

absl::StatusOr<Answer> Begin(const std::string& question, const World& world,
                             const AskOptions& options) {
  Answer answer;
  answer.question = question;
  QATLAS_RETURN_IF_ERROR(
      RequireIdentifiable({world.loss, world.delta}, options.allow_unidentified, &answer.warnings));
  Describe(world, &answer.notes);
  return answer;
}

}  // namespace

double EffectiveShare(BoundWorld& world, double n, int draw) {
  world.Set("N", n);
  const double target = world.Loss(draw);
  if (!std::isfinite(target)) return kNone;
  const auto above = [&](double share) {
    world.Set("N", std::max(1.0, n * share));
    return world.FullPrecision(draw) - target;
  };
  double low = std::max(1e-12, 1 / n), high = 1e6;
  double result = kNone;
  if (above(low) > 0 && above(high) < 0) {
    low = std::log(low);
    high = std::log(high);
    while (high - low > 1e-13) {
      const double middle = (low + high) / 2;
      if (middle <= low || middle >= high) break;
      (above(std::exp(middle)) > 0 ? low : high) = middle;
    }
    result = std::exp((low + high) / 2);
  }
  world.Set("N", n);
  return result;
}

absl::StatusOr<Answer> LossAt(const World& world, const std::vector<Point>& points,
                              const AskOptions& options) {
  QATLAS_ASSIGN_OR_RETURN(Answer answer, Begin("loss and δ", world, options));
  if (points.empty()) return absl::InvalidArgumentError("there is no point; give N=... D=...");
  for (const Point& point : points) {
    QATLAS_ASSIGN_OR_RETURN(BoundWorld bound, BoundWorld::Create(world, point));
    Row row;
    row.label = Show(point);
    const int draws = bound.draws();
    if (bound.has_loss()) {
      if (bound.has_delta()) {
        row.quantities.push_back(Summarize("loss", "nats/token", draws, options.level,
                                           [&](int d) { return bound.Loss(d); }));
      }
      row.quantities.push_back(Summarize("full-precision loss", "nats/token", draws, options.level,
                                         [&](int d) { return bound.FullPrecision(d); }));
    }
    if (bound.has_delta()) {
      row.quantities.push_back(Summarize("delta", "nats/token", draws, options.level,
                                         [&](int d) { return bound.Delta(d); }));
    }
    const double n = NumberAt(point, "N");
    if (bound.has_loss() && bound.has_delta() && n > 0) {
      row.quantities.push_back(Summarize("effective share of N", "", draws, options.level,
                                         [&](int d) { return EffectiveShare(bound, n, d); }));
      row.quantities.push_back(
          Summarize("effective parameters", "parameters", draws, options.level, [&](int d) {
            const double share = EffectiveShare(bound, n, d);
            return share * n;
          }));
    }
    for (const Quantity& quantity : row.quantities) {
      if (!quantity.none.empty() && quantity.name != "effective share of N" &&
          quantity.name != "effective parameters") {
        return absl::OutOfRangeError(
            absl::StrCat("the law of ", quantity.name, " has no finite value at ", Show(point)));
      }
    }
    WarnOutside(world, point, &answer.warnings);
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

absl::StatusOr<Answer> ComputeOptimal(const World& world, const Point& at, double flops,
                                      const Cost& cost, const AskOptions& options) {
  if (!(flops > 0) || !std::isfinite(flops)) {
    return absl::InvalidArgumentError("the budget must be a number of FLOPs above 0");
  }
  if (!(cost.per_nd > 0) || !(cost.overhead >= 0) || !std::isfinite(cost.overhead)) {
    return absl::InvalidArgumentError(
        "FLOPs per parameter and token must be above 0, the "
        "overhead of QAT 0 or more");
  }
  if (world.loss == nullptr) {
    return absl::InvalidArgumentError(
        "the best size for a budget needs a law of the loss (δ alone always falls with N); add "
        "--preset chen-2025:... or --fit of full-precision runs");
  }
  QATLAS_ASSIGN_OR_RETURN(Answer answer, Begin(absl::StrCat("compute-optimal N and D for ",
                                                            observe::ShowNumber(flops), " FLOPs"),
                                               world, options));
  Point point = at;
  point.numbers.erase("N");
  point.numbers.erase("D");
  QATLAS_ASSIGN_OR_RETURN(BoundWorld bound, BoundWorld::Create(world, point, {"N", "D"}));
  const int draws = bound.draws();
  // Optimum of one kind at one draw; around `about` where that is given.
  const auto optimum = [&](bool quantized, int draw, double about) {
    const double per = cost.per_nd * (quantized ? 1 + cost.overhead : 1);
    double low = kLeastSize, high = flops / (per * kLeastData);
    if (about > 0) {
      low = std::max(low, about / 1e4);
      high = std::min(high, about * 1e4);
    }
    if (!(high > low)) return Least{kNone, kNone, true};
    return Minimize(
        [&](double n) {
          bound.Set("N", n);
          bound.Set("D", flops / (per * n));
          return quantized ? bound.Loss(draw) : bound.FullPrecision(draw);
        },
        low, high, about > 0 ? 60 : 200);
  };
  std::vector<bool> kinds = {false};
  if (bound.has_delta()) kinds.push_back(true);
  std::vector<std::vector<double>> sizes;  // by kind: [draws + 1], the first at the laws' values
  for (const bool quantized : kinds) {
    const double per = cost.per_nd * (quantized ? 1 + cost.overhead : 1);
    const Least centre = optimum(quantized, -1, 0);
    if (!std::isfinite(centre.value) || centre.at_edge) {
      return absl::OutOfRangeError(absl::StrCat(
          "no best size for ", observe::ShowNumber(flops), " FLOPs: ",
          std::isfinite(centre.value) ? "the law falls all the way to an end of the sizes from "
                                      : "the law has no finite loss for sizes from ",
          observe::ShowNumber(kLeastSize), " to ", observe::ShowNumber(flops / (per * kLeastData)),
          " parameters"));
    }
    std::vector<double>& size = sizes.emplace_back(1, centre.x);
    std::vector<double> loss = {centre.value}, delta(1, kNone);
    for (int draw = 0; draw < draws; ++draw) {
      const Least least = optimum(quantized, draw, centre.x);
      size.push_back(least.at_edge ? kNone : least.x);
      loss.push_back(least.at_edge ? kNone : least.value);
    }
    if (quantized) {
      delta.resize(size.size());
      for (int draw = -1; draw < draws; ++draw) {
        const double n = size[draw + 1];
        if (!std::isfinite(n)) {
          delta[draw + 1] = kNone;
          continue;
        }
        bound.Set("N", n);
        bound.Set("D", flops / (per * n));
        delta[draw + 1] = bound.Delta(draw);
      }
    }
    Row row;
    row.label = quantized ? "quantized" : "full precision";
    const auto add = [&](const char* name, const char* unit, auto value) {
      row.quantities.push_back(Summarize(name, unit, draws, options.level, value));
    };
    add("N", "parameters", [&](int d) { return size[d + 1]; });
    add("D", "tokens", [&](int d) { return flops / (per * size[d + 1]); });
    add("D/N", "tokens a parameter",
        [&](int d) { return flops / (per * size[d + 1] * size[d + 1]); });
    add("loss", "nats/token", [&](int d) { return loss[d + 1]; });
    if (quantized) {
      add("delta", "nats/token", [&](int d) { return delta[d + 1]; });
      add("N over the full-precision optimum", "",
          [&](int d) { return size[d + 1] / sizes[0][d + 1]; });
    }
    Point found = at;
    found.numbers["N"] = centre.x;
    found.numbers["D"] = flops / (per * centre.x);
    WarnOutside(world, found, &answer.warnings);
    answer.rows.push_back(std::move(row));
  }
  answer.notes.push_back(
      absl::StrCat("FLOPs are ", observe::ShowNumber(cost.per_nd), " · N · D",
                   cost.overhead > 0 ? absl::StrCat(", QAT ", cost.overhead * 100, "% more") : ""));
  return answer;
}

absl::StatusOr<Answer> QatSplit(const Law& law, const Point& at, double compare_with,
                                const AskOptions& options) {
  World world;
  world.loss = &law;
  QATLAS_ASSIGN_OR_RETURN(Answer answer,
                          Begin("share of the tokens to train quantized", world, options));
  const double total = NumberAt(at, "D");
  if (!(total > 0)) return absl::InvalidArgumentError("give the token budget, D=...");
  if (!(compare_with > 0 && compare_with < 1)) {
    return absl::InvalidArgumentError("the share to compare with must lie between 0 and 1");
  }
  const LawSpec& spec = law.form->Spec();
  const int draws = law.DrawCount();
  Row row;
  row.label = Show(at);
  std::vector<double> shares(draws + 1, kNone);
  if (law.target == kTargetOptimalFraction) {
    QATLAS_ASSIGN_OR_RETURN(const BoundLaw bound, BoundLaw::Create(law, at));
    for (int draw = -1; draw < draws; ++draw) {
      const double share = bound.Value(draw);
      shares[draw + 1] = share >= 0 && share <= 1 ? share : kNone;
    }
  } else {
    std::vector<std::string> open;
    for (const char* name : {"qat_fraction", "D_qat", "D_fp"}) {
      if (spec.CovariateIndex(name) >= 0) open.push_back(name);
    }
    if (open.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          law.name,
          " does not know which share of the tokens is trained quantized; give a law of "
          "optimal_fraction, or one of the loss that reads qat_fraction"));
    }
    Point point = at;
    for (const std::string& name : open) point.numbers.erase(name);
    QATLAS_ASSIGN_OR_RETURN(BoundLaw bound, BoundLaw::Create(law, point, open));
    const auto loss = [&](double share, int draw) {
      bound.Set("qat_fraction", share);
      bound.Set("D_qat", std::max(1.0, share * total));
      bound.Set("D_fp", std::max(1.0, (1 - share) * total));
      return bound.Value(draw);
    };
    // Searched as odds, so that shares near 0 and near 1 are seen alike.
    const auto share_of = [](double odds) { return odds / (1 + odds); };
    std::vector<double> best(draws + 1, kNone), gain(draws + 1, kNone);
    for (int draw = -1; draw < draws; ++draw) {
      const Least least =
          Minimize([&](double odds) { return loss(share_of(odds), draw); }, 1e-4, 1e4, 120);
      if (!std::isfinite(least.value) || (least.at_edge && draw < 0)) break;
      if (least.at_edge) continue;
      shares[draw + 1] = share_of(least.x);
      best[draw + 1] = least.value;
      gain[draw + 1] = loss(compare_with, draw) - least.value;
    }
    row.quantities.push_back(
        Summarize("loss", "nats/token", draws, options.level, [&](int d) { return best[d + 1]; }));
    row.quantities.push_back(
        Summarize(absl::StrCat("loss saved against a share of ", observe::ShowNumber(compare_with)),
                  "nats/token", draws, options.level, [&](int d) { return gain[d + 1]; }));
  }
  if (!std::isfinite(shares[0])) {
    return absl::OutOfRangeError(
        absl::StrCat(law.name, " has no best share between 0 and 1 at ", Show(at)));
  }
  const auto add = [&](const char* name, const char* unit, auto value) {
    row.quantities.push_back(Summarize(name, unit, draws, options.level, value));
  };
  add("quantized share", "", [&](int d) { return shares[d + 1]; });
  add("tokens in full precision", "tokens", [&](int d) { return (1 - shares[d + 1]) * total; });
  add("tokens quantized", "tokens", [&](int d) { return shares[d + 1] * total; });
  Point found = at;
  found.numbers["qat_fraction"] = shares[0];
  WarnOutside(world, found, &answer.warnings);
  answer.rows.push_back(std::move(row));
  return answer;
}

}  // namespace qatlas::plan
