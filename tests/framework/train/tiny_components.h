// The classes behind TinyComponents.
#ifndef QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_COMPONENTS_H_
#define QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_COMPONENTS_H_

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qatlas/gradient.h"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train::testing {

class TinyModel : public Model {
 public:
  TinyModel(int64_t width, int64_t blocks, const BuildContext& context)
      : compute_(context.compute) {
    auto make = [context](uint64_t salt, at::IntArrayRef shape) {
      at::Tensor t;
      if (context.device.is_meta()) {
        t = at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(context.device));
      } else {
        at::Generator g = at::make_generator<at::CPUGeneratorImpl>(context.seed * 1000 + salt);
        t = at::normal(0.0, .4, shape, g, at::kFloat);
      }
      return t.requires_grad_(true);
    };
    embedding_ = make(1, {kVocabulary, width});
    head_ = make(2, {kVocabulary, width});
    auto linear = [&](int64_t block, const char* role, uint64_t salt, int64_t out, int64_t in) {
      linears_.push_back(
          std::make_unique<QuantizableLinear>(static_cast<int>(block), role, out, in, [=] {
            return make(salt, {out, in});
          }));
      if (!context.put_off_weights) linears_.back()->MakeWeight();
    };
    for (int64_t b = 0; b < blocks; ++b) {
      linear(b, "fc1", 10 + 2 * b, 2 * width, width);
      linear(b, "fc2", 11 + 2 * b, width, 2 * width);
    }
  }
  at::Tensor Logits(const at::Tensor& tokens) override {
    at::Tensor x = at::embedding(embedding_, tokens).to(compute_);
    for (size_t i = 0; i < linears_.size(); i += 2) {
      x = x + linears_[i + 1]->Forward(at::tanh(linears_[i]->Forward(x)));
    }
    return at::linear(x, head_.to(compute_)).to(at::kFloat);
  }
  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  LossReduction reduction) override {
    const at::Tensor logits = Logits(tokens).reshape({-1, kVocabulary});
    if (reduction == LossReduction::kMean) {
      return at::cross_entropy_loss(logits, targets.reshape({-1}));
    }
    return at::cross_entropy_loss(logits, targets.reshape({-1}), {}, at::Reduction::None)
        .view(targets.sizes())
        .mean(1);
  }
  std::vector<NamedParameter> Parameters() override {
    std::vector<NamedParameter> result = {{"embedding.weight", embedding_, "model", false}};
    for (const auto& linear : linears_) {
      if (linear->weight().defined())
        result.push_back({linear->Name() + ".weight", linear->weight()});
    }
    result.push_back({"head.weight", head_});
    return result;
  }
  std::vector<QuantizableLinear*> Linears() override {
    std::vector<QuantizableLinear*> result;
    for (const auto& linear : linears_) result.push_back(linear.get());
    return result;
  }

 private:
  at::ScalarType compute_;
  at::Tensor embedding_;
  at::Tensor head_;
  std::vector<std::unique_ptr<QuantizableLinear>> linears_;
};

class TinyBuilder : public ModelBuilder {
 public:
  TinyBuilder(int64_t width, int64_t blocks) : width_(width), blocks_(blocks) {}
  ModelCounts Counts(int64_t) const override {
    ModelCounts counts;
    counts.block_linears = 4 * width_ * width_ * blocks_;
    counts.embedding = counts.head = kVocabulary * width_;
    counts.forward_flops_per_token = 2.0 * static_cast<double>(counts.block_linears + counts.head);
    return counts;
  }
  int64_t VocabularySize() const override { return kVocabulary; }
  absl::StatusOr<std::unique_ptr<Model>> Build(const BuildContext& context) const override {
    return std::make_unique<TinyModel>(width_, blocks_, context);
  }

 private:
  int64_t width_;
  int64_t blocks_;
};

// What the quantizers below share.
class TinyQuantizer : public Quantizer {
 public:
  explicit TinyQuantizer(int64_t bits) : bits_(bits) {}
  absl::Status Check(const char*, int64_t, int64_t) const override { return absl::OkStatus(); }
  double NominalBits() const override { return static_cast<double>(bits_); }
  int64_t NominalGroup() const override { return 0; }

 protected:
  int64_t bits_;
};

class AbsMax : public OperandQuantizer {
 public:
  explicit AbsMax(int64_t bits) : top_(std::exp2(static_cast<double>(bits - 1)) - 1), bits_(bits) {}
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    at::Tensor value;
    {
      at::NoGradGuard no_grad;
      const at::Tensor scale = Scale(x);
      // Adding zero makes -0 an ordinary zero, which is all that a code can say.
      value = (at::round(x / scale) * scale).add(0.0);
    }
    return StraightThrough(x, value);
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override {
    Encoded encoded;
    encoded.layout = "test-absmax";
    const at::Tensor scale = Scale(x.detach());
    encoded.tensors = {{"codes", at::round(x.detach() / scale).to(at::kChar)}, {"scales", scale}};
    return encoded;
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override {
    return encoded.tensors.at("codes").to(at::kFloat) * encoded.tensors.at("scales");
  }
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return static_cast<double>(bits_) + 32.0 / static_cast<double>(rows * features);
  }

 private:
  at::Tensor Scale(const at::Tensor& x) const { return x.abs().amax().div(top_).clamp_min(1e-8); }
  double top_;
  int64_t bits_;
};

// A learned step with a buffer; noisy in training where asked.
class LearnedStep : public OperandQuantizer {
 public:
  LearnedStep(double initial, double noise, double poison)
      : step_(at::full({}, initial, at::kFloat).requires_grad_(true)),
        count_(at::zeros({}, at::kLong)),
        noise_(noise),
        poison_(poison) {}
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    at::Tensor v = (x / step_).clamp(-7, 7);
    at::Tensor y = step_ * StraightThrough(v, at::round(v.detach()));
    if (at::GradMode::is_enabled()) {
      if (noise_ > 0) y = y + noise_ * at::randn_like(x.detach());
      if (poison_ > 0 && count_.item<int64_t>() >= 2) y = y * poison_;
    }
    return y;
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor&) override {
    return absl::UnimplementedError("not for export");
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded&) override {
    return absl::UnimplementedError("not for export");
  }
  double BitsPerElement(int64_t, int64_t) const override { return 4; }
  std::vector<NamedParameter> Parameters() override {
    NamedParameter parameter{"step", step_, "step", false};
    parameter.learning_rate = 1e-3;
    return {parameter};
  }
  std::vector<NamedTensor> Buffers() override { return {{"count", count_}}; }
  void AfterStep(const StepInfo&) override {
    count_.add_(1);
    step_.clamp_min_(1e-4);
  }

 private:
  at::Tensor step_;
  at::Tensor count_;
  double noise_;
  double poison_;
};

class Adapter : public LinearOperator {
 public:
  explicit Adapter(const AttachContext& context)
      : base_(context.weight.clone()), delta_(at::zeros_like(base_).requires_grad_(true)) {}
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) override {
    return at::linear(x, base_ + delta_, bias);
  }
  bool KeepsMasterWeight() const override { return false; }
  at::Tensor EffectiveWeight() override { return base_ + delta_; }
  absl::StatusOr<Encoded> EncodeWeight() override {
    Encoded encoded;
    encoded.layout = "test-plain";
    encoded.tensors = {{"values", EffectiveWeight()}};
    return encoded;
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override {
    return encoded.tensors.at("values");
  }
  double BitsPerWeight() const override { return 32; }
  std::vector<NamedParameter> Parameters() override { return {{"delta", delta_, "adapter"}}; }
  std::vector<NamedTensor> Buffers() override { return {{"base", base_}}; }
  at::Tensor Penalty() override { return .01 * delta_.square().sum(); }

 private:
  at::Tensor base_;
  at::Tensor delta_;
};

class AbsMaxQuantizer : public TinyQuantizer {
 public:
  using TinyQuantizer::TinyQuantizer;
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char*, const AttachContext&) const override {
    return std::make_unique<AbsMax>(bits_);
  }
};

// Its codes lose a little: what export must refuse.
class Lossy : public AbsMax {
 public:
  using AbsMax::AbsMax;
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override {
    return AbsMax::Decode(encoded)->mul(1 + 1e-6);
  }
};

class LossyQuantizer : public TinyQuantizer {
 public:
  using TinyQuantizer::TinyQuantizer;
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char*, const AttachContext&) const override {
    return std::make_unique<Lossy>(bits_);
  }
};

// Notes what it is told of the training's length.
class Watched : public AbsMax {
 public:
  using AbsMax::AbsMax;
  void AfterStep(const StepInfo& info) override { watched_steps.push_back(info); }
};

class WatchedQuantizer : public TinyQuantizer {
 public:
  using TinyQuantizer::TinyQuantizer;
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char*, const AttachContext& context) const override {
    watched_totals.push_back(context.total_steps);
    return std::make_unique<Watched>(bits_);
  }
};

class PickyQuantizer : public AbsMaxQuantizer {
 public:
  using AbsMaxQuantizer::AbsMaxQuantizer;
  absl::Status Check(const char*, int64_t in, int64_t) const override {
    if (in == 6) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("group = 6 does not divide ", in));
  }
};

class StepQuantizer : public TinyQuantizer {
 public:
  StepQuantizer(double noise, double poison) : TinyQuantizer(4), noise_(noise), poison_(poison) {}
  CalibrationNeeds Calibration(const char* operand) const override {
    CalibrationNeeds needs;
    if (std::string(operand) == kInput) needs.tokens = 10;
    return needs;
  }
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const override {
    double initial = .1;
    if (std::string(operand) == kInput && !context.restoring && !context.weight.is_meta()) {
      if (context.calibration == nullptr) return absl::InternalError("no calibration");
      initial = context.calibration->mean_abs.item<double>() / 3;
    }
    return std::make_unique<LearnedStep>(initial, noise_, poison_);
  }

 private:
  double noise_;
  double poison_;
};

class AdapterQuantizer : public TinyQuantizer {
 public:
  AdapterQuantizer() : TinyQuantizer(32) {}
  absl::StatusOr<std::unique_ptr<LinearOperator>> AttachLinear(const AttachContext& context,
                                                               bool) const override {
    return std::make_unique<Adapter>(context);
  }
};

}  // namespace qatlas::train::testing

#endif  // QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_COMPONENTS_H_
