// The functions behind LawChecks().
#ifndef QATLAS_SDK_CONFORMANCE_LAW_CHECK_LIST_H_
#define QATLAS_SDK_CONFORMANCE_LAW_CHECK_LIST_H_

#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

void LawDeclared(const Subject& subject, Probe& probe);
void LawFinite(const Subject& subject, Probe& probe);
void LawCovariates(const Subject& subject, Probe& probe);
void LawJacobian(const Subject& subject, Probe& probe);
void LawLinear(const Subject& subject, Probe& probe);
void LawOnlyWith(const Subject& subject, Probe& probe);
void LawBatches(const Subject& subject, Probe& probe);
void LawStateless(const Subject& subject, Probe& probe);
void LawThreads(const Subject& subject, Probe& probe);
void LawRecovers(const Subject& subject, Probe& probe);
void LawRecoversNoisy(const Subject& subject, Probe& probe);
void LawPublished(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_LAW_CHECK_LIST_H_
