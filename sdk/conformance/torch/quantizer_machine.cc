#include "sdk/conformance/torch/quantizer_machine.h"

#include <dlfcn.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/detail/CUDAHooksInterface.h"
#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/threads.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

// Elements beyond which ATen splits its loops over threads (at::internal::GRAIN_SIZE), twice over.
constexpr int64_t kManyElements = 2 * 32768;

// What an instance gives on large tensors from attaching on.
struct Everything {
  std::vector<NamedTensor> state;
  at::Tensor quantized;
  Encoded encoded;
  Pass pass;
};

absl::StatusOr<Everything> RunAll(const QuantizerCase& one, const at::Tensor& weight,
                                  const at::Tensor& x, int threads) {
  const ThreadsGuard guard(threads);
  QATLAS_ASSIGN_OR_RETURN(const Instance instance, Attach(one, weight));
  Everything all;
  all.state = StateOf(instance);
  all.pass = RunPass(instance, x);
  const at::NoGradGuard no_grad;
  all.quantized = instance.Quantized(x);
  QATLAS_ASSIGN_OR_RETURN(all.encoded, instance.Encode(x));
  return all;
}

// Sums over many elements may be added up in another order on other threads: a difference within
// this is a warning.
constexpr double kReordered = 1e-5;

enum class Between { kTimes, kThreads };
const char* Words(Between between) {
  return between == Between::kTimes ? " the first and the second time"
                                    : " with 1 and with 2 threads";
}

void CompareNamed(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b,
                  const std::string& what, Between between, Probe& probe) {
  if (a.size() != b.size()) {
    probe.Fail(absl::StrCat("other numbers of ", what, Words(between)));
    return;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const std::string difference = BitDifference(a[i].tensor, b[i].tensor);
    if (difference.empty()) continue;
    const std::string message =
        absl::StrCat(what, " ", a[i].name, Words(between), ": ", difference);
    if (between == Between::kThreads && Difference(a[i].tensor, b[i].tensor, kReordered).empty()) {
      probe.Warn(message + " (a sum in another order; sum rows first, then their sums)");
    } else {
      probe.Fail(message);
    }
  }
}

// Matrix products of operators are compared on the same number of threads only: LibTorch's own may
// sum in another order.
void Compare(const Everything& a, const Everything& b, bool products, Between between,
             Probe& probe) {
  CompareNamed(a.state, b.state, "initial values of", between, probe);
  auto compare = [&](const at::Tensor& one, const at::Tensor& other, const std::string& what) {
    const std::string difference = BitDifference(one, other);
    if (difference.empty()) return;
    probe.Fail(absl::StrCat(what, Words(between), ": ", difference));
  };
  compare(a.quantized, b.quantized, "fake-quantized values");
  for (const auto& [name, tensor] : a.encoded.tensors) {
    auto found = b.encoded.tensors.find(name);
    if (found != b.encoded.tensors.end()) compare(tensor, found->second, "encoded " + name);
  }
  if (!products) return;
  compare(a.pass.y, b.pass.y, "the result of the forward pass");
  compare(a.pass.gradient, b.pass.gradient, "the gradient of the input");
  CompareNamed(a.pass.parameters, b.pass.parameters, "the gradient of", between, probe);
}

// A sum in another order often rounds to the same bits: a value that depends on the whole tensor is
// compared on so many inputs.
constexpr int kSums = 24;

void CompareSums(const QuantizerCase& one, const at::Tensor& weight, int64_t rows, Probe& probe) {
  const absl::StatusOr<Instance> instance = Attach(one, weight);
  if (!instance.ok() || instance->state().Claimed().region != Region::kTensor) return;
  const at::NoGradGuard no_grad;
  for (uint64_t i = 0; i < kSums && !probe.failed(); ++i) {
    const Input input = NormalInput({rows, one.in}, probe.seed() + 97 + i);
    probe.Trying(absl::StrCat(one.Words(), "; ", input.words));
    at::Tensor alone;
    for (const int threads : {1, 2}) {
      const ThreadsGuard guard(threads);
      const at::Tensor value = instance->Quantized(input.x);
      if (threads == 1) {
        alone = value;
      } else if (const std::string difference = BitDifference(alone, value); !difference.empty()) {
        probe.Fail(absl::StrCat("fake-quantized values", Words(Between::kThreads), ": ", difference,
                                " (OrderedSum of reduce.h adds in one order)"));
      }
    }
  }
}

// Opens LibTorch's CUDA library beside libtorch_cpu.so. "": there is a device; else why there is
// none.
std::string MissingCuda() {
  Dl_info info = {};
  const auto symbol = reinterpret_cast<void*>(&at::set_num_threads);
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return "LibTorch was not found";
  std::string folder = info.dli_fname;
  folder.resize(folder.find_last_of('/') + 1);
  if (dlopen((folder + "libtorch_cuda.so").c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return "this LibTorch has no CUDA";
  }
  if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() < 1) {
    return "there is no CUDA device here";
  }
  at::globalContext().lazyInitDevice(at::kCUDA);
  return "";
}

// The share of elements that differ by more than rounding; whether any differs at all.
struct DeviceGap {
  double share = 0;
  bool any = false;
};
DeviceGap GapOf(const at::Tensor& cpu, const at::Tensor& cuda) {
  const at::Tensor a = cpu.detach().to(at::kDouble);
  const at::Tensor b = cuda.detach().to(at::kCPU).to(at::kDouble);
  DeviceGap gap;
  gap.any = !BitDifference(cpu, cuda).empty();
  const double scale = std::max(LargestMagnitude(a), 1e-30);
  gap.share = (a - b).abs().le(1e-5 * scale).logical_not().to(at::kDouble).mean().item<double>();
  return gap;
}

}  // namespace

void CheckDtypes(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    const std::vector<int64_t> shape =
        one.whole ? std::vector<int64_t>{QuantizerCase::kTokens, one.in} : one.Shape();
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const Input input = NormalInput(shape, probe.seed() + 79, dtype);
      probe.Trying(absl::StrCat(one.Words(), "; ", input.words));
      const at::Tensor y = instance.Forward(input.x);
      if (y.scalar_type() != dtype) {
        probe.Fail(absl::StrCat("the result has dtype ", DtypeText(y.scalar_type())));
        continue;
      }
      if (dtype == at::kFloat) continue;
      const at::Tensor wide = instance.Forward(input.x.to(at::kFloat));
      const std::string difference =
          one.whole ? Difference(y, wide, 3e-2) : BitDifference(y, wide.to(dtype));
      if (!difference.empty()) {
        probe.Fail(absl::StrCat("the result and that of the same values in float32",
                                one.whole ? "" : ", rounded to bfloat16", ": ", difference));
      }
    }
  });
}

void CheckDeterministic(const Subject& subject, Probe& probe) {
  ForEachCase(subject, probe, [&](const QuantizerCase& small) {
    QuantizerCase one = small;
    one.in = small.in * std::max<int64_t>(1, 512 / small.in);
    if (!one.quantizer->Check(one.operand, one.in, one.out).ok()) one.in = small.in;
    const int64_t rows = std::max<int64_t>(small.out, kManyElements / one.in);
    if (one.quantizer->Check(one.operand, one.in, rows).ok()) one.out = rows;
    const Input weight = one.Weight(probe.seed());
    const Input input = one.whole ? NormalInput({16, one.in}, probe.seed() + 83)
                                  : NormalInput({one.operand == kInput ? rows : one.out, one.in},
                                                probe.seed() + 83);
    probe.Trying(absl::StrCat(one.Words(), ", attached to ", weight.words, "; ", input.words));
    const absl::StatusOr<Everything> first = RunAll(one, weight.x, input.x, 1);
    if (!first.ok()) {
      probe.Fail(std::string(first.status().message()));
      return;
    }
    const absl::StatusOr<Everything> second = RunAll(one, weight.x, input.x, 1);
    if (second.ok()) Compare(*first, *second, true, Between::kTimes, probe);
    const absl::StatusOr<Everything> parallel = RunAll(one, weight.x, input.x, 2);
    if (parallel.ok()) Compare(*first, *parallel, !one.whole, Between::kThreads, probe);
    if (!one.whole) CompareSums(one, weight.x, input.x.size(0), probe);
  });
}

void CheckDevices(const Subject& subject, Probe& probe) {
  if (const std::string why = MissingCuda(); !why.empty()) {
    probe.Skip(why);
    return;
  }
  double worst = 0;
  bool any = false;
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    const Input weight = one.Weight(probe.seed());
    const Input input = one.whole ? NormalInput({QuantizerCase::kTokens, one.in}, probe.seed() + 89)
                                  : NormalInput(one.Shape(), probe.seed() + 89);
    probe.Trying(absl::StrCat(one.Words(), ", attached to ", weight.words, "; ", input.words,
                              ", on CPU and CUDA"));
    const absl::StatusOr<Instance> cpu = Attach(one, weight.x);
    const absl::StatusOr<Instance> cuda = Attach(one, weight.x.to(at::kCUDA));
    if (!CouldAttach(cpu, probe) || !CouldAttach(cuda, probe)) return;
    const Pass on_cpu = RunPass(*cpu, input.x);
    const Pass on_cuda = RunPass(*cuda, input.x.to(at::kCUDA));
    if (!on_cuda.y.is_cuda()) {
      probe.Fail("the result of a CUDA tensor is not on the device");
      return;
    }
    std::vector<std::pair<std::string, DeviceGap>> gaps = {
        {"values", GapOf(on_cpu.y, on_cuda.y)},
        {"gradients", GapOf(on_cpu.gradient, on_cuda.gradient)}};
    for (size_t p = 0; p < on_cpu.parameters.size() && p < on_cuda.parameters.size(); ++p) {
      gaps.emplace_back("gradients of " + on_cpu.parameters[p].name,
                        GapOf(on_cpu.parameters[p].tensor, on_cuda.parameters[p].tensor));
    }
    for (const auto& [what, gap] : gaps) {
      any = any || gap.any;
      worst = std::max(worst, gap.share);
      // A value next to a boundary between two codes may fall to either side.
      if (gap.share > 1e-3) {
        probe.Fail(absl::StrCat(what, " on CPU and CUDA: ", 100 * gap.share,
                                "% differ by more than 1e-5 of the largest"));
      }
    }
  });
  probe.Measured("elements that differ by more than rounding", worst, "");
  if (any && !probe.failed()) probe.Warn("CPU and CUDA agree up to rounding, but not in every bit");
}

}  // namespace qatlas::conformance
