#include "lr_qat.h"

#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "ATen/CPUGeneratorImpl.h"
#include "absl/strings/str_cat.h"
#include "linear.h"

namespace qatlas::lr_qat {
namespace {

constexpr const char* kGranularities[] = {"channel", "group", nullptr};
constexpr const char* kDivisors[] = {"symmetric", "chen", "half", nullptr};
constexpr const char* kRanges[] = {"absmax", "mse", "parent", nullptr};
// frees-weight: the host need not hold the master weights of all linears at once.
constexpr const char* kAbilities[] = {"weight", "linear", "stateful", kFreesWeight, nullptr};

constexpr qatlas_option kOptions[] = {
    IntOption("bits", "4", 2, 8, "Bits of a code."),
    ChoiceOption("granularity", "channel", kGranularities,
                 "What shares a scale: an output channel; a group in a row."),
    IntOption("group", "128", 1, 1 << 24, "Neighbouring input features that share a scale."),
    BoolOption("short_last_group", "false", "Allows a group that does not divide the features."),
    ChoiceOption("frozen", "fixed", kStorageChoices,
                 "How frozen weights are stored: a cast; 8-bit fixed point Q(b).(8-b); int4 codes, "
                 "two to a byte."),
    IntOption("rank", "32", 1, 65536, "Rank r of the adapter."),
    FloatOption("alpha", "32.0", 0, 1e6, "The adapter is alpha / rank times A B."),
    ChoiceOption("range", "absmax", kRanges,
                 "Initial scales: max|w| / divisor; the share of it with the least squared error; "
                 "those of the parent segment's quantization, with its codes."),
    ChoiceOption("divisor", "symmetric", kDivisors,
                 "Of max|w|: symmetric 2^(b-1) - 1, chen 2^(b-1), half 2^(b-1) - 0.5."),
    FloatOption("a_lr", "1e-3", 0, 1, "Peak learning rate of A [out, rank], which starts at 0."),
    FloatOption("b_lr", "1e-3", 0, 1, "Peak learning rate of B [rank, in]."),
    FloatOption("scale_lr", "1e-5", 0, 1, "Peak learning rate of the scales, in their own units."),
};

float DivisorOf(const std::string& choice, int bits) {
  const float half_range = static_cast<float>(1 << (bits - 1));
  if (choice == "chen") return half_range;
  if (choice == "half") return half_range - 0.5f;
  QATLAS_CHECK(choice == "symmetric", "a divisor that is not among the declared choices");
  return half_range - 1;
}

at::Tensor Expand(const at::Tensor& scales, int64_t group, int64_t features) {
  return scales.repeat_interleave(group, 1).narrow(1, 0, features);
}

// Rows in groups, [rows, groups, group]; a short last group is filled with zeros.
at::Tensor Grouped(const at::Tensor& rows, const IntFormat& format) {
  const int64_t group = format.GroupSize(rows.size(1));
  const int64_t groups = format.Groups(rows.size(1));
  const at::Tensor padded = at::constant_pad_nd(rows, {0, groups * group - rows.size(1)});
  return padded.view({rows.size(0), groups, group});
}

// s0 of rows of weights, [rows, groups].
at::Tensor EstimateScales(const at::Tensor& rows, const Config& config) {
  const at::Tensor grouped = Grouped(rows, config.format);
  const at::Tensor widest = grouped.abs().amax(2).div_(config.divisor).clamp_min_(kScaleFloor);
  if (config.range == Range::kAbsMax) return widest;
  at::Tensor best = widest;
  at::Tensor least;
  // From the widest down, so that of equal errors the wider range stays.
  for (int k = kMseSteps; k >= kMseShortest * kMseSteps; --k) {
    const at::Tensor scales =
        (widest * (static_cast<double>(k) / kMseSteps)).clamp_min_(kScaleFloor);
    at::Tensor rounded = grouped / scales.unsqueeze(2);
    RoundToCodes(rounded, config.format.bits).mul_(scales.unsqueeze(2));
    const at::Tensor error = rounded.sub_(grouped).square_().sum(2, false, at::kDouble);
    if (!least.defined()) {
      least = error;
      continue;
    }
    const at::Tensor better = error.lt(least);
    best = at::where(better, scales, best);
    least = at::minimum(least, error);
  }
  return best;
}

// The parent's codes [out, in] and its scales in our groups [out, groups].
struct Parent {
  at::Tensor codes;
  at::Tensor scales;
};

absl::StatusOr<Parent> TakeParent(const AttachContext& context, const Config& config) {
  if (!context.parent) {
    return absl::FailedPreconditionError(
        "range = \"parent\" starts from the codes of a quantized parent segment, and there is none;"
        " name a scheme that quantizes this weight in the recipe's 'after', or take \"absmax\" or "
        "\"mse\"");
  }
  QATLAS_ASSIGN_OR_RETURN(const Encoded stored, context.parent());
  QATLAS_ASSIGN_OR_RETURN(const Encoded encoded, UnpackInt4(stored));
  QATLAS_ASSIGN_OR_RETURN(const at::Tensor decoded, DecodeInt(encoded));
  QATLAS_ASSIGN_OR_RETURN(const int64_t bits, internal::IntAttribute(encoded, "bits"));
  QATLAS_ASSIGN_OR_RETURN(const int64_t group, internal::IntAttribute(encoded, "group"));
  const int64_t features = context.in_features;
  const int64_t ours = config.format.GroupSize(features);
  Parent parent{encoded.tensors.at("codes"), encoded.tensors.at("scales")};
  if (bits != config.format.bits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the parent segment has codes of ", bits, " bits, lr-qat has bits = ", config.format.bits));
  }
  if (group != ours && group != features) {
    return absl::InvalidArgumentError(absl::StrCat("the parent segment has scales for groups of ",
                                                   group, " features, lr-qat for groups of ",
                                                   ours));
  }
  if (decoded.sizes() != at::IntArrayRef({context.out_features, features})) {
    return absl::InvalidArgumentError("the parent segment's codes have another shape");
  }
  parent.scales = parent.scales.abs()
                      .clamp_min(kScaleFloor)
                      .expand({context.out_features, config.format.Groups(features)})
                      .contiguous();
  return parent;
}

absl::Status AllFinite(const at::Tensor& values) {
  if (values.isfinite().all().item<bool>()) return absl::OkStatus();
  return absl::InvalidArgumentError("weights or scales that are not finite cannot be frozen");
}

}  // namespace

const ComponentInfo LrQatQuantizer::kInfo = {
    "lr-qat",
    "Frozen integer weights with a trained low-rank adapter in the integer domain",
    "Bondarenko, Del Chiaro, Nagel 2024, arXiv:2406.06385",
    1,
    kAbilities,
    kOptions,
    std::size(kOptions)};

absl::StatusOr<std::unique_ptr<Quantizer>> LrQatQuantizer::Create(const Options& options) {
  Config config;
  config.format = ReadIntFormat(options);
  config.storage = ParseStorage(options.String("frozen"));
  config.rank = options.Int("rank");
  config.alpha = options.Float("alpha");
  const std::string range = options.String("range");
  config.range = range == "mse" ? Range::kMse : range == "parent" ? Range::kParent : Range::kAbsMax;
  config.divisor = DivisorOf(options.String("divisor"), config.format.bits);
  config.a_lr = options.Float("a_lr");
  config.b_lr = options.Float("b_lr");
  config.scale_lr = options.Float("scale_lr");
  if (config.storage == Storage::kInt4 && config.format.bits > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("frozen = \"int4\" holds codes of up to 4 bits, and bits is ",
                     config.format.bits, "; take frozen = \"fixed\""));
  }
  return std::make_unique<LrQatQuantizer>(config);
}

absl::Status LrQatQuantizer::Check(const char* operand, int64_t in_features,
                                   int64_t out_features) const {
  if (std::strcmp(operand, kWeight) != 0) {
    return absl::InvalidArgumentError(
        "lr-qat quantizes weights; give the input a quantizer of its own");
  }
  if (config_.rank > std::min(in_features, out_features)) {
    return absl::InvalidArgumentError(absl::StrCat("rank = ", config_.rank,
                                                   " exceeds the rank of a weight of ",
                                                   out_features, " x ", in_features));
  }
  return config_.format.Check(in_features);
}

absl::StatusOr<std::unique_ptr<LinearOperator>> LrQatQuantizer::AttachLinear(
    const AttachContext& context, bool owns_input) const {
  const at::NoGradGuard no_grad;
  QATLAS_RETURN_IF_ERROR(
      Check(owns_input ? kInput : kWeight, context.in_features, context.out_features));
  const int64_t rows = context.out_features;
  const int64_t features = context.in_features;
  const IntFormat& format = config_.format;
  const at::TensorOptions fp32 = context.weight.options().dtype(at::kFloat).requires_grad(false);

  FrozenWeight weight;
  weight.storage = config_.storage;
  weight.format = format;
  weight.in_features = features;
  weight.factor = config_.alpha / static_cast<double>(config_.rank);
  weight.stored = at::zeros(StoredShape(config_.storage, rows, features),
                            fp32.dtype(StorageType(config_.storage)));
  at::Tensor scales = at::ones(format.ScaleShape(rows, features), fp32);
  at::Tensor b = at::empty({config_.rank, features}, fp32);
  const bool has_values = !context.restoring && !context.weight.is_meta();
  if (has_values) {
    // Drawn on the CPU, so that every device starts from the same values.
    at::Generator generator = at::detail::createCPUGenerator(context.seed & 0xffffffffu);
    const double bound = 1 / std::sqrt(static_cast<double>(features));
    b.copy_(at::empty(b.sizes(), at::kFloat).uniform_(-bound, bound, generator));

    Parent parent;
    if (config_.range == Range::kParent) {
      QATLAS_ASSIGN_OR_RETURN(parent, TakeParent(context, config_));
    }
    const int64_t block = std::max<int64_t>(kBlockElements / features, 1);
    for (int64_t row = 0; row < rows; row += block) {
      const int64_t count = std::min(block, rows - row);
      const at::Tensor values = context.weight.narrow(0, row, count).to(at::kFloat);
      QATLAS_RETURN_IF_ERROR(AllFinite(values));
      at::Tensor scale = scales.narrow(0, row, count);
      scale.copy_(parent.scales.defined() ? parent.scales.narrow(0, row, count)
                                          : EstimateScales(values, config_));
      QATLAS_RETURN_IF_ERROR(AllFinite(scale));
      const at::Tensor scaled = values / Expand(scale, format.GroupSize(features), features);
      at::Tensor codes = scaled.clone();
      if (parent.codes.defined()) {
        codes.copy_(parent.codes.narrow(0, row, count));
      } else {
        RoundToCodes(codes, format.bits);
      }
      weight.stored.narrow(0, row, count)
          .copy_(Downcast(scaled, codes, config_.storage, format.bits));
    }
  } else if (!context.weight.is_meta()) {
    b.zero_();
  }
  return std::make_unique<LrQatLinear>(config_, std::move(weight), std::move(scales), std::move(b));
}

}  // namespace qatlas::lr_qat
