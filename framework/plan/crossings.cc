#include "framework/plan/crossings.h"

#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/observe/number.h"
#include "framework/plan/solve.h"

namespace qatlas::plan {
namespace {

using observe::ShowNumber;

absl::Status CheckAxis(const Along& along) {
  if (along.low > 0 && along.high > along.low && std::isfinite(along.high)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the range of ", along.covariate, " must run from a number above 0 to a larger one"));
}

// The first crossing of f at its values as a Quantity; `signs` tells f's sign below and above.
Quantity FirstCrossing(const std::string& name, const std::string& unit, double low, double high,
                       int draws, double level, const std::function<double(double, int)>& f,
                       size_t* count) {
  return Summarize(name, unit, draws, level, [&](int draw) {
    const std::vector<double> all =
        Crossings([&](double x) { return f(x, draw); }, low, high, draw < 0 ? 400 : 100);
    if (draw < 0) *count = all.size();
    return all.empty() ? kNone : all.front();
  });
}

std::string UnitOf(const std::string& covariate) {
  return covariate == "D" ? "tokens" : covariate == "N" ? "parameters" : "";
}

}  // namespace

absl::StatusOr<Answer> Crossing(const Law& a, const Law& b, const Point& at, const Along& along,
                                const AskOptions& options) {
  QATLAS_RETURN_IF_ERROR(CheckAxis(along));
  if (a.target != b.target) {
    return absl::InvalidArgumentError(absl::StrCat(a.name, " predicts ", a.target, ", ", b.name,
                                                   " ", b.target, "; they cannot cross"));
  }
  Answer answer;
  answer.question =
      absl::StrCat("where along ", along.covariate, " ", a.name, " and ", b.name, " are equal");
  QATLAS_RETURN_IF_ERROR(
      RequireIdentifiable({&a, &b}, options.allow_unidentified, &answer.warnings));
  for (const Law* law : {&a, &b}) Describe({nullptr, law, {}}, &answer.notes);
  Point point = at;
  point.numbers.erase(along.covariate);
  QATLAS_ASSIGN_OR_RETURN(BoundLaw first, BoundLaw::Create(a, point, {along.covariate}));
  QATLAS_ASSIGN_OR_RETURN(BoundLaw second, BoundLaw::Create(b, point, {along.covariate}));
  const auto ratio = [&](double x, int draw) {
    first.Set(along.covariate, x);
    second.Set(along.covariate, x);
    const double u = first.Value(draw), v = second.Value(draw);
    // As a logarithm where both are positive: differences of tiny errors keep their sign.
    return u > 0 && v > 0 ? std::log(u / v) : u - v;
  };
  int draws = 0;
  for (const Law* law : {&a, &b}) {
    if (law->DrawCount() > 0) {
      draws = draws == 0 ? law->DrawCount() : std::min(draws, law->DrawCount());
    }
  }
  Row row;
  row.label = Show(point);
  size_t count = 0;
  Quantity where = FirstCrossing(along.covariate + "*", UnitOf(along.covariate), along.low,
                                 along.high, draws, options.level, ratio, &count);
  const double below = ratio(along.low, -1), above = ratio(along.high, -1);
  if (!where.none.empty()) {
    where.none =
        absl::StrCat("no crossing from ", ShowNumber(along.low), " to ", ShowNumber(along.high));
    row.words.emplace_back("larger", absl::StrCat(below == 0  ? "neither"
                                                  : below > 0 ? a.name
                                                              : b.name,
                                                  " throughout"));
  } else {
    row.words.emplace_back("larger_below", below > 0 ? a.name : b.name);
    row.words.emplace_back("larger_above", above > 0 ? a.name : b.name);
    if (count > 1) {
      answer.warnings.push_back(
          absl::StrCat("The two cross ", count, " times; the first is shown."));
    }
    Point found = at;
    found.numbers[along.covariate] = where.value;
    WarnOutside({nullptr, &a, {}}, found, &answer.warnings);
    WarnOutside({nullptr, &b, {}}, found, &answer.warnings);
    first.Set(along.covariate, where.value);
    row.quantities.push_back(Summarize(absl::StrCat(a.target, " there"), "nats/token", draws,
                                       options.level, [&](int draw) { return first.Value(draw); }));
  }
  row.quantities.insert(row.quantities.begin(), std::move(where));
  answer.rows.push_back(std::move(row));
  return answer;
}

absl::StatusOr<Answer> MixedPays(const World& base, const World& mixed, const Point& at,
                                 double cost, const Along& along, const AskOptions& options) {
  QATLAS_RETURN_IF_ERROR(CheckAxis(along));
  if (!(cost >= 0) || !std::isfinite(cost)) {
    return absl::InvalidArgumentError("the cost of the finer part must be a share of 0 or more");
  }
  if (base.loss == nullptr || base.loss != mixed.loss || base.delta == nullptr ||
      mixed.delta == nullptr) {
    return absl::InvalidArgumentError(
        "give one law of the loss and two laws of δ: the plain precision first, then the finer "
        "one");
  }
  Answer answer;
  answer.question = absl::StrCat("whether ", mixed.delta->name, " pays against ", base.delta->name);
  QATLAS_RETURN_IF_ERROR(RequireIdentifiable({base.loss, base.delta, mixed.delta},
                                             options.allow_unidentified, &answer.warnings));
  Describe(base, &answer.notes);
  Describe({nullptr, mixed.delta, {}}, &answer.notes);
  QATLAS_ASSIGN_OR_RETURN(BoundWorld plain, BoundWorld::Create(base, at));
  QATLAS_ASSIGN_OR_RETURN(BoundWorld finer, BoundWorld::Create(mixed, at));
  const int draws = plain.draws() > 0 && finer.draws() > 0 ? std::min(plain.draws(), finer.draws())
                                                           : std::max(plain.draws(), finer.draws());
  double n = NumberAt(at, "N");
  if (!(n > 0)) return absl::InvalidArgumentError("give the size, N=...");
  // How much larger a plain model has the finer one's loss.
  const auto break_even = [&](int draw) {
    const double target = finer.Loss(draw);
    const auto above = [&](double share) {
      plain.Set("N", n * share);
      return plain.Loss(draw) - target;
    };
    double result = kNone;
    if (above(1) <= 0) {
      result = 0;  // the plain one is no worse at the same size
    } else if (above(1e4) < 0) {
      const std::vector<double> all = Crossings(above, 1, 1e4, 60);
      if (!all.empty()) result = all.front() - 1;
    }
    plain.Set("N", n);
    return result;
  };
  Row row;
  row.label = Show(at);
  const auto add = [&](const std::string& name, const std::string& unit, auto value) {
    row.quantities.push_back(Summarize(name, unit, draws, options.level, value));
  };
  add("delta, plain", "nats/token", [&](int d) { return plain.Delta(d); });
  add("delta, finer", "nats/token", [&](int d) { return finer.Delta(d); });
  add("gain", "nats/token", [&](int d) { return plain.Delta(d) - finer.Delta(d); });
  add("gain as a share of delta", "", [&](int d) { return 1 - finer.Delta(d) / plain.Delta(d); });
  add("break-even cost", "share", break_even);
  const Quantity& even = row.quantities.back();
  const bool pays = !(even.value <= cost);  // no size of the plain model gets there: it pays
  std::string verdict = pays ? "pays" : "does not pay";
  if (!even.interval) {
    absl::StrAppend(&verdict, " by the estimate (no interval)");
  } else if (even.interval->low <= cost && even.interval->high >= cost) {
    verdict = "undecided";
  }
  row.words.emplace_back("verdict", verdict);
  WarnOutside(base, at, &answer.warnings);
  WarnOutside(mixed, at, &answer.warnings);
  const auto margin = [&](double x, int draw) {
    if (along.covariate == "N") n = x;
    plain.Set(along.covariate, x);
    finer.Set(along.covariate, x);
    plain.Set("N", n * (1 + cost));
    finer.Set("N", n);
    return finer.Loss(draw) - plain.Loss(draw);
  };
  size_t count = 0;
  Quantity turn =
      FirstCrossing(absl::StrCat("verdict turns at ", along.covariate), UnitOf(along.covariate),
                    along.low, along.high, draws, options.level, margin, &count);
  if (!turn.none.empty()) {
    turn.none =
        absl::StrCat("it ", margin(along.low, -1) < 0 ? "pays" : "does not pay", " throughout ",
                     along.covariate, " ", ShowNumber(along.low), " to ", ShowNumber(along.high));
  } else {
    row.words.emplace_back(
        "pays_for", absl::StrCat(along.covariate, margin(along.low, -1) < 0 ? " below " : " above ",
                                 ShowNumber(turn.value)));
    if (count > 1) {
      answer.warnings.push_back(
          absl::StrCat("The verdict turns ", count, " times; the first is shown."));
    }
    Point found = at;
    found.numbers[along.covariate] = turn.value;
    WarnOutside(base, found, &answer.warnings);
    WarnOutside(mixed, found, &answer.warnings);
  }
  row.quantities.push_back(std::move(turn));
  answer.rows.push_back(std::move(row));
  answer.notes.push_back(absl::StrCat("Cost of the finer part: ", ShowNumber(cost),
                                      " of the model's; it pays where a plain model ",
                                      ShowNumber(1 + cost), " times as large does worse."));
  return answer;
}

absl::StatusOr<Answer> Parity(const World& world, const Point& at, const ParityOptions& parity,
                              const AskOptions& options) {
  QATLAS_RETURN_IF_ERROR(CheckAxis({"N", parity.low, parity.high}));
  if (!(parity.tolerance > 0) || parity.ratio < 0 || parity.bits < 0 || !(parity.full_bits > 0) ||
      !std::isfinite(parity.tolerance)) {
    return absl::InvalidArgumentError(
        "the tolerance must be above 0 nats/token, ratio and bits 0 or more");
  }
  Answer answer;
  answer.question = "at which size this precision equals full precision";
  QATLAS_RETURN_IF_ERROR(
      RequireIdentifiable({world.loss, world.delta}, options.allow_unidentified, &answer.warnings));
  Describe(world, &answer.notes);
  Point point = at;
  point.numbers.erase("N");
  std::vector<std::string> open = {"N"};
  if (parity.ratio > 0) {
    point.numbers.erase("D");
    open.push_back("D");
  }
  QATLAS_ASSIGN_OR_RETURN(BoundWorld bound, BoundWorld::Create(world, point, open));
  if (!bound.has_delta()) {
    return absl::InvalidArgumentError(
        "there is no law of δ; give one, or a law of the loss that "
        "knows precision");
  }
  const auto place = [&](double n) {
    bound.Set("N", n);
    if (parity.ratio > 0) bound.Set("D", parity.ratio * n);
  };
  const auto add = [&](Row* row, const std::string& name,
                       const std::function<double(double, int)>& f, const char* below_word,
                       const char* above_word) {
    size_t count = 0;
    Quantity quantity = FirstCrossing(name, "parameters", parity.low, parity.high, bound.draws(),
                                      options.level, f, &count);
    if (!quantity.none.empty()) {
      quantity.none =
          absl::StrCat(f(parity.low, -1) > 0 ? above_word : below_word, " for every size from ",
                       ShowNumber(parity.low), " to ", ShowNumber(parity.high));
    } else {
      if (f(parity.low, -1) < 0) {
        row->words.emplace_back("direction", "holds below this size, not above");
      }
      Point found = at;
      found.numbers["N"] = quantity.value;
      if (parity.ratio > 0) found.numbers["D"] = parity.ratio * quantity.value;
      WarnOutside(world, found, &answer.warnings);
    }
    row->quantities.push_back(std::move(quantity));
  };
  Row row;
  row.label = absl::StrCat("δ of ", ShowNumber(parity.tolerance), " nats/token or less");
  add(
      &row, "N",
      [&](double n, int draw) {
        place(n);
        return bound.Delta(draw) - parity.tolerance;
      },
      "δ lies below the tolerance", "δ lies above the tolerance");
  if (row.quantities[0].none.empty() && bound.has_loss()) {
    const double n = row.quantities[0].value;
    place(n);
    row.quantities.push_back(Summarize("effective share of N there", "", bound.draws(),
                                       options.level,
                                       [&](int draw) { return EffectiveShare(bound, n, draw); }));
  }
  answer.rows.push_back(std::move(row));
  if (parity.bits > 0) {
    if (!bound.has_loss()) {
      return absl::InvalidArgumentError("equal bytes need a law of the loss; add one");
    }
    Row bytes;
    bytes.label = absl::StrCat("better than full precision in as many bytes (",
                               ShowNumber(parity.bits), " bits an element)");
    const double share = parity.bits / parity.full_bits;
    add(
        &bytes, "N",
        [&](double n, int draw) {
          place(n);
          const double quantized = bound.Loss(draw);
          bound.Set("N", std::max(1.0, n * share));  // the same data
          return quantized - bound.FullPrecision(draw);
        },
        "it is better", "it is worse");
    answer.rows.push_back(std::move(bytes));
  }
  return answer;
}

}  // namespace qatlas::plan
