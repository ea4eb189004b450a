#include "sdk/conformance/torch/stored.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "qatlas/check.h"
#include "qatlas/int_format.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

constexpr char kAffine[] = "int-affine-group";
constexpr char kLevels[] = "levels-group";
constexpr char kTwoLevel[] = "two-level-scale";

absl::Status Wrong(const Encoded& encoded, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("layout '", encoded.layout, "': ", what));
}

absl::StatusOr<at::Tensor> TensorOf(const Encoded& encoded, const std::string& name,
                                    at::ScalarType dtype) {
  auto found = encoded.tensors.find(name);
  if (found == encoded.tensors.end() || !found->second.defined()) {
    return Wrong(encoded, absl::StrCat("the tensor '", name, "' is missing"));
  }
  if (found->second.scalar_type() != dtype) {
    return Wrong(encoded,
                 absl::StrCat("'", name, "' has dtype ", DtypeText(found->second.scalar_type()),
                              ", not ", DtypeText(dtype)));
  }
  return found->second;
}

absl::StatusOr<int64_t> NumberOf(const Encoded& encoded, const std::string& name) {
  auto found = encoded.attributes.find(name);
  int64_t number = 0;
  if (found == encoded.attributes.end() || !absl::SimpleAtoi(found->second, &number) ||
      number < 1) {
    return Wrong(encoded, absl::StrCat("the attribute '", name, "' must be a positive number"));
  }
  return number;
}

// [1 or rows, groups] → [rows, features].
absl::StatusOr<at::Tensor> Spread(const Encoded& encoded, const char* name,
                                  const at::Tensor& values, int64_t rows, int64_t features,
                                  int64_t group) {
  const int64_t groups = (features + group - 1) / group;
  if (values.dim() != 2 || values.size(1) != groups ||
      (values.size(0) != 1 && values.size(0) != rows)) {
    return Wrong(encoded, absl::StrCat("'", name, "' of shape ", ShapeText(values.sizes()),
                                       " do not fit ", rows, " rows of ", groups, " groups"));
  }
  return values.to(at::kFloat)
      .repeat_interleave(group, 1)
      .narrow(1, 0, features)
      .expand({rows, features});
}

// E8M0 or E4M3 bits → FP32.
absl::StatusOr<at::Tensor> BlockScales(const Encoded& encoded) {
  QATLAS_ASSIGN_OR_RETURN(const at::Tensor bits, TensorOf(encoded, "block_scales", at::kByte));
  auto format = encoded.attributes.find("block_scale");
  const std::string name = format == encoded.attributes.end() ? "" : format->second;
  if (absl::StrContains(name, "8M0") || absl::StrContains(name, "8m0")) {
    return at::exp2(bits.to(at::kFloat) - 127);
  }
  if (absl::StrContains(name, "4M3") || absl::StrContains(name, "4m3")) {
    return bits.contiguous().view(at::kFloat8_e4m3fn).to(at::kFloat);
  }
  return Wrong(encoded, absl::StrCat("attribute block_scale = '", name, "' is not E8M0 or E4M3"));
}

}  // namespace

bool Readable(const Encoded& encoded) {
  for (const char* layout :
       {kIntGroupLayout, kInt4PackedGroupLayout, kAffine, kLevels, kTwoLevel}) {
    if (encoded.layout == layout) return true;
  }
  return false;
}

absl::StatusOr<Stored> ReadStored(const Encoded& encoded, const Claims& claims) {
  QATLAS_ASSIGN_OR_RETURN(const Encoded plain, encoded.layout == kInt4PackedGroupLayout
                                                   ? UnpackInt4(encoded)
                                                   : absl::StatusOr<Encoded>(encoded));
  const bool by_level = plain.layout == kLevels || plain.layout == kTwoLevel;
  QATLAS_ASSIGN_OR_RETURN(const int64_t bits, NumberOf(plain, "bits"));
  QATLAS_ASSIGN_OR_RETURN(const int64_t group, NumberOf(plain, "group"));
  QATLAS_ASSIGN_OR_RETURN(at::Tensor codes,
                          TensorOf(plain, "codes", by_level ? at::kByte : at::kChar));
  if (bits > 8) return Wrong(plain, absl::StrCat("codes of ", bits, " bits do not fit a byte"));
  if (codes.dim() < 1 || codes.numel() == 0) return Wrong(plain, "there are no codes");
  const int64_t features = codes.size(-1);
  const int64_t rows = codes.numel() / features;
  Stored stored;
  stored.layout = plain.layout;
  stored.bits = static_cast<int>(bits);
  stored.codes = codes.reshape({rows, features}).to(at::kInt);
  at::Tensor scales;
  if (plain.layout == kTwoLevel) {
    QATLAS_ASSIGN_OR_RETURN(const at::Tensor blocks, BlockScales(plain));
    QATLAS_ASSIGN_OR_RETURN(const at::Tensor scale, TensorOf(plain, "scale", at::kFloat));
    scales = blocks * scale.reshape({-1})[0];
  } else {
    QATLAS_ASSIGN_OR_RETURN(scales, TensorOf(plain, "scales", at::kFloat));
  }
  QATLAS_ASSIGN_OR_RETURN(stored.scales, Spread(plain, "scales", scales, rows, features, group));
  stored.offsets = at::zeros_like(stored.scales);
  if (plain.layout == kAffine) {
    QATLAS_ASSIGN_OR_RETURN(const at::Tensor offsets, TensorOf(plain, "offsets", at::kFloat));
    QATLAS_ASSIGN_OR_RETURN(stored.offsets,
                            Spread(plain, "offsets", offsets, rows, features, group));
  }
  if (!by_level) {
    const bool claimed = claims.q_min != 0 || claims.q_max != 0;
    const double low = claimed ? claims.q_min : -std::exp2(bits - 1);
    const double high = claimed ? claims.q_max : std::exp2(bits - 1) - 1;
    stored.levels = at::arange(low, high + 1, at::TensorOptions(at::kFloat));
    stored.positions = stored.codes.to(at::kFloat);
    return stored;
  }
  QATLAS_ASSIGN_OR_RETURN(const at::Tensor levels, TensorOf(plain, "levels", at::kFloat));
  if (levels.dim() != 1 || levels.numel() == 0) {
    return Wrong(plain, "'levels' must be a list of at least one number");
  }
  if (stored.codes.max().item<int64_t>() >= levels.numel()) {
    return Wrong(plain, absl::StrCat("a code is ", stored.codes.max().item<int64_t>(), ", with ",
                                     levels.numel(), " levels"));
  }
  stored.positions = levels.index({stored.codes.to(at::kLong)});
  stored.levels = std::get<0>(levels.sort());
  return stored;
}

absl::StatusOr<double> StoredBits(const Encoded& encoded, int64_t elements) {
  double total = 0;
  bool codes = false;
  for (const auto& [name, tensor] : encoded.tensors) {
    if (name == "levels" || absl::EndsWith(name, ".levels")) continue;
    if (name == "codes") {
      QATLAS_ASSIGN_OR_RETURN(const int64_t bits, NumberOf(encoded, "bits"));
      total += static_cast<double>(bits * elements);
      codes = true;
    } else {
      total += 8.0 * static_cast<double>(tensor.numel() * tensor.element_size());
    }
  }
  if (!codes && encoded.tensors.empty()) return Wrong(encoded, "there are no tensors");
  return total;
}

at::Tensor DistanceToLevels(const at::Tensor& v, const at::Tensor& levels) {
  const int64_t last = levels.numel() - 1;
  const double low = levels[0].item<double>(), high = levels[last].item<double>();
  // Consecutive integers need no search.
  if (low == std::floor(low) && high - low == static_cast<double>(last)) {
    return (v - v.round().clamp(low, high)).abs();
  }
  const at::Tensor above = at::searchsorted(levels, v.contiguous());
  const at::Tensor higher = levels.index({above.clamp(0, last)});
  const at::Tensor lower = levels.index({(above - 1).clamp(0, last)});
  return at::minimum((v - higher).abs(), (v - lower).abs());
}

GradientMask MaskOf(InputGradient rule, const at::Tensor& v, const at::Tensor& levels) {
  GradientMask mask;
  if (rule == InputGradient::kEverywhere) {
    mask.passes = at::ones_like(v, at::kBool);
    mask.sure = mask.passes;
    return mask;
  }
  double low = levels[0].item<double>();
  double high = levels[-1].item<double>();
  if (rule == InputGradient::kCode && levels.numel() > 1) {
    // What rounds to the outermost level: half a spacing beyond it.
    low -= (levels[1].item<double>() - low) / 2;
    high += (high - levels[-2].item<double>()) / 2;
  }
  mask.passes = v.ge(low).logical_and(v.le(high));
  const double margin = 1e-4 * std::max(1.0, std::max(std::abs(low), std::abs(high)));
  mask.sure = (v - low).abs().gt(margin).logical_and((v - high).abs().gt(margin));
  return mask;
}

}  // namespace qatlas::conformance
