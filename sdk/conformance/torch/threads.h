// The number of threads of LibTorch, set for a while.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_THREADS_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_THREADS_H_

#include "ATen/Parallel.h"

namespace qatlas::conformance {

// Tiny tensors take many times longer where idle threads wait for each other, above all on a busy
// machine: checks run on one thread unless they are about threads.
class ThreadsGuard {
 public:
  explicit ThreadsGuard(int threads) : before_(at::get_num_threads()) {
    at::set_num_threads(threads);
  }
  ~ThreadsGuard() { at::set_num_threads(before_); }
  ThreadsGuard(const ThreadsGuard&) = delete;
  ThreadsGuard& operator=(const ThreadsGuard&) = delete;

 private:
  int before_;
};

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_THREADS_H_
