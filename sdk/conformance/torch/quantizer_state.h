// Checks of what instances keep: attaching, training steps, saving and restoring.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_STATE_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_STATE_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckParameters(const Subject& subject, Probe& probe);
void CheckRestore(const Subject& subject, Probe& probe);
void CheckMidTraining(const Subject& subject, Probe& probe);
void CheckIndependent(const Subject& subject, Probe& probe);
void CheckSteps(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_QUANTIZER_STATE_H_
