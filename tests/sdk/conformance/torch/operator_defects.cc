#include "tests/sdk/conformance/torch/sound_quantizers.h"

namespace qatlas::conformance::testing {
namespace {

class DropsBias : public OwnedWeight {
 public:
  using OwnedWeight::OwnedWeight;
  at::Tensor Forward(const at::Tensor& x, const at::Tensor&) override {
    return OwnedWeight::Forward(x, {});
  }
};

class HoldsMaster : public OwnedWeight {
 public:
  explicit HoldsMaster(const AttachContext& context)
      : OwnedWeight(context), master_(context.weight) {}

 private:
  at::Tensor master_;
};

class PassesEverywhere : public OwnedWeight {
 public:
  using OwnedWeight::OwnedWeight;
  at::Tensor EffectiveWeight() override {
    const at::Tensor u = weight_ / scale_;
    return scale_ * StraightThrough(u, u.detach().round().clamp(-8, 7)) + 0.0;
  }
};

class HalvesGradient : public OwnedWeight {
 public:
  using OwnedWeight::OwnedWeight;
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) override {
    return OwnedWeight::Forward(ScaleGradient(x, 0.5), bias);
  }
};

class LosesScales : public OwnedWeight {
 public:
  using OwnedWeight::OwnedWeight;
  std::vector<NamedTensor> Buffers() override { return {}; }
};

}  // namespace

std::vector<Defect> OperatorDefects() {
  return {
      MakeDefect<QuantizerOf<OwnedWeight>>("sound-operator", kOwner, {}),
      MakeDefect<QuantizerOf<DropsBias>>("drops-bias", kOwner, {"effective-weight"}),
      MakeDefect<QuantizerOf<HoldsMaster>>("holds-master", kOwner, {"freed-weight"}),
      MakeDefect<QuantizerOf<PassesEverywhere>>("passes-everywhere", kOwner,
                                                {"parameter-gradient"}),
      MakeDefect<QuantizerOf<HalvesGradient>>("halves-gradient", kOwner, {"input-gradient"}),
      MakeDefect<QuantizerOf<LosesScales>>("loses-scales", kOwner, {"restore"}),
  };
}

}  // namespace qatlas::conformance::testing
