// Checks of gradients against what an instance claims.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_GRADIENT_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_GRADIENT_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckInputGradient(const Subject& subject, Probe& probe);

// With the rounding residual held fixed the fake-quantized value is a smooth function of the
// parameters:
//   x + s (q - v) where the gradient passes, s q + o elsewhere; of an operator s (u + (q - u)) and
//   s q + o,
// with q the stored position, s and o the stored scale and offset, v = (x - o) / s, and u the
// operator's UnroundedWeight(). Its derivative comes from finite differences of s, o and u alone.
// Methods scale the gradient of a parameter by a constant (LSQ's g), so the two need only be
// proportional, with one positive factor for all entries of a parameter and all inputs.
void CheckParameterGradient(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_GRADIENT_H_
