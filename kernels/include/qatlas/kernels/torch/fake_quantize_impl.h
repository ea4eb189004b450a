// What lies between fake_quantize.h's autograd functions and the kernels: checks, dtypes, threads,
// devices. Not for use from outside.
#ifndef QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_IMPL_H_
#define QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_IMPL_H_

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <utility>
#include <vector>

#ifdef QATLAS_HAS_CUDA
#include <qatlas/kernels/cuda.h>
#endif

namespace qatlas::kernels::internal {

enum class Source { kAbsMax, kGiven };

inline std::int64_t EntriesOf(const FakeQuantParams& p) {
  switch (p.index) {
    case ScaleIndex::kTensor:
      return 1;
    case ScaleIndex::kRow:
      return p.rows;
    case ScaleIndex::kRowGroup:
      return p.rows * p.groups();
    case ScaleIndex::kGroup:
      return p.groups();
  }
  return 0;
}

// Fills in rows, cols and group from `x` and checks the whole.
inline FakeQuantParams ParamsFor(const at::Tensor& x, FakeQuantParams params) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) > 0,
              "fake quantization needs a last dimension, got shape ", x.sizes());
  params.cols = x.size(-1);
  params.rows = x.numel() / params.cols;
  if (params.group == 0) params.group = params.cols;
  const char* problem = Problem(params);
  TORCH_CHECK(problem == nullptr, "fake quantization of shape ", x.sizes(), " in groups of ",
              params.group, ": ", problem);
  return params;
}

inline void CheckData(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16,
              "fake quantization takes float32 or bfloat16, got ", x.scalar_type());
  TORCH_CHECK(x.is_cpu() || x.is_cuda(), "fake quantization runs on CPU or CUDA, not on ",
              x.device());
#ifndef QATLAS_HAS_CUDA
  TORCH_CHECK(x.is_cpu(), "this build has no CUDA kernels; build it where there is a CUDA toolkit");
#endif
}

// Contiguous scales or gammas, checked against the index.
inline at::Tensor EntriesFor(const at::Tensor& x, const at::Tensor& entries,
                             const FakeQuantParams& p) {
  TORCH_CHECK(entries.scalar_type() == at::kFloat, "scales are float32, got ",
              entries.scalar_type());
  TORCH_CHECK(entries.device() == x.device(), "scales on ", entries.device(), " for a tensor on ",
              x.device());
  TORCH_CHECK(entries.numel() == EntriesOf(p), "expected ", EntriesOf(p), " scales for ", p.rows,
              " rows of ", p.groups(), " groups, got ", entries.numel());
  return entries.contiguous();
}

inline const float* FloatsOf(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<float>() : nullptr;
}
template <typename T>
const T* DataOf(const at::Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}
template <typename T>
T* MutableOf(const at::Tensor& t) {
  return t.defined() ? static_cast<T*>(t.mutable_data_ptr()) : nullptr;
}

// f(T*) with T the element type of `dtype`, as a null pointer.
template <typename F>
void WithType(at::ScalarType dtype, const F& f) {
  if (dtype == at::kFloat) {
    f(static_cast<float*>(nullptr));
  } else {
    f(static_cast<Bf16*>(nullptr));
  }
}

#ifdef QATLAS_HAS_CUDA
inline void* StreamOf(const at::Tensor& x) {
  return c10::impl::VirtualGuardImpl(at::kCUDA).getStream(x.device()).native_handle();
}
inline void CheckLaunch(const char* error) {
  TORCH_CHECK(error == nullptr, "CUDA kernel of fake quantization: ", error);
}
#endif

inline at::Tensor Forward(Source source, const at::Tensor& x_in, const at::Tensor& entries_in,
                          const FakeQuantParams& params_in) {
  CheckData(x_in);
  const FakeQuantParams p = ParamsFor(x_in, params_in);
  const at::Tensor x = x_in.contiguous();
  const at::Tensor entries = entries_in.defined() ? EntriesFor(x, entries_in, p) : at::Tensor();
  at::Tensor out = at::empty_like(x, at::MemoryFormat::Contiguous);
  WithType(x.scalar_type(), [&](auto* null) {
    using T = std::remove_pointer_t<decltype(null)>;
    const T* data = DataOf<T>(x);
    const float* scale = FloatsOf(entries);
    T* result = MutableOf<T>(out);
#ifdef QATLAS_HAS_CUDA
    if (x.is_cuda()) {
      const c10::OptionalDeviceGuard guard(x.device());
      CheckLaunch(source == Source::kAbsMax
                      ? cuda::FakeQuantAbsMax(p, data, scale, result, StreamOf(x))
                      : cuda::FakeQuantScale(p, data, scale, result, StreamOf(x)));
      return;
    }
#endif
    ParallelRows(p.rows, p.cols, [&](RowRange range) {
      if (source == Source::kAbsMax) {
        FakeQuantAbsMax(p, range, data, scale, result);
      } else {
        FakeQuantScale(p, range, data, scale, result);
      }
    });
  });
  return out;
}

inline at::Tensor AbsMaxForward(const at::Tensor& x, const at::Tensor& gamma,
                                const FakeQuantParams& params) {
  return Forward(Source::kAbsMax, x, gamma, params);
}
inline at::Tensor ScaleForward(const at::Tensor& x, const at::Tensor& scale,
                               const FakeQuantParams& params) {
  return Forward(Source::kGiven, x, scale, params);
}

// Gradients of x and of the scales or gammas; undefined where not wanted.
inline std::pair<at::Tensor, at::Tensor> QuantBackward(Source source, const at::Tensor& x_in,
                                                       const at::Tensor& entries_in,
                                                       const at::Tensor& grad_in,
                                                       const FakeQuantParams& params_in,
                                                       bool want_x, bool want_entries) {
  if (!want_x && !want_entries) return {};
  const FakeQuantParams p = ParamsFor(x_in, params_in);
  const at::Tensor x = x_in.contiguous();
  const at::Tensor entries = EntriesFor(x, entries_in, p);
  const at::Tensor grad = grad_in.to(x.scalar_type()).contiguous();
  at::Tensor grad_x = want_x ? at::empty_like(x, at::MemoryFormat::Contiguous) : at::Tensor();
  at::Tensor grad_entries;
  WithType(x.scalar_type(), [&](auto* null) {
    using T = std::remove_pointer_t<decltype(null)>;
    const T* data = DataOf<T>(x);
    const T* upstream = DataOf<T>(grad);
    const float* scale = FloatsOf(entries);
    T* out = MutableOf<T>(grad_x);
#ifdef QATLAS_HAS_CUDA
    if (x.is_cuda()) {
      const c10::OptionalDeviceGuard guard(x.device());
      const at::Tensor partials =
          want_entries ? at::empty({p.rows, p.groups()}, entries.options()) : at::Tensor();
      float* sums = MutableOf<float>(partials);
      CheckLaunch(
          source == Source::kAbsMax
              ? cuda::FakeQuantAbsMaxBackward(p, data, scale, upstream, out, sums, StreamOf(x))
              : cuda::FakeQuantScaleBackward(p, data, scale, upstream, out, sums, StreamOf(x)));
      if (want_entries) {
        grad_entries = at::empty_like(entries);
        CheckLaunch(cuda::ReducePartials(p, sums, MutableOf<float>(grad_entries), StreamOf(x)));
      }
      return;
    }
#endif
    const auto run = [&](RowRange range, float* sums) {
      if (source == Source::kAbsMax) {
        FakeQuantAbsMaxBackward(p, range, data, scale, upstream, out, sums);
      } else {
        FakeQuantScaleBackward(p, range, data, scale, upstream, out, sums);
      }
    };
    if (!want_entries) {
      ParallelRows(p.rows, p.cols, [&](RowRange range) { run(range, nullptr); });
    } else if (p.index == ScaleIndex::kTensor || p.index == ScaleIndex::kGroup) {
      grad_entries = SumOverBlocks(p.rows, p.cols, EntriesOf(p), run);
    } else {
      grad_entries = at::zeros_like(entries);
      float* sums = MutableOf<float>(grad_entries);
      ParallelRows(p.rows, p.cols, [&](RowRange range) { run(range, sums); });
    }
  });
  if (grad_x.defined()) grad_x = grad_x.view(x_in.sizes());
  if (grad_entries.defined()) grad_entries = grad_entries.view(entries_in.sizes());
  return {grad_x, grad_entries};
}

template <typename Encoded>
Encoded EncodeAbsMaxTensor(const at::Tensor& x_in, const at::Tensor& gamma_in,
                           const FakeQuantParams& params_in) {
  const at::NoGradGuard no_grad;
  CheckData(x_in);
  const FakeQuantParams p = ParamsFor(x_in, params_in);
  const at::Tensor x = x_in.contiguous();
  const at::Tensor gamma = gamma_in.defined() ? EntriesFor(x, gamma_in, p) : at::Tensor();
  Encoded encoded{at::empty(x.sizes(), x.options().dtype(at::kChar)),
                  at::empty({p.rows, p.groups()}, x.options().dtype(at::kFloat))};
  WithType(x.scalar_type(), [&](auto* null) {
    using T = std::remove_pointer_t<decltype(null)>;
    std::int8_t* codes = MutableOf<std::int8_t>(encoded.codes);
    float* scales = MutableOf<float>(encoded.scales);
#ifdef QATLAS_HAS_CUDA
    if (x.is_cuda()) {
      const c10::OptionalDeviceGuard guard(x.device());
      CheckLaunch(cuda::EncodeAbsMax(p, DataOf<T>(x), FloatsOf(gamma), codes, scales, StreamOf(x)));
      return;
    }
#endif
    ParallelRows(p.rows, p.cols, [&](RowRange range) {
      EncodeAbsMax(p, range, DataOf<T>(x), FloatsOf(gamma), codes, scales);
    });
  });
  return encoded;
}

inline at::Tensor EncodeGivenTensor(const at::Tensor& x_in, const at::Tensor& scale_in,
                                    const FakeQuantParams& params_in) {
  const at::NoGradGuard no_grad;
  CheckData(x_in);
  const FakeQuantParams p = ParamsFor(x_in, params_in);
  const at::Tensor x = x_in.contiguous();
  const at::Tensor scale = EntriesFor(x, scale_in, p);
  TORCH_CHECK(!at::isnan(x).any().item<bool>(), "NaN has no code; it cannot be encoded");
  at::Tensor codes = at::empty(x.sizes(), x.options().dtype(at::kChar));
  WithType(x.scalar_type(), [&](auto* null) {
    using T = std::remove_pointer_t<decltype(null)>;
    std::int8_t* out = MutableOf<std::int8_t>(codes);
#ifdef QATLAS_HAS_CUDA
    if (x.is_cuda()) {
      const c10::OptionalDeviceGuard guard(x.device());
      const at::Tensor count = at::zeros({1}, x.options().dtype(at::kLong));
      CheckLaunch(cuda::EncodeScale(p, DataOf<T>(x), FloatsOf(scale), out,
                                    static_cast<unsigned long long*>(count.mutable_data_ptr()),
                                    StreamOf(x)));
      return;
    }
#endif
    ParallelRows(p.rows, p.cols, [&](RowRange range) {
      EncodeScale(p, range, DataOf<T>(x), FloatsOf(scale), out);
    });
  });
  return codes;
}

inline at::Tensor DecodeTensor(const at::Tensor& codes_in, const at::Tensor& scale_in,
                               const FakeQuantParams& params_in, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(codes_in.is_cpu() && codes_in.scalar_type() == at::kChar,
              "codes to decode are int8 on the CPU, got ", codes_in.scalar_type(), " on ",
              codes_in.device());
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kBFloat16,
              "codes decode to float32 or bfloat16, not to ", dtype);
  const FakeQuantParams p = ParamsFor(codes_in, params_in);
  const at::Tensor codes = codes_in.contiguous();
  const at::Tensor scale = EntriesFor(codes, scale_in, p);
  at::Tensor out = at::empty(codes.sizes(), codes.options().dtype(dtype));
  WithType(dtype, [&](auto* null) {
    using T = std::remove_pointer_t<decltype(null)>;
    T* result = MutableOf<T>(out);
    ParallelRows(p.rows, p.cols, [&](RowRange range) {
      Decode(p, range, DataOf<std::int8_t>(codes), FloatsOf(scale), result);
    });
  });
  return out;
}

// Parameters travel in the context as one list of integers and the divisor.
inline void SaveParams(const FakeQuantParams& p, torch::autograd::AutogradContext& ctx) {
  ctx.saved_data["ints"] = std::vector<std::int64_t>{p.group,
                                                     p.short_last_group,
                                                     p.q_min,
                                                     p.q_max,
                                                     static_cast<std::int64_t>(p.index),
                                                     static_cast<std::int64_t>(p.range)};
  ctx.saved_data["divisor"] = static_cast<double>(p.divisor);
}

inline FakeQuantParams LoadParams(torch::autograd::AutogradContext& ctx) {
  const std::vector<std::int64_t> ints = ctx.saved_data["ints"].toIntVector();
  FakeQuantParams p;
  p.group = ints[0];
  p.short_last_group = ints[1] != 0;
  p.q_min = static_cast<std::int32_t>(ints[2]);
  p.q_max = static_cast<std::int32_t>(ints[3]);
  p.index = static_cast<ScaleIndex>(ints[4]);
  p.range = static_cast<RangeTest>(ints[5]);
  p.divisor = static_cast<float>(ctx.saved_data["divisor"].toDouble());
  return p;
}

}  // namespace qatlas::kernels::internal

#endif  // QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_IMPL_H_
