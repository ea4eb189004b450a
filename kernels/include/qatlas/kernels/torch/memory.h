// How the C library treats freed memory, for programs that train on the CPU.
#ifndef QATLAS_KERNELS_TORCH_MEMORY_H_
#define QATLAS_KERNELS_TORCH_MEMORY_H_

#if defined(__linux__)
#include <malloc.h>
#endif

namespace qatlas::kernels {

// Keeps freed memory in the process for the next tensor. By default glibc returns blocks of some
// megabytes to the system when they are freed, and taking them again costs a page fault per 4 KiB:
// more than a fused kernel needs to fill them. Peak memory stays the same. Call it first in main();
// returns false where the C library has no such setting.
inline bool KeepFreedMemory() {
#if defined(__GLIBC__)
  constexpr int kNever = 2'000'000'000;
  return mallopt(M_MMAP_THRESHOLD, kNever) == 1 && mallopt(M_TRIM_THRESHOLD, kNever) == 1 &&
         mallopt(M_TOP_PAD, 64 << 20) == 1;
#else
  return false;
#endif
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_MEMORY_H_
