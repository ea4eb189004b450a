// Checks of inputs that are odd in value or shape.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_INPUTS_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_INPUTS_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckOddValues(const Subject& subject, Probe& probe);
void CheckOddShapes(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_INPUTS_H_
