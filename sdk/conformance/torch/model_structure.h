// Checks of what a model is made of: counts, sites, parameters, initial values.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_MODEL_STRUCTURE_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_MODEL_STRUCTURE_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void CheckModelParameters(const Subject& subject, Probe& probe);
// Which parameters are embeddings is told by gradients: rows of tokens and positions that were not
// fed get none. A table of the vocabulary in which every row gets one is the head, and with no
// other such table it is both.
void CheckCounts(const Subject& subject, Probe& probe);
void CheckSites(const Subject& subject, Probe& probe);
void CheckModelMeta(const Subject& subject, Probe& probe);
void CheckInitialValues(const Subject& subject, Probe& probe);
void CheckForeignLayouts(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_MODEL_STRUCTURE_H_
