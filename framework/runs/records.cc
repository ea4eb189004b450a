#include "framework/runs/records.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "framework/observe/json_text.h"

namespace qatlas::runs {
namespace {

constexpr const char* kStatistics[] = {"kurtosis", "max_to_median", "snr_db"};

const nlohmann::json* Find(const nlohmann::json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::vector<double> NumbersAt(const nlohmann::json& json, const char* key) {
  std::vector<double> numbers;
  const nlohmann::json* list = Find(json, key);
  if (list == nullptr || !list->is_array()) return numbers;
  for (const nlohmann::json& value : *list) {
    numbers.push_back(value.is_number() ? value.get<double>() : observe::kMissing);
  }
  return numbers;
}

}  // namespace

double NumberAt(const nlohmann::json& json, const char* key) {
  const nlohmann::json* found = Find(json, key);
  return found != nullptr && found->is_number() ? found->get<double>() : observe::kMissing;
}

std::string TextAt(const nlohmann::json& json, const char* key) {
  const nlohmann::json* found = Find(json, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

absl::StatusOr<RunResult> ResultFromJson(const nlohmann::json& json) {
  static const nlohmann::json none;
  const nlohmann::json* validation = Find(json, "validation");
  const nlohmann::json* counts = Find(json, "counts");
  if (validation == nullptr) validation = &none;
  if (counts == nullptr) counts = &none;
  RunResult result;
  result.loss = NumberAt(*validation, "loss");
  result.loss_se = NumberAt(*validation, "se");
  result.train_loss = NumberAt(json, "train_loss_smoothed");
  result.parameters = NumberAt(*counts, "block_linears");
  result.all_parameters = NumberAt(*counts, "total");
  result.flops_per_token = NumberAt(*counts, "flops_per_token");
  result.per_sequence = NumbersAt(*validation, "per_sequence");
  result.train_losses = NumbersAt(json, "train_losses");
  if (!(result.loss == result.loss) || result.per_sequence.empty()) {
    return absl::DataLossError(
        "no validation.loss with its per_sequence losses; the file was damaged");
  }
  return result;
}

absl::StatusOr<std::map<int64_t, nlohmann::json>> SiteLogFromText(absl::string_view text) {
  std::map<int64_t, nlohmann::json> records;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    nlohmann::json json;
    if (observe::ParseJson(line, &json)) json = nullptr;
    const nlohmann::json* step = Find(json, "step");
    const nlohmann::json* sites = Find(json, "sites");
    if (step == nullptr || !step->is_number_integer() || sites == nullptr || !sites->is_array()) {
      return absl::DataLossError("a line holds no site statistics; the file was damaged");
    }
    const int64_t at = step->get<int64_t>();
    records[at] = std::move(json["sites"]);
  }
  return records;
}

absl::StatusOr<observe::Table::Row> SiteRow(const nlohmann::json& site) {
  const std::string name = TextAt(site, "site");
  if (name.empty()) return absl::DataLossError("a record of site statistics was damaged");
  observe::Table::Row row = {{"site", name},
                             {"block", NumberAt(site, "block")},
                             {"role", TextAt(site, "role")},
                             {"operand", TextAt(site, "operand")}};
  if (site.contains("expert")) row.emplace_back("expert", NumberAt(site, "expert"));
  for (const char* statistic : kStatistics) row.emplace_back(statistic, NumberAt(site, statistic));
  return row;
}

}  // namespace qatlas::runs
