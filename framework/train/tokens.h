// Batches of tokens as tensors.
#ifndef QATLAS_FRAMEWORK_TRAIN_TOKENS_H_
#define QATLAS_FRAMEWORK_TRAIN_TOKENS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "ATen/ATen.h"
#include "framework/data/batches.h"

namespace qatlas::train {

// Gives sequence i: writes its T + 1 tokens.
using SequenceSource = std::function<void(int64_t sequence, int64_t* out)>;

// Buffers for batches of up to `sequences` sequences, used again and again: a batch must be done
// with, its backward pass included, before the next is filled.
class BatchBuffer {
 public:
  BatchBuffer(int64_t sequences, int64_t sequence_length, at::Device device)
      : length_(sequence_length),
        device_(device),
        row_(sequence_length + 1),
        tokens_(at::empty({sequences, sequence_length}, at::kLong)),
        targets_(at::empty({sequences, sequence_length}, at::kLong)) {}

  // Fills in sequences [first, first + count).
  void Fill(const SequenceSource& source, int64_t first, int64_t count) {
    int64_t* tokens = tokens_.data_ptr<int64_t>();
    int64_t* targets = targets_.data_ptr<int64_t>();
    for (int64_t i = 0; i < count; ++i) {
      source(first + i, row_.data());
      std::copy(row_.begin(), row_.end() - 1, tokens + i * length_);
      std::copy(row_.begin() + 1, row_.end(), targets + i * length_);
    }
    device_tokens_ = tokens_.narrow(0, 0, count).to(device_);
    device_targets_ = targets_.narrow(0, 0, count).to(device_);
  }

  // [count, T] int64 on the device, contiguous.
  const at::Tensor& tokens() const { return device_tokens_; }
  const at::Tensor& targets() const { return device_targets_; }

 private:
  int64_t length_;
  at::Device device_;
  std::vector<int64_t> row_;
  at::Tensor tokens_;
  at::Tensor targets_;
  at::Tensor device_tokens_;
  at::Tensor device_targets_;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_TOKENS_H_
