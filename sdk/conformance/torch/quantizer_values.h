// Checks of what a quantizer makes of values. The table in quantizer_checks.cc says what each
// holds.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_VALUES_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_VALUES_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckCodes(const Subject& subject, Probe& probe);
void CheckDecode(const Subject& subject, Probe& probe);
void CheckIdempotent(const Subject& subject, Probe& probe);
void CheckError(const Subject& subject, Probe& probe);
void CheckBits(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_VALUES_H_
