#include "framework/runs/machine.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "framework/runs/files.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace fs = std::filesystem;
namespace {

bool CpuHas(absl::string_view isa) {
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return isa == "portable";
}

// What the kernels choose (kernels/include/qatlas/kernels/isa.h says how).
absl::StatusOr<std::string> CpuIsa() {
  const char* named = std::getenv("QATLAS_ISA");
  const bool chosen = named != nullptr && *named != '\0';
  for (const char* isa : {"avx512", "avx2", "portable"}) {
    if (chosen ? absl::string_view(named) == isa : CpuHas(isa)) {
      if (CpuHas(isa)) return isa;
      return absl::InvalidArgumentError(
          absl::StrCat("QATLAS_ISA names ", isa, ", which this processor lacks; unset it"));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("QATLAS_ISA names the unknown instruction set '",
                                                 named, "'; there are avx512, avx2 and portable"));
}

// "sm_90" of the first GPU; "" where there is none.
std::string GpuArchitecture() {
  FILE* pipe = popen("nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null", "r");
  if (pipe == nullptr) return "";
  char line[64] = {};
  const bool read = std::fgets(line, sizeof(line), pipe) != nullptr;
  pclose(pipe);
  if (!read) return "";
  const std::string version(absl::StripAsciiWhitespace(line));
  std::vector<std::string> parts = absl::StrSplit(version, '.');
  int major = 0, minor = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &major) ||
      !absl::SimpleAtoi(parts[1], &minor)) {
    return "";
  }
  return absl::StrCat("sm_", major, minor);
}

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

// First line of a file of our cgroup (version 2), its own or its ancestors': the visitor sees each.
template <typename Visit>
void ForEachCgroup(const std::string& file, Visit visit) {
  std::string line = FirstLine("/proc/self/cgroup");
  if (line.rfind("0::", 0) != 0) return;
  fs::path group = fs::path("/sys/fs/cgroup") / fs::path(line.substr(3)).relative_path();
  while (group.string().size() >= std::string("/sys/fs/cgroup").size()) {
    const std::string text = FirstLine(group / file);
    if (!text.empty()) visit(text, group);
    group = group.parent_path();
  }
}

}  // namespace

// AMX-BF16 is leaf 7.0, EDX bit 22; AVX512-BF16 leaf 7.1, EAX bit 5.
bool CpuHasBf16Units() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx >> 22 & 1) != 0) return true;
  if (eax < 1 || __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (eax >> 5 & 1) != 0;
}

std::string AutoPrecision(const std::string& device, const std::string& isa, bool bf16_units) {
  return device == "cuda" || (bf16_units && isa == "avx512") ? "bf16" : "fp32";
}

absl::StatusOr<Machine> ResolveMachine(const std::string& device, const std::string& precision) {
  Machine machine;
  machine.libtorch = QATLAS_TORCH_VERSION;
  std::string gpu;
  if (device == "cuda" || device == "auto") gpu = GpuArchitecture();
  if (device == "cuda" || (device == "auto" && !gpu.empty())) {
    if (gpu.empty()) {
      return absl::UnavailableError(
          "device \"cuda\": nvidia-smi names no GPU on this machine; use --device cpu");
    }
    machine.device = "cuda";
    machine.isa = gpu;
  } else if (device == "cpu" || device == "auto") {
    machine.device = "cpu";
    QATLAS_ASSIGN_OR_RETURN(machine.isa, CpuIsa());
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", device, "\": must be \"cpu\", \"cuda\" or \"auto\""));
  }
  if (precision == "auto") {
    machine.precision = AutoPrecision(machine.device, machine.isa, CpuHasBf16Units());
  } else if (precision == "fp32" || precision == "bf16") {
    machine.precision = precision;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("precision \"", precision, "\": must be \"fp32\", \"bf16\" or \"auto\""));
  }
  return machine;
}

int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = std::max(1, CPU_COUNT(&set));
  ForEachCgroup("cpu.max", [&](const std::string& text, const fs::path&) {
    std::vector<std::string> parts = absl::StrSplit(text, ' ');
    double quota = 0, period = 0;
    if (parts.size() == 2 && absl::SimpleAtod(parts[0], &quota) &&
        absl::SimpleAtod(parts[1], &period) && period > 0) {
      cores = std::min(cores, std::max(1, static_cast<int>(std::floor(quota / period + .01))));
    }
  });
  return cores;
}

int64_t AvailableMemory() {
  int64_t available = 0;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  int64_t value = 0;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    if (words >> key >> value >> unit && key == "MemAvailable:") {
      available = value * 1024;
      break;
    }
  }
  if (available == 0) return 0;
  ForEachCgroup("memory.max", [&](const std::string& text, const fs::path& group) {
    int64_t limit = 0, used = 0;
    if (absl::SimpleAtoi(text, &limit) &&
        absl::SimpleAtoi(FirstLine(group / "memory.current"), &used)) {
      available = std::min(available, std::max<int64_t>(limit - used, 1));
    }
  });
  return available;
}

absl::StatusOr<int64_t> FreeDisk(const fs::path& folder) {
  fs::path place = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(place, error) && place.has_parent_path() && place != place.parent_path()) {
    place = place.parent_path();
  }
  struct statvfs information;
  if (statvfs(place.c_str(), &information) != 0) {
    return FileError("ask for the free space of", place, errno);
  }
  return static_cast<int64_t>(information.f_bavail) * static_cast<int64_t>(information.f_frsize);
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  return name;
}

std::string BootId() { return FirstLine("/proc/sys/kernel/random/boot_id"); }

std::string ShowBytes(int64_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return absl::StrCat(bytes, " bytes");
  return absl::StrFormat(value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

std::string ShowSeconds(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s", seconds);
  const int64_t minutes = std::llround(seconds / 60);
  if (minutes < 90) return absl::StrCat(minutes, " min");
  if (minutes < 48 * 60) return absl::StrCat(minutes / 60, " h ", minutes % 60, " min");
  return absl::StrFormat("%.1f days", seconds / 86400);
}

std::string ShowCount(double count) {
  const char* units[] = {"", "k", "M", "G", "T"};
  if (count < 1000) return absl::StrFormat("%.0f", count);
  int unit = 0;
  while (count >= 999.5 && unit < 4) {
    count /= 1000;
    ++unit;
  }
  return absl::StrFormat(count < 9.995   ? "%.2f%s"
                         : count < 99.95 ? "%.1f%s"
                                         : "%.0f%s",
                         count, units[unit]);
}

}  // namespace qatlas::runs
