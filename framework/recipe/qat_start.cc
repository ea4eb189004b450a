// `qat` of a grid: where quantization starts.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/plugin/nearest.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

constexpr char kForms[] =
    "\"scratch\", \"cooldown\", { fraction = 0.5 } or { extra_tokens = 65536 }";

std::optional<double> Number(const Node& node) {
  if (node.Is(Node::Type::kInt)) return static_cast<double>(node.integer);
  if (node.Is(Node::Type::kFloat)) return node.number;
  return std::nullopt;
}

std::optional<QatStart> ReadFraction(const Node& fraction, QatStart start, Reading* reading) {
  start.fraction = Number(fraction).value_or(-1);
  if (!(start.fraction >= 0 && start.fraction <= 1)) {
    reading->problems.Add(fraction.where, absl::StrCat("'fraction' is ", ToToml(fraction),
                                                       "; it must be from 0 to 1"));
    return std::nullopt;
  }
  if (start.fraction == 1) return QatStart{};
  start.kind = QatStart::Kind::kFraction;
  return start;
}

std::optional<QatStart> ReadExtra(const Node& table, QatStart start, Reading* reading) {
  const Node& tokens = *table.Find("extra_tokens");
  if (!tokens.Is(Node::Type::kInt) || tokens.integer < 1) {
    reading->problems.Add(tokens.where, absl::StrCat("'extra_tokens' is ", ToToml(tokens),
                                                     "; it must be a whole number of at least 1"));
    return std::nullopt;
  }
  start.kind = QatStart::Kind::kExtra;
  start.extra_tokens = tokens.integer;
  if (const Node* rate = table.Find("learning_rate")) {
    start.learning_rate = Number(*rate);
    if (!(start.learning_rate.value_or(0) > 0)) {
      reading->problems.Add(
          rate->where, absl::StrCat("'learning_rate' is ", ToToml(*rate), "; it must be above 0"));
      return std::nullopt;
    }
  }
  return start;
}

std::optional<QatStart> ReadStart(const Node& node, bool carry, Reading* reading) {
  QatStart start;
  start.carry_optimizer = carry;
  if (node.Is(Node::Type::kString)) {
    if (node.text == "scratch") return QatStart{};
    if (node.text == "cooldown") {
      const TrainingSettings& training = reading->recipe.training;
      if (training.schedule != "wsd" || training.cooldown_fraction == 0) {
        reading->problems.Add(node.where,
                              "qat = \"cooldown\" needs training.schedule = \"wsd\" "
                              "with a cooldown_fraction above 0");
        return std::nullopt;
      }
      start.kind = QatStart::Kind::kCooldown;
      return start;
    }
    reading->problems.Add(node.where,
                          absl::StrCat("'qat' is ", ToToml(node), "; it must be ", kForms,
                                       plugin::NearestHint(node.text, {"scratch", "cooldown"})));
    return std::nullopt;
  }
  const Node* fraction = node.Find("fraction");
  const bool has_rate = node.Find("learning_rate") != nullptr;
  if (fraction != nullptr && node.table.size() == 1) return ReadFraction(*fraction, start, reading);
  if (node.Find("extra_tokens") != nullptr && node.table.size() == (has_rate ? 2 : 1)) {
    return ReadExtra(node, start, reading);
  }
  reading->problems.Add(node.where, absl::StrCat("'qat' must be ", kForms,
                                                 ", the last with a learning_rate if wanted"));
  return std::nullopt;
}

}  // namespace

std::vector<QatStart> ReadQatStarts(const Values& values, Reading* reading) {
  const Node& qat = values.Get("qat");
  const bool carry = values.Bool("carry_optimizer");
  std::vector<QatStart> starts;
  const plugin::Array list = qat.Is(Node::Type::kArray) ? qat.array : plugin::Array{qat};
  if (list.empty()) reading->problems.Add(qat.where, "'qat' is an empty list");
  for (const Node& node : list) {
    const auto start = ReadStart(node, carry, reading);
    if (!start) continue;
    for (const QatStart& other : starts) {
      if (other == *start) {
        reading->problems.Add(node.where, absl::StrCat(ToToml(node), " stands twice in 'qat'"));
      }
    }
    starts.push_back(*start);
  }
  return starts;
}

}  // namespace qatlas::recipe
