// Specs of segments as the worker reads them.
#include "absl/strings/str_cat.h"
#include "framework/train/atomic_file.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/segment_run.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {

absl::StatusOr<recipe::SegmentSpec> ReadSpec(const fs::path& file) {
  QATLAS_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " is not JSON"));
  }
  absl::StatusOr<recipe::SegmentSpec> spec = recipe::SegmentSpec::FromJson(json);
  absl::Status status = spec.status();
  if (status.ok()) status = CheckSpec(*spec);
  if (status.ok()) return spec;
  return absl::InvalidArgumentError(absl::StrCat(file.string(), ": ", status.message()));
}

absl::Status CheckSpec(const recipe::SegmentSpec& spec) {
  const recipe::Trajectory& t = spec.trajectory;
  auto positive = [](const char* name, int64_t value) {
    return value > 0 ? absl::OkStatus()
                     : absl::InvalidArgumentError(absl::StrCat(name, " is ", value));
  };
  QATLAS_RETURN_IF_ERROR(positive("sequence_length", t.sequence_length));
  QATLAS_RETURN_IF_ERROR(positive("batch_sequences", t.batch_sequences));
  QATLAS_RETURN_IF_ERROR(positive("micro_batch_sequences", t.micro_batch_sequences));
  QATLAS_RETURN_IF_ERROR(positive("threads", t.threads));
  QATLAS_RETURN_IF_ERROR(positive("smoothing_tokens", spec.evaluation.smoothing_tokens));
  if (t.batch_sequences % t.micro_batch_sequences != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("micro_batch_sequences = ", t.micro_batch_sequences, " does not divide ",
                     "batch_sequences = ", t.batch_sequences));
  }
  if (spec.begin_step < t.start_step || t.start_step < 0 || spec.end_step < spec.begin_step) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps are out of order: the trajectory starts at ", t.start_step,
                     ", the segment begins at ", spec.begin_step, " and ends at ", spec.end_step));
  }
  const int64_t tokens_per_step = t.batch_sequences * t.sequence_length;
  if (spec.evaluation.smoothing_tokens > kLossHistory * tokens_per_step) {
    return absl::InvalidArgumentError(absl::StrCat(
        "smoothing_tokens is ", spec.evaluation.smoothing_tokens, "; the losses of the last ",
        kLossHistory, " steps are kept, which are ", kLossHistory * tokens_per_step, " tokens"));
  }
  if (spec.id.empty()) return absl::InvalidArgumentError("id is missing");
  return absl::OkStatus();
}

}  // namespace qatlas::train
