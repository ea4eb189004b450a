// A profile for programs.
#include <cmath>

#include "framework/observe/profile.h"

namespace qatlas::observe {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json Places(const std::vector<std::vector<size_t>>& sets, const Table& table) {
  Json all = Json::array();
  for (const auto& rows : sets) {
    Json one = Json::array();
    for (size_t row : rows) one.push_back(table.Where(row));
    all.push_back(std::move(one));
  }
  return all;
}

const char* Name(Collinearity::Verdict verdict) {
  switch (verdict) {
    case Collinearity::Verdict::kSeparable:
      return "separable";
    case Collinearity::Verdict::kWeak:
      return "weak";
    case Collinearity::Verdict::kInseparable:
      return "inseparable";
    case Collinearity::Verdict::kConstant:
      return "constant";
    case Collinearity::Verdict::kNone:
      break;
  }
  return "none";
}

Json Variance(const SeedVariance& noise) {
  return {{"standard_deviation", noise.known() ? Number(std::sqrt(noise.variance)) : Json(nullptr)},
          {"degrees_of_freedom", noise.degrees_of_freedom},
          {"reason", noise.known() ? Json(nullptr) : Json(noise.reason)}};
}

Json Columns(const Profile& profile) {
  Json columns = Json::array();
  for (const ColumnProfile& column : profile.columns) {
    Json common = Json::array();
    for (const auto& [value, count] : column.common) {
      common.push_back({{"value", value}, {"rows", count}});
    }
    const bool capped =
        column.kind == ColumnKind::kNumber && column.levels >= ColumnProfile::kMostLevels;
    columns.push_back({{"name", column.name},
                       {"kind", column.kind == ColumnKind::kNumber ? "number" : "text"},
                       {"standard", column.standard},
                       {"unit", column.unit},
                       {"count", column.count},
                       {"missing", column.missing},
                       {"levels", column.levels},
                       {"levels_capped", capped},
                       {"minimum", Number(column.minimum)},
                       {"maximum", Number(column.maximum)},
                       {"decades", Number(column.decades)},
                       {"most_common", std::move(common)}});
  }
  return columns;
}

}  // namespace

Json ProfileAsJson(const Profile& profile, const Table& table) {
  Json json = {{"rows", profile.rows},
               {"full_precision", profile.full_precision},
               {"quantized", profile.quantized},
               {"other", profile.other},
               {"columns", Columns(profile)}};
  json["collinearity"] = Json::array();
  for (const auto& [who, shape] : profile.collinearity) {
    json["collinearity"].push_back({{"of", who},
                                    {"rows", shape.rows},
                                    {"levels_N", shape.levels_n},
                                    {"levels_D", shape.levels_d},
                                    {"correlation", Number(shape.correlation)},
                                    {"condition", Number(shape.condition)},
                                    {"ratio_low", Number(shape.ratio_low)},
                                    {"ratio_high", Number(shape.ratio_high)},
                                    {"spread", Number(shape.spread)},
                                    {"verdict", Name(shape.verdict)},
                                    {"sentence", shape.sentence}});
  }
  json["cells"] = Json::array();
  for (const auto& [who, cross] : profile.cells) {
    json["cells"].push_back({{"of", who},
                             {"factors", cross.factors},
                             {"levels", cross.levels},
                             {"possible", cross.possible},
                             {"filled", cross.filled},
                             {"missing", cross.missing}});
  }
  json["replicates"] = nullptr;
  if (profile.replicates) {
    const Replicates& replicates = *profile.replicates;
    json["replicates"] = {{"of", profile.replicates_of},
                          {"covariates", replicates.covariates},
                          {"cells", replicates.cells},
                          {"replicated", replicates.replicated},
                          {"noise", Variance(replicates.noise)},
                          {"relative_noise", Variance(replicates.relative)},
                          {"conflicts", Places(replicates.conflicts, table)},
                          {"repeats", Places(replicates.repeats, table)}};
  }
  json["contradictions"] = profile.contradictions;
  json["outliers"] = nullptr;
  if (profile.outliers) {
    const OutlierScreen& screen = *profile.outliers;
    Json rows = Json::array();
    for (const Outlier& one : screen.outliers) {
      rows.push_back({{"place", table.Where(one.row)},
                      {"value", Number(one.value)},
                      {"expected", Number(one.expected)},
                      {"score", Number(one.score)}});
    }
    json["outliers"] = {{"count", screen.count},
                        {"screened", screen.screened},
                        {"scale", Number(screen.scale)},
                        {"reason", screen.reason.empty() ? Json(nullptr) : Json(screen.reason)},
                        {"rows", std::move(rows)}};
  }
  json["pairs"] = {{"paired", profile.paired},
                   {"rows", profile.pairs},
                   {"not_positive", profile.not_positive},
                   {"matched_by", profile.matched_by},
                   {"unpaired", profile.unpaired_count},
                   {"reasons", profile.unpaired}};
  json["findings"] = Json::array();
  static constexpr const char* kKinds[] = {"can", "limited", "cannot"};
  for (const Finding& finding : profile.findings) {
    json["findings"].push_back(
        {{"kind", kKinds[static_cast<int>(finding.kind)]}, {"text", finding.text}});
  }
  json["notes"] = profile.notes;
  return json;
}

}  // namespace qatlas::observe
