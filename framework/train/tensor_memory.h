// Counts the memory of tensors on the CPU, byte by byte.
#ifndef QATLAS_FRAMEWORK_TRAIN_TENSOR_MEMORY_H_
#define QATLAS_FRAMEWORK_TRAIN_TENSOR_MEMORY_H_

#include <cstdint>

#include "c10/core/Allocator.h"

namespace qatlas::train {

// While such an object lives, LibTorch's CPU allocator is wrapped: live() is what was allocated
// since then and not freed, peak() its largest value since ResetPeak(). Workspaces of matrix
// libraries and LibTorch itself are not tensors and are not counted. One at a time; from any
// thread.
class TensorMemory {
 public:
  TensorMemory();
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;

  static int64_t live();
  static int64_t peak();
  static void ResetPeak();

 private:
  c10::Allocator* previous_;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_TENSOR_MEMORY_H_
