// The machine under a worker: threads, instruction set, device, memory allocator, and what it
// measures.
#ifndef QATLAS_FRAMEWORK_TRAIN_PLATFORM_H_
#define QATLAS_FRAMEWORK_TRAIN_PLATFORM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "framework/recipe/segment.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// Sets threads, instruction set, determinism and flushing of denormals as the trajectory says,
// before anything is computed. Errors: a trajectory planned for another LibTorch; an instruction
// set that this machine lacks; a CUDA device that is not there (opens libtorch_cuda.so beside
// libtorch_cpu.so first).
absl::Status SetUpPlatform(const recipe::Trajectory& trajectory);

// The folder whose lib/ holds the libtorch_cpu.so that this process runs with; "" where the linker
// cannot tell.
std::string LibTorchFolder();

// FP32 or BF16 GFLOP/s of the fastest of several matrix products, 1024 by 512 by 512, on the
// device, measured for about `seconds`.
double MeasureGemm(const std::string& device, const std::string& precision, double seconds);

// Peak resident memory of this process on the host, bytes.
int64_t PeakMemory();
// The most that this process held of a GPU's memory, bytes; nullopt on a CPU.
std::optional<int64_t> PeakDeviceMemory(const std::string& device);
// Processor time of all threads of this process, seconds.
double CpuSeconds();

// CPU or GPU name, instruction set, threads, LibTorch, host, for machine.json.
nlohmann::ordered_json MachineFacts(const recipe::Trajectory& trajectory);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_PLATFORM_H_
