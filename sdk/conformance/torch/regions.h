// The regions that a quantizer claims, and the check that nothing outside decides what is inside.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_REGIONS_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_REGIONS_H_

#include "ATen/ATen.h"
#include "qatlas/claims.h"
#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

// Elements of a row that share a region; 0: all of the tensor is one region.
int64_t RegionSize(const Claims& claims, int64_t features);

// The largest |x| of each element's region; x and the result [rows, features].
at::Tensor LargestOfRegion(const Claims& claims, const at::Tensor& x);

void CheckRegion(const Subject& subject, Probe& probe);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_REGIONS_H_
