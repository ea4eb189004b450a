// What workers leave in a segment's folder, read back. A person may have edited it, a disk damaged
// it: nothing is believed before its kind is checked.
#ifndef QATLAS_FRAMEWORK_RUNS_RECORDS_H_
#define QATLAS_FRAMEWORK_RUNS_RECORDS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "framework/observe/number.h"
#include "framework/observe/table.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

// A member of an object; missing and "" where there is none of that kind, or no object.
double NumberAt(const nlohmann::json& json, const char* key);
std::string TextAt(const nlohmann::json& json, const char* key);

// What a run's last segment found.
struct RunResult {
  double loss = observe::kMissing;  // nats per token, as all losses
  double loss_se = observe::kMissing;
  double train_loss = observe::kMissing;
  double parameters = observe::kMissing;  // N
  double all_parameters = observe::kMissing;
  double flops_per_token = observe::kMissing;
  std::vector<double> per_sequence;
  std::vector<double> train_losses;  // of the steps that train_loss is the mean of
};

// Reads result.json. DataLoss, without the file's name, where the validation loss or the losses of
// its sequences are not there.
absl::StatusOr<RunResult> ResultFromJson(const nlohmann::json& json);

// Reads sites.jsonl: step → array of sites. DataLoss, without the file's name.
absl::StatusOr<std::map<int64_t, nlohmann::json>> SiteLogFromText(absl::string_view text);

// A site of sites.json or sites.jsonl as cells of the table of site statistics. DataLoss where it
// does not name its site.
absl::StatusOr<observe::Table::Row> SiteRow(const nlohmann::json& site);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_RECORDS_H_
