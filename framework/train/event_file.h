// TensorBoard's event files, scalars only: records of length, masked CRC, a protocol-buffer Event,
// masked CRC (tensorflow/core/lib/io/record_writer.h; tensorflow/core/util/event.proto). Written by
// hand, since two messages are not worth a dependency.
#ifndef QATLAS_FRAMEWORK_TRAIN_EVENT_FILE_H_
#define QATLAS_FRAMEWORK_TRAIN_EVENT_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qatlas::train {

// CRC-32C of `bytes`, rotated and offset as the record format wants it.
uint32_t MaskedCrc32c(std::string_view bytes);

// One record with `event` in it.
std::string EventRecord(std::string_view event);

// The Event that a file begins with. `wall_time` in seconds since 1970.
std::string VersionEvent(double wall_time);
// An Event with scalars (tag, value) of one step.
std::string ScalarsEvent(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, float>>& scalars);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_EVENT_FILE_H_
