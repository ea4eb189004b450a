#include "frozen.h"

#include <qatlas/check.h>

#include <algorithm>
#include <cmath>

namespace qatlas::lr_qat {
namespace {

// Distance of stored values next to the largest code, at most: what a value can be moved by.
double Unit(Storage storage, int bits) {
  switch (storage) {
    case Storage::kFp32:
      return std::ldexp(1, bits - 2 - 23);
    case Storage::kFp16:
      return std::ldexp(1, bits - 2 - 10);
    case Storage::kBf16:
      return std::ldexp(1, bits - 2 - 7);
    case Storage::kFixed:
      return std::ldexp(1, bits - 8);
    case Storage::kInt4:
      return 1;
  }
  QATLAS_CHECK(false, "a storage without a unit");
  return 1;
}

at::Tensor Cast(const at::Tensor& values, Storage storage, int bits) {
  if (storage != Storage::kFixed) return values.to(StorageType(storage));
  return (values * std::ldexp(1, 8 - bits)).round_().clamp_(-128, 127).to(at::kChar);
}

// Codes [rows, features] as nibbles, the first in the low one; an odd row ends with a zero.
at::Tensor PackRows(const at::Tensor& codes) {
  at::Tensor nibbles = codes.to(at::kChar).view(at::kByte).bitwise_and(15);
  if (nibbles.size(1) % 2 != 0) {
    nibbles = at::cat({nibbles, nibbles.new_zeros({nibbles.size(0), 1})}, 1);
  }
  nibbles = nibbles.contiguous().view({nibbles.size(0), -1, 2});
  return nibbles.select(2, 0).bitwise_or(nibbles.select(2, 1).bitwise_left_shift(4));
}

// Both values of every byte, [256, 2] FP32.
at::Tensor NibbleTable(at::Device device) {
  const at::Tensor bytes = at::arange(256, at::TensorOptions(at::kInt).device(device));
  const at::Tensor nibbles = at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, 1);
  // Sign extension: (n xor 8) - 8.
  return nibbles.bitwise_xor(8).sub(8).to(at::kFloat);
}

}  // namespace

Storage ParseStorage(const std::string& name) {
  for (int i = 0; kStorageChoices[i] != nullptr; ++i) {
    if (name == kStorageChoices[i]) return static_cast<Storage>(i);
  }
  QATLAS_CHECK(false, "a storage that is not among the declared choices");
  return Storage::kFixed;
}

at::ScalarType StorageType(Storage storage) {
  switch (storage) {
    case Storage::kFp32:
      return at::kFloat;
    case Storage::kFp16:
      return at::kHalf;
    case Storage::kBf16:
      return at::kBFloat16;
    case Storage::kFixed:
      return at::kChar;
    case Storage::kInt4:
      return at::kByte;
  }
  QATLAS_CHECK(false, "a storage without a dtype");
  return at::kFloat;
}

std::vector<int64_t> StoredShape(Storage storage, int64_t rows, int64_t features) {
  return {rows, storage == Storage::kInt4 ? (features + 1) / 2 : features};
}

at::Tensor& RoundToCodes(at::Tensor& values, int bits) {
  return values.round_().clamp_(-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
}

at::Tensor Downcast(const at::Tensor& values, const at::Tensor& codes, Storage storage, int bits) {
  if (storage == Storage::kInt4) return PackRows(codes);
  at::Tensor stored = Cast(values, storage, bits);
  at::Tensor read = at::empty_like(values);
  Upcast(stored, storage, bits, read);
  const at::Tensor moved = RoundToCodes(read, bits).ne(codes);
  if (!moved.any().item<bool>()) return stored;
  const double reach = std::max(0.5 - Unit(storage, bits), 0.0);
  const at::Tensor kept = codes + (values - codes).clamp_(-reach, reach);
  return at::where(moved, Cast(kept, storage, bits), stored);
}

void Upcast(const at::Tensor& stored, Storage storage, int bits, at::Tensor& out) {
  if (storage != Storage::kInt4) {
    out.copy_(stored);
    if (storage == Storage::kFixed) out.mul_(std::ldexp(1, bits - 8));
    return;
  }
  const at::Tensor pairs =
      at::embedding(NibbleTable(stored.device()), stored.to(at::kInt).view({-1}));
  out.copy_(pairs.view({stored.size(0), 2 * stored.size(1)}).narrow(1, 0, out.size(1)));
}

}  // namespace qatlas::lr_qat
