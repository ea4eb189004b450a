// What an encoded tensor says in numbers: levels, scales and sizes of the layouts of docs/sdk.md.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_STORED_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_STORED_H_

#include <optional>
#include <string>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/claims.h"
#include "qatlas/tensors.h"

namespace qatlas::conformance {

// An operand in one of the layouts int-group, int4-packed-group, int-affine-group, levels-group and
// two-level-scale: value = scale · position + offset, with the position the code, or the code's
// level. All [rows, features], FP32 (codes int32).
struct Stored {
  std::string layout;
  at::Tensor codes;
  at::Tensor positions;
  at::Tensor scales;
  at::Tensor offsets;  // zeros where the layout has none
  at::Tensor levels;   // [L] FP32, ascending: every position that a code may mean
  int bits = 0;        // attribute of the layout
};

// The layout is one that can be read; others are a plugin's own.
bool Readable(const Encoded& encoded);

// Errors: what is missing or does not fit, with its name. q_min and q_max of the claims narrow the
// levels of integer codes.
absl::StatusOr<Stored> ReadStored(const Encoded& encoded, const Claims& claims);

// Bits that the encoded tensor takes: codes at the attribute `bits` each (in int4-packed-group as
// well), constant levels none, everything else as it lies in memory.
absl::StatusOr<double> StoredBits(const Encoded& encoded, int64_t elements);

// The distance from v (in units of scales, [rows, features]) to the nearest of the levels.
at::Tensor DistanceToLevels(const at::Tensor& v, const at::Tensor& levels);

// Where the gradient of x is 1, [rows, features]. `sure` is false next to a boundary, where
// rounding decides.
struct GradientMask {
  at::Tensor passes;
  at::Tensor sure;
};
GradientMask MaskOf(InputGradient rule, const at::Tensor& v, const at::Tensor& levels);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_STORED_H_
