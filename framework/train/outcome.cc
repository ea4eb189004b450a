#include "framework/train/outcome.h"

#include <cerrno>
#include <cstring>
#include <new>

#include "ATen/ATen.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/train/atomic_file.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {
namespace {

constexpr char kKindPayload[] = "qatlas/failure-kind";
constexpr char kPlugin[] = "plugin";

}  // namespace

absl::Status TrainingFailed(const std::string& kind, const std::string& message) {
  absl::Status status = absl::AbortedError(message);
  status.SetPayload(kKindPayload, absl::Cord(kind));
  return status;
}

absl::Status PluginFailed(const absl::Status& status) {
  absl::Status result = status;
  if (!status.ok()) result.SetPayload(kKindPayload, absl::Cord(kPlugin));
  return result;
}

absl::Status WithPrefix(const std::string& prefix, const absl::Status& status) {
  absl::Status result(status.code(), absl::StrCat(prefix, status.message()));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

absl::Status IoError(const std::string& doing, const std::filesystem::path& path,
                     int error_number) {
  std::string message =
      absl::StrCat("cannot ", doing, " ", path.string(), ": ", std::strerror(error_number));
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return absl::ResourceExhaustedError(message);
  }
  if (error_number == ENOENT) return absl::NotFoundError(message);
  return absl::UnknownError(message);
}

absl::Status Stopped() { return absl::CancelledError("stopped by a signal"); }

std::string FailureKind(const absl::Status& status) {
  if (auto kind = status.GetPayload(kKindPayload)) return std::string(*kind);
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kAlreadyExists:
      return "user-error";
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kAborted:
      return "internal";
    default:
      return "io";
  }
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return kExitDone;
  if (absl::IsCancelled(status)) return kExitStopped;
  const std::string kind = FailureKind(status);
  if (kind == "user-error") return kExitUserError;
  if (kind == "io") return kExitIo;
  if (kind == kPlugin) return kExitPlugin;
  return kExitTrainingFailed;
}

absl::Status CatchTorch(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return TrainingFailed("out-of-memory", "the host's memory is exhausted");
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    // c10::OutOfMemoryError comes from the CUDA allocator; the CPU's throws a plain error.
    const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
                        absl::StrContains(text, "DefaultCPUAllocator");
    return TrainingFailed(memory ? "out-of-memory" : "internal", text);
  } catch (const std::exception& e) {
    return TrainingFailed("internal", e.what());
  }
}

absl::Status WriteFailure(const std::filesystem::path& folder, const absl::Status& status,
                          int64_t step) {
  nlohmann::ordered_json json = {
      {"kind", FailureKind(status)}, {"message", std::string(status.message())}, {"step", step}};
  return WriteFileAtomically(folder / "failed.json", json.dump(2) + "\n");
}

}  // namespace qatlas::train
