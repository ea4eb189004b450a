// What this machine is: the parts that decide numbers, and what there is to spend.
#ifndef QATLAS_FRAMEWORK_RUNS_MACHINE_H_
#define QATLAS_FRAMEWORK_RUNS_MACHINE_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qatlas::runs {

// The fields of a trajectory that the machine decides.
struct Machine {
  std::string device = "cpu";      // "cpu" or "cuda"
  std::string isa;                 // "avx512", "avx2", "portable"; on a GPU "sm_90" and the like
  std::string precision = "fp32";  // compute dtype: "fp32" or "bf16"
  std::string libtorch;            // version that the worker was built with
};

// device: "cpu", "cuda" or "auto" (cuda where `nvidia-smi` names a GPU). precision: "fp32", "bf16"
// or "auto": AutoPrecision(). The instruction set is the one that the kernels choose, QATLAS_ISA
// included. InvalidArgument for another name, and for a QATLAS_ISA that is unknown or that this
// processor lacks; Unavailable for a GPU that is not there.
absl::StatusOr<Machine> ResolveMachine(const std::string& device, const std::string& precision);

// bf16 on a GPU, and on a CPU with BF16 matrix units where the instruction set is "avx512": a lower
// one was chosen so that machines without such units give the same numbers. fp32 on any other CPU,
// where it is the faster of the two. Narrow models have the last word (probe.h).
std::string AutoPrecision(const std::string& device, const std::string& isa, bool bf16_units);
// Whether this CPU has AMX-BF16 or AVX512-BF16.
bool CpuHasBf16Units();

// Cores that this process may use: its affinity mask, cut by a cgroup's quota. At least 1.
int UsableCores();

// Bytes of memory that can be had now: MemAvailable, cut by a cgroup's limit. 0: not known.
int64_t AvailableMemory();

// Bytes free for us on the file system of `folder` (or of the nearest folder above that exists).
absl::StatusOr<int64_t> FreeDisk(const std::filesystem::path& folder);

std::string HostName();
// Changes at each start of the machine; "" where the system does not say.
std::string BootId();

// "1.5 GiB", "320 MiB"; "3.2e12 FLOP" has its own unit. For messages.
std::string ShowBytes(int64_t bytes);
// "45 s", "12 min", "3 h 20 min".
std::string ShowSeconds(double seconds);
// "262k", "1.05M"; exact below 1000.
std::string ShowCount(double count);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_MACHINE_H_
