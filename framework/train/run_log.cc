#include "framework/train/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/event_file.h"
#include "framework/train/outcome.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

double WallTime() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppendFile>> AppendFile::Open(const std::filesystem::path& path,
                                                             int64_t bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return IoError("open", path, errno);
  std::unique_ptr<AppendFile> file(new AppendFile(path, fd, bytes));
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return IoError("read", path, errno);
  if (info.st_size < bytes) {
    return absl::DataLossError(absl::StrCat(path.string(), " has ", info.st_size,
                                            " bytes, the checkpoint knows of ", bytes));
  }
  if (::ftruncate(fd, bytes) != 0) return IoError("truncate", path, errno);
  if (::lseek(fd, bytes, SEEK_SET) < 0) return IoError("seek in", path, errno);
  return file;
}

AppendFile::AppendFile(std::filesystem::path path, int fd, int64_t written)
    : path_(std::move(path)), fd_(fd), written_(written) {}

AppendFile::~AppendFile() { ::close(fd_); }

absl::Status AppendFile::Flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      buffer_.erase(0, done);
      return IoError("write", path_, errno);
    }
    done += static_cast<size_t>(count);
    written_ += count;
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() {
  QATLAS_RETURN_IF_ERROR(Flush());
  if (::fsync(fd_) != 0) return IoError("sync", path_, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RunLog>> RunLog::Open(const std::filesystem::path& folder,
                                                     const std::map<std::string, int64_t>& sizes) {
  auto size_of = [&](const char* name) {
    auto it = sizes.find(name);
    return it == sizes.end() ? 0 : it->second;
  };
  std::unique_ptr<RunLog> log(new RunLog);
  QATLAS_ASSIGN_OR_RETURN(log->metrics_, AppendFile::Open(folder / kMetrics, size_of(kMetrics)));
  QATLAS_ASSIGN_OR_RETURN(log->sites_, AppendFile::Open(folder / kSites, size_of(kSites)));
  QATLAS_ASSIGN_OR_RETURN(log->events_, AppendFile::Open(folder / kEvents, size_of(kEvents)));
  if (log->events_->size() == 0) log->events_->Append(EventRecord(VersionEvent(WallTime())));
  return log;
}

void RunLog::Log(const StepRecord& record) {
  const nlohmann::ordered_json line = {{"step", record.step},
                                       {"tokens", record.tokens},
                                       {"loss", record.loss},
                                       {"grad_norm", record.gradient_norm},
                                       {"lr", record.learning_rate}};
  metrics_->Append(absl::StrCat(line.dump(), "\n"));
  events_->Append(
      EventRecord(ScalarsEvent(WallTime(), record.step,
                               {{"train/loss", static_cast<float>(record.loss)},
                                {"train/grad_norm", static_cast<float>(record.gradient_norm)},
                                {"train/lr", static_cast<float>(record.learning_rate)}})));
}

void RunLog::LogSites(int64_t step, int64_t tokens, const nlohmann::ordered_json& sites) {
  const nlohmann::ordered_json line = {{"step", step}, {"tokens", tokens}, {"sites", sites}};
  sites_->Append(absl::StrCat(line.dump(), "\n"));
  std::vector<std::pair<std::string, float>> scalars;
  for (const auto& site : sites) {
    for (const char* name : {"kurtosis", "snr_db"}) {
      if (!site.contains(name) || !site[name].is_number()) continue;
      scalars.emplace_back(absl::StrCat(name, "/", site["site"].get<std::string>()),
                           site[name].get<float>());
    }
  }
  if (!scalars.empty()) events_->Append(EventRecord(ScalarsEvent(WallTime(), step, scalars)));
}

void RunLog::LogValidation(int64_t step, double loss) {
  events_->Append(
      EventRecord(ScalarsEvent(WallTime(), step, {{"validation/loss", static_cast<float>(loss)}})));
}

absl::Status RunLog::Flush() {
  QATLAS_RETURN_IF_ERROR(metrics_->Flush());
  QATLAS_RETURN_IF_ERROR(sites_->Flush());
  return events_->Flush();
}

absl::Status RunLog::Sync() {
  QATLAS_RETURN_IF_ERROR(metrics_->Sync());
  QATLAS_RETURN_IF_ERROR(sites_->Sync());
  return events_->Sync();
}

std::map<std::string, int64_t> RunLog::Sizes() const {
  return {{kMetrics, metrics_->size()}, {kSites, sites_->size()}, {kEvents, events_->size()}};
}

}  // namespace qatlas::train
