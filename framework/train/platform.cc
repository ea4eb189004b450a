#include "framework/train/platform.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "ATen/detail/CUDAHooksInterface.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "qatlas/check.h"
#include "qatlas/kernels/isa.h"

namespace qatlas::train {
namespace {

// What ATen and the libraries under it call our instruction sets.
struct IsaNames {
  const char* ours;
  const char* aten;
  const char* onednn;
  const char* mkl;
};
constexpr IsaNames kIsas[] = {
    {"avx512", "avx512", nullptr, nullptr},  // whatever the processor has
    {"avx2", "avx2", "AVX2", "AVX2"},
    {"portable", "default", "SSE41", "SSE4_2"},
};

absl::Status SetIsa(const std::string& isa) {
  if (isa.empty()) return absl::OkStatus();
  for (const IsaNames& names : kIsas) {
    if (isa != names.ours) continue;
    if (!kernels::IsaSupported(names.ours)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the segment was planned for instruction set '", isa,
                       "', which this machine or build lacks"));
    }
    // All of them read their variable at the first use, and plugins have kernels of their own.
    ::setenv("QATLAS_ISA", names.ours, 1);
    ::setenv("ATEN_CPU_CAPABILITY", names.aten, 1);
    if (names.onednn != nullptr) ::setenv("ONEDNN_MAX_CPU_ISA", names.onednn, 1);
    if (names.mkl != nullptr) ::setenv("MKL_ENABLE_INSTRUCTIONS", names.mkl, 1);
    if (isa != kernels::ActiveIsa()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "instruction set '", isa, "' is wanted, but '", kernels::ActiveIsa(), "' is in use"));
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown instruction set '", isa, "'"));
}

absl::Status OpenCuda() {
  const std::string folder = LibTorchFolder();
  if (folder.empty()) return absl::FailedPreconditionError("cannot tell where LibTorch lies");
  const std::filesystem::path library = std::filesystem::path(folder) / "lib" / "libtorch_cuda.so";
  if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("device 'cuda' needs a LibTorch with CUDA and its libraries: ", ::dlerror()));
  }
  if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() < 1) {
    return absl::FailedPreconditionError(
        "device 'cuda' is wanted, but no GPU can be used here; check nvidia-smi, or train on "
        "'cpu'");
  }
  at::globalContext().lazyInitDevice(at::kCUDA);
  return absl::OkStatus();
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    return std::string(absl::StripAsciiWhitespace(parts.second));
  }
  return "unknown";
}

}  // namespace

std::string LibTorchFolder() {
  Dl_info info = {};
  // Any symbol of libtorch_cpu.so tells where it lies.
  const auto symbol = reinterpret_cast<void*>(&at::set_num_threads);
  if (::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return "";
  return std::filesystem::path(info.dli_fname).parent_path().parent_path().string();
}

absl::Status SetUpPlatform(const recipe::Trajectory& trajectory) {
  if (!trajectory.libtorch.empty() && trajectory.libtorch != QATLAS_TORCH_VERSION) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the segment was planned for LibTorch ", trajectory.libtorch, ", this worker has ",
        QATLAS_TORCH_VERSION, "; use programs of one build, and plan it again"));
  }
  if (trajectory.threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("threads is ", trajectory.threads));
  }
  const bool cuda = trajectory.device == "cuda";
  if (!cuda && trajectory.device != "cpu") {
    return absl::InvalidArgumentError(
        absl::StrCat("device is '", trajectory.device, "'; there are 'cpu' and 'cuda'"));
  }
  if (!cuda) QATLAS_RETURN_IF_ERROR(SetIsa(trajectory.isa));
  // A denormal costs a hundred times a normal number. The mode belongs to a thread and is
  // inherited, so it is set before the pool starts.
  at::globalContext().setFlushDenormal(true);
  at::set_num_threads(trajectory.threads);
  // Once a process; a second call would abort.
  static const bool interop = [] {
    at::set_num_interop_threads(1);
    return true;
  }();
  (void)interop;
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Otherwise every at::empty() would be filled.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  if (cuda) {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    return OpenCuda();
  }
  return absl::OkStatus();
}

double MeasureGemm(const std::string& device, const std::string& precision, double seconds) {
  at::NoGradGuard no_grad;
  constexpr int64_t kRows = 1024, kFeatures = 512;
  const auto options = at::TensorOptions()
                           .dtype(precision == "bf16" ? at::kBFloat16 : at::kFloat)
                           .device(device == "cuda" ? at::kCUDA : at::kCPU);
  const at::Tensor a = at::ones({kRows, kFeatures}, options);
  const at::Tensor b = at::ones({kFeatures, kFeatures}, options);
  at::Tensor c = at::mm(a, b);
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto since = [&now](auto start) {
    return std::chrono::duration<double>(now() - start).count();
  };
  // The best: whatever else the machine does only takes away.
  double best = 0;
  const auto begin = now();
  do {
    const auto start = now();
    at::mm_out(c, a, b);
    // Waits for a GPU.
    c.select(0, 0).select(0, 0).item<float>();
    best = std::max(best, 2. * kRows * kFeatures * kFeatures / since(start) / 1e9);
  } while (since(begin) < seconds);
  return best;
}

int64_t PeakMemory() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

std::optional<int64_t> PeakDeviceMemory(const std::string& device) {
  if (device != "cuda") return std::nullopt;
  const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(0);
  const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return stats.reserved_bytes[all].peak;
}

double CpuSeconds() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

nlohmann::ordered_json MachineFacts(const recipe::Trajectory& trajectory) {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return {{"host", host},
          {"cpu", CpuName()},
          {"cores", sysconf(_SC_NPROCESSORS_ONLN)},
          {"device", trajectory.device},
          {"isa", trajectory.isa.empty() ? kernels::ActiveIsa() : trajectory.isa},
          {"threads", at::get_num_threads()},
          {"precision", trajectory.precision},
          {"libtorch", QATLAS_TORCH_VERSION}};
}

}  // namespace qatlas::train
