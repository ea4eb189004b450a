#include "framework/decompose/json.h"

#include <cmath>

namespace qatlas::decompose {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN and no infinity.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json ValueToJson(const observe::Value& value) {
  if (const double* number = std::get_if<double>(&value)) return Number(*number);
  const std::string& text = std::get<std::string>(value);
  return text.empty() ? Json(nullptr) : Json(text);
}

Json PairsToJson(const std::vector<std::pair<std::string, observe::Value>>& pairs) {
  Json object = Json::object();
  for (const auto& [name, value] : pairs) object[name] = ValueToJson(value);
  return object;
}

Json ToJson(const Estimate& estimate) {
  return {{"value", Number(estimate.value)},
          {"evaluation_se", Number(estimate.evaluation_se)},
          {"training_se", Number(estimate.training_se)},
          {"total_se", Number(estimate.total_se())},
          {"known_se", Number(estimate.known_se())},
          {"basis", BasisName(estimate.basis())},
          {"seeds", estimate.seeds}};
}

Json ToJson(const Ratio& ratio) {
  return {{"value", Number(ratio.value)},
          {"se", Number(ratio.se)},
          {"low", Number(ratio.low)},
          {"high", Number(ratio.high)},
          {"method", RatioMethodName(ratio.method)},
          {"basis", BasisName(ratio.basis)},
          {"note", ratio.note.empty() ? Json(nullptr) : Json(ratio.note)}};
}

Json ToJson(const RoleSum& sum) {
  return {{"roles", sum.roles},
          {"sum", ToJson(sum.sum)},
          {"of_both", sum.of_both.has_value() ? ToJson(*sum.of_both) : Json(nullptr)}};
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? ToJson(*value) : Json(nullptr);
}

Json ToJson(const Cell& cell) {
  Json roles = Json::array();
  for (const RoleShare& share : cell.roles) {
    roles.push_back(
        {{"role", share.role}, {"only", OrNull(share.only)}, {"without", OrNull(share.without)}});
  }
  return {{"cell", PairsToJson(cell.key)},
          {"weight_bits", Number(cell.weight_bits)},
          {"input_bits", Number(cell.input_bits)},
          {"both", OrNull(cell.both)},
          {"weights", OrNull(cell.weights)},
          {"inputs", OrNull(cell.inputs)},
          {"fc2_8bit", OrNull(cell.fc2_8bit)},
          {"inputs_to_weights", OrNull(cell.inputs_to_weights)},
          {"additivity", OrNull(cell.additivity)},
          {"fc2_relief", OrNull(cell.fc2_relief)},
          {"roles", roles},
          {"only_sum", OrNull(cell.only_sum)},
          {"without_sum", OrNull(cell.without_sum)},
          {"missing", cell.missing}};
}

Json ToJson(const TrendStep& step) {
  return {{"covariate", step.covariate},    {"part", step.part},
          {"held", PairsToJson(step.held)}, {"from", Number(step.from)},
          {"to", Number(step.to)},          {"change", ToJson(step.change)},
          {"paired", step.paired},          {"verdict", VerdictName(step.verdict)}};
}

Json ToJson(const TrendSummary& summary) {
  return {{"covariate", summary.covariate}, {"part", summary.part},
          {"rises", summary.rises},         {"falls", summary.falls},
          {"not_clear", summary.not_clear}, {"error_unknown", summary.error_unknown}};
}

Json ToJson(const observe::SeedVariance& variance) {
  return {{"variance", Number(variance.variance)},
          {"degrees_of_freedom", variance.degrees_of_freedom},
          {"cells_used", variance.cells_used},
          {"cells_single", variance.cells_single},
          {"reason", variance.known() ? Json(nullptr) : Json(variance.reason)}};
}

template <typename T>
Json ArrayOf(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(ToJson(value));
  return array;
}

}  // namespace

nlohmann::ordered_json TableToJson(const observe::Table& table) {
  Json array = Json::array();
  for (size_t row = 0; row < table.rows(); ++row) {
    Json object = Json::object();
    for (const std::string& name : table.names()) object[name] = ValueToJson(table.At(row, name));
    array.push_back(std::move(object));
  }
  return array;
}

nlohmann::ordered_json ToJson(const Decomposition& decomposition, const observe::Table* sites) {
  return {{"cell_columns", decomposition.parts.cell_columns},
          {"seed_variance", ToJson(decomposition.parts.seed_variance)},
          {"cells", ArrayOf(decomposition.cells)},
          {"trends", ArrayOf(decomposition.trends.steps)},
          {"trend_summaries", ArrayOf(decomposition.trends.summaries)},
          {"sites", sites == nullptr ? Json::array() : TableToJson(*sites)},
          {"notes", decomposition.notes}};
}

}  // namespace qatlas::decompose
