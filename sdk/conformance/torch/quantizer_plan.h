// Checks of what the host asks before and while it attaches: abilities, shapes, meta tensors,
// operators.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_PLAN_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_PLAN_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckAbilities(const Subject& subject, Probe& probe);
void CheckShapes(const Subject& subject, Probe& probe);
void CheckMeta(const Subject& subject, Probe& probe);
void CheckEffectiveWeight(const Subject& subject, Probe& probe);
void CheckFreedWeight(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_PLAN_H_
