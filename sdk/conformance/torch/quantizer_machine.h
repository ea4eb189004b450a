// Checks that results are the same whatever computes them: dtype, threads, device.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_MACHINE_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_MACHINE_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckDtypes(const Subject& subject, Probe& probe);
void CheckDeterministic(const Subject& subject, Probe& probe);
void CheckDevices(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_MACHINE_H_
