#include "sdk/conformance/torch/model_learning.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/model_cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

// Adds a trained multiple of fixed noise to an operand: what it touches moves, and the loss reaches
// it.
class Disturbance final : public OperandQuantizer {
 public:
  explicit Disturbance(uint64_t seed)
      : seed_(seed), size_(at::full({}, 0.5, at::kFloat).requires_grad_()) {}
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    return x + (size_ * Normal(x.sizes(), seed_)).to(x.scalar_type());
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor&) override {
    return absl::UnimplementedError("a disturbance is not stored");
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded&) override {
    return absl::UnimplementedError("a disturbance is not stored");
  }
  double BitsPerElement(int64_t, int64_t) const override { return 32; }
  const at::Tensor& size() const { return size_; }

 private:
  uint64_t seed_;
  at::Tensor size_;
};

// Owns a linear with a copy of its weight, and frees the master weight.
class Owner final : public LinearOperator {
 public:
  explicit Owner(const at::Tensor& weight) : weight_(weight.detach().clone().requires_grad_()) {}
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) override {
    const at::Tensor given = bias.defined() ? bias.to(x.scalar_type()) : bias;
    return at::linear(x, weight_.to(x.scalar_type()), given);
  }
  bool KeepsMasterWeight() const override { return false; }
  at::Tensor EffectiveWeight() override { return weight_; }
  absl::StatusOr<Encoded> EncodeWeight() override { return absl::UnimplementedError("not stored"); }
  absl::StatusOr<at::Tensor> Decode(const Encoded&) override {
    return absl::UnimplementedError("not stored");
  }
  double BitsPerWeight() const override { return 32; }

 private:
  at::Tensor weight_;
};

struct Batch {
  at::Tensor tokens, targets;
  std::string words;
};
Batch RandomBatch(const ModelCase& one, uint64_t seed) {
  Tokens tokens = RandomTokens(kBatch, kTime + 1, one.builder->VocabularySize(), seed);
  return {tokens.ids.narrow(1, 0, kTime).contiguous(), tokens.ids.narrow(1, 1, kTime).contiguous(),
          absl::StrCat(tokens.words, ", each the target of the one before")};
}

at::Tensor MeanLoss(Model& model, const Batch& batch) {
  return model.Loss(batch.tokens, batch.targets, LossReduction::kMean);
}

}  // namespace

void CheckSitesReached(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kSensible, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const Batch batch = RandomBatch(one, probe.seed() + 7);
    const at::Tensor base = model->Logits(batch.tokens).detach();
    for (QuantizableLinear* linear : model->Linears()) {
      for (const bool weight : {true, false}) {
        const Site site = weight ? linear->WeightSite() : linear->InputSite();
        probe.Trying(absl::StrCat(one.Words(), "; x + 0.5 torch.randn at site ", site.Name(), "; ",
                                  batch.words));
        auto disturbance = std::make_shared<Disturbance>(probe.seed() + 11);
        if (weight) {
          linear->SetWeightQuantizer(disturbance);
        } else {
          linear->SetInputQuantizer(disturbance);
        }
        const at::Tensor logits = model->Logits(batch.tokens);
        MeanLoss(*model, batch).backward();
        linear->SetWeightQuantizer(nullptr);
        linear->SetInputQuantizer(nullptr);
        if (BitDifference(logits, base).empty()) {
          probe.Fail(absl::StrCat("a quantizer at site ", site.Name(), " changes no logit"));
          continue;
        }
        const at::Tensor gradient = disturbance->size().grad();
        if (!gradient.defined() || gradient.item<double>() == 0) {
          probe.Fail(absl::StrCat("a trained parameter of a quantizer at site ", site.Name(),
                                  " gets no gradient"));
        }
      }
    }
    const std::string difference = BitDifference(model->Logits(batch.tokens), base);
    if (!difference.empty()) {
      probe.Fail(absl::StrCat(
          "logits before quantizers were attached and after they were taken off: ", difference));
    }
  });
}

void CheckOwnedLinears(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kSensible, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const Batch batch = RandomBatch(one, probe.seed() + 13);
    const at::Tensor base = model->Logits(batch.tokens).detach();
    const size_t before = model->Parameters().size();
    const std::vector<QuantizableLinear*> linears = model->Linears();
    for (QuantizableLinear* linear : linears) {
      linear->SetOperator(std::make_shared<Owner>(linear->weight()));
    }
    probe.Trying(absl::StrCat(
        one.Words(), "; every linear owned by an operator that frees its weight; ", batch.words));
    for (const NamedParameter& parameter : model->Parameters()) {
      if (!parameter.tensor.defined()) {
        probe.Fail(absl::StrCat("'", parameter.name, "' is listed, but its tensor was freed"));
        return;
      }
    }
    if (model->Parameters().size() + linears.size() != before) {
      probe.Fail(absl::StrCat("Parameters() lists ", model->Parameters().size(), " of ", before,
                              " after ", linears.size(), " weights were freed"));
    }
    const std::string difference = Difference(model->Logits(batch.tokens), base, 1e-5);
    if (!difference.empty()) {
      probe.Fail(absl::StrCat("logits with operators that compute the same linears, and without: ",
                              difference));
    }
    MeanLoss(*model, batch).backward();
    for (QuantizableLinear* linear : linears) {
      if (!linear->linear_operator()->EffectiveWeight().grad().defined()) {
        probe.Fail(absl::StrCat("the operator of ", linear->Name(), " gets no gradient"));
      }
    }
  });
}

void CheckInitialLoss(const Subject& subject, Probe& probe) {
  double worst = 0;
  ForEachModel(subject, probe, Which::kSensible, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const at::NoGradGuard no_grad;
    const Batch batch = RandomBatch(one, probe.seed() + 17);
    probe.Trying(absl::StrCat(one.Words(), ", seed 0; ", batch.words));
    const double loss = MeanLoss(*model, batch).item<double>();
    const double uniform = std::log(static_cast<double>(one.builder->VocabularySize()));
    const double gap = std::abs(loss - uniform);
    worst = std::max(worst, gap);
    // Rounding keeps a tiny vocabulary from a bound of nothing.
    if (!(gap <= 0.1 * uniform + 0.05)) {
      probe.Fail(
          absl::StrCat("the loss before training is ", loss, " nats; ln(vocabulary) is ", uniform));
    }
  });
  probe.Measured("largest distance from ln(vocabulary)", worst, "nats");
}

void CheckOverfits(const Subject& subject, Probe& probe) {
  constexpr int kSteps = 100;
  double worst = 0;
  ForEachModel(subject, probe, Which::kSensible, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const Batch batch = RandomBatch(one, probe.seed() + 19);
    probe.Trying(
        absl::StrCat(one.Words(), "; ", kSteps, " steps of Adam at 1e-2 on ", batch.words));
    Adam adam(model->Parameters(), 1e-2);
    double first = 0;
    for (int step = 0; step < kSteps; ++step) {
      const at::Tensor loss = MeanLoss(*model, batch);
      if (step == 0) first = loss.item<double>();
      loss.backward();
      adam.Step();
    }
    const at::NoGradGuard no_grad;
    const double last = MeanLoss(*model, batch).item<double>();
    worst = std::max(worst, last / first);
    if (!(last <= first / 2)) {
      probe.Fail(absl::StrCat("the loss on one batch goes from ", first, " to ", last, " nats"));
    }
  });
  probe.Measured("largest share of the first loss that is left", worst, "");
}

void CheckGradients(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kSensible, [&](const ModelCase& one) {
    for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
      BuildSettings settings;
      settings.compute = compute;
      const auto model = BuildModel(one, probe, settings);
      if (model == nullptr) return;
      const Batch batch = RandomBatch(one, probe.seed() + 23);
      probe.Trying(absl::StrCat(one.Words(), ", computing in ", DtypeText(compute),
                                "; after 2 steps of Adam at 1e-2 on ", batch.words));
      // Some parameters start at 0 and hide others: they move first.
      Adam adam(model->Parameters(), 1e-2);
      for (int step = 0; step < 2; ++step) {
        MeanLoss(*model, batch).backward();
        adam.Step();
      }
      MeanLoss(*model, batch).backward();
      for (const NamedParameter& parameter : model->Parameters()) {
        const at::Tensor gradient = parameter.tensor.grad();
        if (!gradient.defined() || LargestMagnitude(gradient) == 0) {
          probe.Fail(absl::StrCat("'", parameter.name, "' gets no gradient"));
        } else if (!AllFinite(gradient)) {
          probe.Fail(absl::StrCat("the gradient of '", parameter.name, "' is not finite"));
        }
      }
    }
  });
}

}  // namespace qatlas::conformance
