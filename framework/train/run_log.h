// The logs of a segment that grow while it trains: metrics.jsonl, sites.jsonl and TensorBoard's
// events.
#ifndef QATLAS_FRAMEWORK_TRAIN_RUN_LOG_H_
#define QATLAS_FRAMEWORK_TRAIN_RUN_LOG_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// A file that is appended to, buffered in memory.
class AppendFile {
 public:
  // Opens or creates the file and cuts it back to `bytes`. Errors: as IoError(); DataLoss when the
  // file is shorter than that.
  static absl::StatusOr<std::unique_ptr<AppendFile>> Open(const std::filesystem::path& path,
                                                          int64_t bytes);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void Append(std::string_view text) { buffer_.append(text); }
  absl::Status Flush();
  absl::Status Sync();
  // With what is still in the buffer.
  int64_t size() const { return written_ + static_cast<int64_t>(buffer_.size()); }

 private:
  AppendFile(std::filesystem::path path, int fd, int64_t written);
  std::filesystem::path path_;
  int fd_;
  int64_t written_;
  std::string buffer_;
};

// One step as it is logged.
struct StepRecord {
  int64_t step = 0;  // optimizer steps done, this one included
  int64_t tokens = 0;
  double loss = 0;  // nats per token, of the step's own batch
  double gradient_norm = 0;
  double learning_rate = 0;  // the run's own, scheduled
};

class RunLog {
 public:
  static constexpr char kMetrics[] = "metrics.jsonl";
  static constexpr char kSites[] = "sites.jsonl";
  static constexpr char kEvents[] = "events.out.tfevents.0.qatlas";

  // Continues the logs at the sizes of a checkpoint; files that are not named there start empty.
  static absl::StatusOr<std::unique_ptr<RunLog>> Open(const std::filesystem::path& folder,
                                                      const std::map<std::string, int64_t>& sizes);

  void Log(const StepRecord& record);
  // A record of the sites' statistics (site_statistics.h) during training.
  void LogSites(int64_t step, int64_t tokens, const nlohmann::ordered_json& sites);
  void LogValidation(int64_t step, double loss);
  // Hands what was logged to the system.
  absl::Status Flush();
  // Makes it durable: before a checkpoint that names the sizes.
  absl::Status Sync();
  std::map<std::string, int64_t> Sizes() const;

 private:
  RunLog() = default;
  std::unique_ptr<AppendFile> metrics_;
  std::unique_ptr<AppendFile> sites_;
  std::unique_ptr<AppendFile> events_;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_RUN_LOG_H_
