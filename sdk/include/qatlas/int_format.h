// Integer formats that share a scale along the features of a row: geometry, checks, stored layouts.
//
// An operand [..., features] is flattened to [rows, features]. Weights ([out, in]) and inputs
// ([tokens..., in]) are both grouped along the reduction dimension.
#ifndef QATLAS_INT_FORMAT_H_
#define QATLAS_INT_FORMAT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "qatlas/check.h"
#include "qatlas/claims.h"
#include "qatlas/tensors.h"

namespace qatlas {

// What shares one scale: the whole tensor; a row (an output channel of a weight, a token of an
// input); or `group` neighbours in a row.
enum class Granularity { kTensor, kChannel, kGroup };
inline constexpr const char* kGranularityChoices[] = {"tensor", "channel", "group", nullptr};  // names
// Of a name; any other aborts.
inline Granularity ParseGranularity(const std::string& name) {
  if (name == "tensor") return Granularity::kTensor;
  if (name == "channel") return Granularity::kChannel;
  QATLAS_CHECK(name == "group", "a granularity that is not among the declared choices");
  return Granularity::kGroup;
}

// Two's complement of 2 to 8 bits with a scale for each group.
struct IntFormat {
  int bits = 4;                                   // 2 to 8
  Granularity granularity = Granularity::kGroup;  // what shares a scale
  int64_t group = 64;                             // used with kGroup
  bool short_last_group = false;                  // allows `group` not to divide the features

  int q_min() const { return -(1 << (bits - 1)); }     // -2^(bits-1)
  int q_max() const { return (1 << (bits - 1)) - 1; }  // 2^(bits-1) - 1

  // Elements of a row that share a scale, and how many such groups a row has.
  int64_t GroupSize(int64_t features) const {
    return granularity == Granularity::kGroup && group < features ? group : features;
  }
  int64_t Groups(int64_t features) const {
    const int64_t size = GroupSize(features);
    return size == 0 ? 0 : (features + size - 1) / size;
  }
  // Shape of the scales: {1 or rows, groups}.
  std::vector<int64_t> ScaleShape(int64_t rows, int64_t features) const {
    return {granularity == Granularity::kTensor ? 1 : rows, Groups(features)};
  }

  // What decides an element's value where scales are computed from the operand itself.
  Region ScaleRegion() const {
    if (granularity == Granularity::kTensor) return Region::kTensor;
    return granularity == Granularity::kChannel ? Region::kRow : Region::kGroup;
  }

  // The group must divide the features unless a short last group is allowed: nothing is padded
  // silently.
  absl::Status Check(int64_t features) const {
    if (granularity != Granularity::kGroup || short_last_group || features % group == 0) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "group = ", group, " does not divide the ", features,
        " input features; choose a divisor of ", features, ", or set short_last_group = true"));
  }
};

// The stored layouts (docs/sdk.md). "int-group": `codes` int8 in the operand's shape, `scales` FP32
// [1 or rows, groups]; attributes bits, group (elements of a row that share a scale) and dtype.
// "int4-packed-group": the same, with two codes to a byte, the first in the low nibble (an odd
// count leaves the last high nibble 0), `codes` uint8 [(count + 1) / 2], and the attribute shape
// ("128,384").
inline constexpr char kIntGroupLayout[] = "int-group";
inline constexpr char kInt4PackedGroupLayout[] = "int4-packed-group";  // two codes a byte
// Codes in the operand's shape with their scales: {1 or rows, groups} (IntFormat::ScaleShape), or a
// scalar for one scale of the whole tensor. An operand without elements will do: its codes have its
// shape, and its scales do not matter.
inline Encoded MakeIntEncoded(const IntFormat& format, at::Tensor codes, at::Tensor scales,
                              at::ScalarType dtype) {
  Encoded encoded;
  encoded.layout = kIntGroupLayout;
  const int64_t group = codes.size(-1) > 0 ? format.GroupSize(codes.size(-1)) : 1;
  if (scales.dim() == 0) scales = scales.reshape({1, 1});
  encoded.attributes = {{"bits", absl::StrCat(format.bits)},
                        {"group", absl::StrCat(group)},
                        {"dtype", dtype == at::kBFloat16 ? "bfloat16" : "float32"}};
  encoded.tensors = {{"codes", std::move(codes)}, {"scales", std::move(scales)}};
  return encoded;
}

namespace internal {
inline absl::StatusOr<int64_t> IntAttribute(const Encoded& encoded, const char* name) {
  auto it = encoded.attributes.find(name);
  int64_t value = 0;
  if (it == encoded.attributes.end() || !absl::SimpleAtoi(it->second, &value) || value <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("an encoded tensor of layout '", encoded.layout,
                                                   "' needs a positive attribute '", name, "'"));
  }
  return value;
}
inline absl::StatusOr<at::Tensor> EncodedTensor(const Encoded& encoded, const char* name,
                                                at::ScalarType dtype) {
  auto it = encoded.tensors.find(name);
  if (it == encoded.tensors.end() || !it->second.defined() || it->second.scalar_type() != dtype) {
    return absl::InvalidArgumentError(absl::StrCat("an encoded tensor of layout '", encoded.layout,
                                                   "' needs '", name, "' of dtype ",
                                                   c10::toString(dtype)));
  }
  return it->second;
}
}  // namespace internal

// "int-group" → "int4-packed-group". Errors: another layout, or more than 4 bits.
inline absl::StatusOr<Encoded> PackInt4(const Encoded& encoded) {
  if (encoded.layout != kIntGroupLayout) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot pack layout '", encoded.layout, "', only '", kIntGroupLayout, "'"));
  }
  QATLAS_ASSIGN_OR_RETURN(const int64_t bits, internal::IntAttribute(encoded, "bits"));
  if (bits > 4) {
    return absl::InvalidArgumentError(absl::StrCat("codes of ", bits, " bits do not fit a nibble"));
  }
  QATLAS_ASSIGN_OR_RETURN(at::Tensor codes, internal::EncodedTensor(encoded, "codes", at::kChar));
  Encoded packed = encoded;
  packed.layout = kInt4PackedGroupLayout;
  packed.attributes["shape"] = absl::StrJoin(codes.sizes(), ",");
  at::Tensor nibbles = codes.contiguous().view({-1}).view(at::kByte).bitwise_and(15);
  if (nibbles.numel() % 2 != 0) nibbles = at::cat({nibbles, nibbles.new_zeros({1})});
  nibbles = nibbles.view({-1, 2});
  packed.tensors["codes"] =
      nibbles.select(1, 0).bitwise_or(nibbles.select(1, 1).bitwise_left_shift(4));
  return packed;
}

// "int4-packed-group" → "int-group"; "int-group" is returned as it is.
inline absl::StatusOr<Encoded> UnpackInt4(const Encoded& encoded) {
  if (encoded.layout == kIntGroupLayout) return encoded;
  if (encoded.layout != kInt4PackedGroupLayout) {
    return absl::InvalidArgumentError(absl::StrCat("cannot unpack layout '", encoded.layout, "'"));
  }
  QATLAS_ASSIGN_OR_RETURN(at::Tensor bytes, internal::EncodedTensor(encoded, "codes", at::kByte));
  std::vector<int64_t> shape;
  int64_t count = 1;
  auto it = encoded.attributes.find("shape");
  const std::string text = it == encoded.attributes.end() ? "" : it->second;
  for (const auto part : absl::StrSplit(text, ',')) {
    int64_t size = 0;
    if (!absl::SimpleAtoi(part, &size) || size < 0 || (size > 0 && count > INT64_MAX / size)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute shape = '", text, "' cannot be read"));
    }
    shape.push_back(size);
    count *= size;
  }
  if (bytes.numel() != count / 2 + count % 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(bytes.numel(), " bytes of codes do not hold shape [", text, "]"));
  }
  at::Tensor nibbles = at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, 1);
  // Sign extension: (n xor 8) - 8.
  at::Tensor codes = nibbles.to(at::kChar).bitwise_xor(8).sub(8).view({-1}).narrow(0, 0, count);
  Encoded unpacked = encoded;
  unpacked.layout = kIntGroupLayout;
  unpacked.attributes.erase("shape");
  unpacked.tensors["codes"] = codes.contiguous().view(shape);
  return unpacked;
}

// scale * code in FP32, rounded to the encoded dtype; shape of the codes. Takes both layouts. No
// codes give no values.
inline absl::StatusOr<at::Tensor> DecodeInt(const Encoded& encoded) {
  QATLAS_ASSIGN_OR_RETURN(const Encoded plain, UnpackInt4(encoded));
  QATLAS_ASSIGN_OR_RETURN(const at::Tensor codes,
                          internal::EncodedTensor(plain, "codes", at::kChar));
  QATLAS_ASSIGN_OR_RETURN(at::Tensor scales, internal::EncodedTensor(plain, "scales", at::kFloat));
  QATLAS_ASSIGN_OR_RETURN(const int64_t group, internal::IntAttribute(plain, "group"));
  if (codes.dim() < 1) return absl::InvalidArgumentError("codes need at least one dimension");
  auto it = plain.attributes.find("dtype");
  const bool half = it != plain.attributes.end() && it->second == "bfloat16";
  const at::ScalarType dtype = half ? at::kBFloat16 : at::kFloat;
  if (codes.numel() == 0) return codes.to(dtype);
  const int64_t features = codes.size(-1);
  const int64_t rows = codes.numel() / features;
  const int64_t groups = (features + group - 1) / group;
  if (scales.dim() != 2 || scales.size(1) != groups ||
      (scales.size(0) != rows && scales.size(0) != 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "scales of shape [", absl::StrJoin(scales.sizes(), ","), "] do not fit codes of shape [",
        absl::StrJoin(codes.sizes(), ","), "] in groups of ", group));
  }
  at::Tensor values = codes.reshape({rows, features}).to(at::kFloat);
  at::Tensor wide = scales.repeat_interleave(group, 1).narrow(1, 0, features);
  return values.mul_(wide).view(codes.sizes()).to(dtype);
}

}  // namespace qatlas

#endif  // QATLAS_INT_FORMAT_H_
