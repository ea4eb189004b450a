// Checks arguments and passes them to the instruction set in use.
#include <qatlas/kernels/fake_quant.h>

#include <cmath>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {

using internal::ActiveQuant;

void SetBits(int bits, bool symmetric, FakeQuantParams& params) {
  QATLAS_KERNELS_CHECK(bits >= (symmetric ? 2 : 1) && bits <= 8,
                       "SetBits: bits are 1 to 8, 2 to 8 for a symmetric range");
  params.q_max = (1 << (bits - 1)) - 1;
  params.q_min = symmetric ? -params.q_max : -(1 << (bits - 1));
}

const char* Problem(const FakeQuantParams& p) {
  if (p.rows < 0) return "a negative number of rows";
  if (p.cols <= 0) return "there are no columns";
  if (p.group <= 0 || p.group > p.cols) return "the group size must be in 1 to the columns";
  if (p.cols % p.group != 0 && !p.short_last_group) {
    return "the group size does not divide the columns; choose one that does, or allow a short "
           "last "
           "group";
  }
  if (p.q_min < -128 || p.q_max > 127 || p.q_min > p.q_max || p.q_min > 0 || p.q_max < 0) {
    return "the codes must satisfy -128 <= q_min <= 0 <= q_max <= 127";
  }
  if (!(p.divisor > 0.0f) || !std::isfinite(p.divisor)) {
    return "the divisor must be positive and finite";
  }
  if (p.index > ScaleIndex::kGroup || p.range > RangeTest::kValue) return "an unknown mode";
  return nullptr;
}

namespace {

void Check(const FakeQuantParams& params, RowRange range) {
  if (const char* problem = Problem(params)) internal::Fail("fake_quant", 0, problem);
  QATLAS_KERNELS_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= params.rows,
                       "fake quantization: the range of rows lies outside the matrix");
}

template <typename T>
void Forward(const FakeQuantParams& params, RowRange range, bool absmax, const T* x,
             const float* entries, T* out) {
  Check(params, range);
  ActiveQuant<T>().forward(params, range, absmax, x, entries, out);
}

template <typename T>
void Backward(const FakeQuantParams& params, RowRange range, bool absmax, const T* x,
              const float* entries, const T* grad_out, T* grad_x, float* grad_entries) {
  Check(params, range);
  if (grad_x == nullptr && grad_entries == nullptr) return;
  ActiveQuant<T>().backward(params, range, absmax, x, entries, grad_out, grad_x, grad_entries);
}

}  // namespace

void FakeQuantAbsMax(const FakeQuantParams& params, RowRange range, const float* x,
                     const float* gamma, float* out) {
  Forward(params, range, true, x, gamma, out);
}
void FakeQuantAbsMax(const FakeQuantParams& params, RowRange range, const Bf16* x,
                     const float* gamma, Bf16* out) {
  Forward(params, range, true, x, gamma, out);
}

void FakeQuantScale(const FakeQuantParams& params, RowRange range, const float* x,
                    const float* scale, float* out) {
  QATLAS_KERNELS_CHECK(scale != nullptr, "FakeQuantScale: no scales");
  Forward(params, range, false, x, scale, out);
}
void FakeQuantScale(const FakeQuantParams& params, RowRange range, const Bf16* x,
                    const float* scale, Bf16* out) {
  QATLAS_KERNELS_CHECK(scale != nullptr, "FakeQuantScale: no scales");
  Forward(params, range, false, x, scale, out);
}

void EncodeAbsMax(const FakeQuantParams& params, RowRange range, const float* x, const float* gamma,
                  std::int8_t* codes, float* scales) {
  Check(params, range);
  ActiveQuant<float>().encode(params, range, true, x, gamma, codes, scales);
}
void EncodeAbsMax(const FakeQuantParams& params, RowRange range, const Bf16* x, const float* gamma,
                  std::int8_t* codes, float* scales) {
  Check(params, range);
  ActiveQuant<Bf16>().encode(params, range, true, x, gamma, codes, scales);
}

std::int64_t EncodeScale(const FakeQuantParams& params, RowRange range, const float* x,
                         const float* scale, std::int8_t* codes) {
  Check(params, range);
  return ActiveQuant<float>().encode(params, range, false, x, scale, codes, nullptr);
}
std::int64_t EncodeScale(const FakeQuantParams& params, RowRange range, const Bf16* x,
                         const float* scale, std::int8_t* codes) {
  Check(params, range);
  return ActiveQuant<Bf16>().encode(params, range, false, x, scale, codes, nullptr);
}

void Decode(const FakeQuantParams& params, RowRange range, const std::int8_t* codes,
            const float* scale, float* out) {
  Check(params, range);
  ActiveQuant<float>().decode(params, range, codes, scale, out);
}
void Decode(const FakeQuantParams& params, RowRange range, const std::int8_t* codes,
            const float* scale, Bf16* out) {
  Check(params, range);
  ActiveQuant<Bf16>().decode(params, range, codes, scale, out);
}

void FakeQuantAbsMaxBackward(const FakeQuantParams& params, RowRange range, const float* x,
                             const float* gamma, const float* grad_out, float* grad_x,
                             float* grad_gamma) {
  Backward(params, range, true, x, gamma, grad_out, grad_x, grad_gamma);
}
void FakeQuantAbsMaxBackward(const FakeQuantParams& params, RowRange range, const Bf16* x,
                             const float* gamma, const Bf16* grad_out, Bf16* grad_x,
                             float* grad_gamma) {
  Backward(params, range, true, x, gamma, grad_out, grad_x, grad_gamma);
}
void FakeQuantScaleBackward(const FakeQuantParams& params, RowRange range, const float* x,
                            const float* scale, const float* grad_out, float* grad_x,
                            float* grad_scale) {
  Backward(params, range, false, x, scale, grad_out, grad_x, grad_scale);
}
void FakeQuantScaleBackward(const FakeQuantParams& params, RowRange range, const Bf16* x,
                            const float* scale, const Bf16* grad_out, Bf16* grad_x,
                            float* grad_scale) {
  Backward(params, range, false, x, scale, grad_out, grad_x, grad_scale);
}

}  // namespace qatlas::kernels
