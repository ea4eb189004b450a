// Trains one segment in its folder, from wherever an earlier attempt got to.
//
// The folder holds, besides spec.json:
//   resume.safetensors      while it trains: the state to go on from after a kill
//   checkpoint.safetensors  the state at end_step (checkpoint.h)
//   metrics.jsonl, sites.jsonl, events.out.tfevents.*   logs (run_log.h)
//   sites.json              statistics of the sites at end_step (site_statistics.h)
//
//   machine.json            timings and facts of the machine
//
//   result.json             results only; written last, so that its presence means done
//
//   failed.json             {kind, message, step} of an attempt that failed
//
// sites.jsonl holds the same statistics as the trajectory starts and every so many steps of it,
// where the segment is evaluated and its recipe asks for them. Like the other logs it tells what
// this segment's own training saw: one that went on from somebody else's checkpoint has no records
// from before.
#ifndef QATLAS_FRAMEWORK_TRAIN_SEGMENT_RUN_H_
#define QATLAS_FRAMEWORK_TRAIN_SEGMENT_RUN_H_

#include <cstdint>
#include <filesystem>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/token_store.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "framework/train/reporter.h"

namespace qatlas::train {

struct SegmentInputs {
  recipe::SegmentSpec spec;
  data::TokenStore train;
  data::TokenStore validation;
  int64_t vocabulary = 0;  // of the data; 0: not checked against the model
};

struct SegmentHooks {
  std::function<bool()> stop;  // true: write a resume checkpoint and end with Stopped()
  EventSink events;            // JSON lines; may be empty
  std::function<void(const std::string&)> message;  // for people; may be empty
};

// Reads folder/spec.json and checks what does not need components or data. Errors name the key.
absl::StatusOr<recipe::SegmentSpec> ReadSpec(const std::filesystem::path& file);
absl::Status CheckSpec(const recipe::SegmentSpec& spec);

// OK when the segment is done: trained now, or done before. Errors: see ExitCode(). `*step` is the
// last step reached. Nothing but result.json's presence is promised about the folder in between.
absl::Status RunSegment(const std::filesystem::path& folder, const SegmentInputs& inputs,
                        Components& components, const SegmentHooks& hooks, int64_t* step);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_SEGMENT_RUN_H_
