// What an attached quantizer states of its own arithmetic, beyond what its component's abilities
// say.
#ifndef QATLAS_CLAIMS_H_
#define QATLAS_CLAIMS_H_

#include <cstdint>
#include <limits>

namespace qatlas {

// What decides an element's fake-quantized value, the instance's parameters and buffers aside.
enum class Region {
  kElement,  // the element itself: its scale is given
  kGroup,    // its group of neighbours along the reduction dimension
  kRow,      // its row: an output channel of a weight, a token of an input
  kTensor,   // anything in the tensor
};

// dL/dx of a fake-quantizing map as a factor times dL/dx̂. v is x in units of its stored scale
// (after the offset, where there is one).
enum class InputGradient {
  kUnstated,    // another rule
  kEverywhere,  // 1 (straight-through)
  kCode,        // 1 where round(v) is a code, else 0
  kValue,       // 1 where v lies between the lowest and the highest code, else 0 (LSQ)
};

// The defaults claim nothing that could be wrong. Conformance checks hold an instance to what it
// claims, and skip what it does not.
struct Claims {
  // Of a LinearOperator: what of the weight that it was attached to decides an element of its first
  // EffectiveWeight().
  Region region = Region::kTensor;
  int64_t group = 0;  // elements of a row, with Region::kGroup; a row's last group may be short
  // Of a LinearOperator: of the unrounded weight (LinearOperator::UnroundedWeight).
  InputGradient gradient = InputGradient::kUnstated;
  // Codes of the integer layouts that are in use; both 0: all that the attribute `bits` allows.
  int q_min = 0;
  int q_max = 0;  // inclusive
  // Every value goes to the nearest of its scale's levels (within q_min and q_max), so that its
  // error is at most half a step, or the distance to the outermost level.
  bool nearest = false;
  // Bound of |x̂ - x| as a share of the largest |x| of the region (of the element, with kElement);
  // NaN: none is claimed.
  double max_error = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace qatlas

#endif  // QATLAS_CLAIMS_H_
