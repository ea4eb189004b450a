// Checks that a model learns, and that quantizers reach it.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_MODEL_LEARNING_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_MODEL_LEARNING_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckSitesReached(const Subject& subject, Probe& probe);
void CheckOwnedLinears(const Subject& subject, Probe& probe);
void CheckInitialLoss(const Subject& subject, Probe& probe);
void CheckOverfits(const Subject& subject, Probe& probe);
void CheckGradients(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_MODEL_LEARNING_H_
