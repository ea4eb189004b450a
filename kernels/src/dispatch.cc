// Chooses the instruction set once.
#include <qatlas/kernels/isa.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {
namespace internal {
namespace {

// The table named `name`, or null if this build or processor lacks it.
const Table* Find(const char* name) {
  if (std::strcmp(name, "portable") == 0) return &PortableTable();
#ifdef QATLAS_KERNELS_X86
  __builtin_cpu_init();
  if (std::strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &Avx2Table();
  }
  if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    return &Avx512Table();
  }
#endif
  return nullptr;
}

const Table* Choose() {
  if (const char* wanted = std::getenv("QATLAS_ISA"); wanted != nullptr && *wanted != '\0') {
    const Table* table = Find(wanted);
    if (table == nullptr) {
      const std::string message =
          std::string("QATLAS_ISA=") + wanted +
          " is not an instruction set of this build and processor; use avx512, avx2 or portable, "
          "or unset it";
      Fail("QATLAS_ISA", 0, message.c_str());
    }
    return table;
  }
  for (const char* name : {"avx512", "avx2"}) {
    if (const Table* table = Find(name)) return table;
  }
  return &PortableTable();
}

std::atomic<const Table*>& Slot() {
  static std::atomic<const Table*> slot{Choose()};
  return slot;
}

}  // namespace

const Table& Active() { return *Slot().load(std::memory_order_relaxed); }

}  // namespace internal

const char* ActiveIsa() { return internal::Active().name; }

bool IsaSupported(const char* name) { return internal::Find(name) != nullptr; }

bool SetIsaForTesting(const char* name) {
  const internal::Table* table = internal::Find(name);
  if (table == nullptr) return false;
  internal::Slot().store(table, std::memory_order_relaxed);
  return true;
}

}  // namespace qatlas::kernels
