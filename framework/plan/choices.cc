#include "framework/plan/choices.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/observe/number.h"

namespace qatlas::plan {
namespace {

using observe::ShowNumber;

Point With(const Point& base, const Point& over) {
  Point point = base;
  for (const auto& [name, value] : over.numbers) point.numbers[name] = value;
  for (const auto& [name, text] : over.texts) point.texts[name] = text;
  return point;
}

absl::StatusOr<Answer> Begin(const std::string& question, const std::vector<Choice>& choices,
                             const AskOptions& options) {
  Answer answer;
  answer.question = question;
  if (choices.empty()) {
    return absl::InvalidArgumentError("there is no quantization to choose from; give laws");
  }
  std::vector<const Law*> seen;
  for (const Choice& choice : choices) {
    if (!(choice.weight_bits > 0) || !std::isfinite(choice.weight_bits) || choice.group < 0 ||
        !(choice.scale_bits >= 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat(choice.name,
                       ": the bits of its weights are not known; name the precision like w4a16, or "
                       "give --bits"));
    }
    World fresh;
    for (const Law* law : {choice.world.loss, choice.world.delta}) {
      if (law == nullptr || std::find(seen.begin(), seen.end(), law) != seen.end()) continue;
      seen.push_back(law);
      (law->target == kTargetLoss ? fresh.loss : fresh.delta) = law;
    }
    Describe(fresh, &answer.notes);
  }
  QATLAS_RETURN_IF_ERROR(RequireIdentifiable(seen, options.allow_unidentified, &answer.warnings));
  return answer;
}

void PutFirst(Answer* answer, Row row) {
  answer->rows.insert(answer->rows.begin(), std::move(row));
}

}  // namespace

double BitsPerElement(const Choice& choice) {
  return choice.weight_bits + (choice.group > 0 ? choice.scale_bits / choice.group : 0);
}

std::optional<double> WeightBitsOf(const std::string& text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != 'w' && text[i] != 'W') continue;
    if (i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1]))) continue;
    size_t end = i + 1;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
    if (end == i + 1 || end - i > 3) continue;
    const bool inputs = end < text.size() && (text[end] == 'a' || text[end] == 'A');
    const bool ends = end == text.size() || !std::isalnum(static_cast<unsigned char>(text[end]));
    if (inputs || ends) return std::stod(text.substr(i + 1, end - i - 1));
  }
  return std::nullopt;
}

absl::StatusOr<Answer> Cheapest(const std::vector<Choice>& choices, const Point& at,
                                const Target& target, const AskOptions& options) {
  const bool by_loss = target.loss > 0;
  const double wanted = by_loss ? target.loss : target.delta;
  if (!(wanted > 0) || !std::isfinite(wanted) || (target.loss > 0 && target.delta > 0)) {
    return absl::InvalidArgumentError("give one target above 0: a loss or a δ");
  }
  const char* name = by_loss ? "loss" : "delta";
  QATLAS_ASSIGN_OR_RETURN(Answer answer, Begin(absl::StrCat("cheapest quantization with ", name,
                                                            " at most ", ShowNumber(wanted)),
                                               choices, options));
  std::vector<Row> rows;
  std::vector<double> bits;
  for (const Choice& choice : choices) {
    const Point point = With(at, choice.at);
    QATLAS_ASSIGN_OR_RETURN(BoundWorld bound, BoundWorld::Create(choice.world, point));
    if (by_loss && !bound.has_loss()) {
      return absl::InvalidArgumentError(
          "a target loss needs a law of the loss; give one, or a target δ");
    }
    if (!by_loss && !bound.has_delta() && !choice.full_precision) {
      return absl::InvalidArgumentError(absl::StrCat(choice.name, " has no law of δ"));
    }
    Row row;
    row.label = choice.name;
    row.quantities.push_back({"bits per element", "bits", BitsPerElement(choice), {}, 0, ""});
    const Quantity value =
        Summarize(name, "nats/token", bound.draws(), options.level, [&](int draw) {
          if (choice.full_precision) return by_loss ? bound.FullPrecision(draw) : 0.0;
          return by_loss ? bound.Loss(draw) : bound.Delta(draw);
        });
    if (!value.none.empty()) {
      return absl::OutOfRangeError(absl::StrCat(choice.name, " has no finite ", name));
    }
    const bool estimate = value.value <= wanted;
    const bool surely = estimate && value.interval && value.interval->high <= wanted;
    row.words.emplace_back("met", surely ? "surely" : estimate ? "by the estimate" : "no");
    row.quantities.push_back(value);
    WarnOutside(choice.world, point, &answer.warnings);
    rows.push_back(std::move(row));
    bits.push_back(BitsPerElement(choice));
  }
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (bits[a] != bits[b]) return bits[a] < bits[b];
    return rows[a].quantities[1].value < rows[b].quantities[1].value;
  });
  const Row* estimate = nullptr;
  const Row* sure = nullptr;
  const Row* nearest = nullptr;
  for (size_t i : order) {
    const std::string& met = rows[i].words[0].second;
    if (met != "no" && estimate == nullptr) estimate = &rows[i];
    if (met == "surely" && sure == nullptr) sure = &rows[i];
    if (nearest == nullptr || rows[i].quantities[1].value < nearest->quantities[1].value) {
      nearest = &rows[i];
    }
    answer.rows.push_back(rows[i]);
  }
  if (estimate == nullptr) {
    return absl::OutOfRangeError(absl::StrCat(
        "none of the ", rows.size(), " quantizations reaches a ", name, " of ", ShowNumber(wanted),
        "; the nearest is ", nearest->label, " with ", ShowNumber(nearest->quantities[1].value)));
  }
  // Without intervals nothing is sure.
  if (sure != nullptr && sure->label != estimate->label) {
    Row row = *sure;
    row.label = absl::StrCat("cheapest that surely does: ", row.label);
    PutFirst(&answer, std::move(row));
  }
  Row row = *estimate;
  row.label = absl::StrCat("cheapest: ", row.label);
  PutFirst(&answer, std::move(row));
  return answer;
}

absl::StatusOr<Answer> UnderMemory(const std::vector<Choice>& choices, double bytes,
                                   double other_bytes, const Data& data,
                                   const AskOptions& options) {
  const int given = (data.tokens > 0) + (data.ratio > 0) + (data.flops > 0);
  if (given != 1) {
    return absl::InvalidArgumentError(
        "give the data in one way: tokens, tokens a parameter, or FLOPs");
  }
  if (!(bytes > other_bytes) || !(other_bytes >= 0) || !std::isfinite(bytes)) {
    return absl::InvalidArgumentError("the memory must be above what other tensors take");
  }
  QATLAS_ASSIGN_OR_RETURN(
      Answer answer,
      Begin(absl::StrCat("best bits and size in ", ShowNumber(bytes), " bytes"), choices, options));
  struct Candidate {
    Row row;
    double loss;
    std::vector<double> draws;
  };
  std::vector<Candidate> candidates;
  for (const Choice& choice : choices) {
    if (choice.world.loss == nullptr) {
      return absl::InvalidArgumentError(
          "sizes are compared by their loss: add a law of the loss to the law of δ");
    }
    const double n = (bytes - other_bytes) * 8 / BitsPerElement(choice);
    Point point = choice.at;
    point.numbers["N"] = n;
    point.numbers["D"] = data.tokens > 0  ? data.tokens
                         : data.ratio > 0 ? data.ratio * n
                                          : data.flops / (6 * n);
    QATLAS_ASSIGN_OR_RETURN(BoundWorld bound, BoundWorld::Create(choice.world, point));
    const auto loss = [&](int draw) {
      return choice.full_precision ? bound.FullPrecision(draw) : bound.Loss(draw);
    };
    Candidate candidate;
    candidate.loss = loss(-1);
    if (!std::isfinite(candidate.loss)) {
      return absl::OutOfRangeError(
          absl::StrCat(choice.name, " has no finite loss at ", Show(point)));
    }
    for (int draw = 0; draw < bound.draws(); ++draw) candidate.draws.push_back(loss(draw));
    candidate.row.label = choice.name;
    candidate.row.quantities = {
        {"bits per element", "bits", BitsPerElement(choice), {}, 0, ""},
        {"N", "parameters", n, {}, 0, ""},
        {"D", "tokens", point.numbers["D"], {}, 0, ""},
        Summarize("loss", "nats/token", bound.draws(), options.level, loss)};
    if (bound.has_delta() && !choice.full_precision) {
      candidate.row.quantities.push_back(Summarize("delta", "nats/token", bound.draws(),
                                                   options.level,
                                                   [&](int d) { return bound.Delta(d); }));
    }
    WarnOutside(choice.world, point, &answer.warnings);
    candidates.push_back(std::move(candidate));
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.loss < b.loss; });
  // A choice without draws of its own stands at its value in every draw.
  size_t draws = 0;
  for (const Candidate& c : candidates) {
    if (!c.draws.empty()) draws = draws == 0 ? c.draws.size() : std::min(draws, c.draws.size());
  }
  std::vector<int> wins(candidates.size(), 0);
  for (size_t draw = 0; draw < draws; ++draw) {
    size_t best = 0;
    double least = kNone;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const double value =
          candidates[i].draws.empty() ? candidates[i].loss : candidates[i].draws[draw];
      if (value < least) {
        least = value;
        best = i;
      }
    }
    ++wins[best];
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (draws > 0) {
      candidates[i].row.quantities.push_back({"share of draws in which it is best",
                                              "",
                                              wins[i] / static_cast<double>(draws),
                                              {},
                                              0,
                                              ""});
    }
    answer.rows.push_back(std::move(candidates[i].row));
  }
  answer.notes.push_back(absl::StrCat("All bytes but ", ShowNumber(other_bytes),
                                      " hold the blocks' linears: N = 8 · bytes / bits per "
                                      "element."));
  return answer;
}

}  // namespace qatlas::plan
