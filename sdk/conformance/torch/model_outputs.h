// Checks of logits and losses.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_MODEL_OUTPUTS_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_MODEL_OUTPUTS_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckCausal(const Subject& subject, Probe& probe);
void CheckSequences(const Subject& subject, Probe& probe);
void CheckLoss(const Subject& subject, Probe& probe);
void CheckModelDtypes(const Subject& subject, Probe& probe);
void CheckModelDeterministic(const Subject& subject, Probe& probe);
// Products of matrices are counted as LibTorch runs them (mm, addmm, bmm, baddbmm and its fused
// attention), of which a causal model needs (T + 1) / 2T of attention's.
void CheckFlops(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_MODEL_OUTPUTS_H_
