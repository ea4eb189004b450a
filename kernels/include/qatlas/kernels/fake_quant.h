// Integer fake quantization: forward, encoding, decoding and backward.
//
//   q = clamp(round(x / s), q_min, q_max),   out = s * q,   s = gamma * (max|x| / divisor) or given
//
// with round to nearest even and IEEE single-precision arithmetic in exactly this order
// (element.h); x / s is a true division. Codes, scales and values are the same bits on every
// instruction set and on CUDA, and Decode(Encode(x)) equals FakeQuant(x) bit for bit, for float and
// bfloat16 data. Codes and the sum over s * q never carry a negative zero: -0 and whatever rounds
// to zero give +0 when s > 0.
//
// Source: Chen et al. 2025 (AbsMax, LWC, LAC), Esser et al. 2020, arXiv:1902.08153 (LSQ).
//
// Odd values:
//   - A group of zeros, or one so small that s underflows to 0: s = 0, codes 0, output +0.
//   - A NaN makes max|x|, hence s, hence the whole group's output NaN (AbsMax). With a given scale
//     the NaN stays in its own element. Codes cannot hold NaN: the code is 0; with AbsMax the scale
//     is NaN, so decoding gives NaN again; with a given scale Encode* counts such elements.
//   - An infinity under AbsMax makes s infinite and the whole group's output NaN (Inf * 0). With a
//     given scale it clips to q_min or q_max.
//   - A denormal max|x| gives a denormal s; x / s stays finite, since s = 0 is treated apart.
//
// Pointers: row-major contiguous matrices of params.rows x params.cols; out may be x. Nothing is
// aligned, nothing outside the range of rows is touched. Violated requirements abort.
#ifndef QATLAS_KERNELS_FAKE_QUANT_H_
#define QATLAS_KERNELS_FAKE_QUANT_H_

#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// How an array of scales, steps or gammas is indexed by row and group.
enum class ScaleIndex : std::uint8_t {
  kTensor,    // [1]
  kRow,       // [rows]
  kRowGroup,  // [rows, groups]: LWC
  kGroup,     // [groups], shared by all rows: LAC
};

// When an element counts as "in range" for the masked backward pass.
enum class RangeTest : std::uint8_t {
  kCode,   // round(x / s) lies in [q_min, q_max]
  kValue,  // x / s lies in [q_min, q_max]: the derivative of round(clip(x / s)), as LSQ writes it
};

struct FakeQuantParams {  // Shape, groups and codes.
  std::int64_t rows = 0;  // of the matrix
  std::int64_t cols = 0;  // elements of a row
  // Elements of a row that share a scale; cols for per-channel or per-token.
  std::int64_t group = 0;
  // Allows cols % group != 0: the last group of each row is then shorter.
  bool short_last_group = false;
  std::int32_t q_min = 0;  // in [-128, q_max]
  std::int32_t q_max = 0;  // in [q_min, 127]
  // AbsMax only: s = gamma * (max|x| / divisor). Positive and finite.
  float divisor = 1.0f;
  // Index of gamma (AbsMax) or of scale (given scale).
  ScaleIndex index = ScaleIndex::kRowGroup;
  RangeTest range = RangeTest::kCode;  // which elements pass gradients

  std::int64_t groups() const { return (cols + group - 1) / group; }  // of a row
};

// The q range of `bits`-bit two's complement: [-2^(bits-1), 2^(bits-1) - 1], or, when `symmetric`,
// without its lowest code. 1 <= bits <= 8.
void SetBits(int bits, bool symmetric, FakeQuantParams& params);

// Null if `params` is usable, else what is wrong with it (a static string).
const char* Problem(const FakeQuantParams& params);

// out = FakeQuant(x) with AbsMax scales. gamma: indexed by params.index, or null for 1.
void FakeQuantAbsMax(const FakeQuantParams& params, RowRange range, const float* x,
                     const float* gamma, float* out);
void FakeQuantAbsMax(const FakeQuantParams& params, RowRange range, const Bf16* x,
                     const float* gamma, Bf16* out);

// out = FakeQuant(x) with the given scales, indexed by params.index.
void FakeQuantScale(const FakeQuantParams& params, RowRange range, const float* x,
                    const float* scale, float* out);
void FakeQuantScale(const FakeQuantParams& params, RowRange range, const Bf16* x,
                    const float* scale, Bf16* out);

// codes: [rows, cols]; scales: [rows, groups], written.
void EncodeAbsMax(const FakeQuantParams& params, RowRange range, const float* x, const float* gamma,
                  std::int8_t* codes, float* scales);
void EncodeAbsMax(const FakeQuantParams& params, RowRange range, const Bf16* x, const float* gamma,
                  std::int8_t* codes, float* scales);

// As above with given scales. Returns how many elements were NaN and so have no code (their code
// is 0): a caller must not take such codes for the tensor.
std::int64_t EncodeScale(const FakeQuantParams& params, RowRange range, const float* x,
                         const float* scale, std::int8_t* codes);
std::int64_t EncodeScale(const FakeQuantParams& params, RowRange range, const Bf16* x,
                         const float* scale, std::int8_t* codes);

// out = scale * codes; scales are indexed by params.index.
void Decode(const FakeQuantParams& params, RowRange range, const std::int8_t* codes,
            const float* scale, float* out);
void Decode(const FakeQuantParams& params, RowRange range, const std::int8_t* codes,
            const float* scale, Bf16* out);

// Backward with params.range as the mask; everything is recomputed from x.
//   grad_x = in range ? grad_out : 0                         (null: not wanted; may be grad_out)
//   d out / d s = round(v) - v in range, else q_min or q_max, with v = x / s
//   grad_gamma += sum of grad_out * (d out / d s) * (max|x| / divisor), max|x| held fixed
//   grad_scale += sum of grad_out * (d out / d s)
// grad_gamma and grad_scale (null: not wanted) are indexed as params.index says and are added to in
// the order of rows. For kRow and kRowGroup, ranges of rows own disjoint entries. For kTensor and
// kGroup give each block of kRowsPerBlock rows a zeroed buffer of its own and add them up with
// SumBlocks. A group with s = 0 has no clipped elements and adds 0.
void FakeQuantAbsMaxBackward(const FakeQuantParams& params, RowRange range, const float* x,
                             const float* gamma, const float* grad_out, float* grad_x,
                             float* grad_gamma);
void FakeQuantAbsMaxBackward(const FakeQuantParams& params, RowRange range, const Bf16* x,
                             const float* gamma, const Bf16* grad_out, Bf16* grad_x,
                             float* grad_gamma);
void FakeQuantScaleBackward(const FakeQuantParams& params, RowRange range, const float* x,
                            const float* scale, const float* grad_out, float* grad_x,
                            float* grad_scale);
void FakeQuantScaleBackward(const FakeQuantParams& params, RowRange range, const Bf16* x,
                            const float* scale, const Bf16* grad_out, Bf16* grad_x,
                            float* grad_scale);

// Two 4-bit codes in [-8, 7] per byte, the first in the low nibble; an odd count leaves the last
// high nibble 0. packed: (count + 1) / 2 bytes.
void PackInt4(const std::int8_t* codes, std::int64_t count, std::uint8_t* packed);
void UnpackInt4(const std::uint8_t* packed, std::int64_t count, std::int8_t* codes);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_FAKE_QUANT_H_
