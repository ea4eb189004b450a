// Frozen weights in the integer domain: how they are cast down, stored, and read back row by row.
#ifndef QATLAS_PLUGINS_QUANTIZERS_LR_QAT_FROZEN_H_
#define QATLAS_PLUGINS_QUANTIZERS_LR_QAT_FROZEN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/ATen.h"

namespace qatlas::lr_qat {

// φ of arXiv 2406.06385, section 3.1. With b bits:
//   kFp32, kFp16, kBf16  a cast
//   kFixed               8-bit fixed point Q(b).(8-b): int8 n stands for n * 2^(b-8), clamped to it
//   kInt4                the codes themselves, two to a byte, b <= 4; a row starts on a byte
enum class Storage { kFp32, kFp16, kBf16, kFixed, kInt4 };
inline constexpr const char* kStorageChoices[] = {"fp32", "fp16", "bf16", "fixed", "int4", nullptr};
Storage ParseStorage(const std::string& name);

at::ScalarType StorageType(Storage storage);
std::vector<int64_t> StoredShape(Storage storage, int64_t rows, int64_t features);

// Nearest integers, halves to even, within b bits: FP32 in place. NaN stays.
at::Tensor& RoundToCodes(at::Tensor& values, int bits);

// φ(values), [rows, features] FP32, of weights divided by their scale. `codes` (same shape, FP32)
// are what the stored values must round to: a value that the cast moves over the middle between two
// codes, or onto it, takes the nearest stored value on the side of its code, so that training
// starts exactly at the rounded weights.
at::Tensor Downcast(const at::Tensor& values, const at::Tensor& codes, Storage storage, int bits);

// Writes rows of stored values as FP32 into `out` [rows, features].
void Upcast(const at::Tensor& stored, Storage storage, int bits, at::Tensor& out);

}  // namespace qatlas::lr_qat

#endif  // QATLAS_PLUGINS_QUANTIZERS_LR_QAT_FROZEN_H_
