#include <cmath>
#include <utility>

#include "ATen/Parallel.h"
#include "qatlas/reduce.h"
#include "tests/sdk/conformance/torch/sound_quantizers.h"

namespace qatlas::conformance::testing {
namespace {

class AttachesEighths : public QuantizerOf<RowMax> {
 public:
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const override {
    if (context.in_features % 8 != 0) return absl::InvalidArgumentError("features come in eights");
    return QuantizerOf<RowMax>::AttachOperand(operand, context);
  }
};

class SameNames : public LearnedStep {
 public:
  explicit SameNames(const AttachContext& context)
      : LearnedStep(context),
        count_(at::zeros({1}, context.weight.options().requires_grad(false))) {}
  std::vector<NamedTensor> Buffers() override { return {{"step", count_}}; }

 private:
  at::Tensor count_;
};

class OneCodeMore : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override { return rows.abs().amax(1, true) / 8; }
  at::Tensor Codes(const at::Tensor& v) const override { return v.round().clamp(-8, 8); }
};

class Lossy : public RowMax {
 public:
  using RowMax::RowMax;
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override {
    return DecodeInt(encoded)->mul(1 + 1e-2);
  }
};

// A positive maximum is clipped to 7 of 8 steps, and the next time there is a smaller maximum.
class Shrinking : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override { return rows.abs().amax(1, true) / 8; }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.max_error = 1.0 / 8;
    return claims;
  }
};

class TowardZero : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Codes(const at::Tensor& v) const override { return v.trunc(); }
};

class TooProud : public RowMax {
 public:
  using RowMax::RowMax;
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.max_error = 0.01;
    return claims;
  }
};

class ClaimsGroups : public RowMax {
 public:
  using RowMax::RowMax;
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.region = Region::kGroup;
    claims.group = 8;
    claims.max_error = kNoLimit;
    return claims;
  }
};

class ForgetsScales : public RowMax {
 public:
  using RowMax::RowMax;
  double BitsPerElement(int64_t, int64_t) const override { return 4; }
};

class MasksLarge : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    const at::Tensor value = RowMax::FakeQuantize(x.detach());
    return StraightThrough(x.clamp(-1, 1), value);
  }
};

// The step's gradient is the code, as if x did not depend on it.
class CodeAsGradient : public LearnedStep {
 public:
  using LearnedStep::LearnedStep;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    const at::Tensor step = Step().view({1});
    const at::Tensor v = x.detach().to(at::kFloat) / step.detach();
    const at::Tensor value = (step * v.clamp(-8, 7).round() + 0.0).to(x.scalar_type());
    const at::Tensor inside = v.ge(-8).logical_and(v.le(7)).to(x.scalar_type());
    // A straight-through term whose value is an exact 0 (of finite values).
    return value + (x * inside - (x * inside).detach()).nan_to_num(0, 0, 0);
  }
};

class Unguarded : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    const at::Tensor rows = x.detach().to(at::kFloat).reshape({-1, x.size(-1)});
    const at::Tensor scale = Scale(rows);
    const at::Tensor value = (rows / scale).round().clamp(-8, 7) * scale + 0.0;
    return StraightThrough(x, value.view(x.sizes()).to(x.scalar_type()));
  }
};

class HidesNan : public LearnedStep {
 public:
  using LearnedStep::LearnedStep;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    return LearnedStep::FakeQuantize(x.nan_to_num(0, INFINITY, -INFINITY));
  }
};

// Reads memory as if it were contiguous.
class IgnoresStrides : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    if (x.numel() == 0) return RowMax::FakeQuantize(x);
    const at::Tensor plain =
        at::from_blob(x.data_ptr(), x.sizes(), x.options().requires_grad(false));
    return StraightThrough(x, RowMax::FakeQuantize(plain));
  }
};

class NeedsTokens : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    x.detach().abs().max();  // throws where there is no element
    return RowMax::FakeQuantize(x);
  }
};

// In training only.
class WritesArgument : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    const at::Tensor result = RowMax::FakeQuantize(x);
    if (!at::GradMode::is_enabled() || x.numel() == 0) return result;
    at::Tensor first = x.detach();
    while (first.dim() > 0) first = first.select(0, 0);
    first.add_(1e-3);
    return result;
  }
};

// Scales of bfloat16 operands in bfloat16.
class NarrowScales : public RowMax {
 public:
  using RowMax::RowMax;
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override {
    narrow_ = x.scalar_type() == at::kBFloat16;
    return RowMax::Encode(x);
  }
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    narrow_ = x.scalar_type() == at::kBFloat16;
    return RowMax::FakeQuantize(x);
  }
  at::Tensor Scale(const at::Tensor& rows) const override {
    const at::Tensor scale = RowMax::Scale(rows);
    return narrow_ ? scale.to(at::kBFloat16).to(at::kFloat) : scale;
  }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.max_error = kNoLimit;
    return claims;
  }

 private:
  bool narrow_ = false;
};

class CountsThreads : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override {
    return RowMax::Scale(rows) * (at::get_num_threads() == 1 ? 1.0 : 1 + 1e-6);
  }
};

// One scale for the tensor, the mean magnitude: summed as ATen does, in an order that depends on
// the number of threads, or not.
template <bool ordered>
class MeanStep : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override {
    const at::Tensor sizes = rows.abs();
    if (ordered || rows.numel() == 0) return OrderedMean(sizes).to(at::kFloat).view({1, 1});
    const at::Tensor largest = sizes.amax().clamp_min(1e-30);  // so that no sum overflows
    return (sizes / largest).mean().mul(largest).view({1, 1});
  }
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return 4 + 32.0 / static_cast<double>(rows * features);
  }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.region = Region::kTensor;
    claims.max_error = kNoLimit;
    return claims;
  }
};

class Dithers : public RowMax {
 public:
  using RowMax::RowMax;
  // Large operands only, so that other checks see nothing of it.
  at::Tensor Codes(const at::Tensor& v) const override {
    if (v.numel() < 50000) return RowMax::Codes(v);
    return RowMax::Codes(v + at::rand_like(v) - 0.5);
  }
};

// Counts steps in a place that no checkpoint has.
class Forgets : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override {
    return RowMax::Scale(rows) * (1 + 0.01 * steps_);
  }
  void AfterStep(const StepInfo&) override { ++steps_; }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.max_error = kNoLimit;
    return claims;
  }

 private:
  int steps_ = 0;
};

class AllocatesOnMeta : public LearnedStep {
 public:
  explicit AllocatesOnMeta(const AttachContext& context) : LearnedStep(context) {
    if (context.weight.is_meta()) step_ = at::full({1, 1}, 0.3, at::kFloat).requires_grad_();
  }
};

class GivenScale : public RowMax {
 public:
  explicit GivenScale(double scale) : scale_(scale) {}
  at::Tensor Scale(const at::Tensor& rows) const override {
    return at::where(rows.isfinite().all(1, true), scale_, RowMax::Scale(rows));
  }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.region = Region::kRow;
    claims.max_error = kNoLimit;
    return claims;
  }

 private:
  double scale_;
};

class RemembersFirst : public QuantizerOf<RowMax> {
 public:
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char*, const AttachContext& context) const override {
    if (!context.weight.is_meta() && scale_ == 0) {
      scale_ = context.weight.detach().abs().max().item<double>() / 7;
    }
    return std::make_unique<GivenScale>(scale_);
  }

 private:
  mutable double scale_ = 0;
};

int shared_steps = 0;
class Shares : public RowMax {
 public:
  using RowMax::RowMax;
  at::Tensor Scale(const at::Tensor& rows) const override {
    return RowMax::Scale(rows) * (1 + 0.01 * (shared_steps % 50));
  }
  void AfterStep(const StepInfo&) override { ++shared_steps; }
  Claims Claimed() const override {
    Claims claims = RowMax::Claimed();
    claims.max_error = kNoLimit;
    return claims;
  }
};

// A step of sqrt(p), with nothing that keeps p positive.
class NoFloor : public LearnedStep {
 public:
  using LearnedStep::LearnedStep;
  void AfterStep(const StepInfo&) override {}

 protected:
  at::Tensor Step() const override { return step_.sqrt(); }
};

class WidePenalty : public LearnedStep {
 public:
  using LearnedStep::LearnedStep;
  at::Tensor Penalty() override { return step_.square().view({1}); }
};

constexpr const char* kMisspelt[] = {"weight", "input", "idempotant", nullptr};
constexpr const char* kIdempotent[] = {"weight", "input", "idempotent", nullptr};
constexpr const char* kWrongLabel[] = {"weight", "input", "bits:3", nullptr};

}  // namespace

std::vector<Defect> QuantizerDefects() {
  return {
      MakeDefect<QuantizerOf<RowMax>>("sound-stateless", kStateless, {}),
      MakeDefect<QuantizerOf<LearnedStep>>("sound-learned", kStateful, {}),
      MakeDefect<QuantizerOf<MeanStep<true>>>("sound-mean", kStateless, {}),
      MakeDefect<QuantizerOf<RowMax>>("misspelt-ability", kMisspelt, {"abilities"}),
      MakeDefect<QuantizerOf<LearnedStep>>("undeclared-state", kStateless, {"abilities"}),
      MakeDefect<QuantizerOf<RowMax>>("state-that-is-none", kStateful, {"abilities"}),
      MakeDefect<QuantizerOf<RowMax>>("wrong-label", kWrongLabel, {"abilities"}),
      MakeDefect<AttachesEighths>("accepts-any-width", kStateless, {"accepted-shapes"}),
      MakeDefect<QuantizerOf<SameNames>>("same-names", kStateful, {"parameters"}),
      MakeDefect<QuantizerOf<OneCodeMore>>("one-code-more", kStateless, {"codes-in-range"}),
      // Odd values are decoded as well.
      MakeDefect<QuantizerOf<Lossy>>("lossy-decode", kStateless,
                                     {"decode-equals-fake-quantized", "odd-values"}),
      MakeDefect<QuantizerOf<Shrinking>>("not-idempotent", kIdempotent, {"idempotent"}),
      MakeDefect<QuantizerOf<TowardZero>>("toward-zero", kStateless, {"error-bound"}),
      MakeDefect<QuantizerOf<TooProud>>("too-proud", kStateless, {"error-bound"}),
      MakeDefect<QuantizerOf<ClaimsGroups>>("claims-groups", kStateless, {"region"}),
      MakeDefect<QuantizerOf<ForgetsScales>>("forgets-scales", kStateless, {"bits-per-element"}),
      MakeDefect<QuantizerOf<MasksLarge>>("masks-large", kStateless, {"input-gradient"}),
      MakeDefect<QuantizerOf<CodeAsGradient>>("code-as-gradient", kStateful,
                                              {"parameter-gradient"}),
      MakeDefect<QuantizerOf<Unguarded>>("nan-of-zeros", kStateless, {"odd-values"}),
      MakeDefect<QuantizerOf<HidesNan>>("hides-nan", kStateful, {"odd-values"}),
      MakeDefect<QuantizerOf<IgnoresStrides>>("ignores-strides", kStateless, {"odd-shapes"}),
      MakeDefect<QuantizerOf<NeedsTokens>>("needs-tokens", kStateless, {"odd-shapes"}),
      MakeDefect<QuantizerOf<WritesArgument>>("writes-argument", kStateless, {"odd-shapes"}),
      MakeDefect<QuantizerOf<NarrowScales>>("narrow-scales", kStateless, {"dtypes"}),
      MakeDefect<QuantizerOf<CountsThreads>>("counts-threads", kStateless, {"deterministic"}),
      // In another memory layout it sums in another order too.
      MakeDefect<QuantizerOf<MeanStep<false>>>("unordered-mean", kStateless,
                                               {"deterministic", "odd-shapes"}),
      MakeDefect<QuantizerOf<Dithers>>("dithers", kStateless, {"deterministic"}),
      MakeDefect<QuantizerOf<Forgets>>("forgets-steps", kStateless, {"restore"}),
      MakeDefect<QuantizerOf<AllocatesOnMeta>>("allocates-on-meta", kStateful, {"meta-device"}),
      MakeDefect<RemembersFirst>("remembers-first", kStateless, {"attach-in-mid-training"}),
      MakeDefect<QuantizerOf<Shares>>("shares-state", kStateless, {"independent-instances"}),
      MakeDefect<QuantizerOf<NoFloor>>("no-floor", kStateful, {"steps-and-penalty"}),
      MakeDefect<QuantizerOf<WidePenalty>>("wide-penalty", kStateful, {"steps-and-penalty"}),
  };
}

}  // namespace qatlas::conformance::testing
