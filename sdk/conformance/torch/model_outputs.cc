#include "sdk/conformance/torch/model_outputs.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/model_cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

constexpr at::ScalarType kComputes[] = {at::kFloat, at::kBFloat16};

// Calls `body` with a model of each dtype of activations.
void ForEachBuilt(
    const Subject& subject, Probe& probe,
    const std::function<void(const ModelCase&, Model&, at::ScalarType, const std::string&)>& body) {
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    for (const at::ScalarType compute : kComputes) {
      BuildSettings settings;
      settings.compute = compute;
      const std::string words = absl::StrCat(one.Words(), ", computing in ", DtypeText(compute));
      probe.Trying(words);
      const auto model = BuildModel(one, probe, settings);
      if (model == nullptr) return;
      body(one, *model, compute, words);
    }
  });
}

// FLOPs of the products that ran on this thread while one lives.
struct Products {
  double linear = 0;     // mm, addmm
  double attention = 0;  // bmm, baddbmm, fused attention: over all pairs of positions
};
thread_local Products* products = nullptr;

at::IntArrayRef SizesOf(const c10::IValue& value) {
  return value.isTensor() ? value.toTensor().sizes() : at::IntArrayRef();
}

std::unique_ptr<at::ObserverContext> CountProduct(const at::RecordFunction& call) {
  const std::string name = call.name();
  const auto inputs = call.inputs();
  auto product = [&](size_t a, size_t b) {
    if (inputs.size() <= b) return 0.0;
    const at::IntArrayRef left = SizesOf(inputs[a]), right = SizesOf(inputs[b]);
    if (left.size() < 2 || right.size() < 2) return 0.0;
    double flops = 2.0 * static_cast<double>(right.back());
    for (const int64_t size : left) flops *= static_cast<double>(size);
    return flops;
  };
  if (name == "aten::mm") products->linear += product(0, 1);
  if (name == "aten::addmm") products->linear += product(1, 2);
  if (name == "aten::bmm") products->attention += product(0, 1);
  if (name == "aten::baddbmm") products->attention += product(1, 2);
  // Scores and values, each 2 · batch · heads · T · T · head size; the unfused form runs bmm.
  if (name == "qatlas::causal_attention" ||
      absl::StartsWith(name, "aten::_scaled_dot_product_flash_attention") ||
      absl::StartsWith(name, "aten::_scaled_dot_product_efficient_attention")) {
    const at::IntArrayRef q = SizesOf(inputs[0]), k = SizesOf(inputs[1]);
    if (q.size() == 4 && k.size() == 4) {
      products->attention += 4.0 * static_cast<double>(q[0] * q[1] * q[2] * k[2] * q[3]);
    }
  }
  return nullptr;
}

Products CountProducts(const std::function<void()>& run) {
  Products counted;
  products = &counted;
  const at::CallbackHandle handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(&CountProduct)
                                     .needsInputs(true)
                                     .scopes({at::RecordScope::FUNCTION}));
  run();
  at::removeCallback(handle);
  products = nullptr;
  return counted;
}

}  // namespace

void CheckCausal(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachBuilt(
      subject, probe,
      [&](const ModelCase& one, Model& model, at::ScalarType, const std::string& words) {
        const int64_t vocabulary = one.builder->VocabularySize();
        const Tokens tokens = RandomTokens(kBatch, kTime, vocabulary, probe.seed() + 29);
        const at::Tensor base = model.Logits(tokens.ids);
        for (const int64_t time : {int64_t{1}, kTime / 2, kTime - 1}) {
          probe.Trying(absl::StrCat(words, "; ", tokens.words, ", and with 1 added (modulo ",
                                    vocabulary, ") to all from position ", time, " on"));
          at::Tensor changed = tokens.ids.clone();
          changed.narrow(1, time, kTime - time).add_(1).remainder_(vocabulary);
          const at::Tensor logits = model.Logits(changed);
          const std::string earlier =
              BitDifference(logits.narrow(1, 0, time), base.narrow(1, 0, time));
          if (!earlier.empty()) {
            probe.Fail(absl::StrCat("later tokens change earlier logits: ", earlier));
          }
          if (!one.extreme &&
              BitDifference(logits.narrow(1, time, 1), base.narrow(1, time, 1)).empty()) {
            probe.Fail(absl::StrCat("the token at position ", time, " changes no logit there"));
          }
        }
      });
}

void CheckSequences(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const Tokens tokens =
        RandomTokens(kBatch, kTime, one.builder->VocabularySize(), probe.seed() + 31);
    const at::Tensor together = model->Logits(tokens.ids);
    for (int64_t i = 0; i < kBatch; ++i) {
      for (const int64_t time : {kTime, kTime / 2, int64_t{1}}) {
        probe.Trying(absl::StrCat(one.Words(), "; ", tokens.words, ", against tokens[", i, ":",
                                  i + 1, ", :", time, "] alone"));
        const at::Tensor alone = model->Logits(tokens.ids.narrow(0, i, 1).narrow(1, 0, time));
        const std::string difference =
            Difference(alone, together.narrow(0, i, 1).narrow(1, 0, time), 1e-4);
        if (!difference.empty()) {
          probe.Fail(absl::StrCat("logits of a sequence alone and among others: ", difference));
        }
      }
    }
  });
}

void CheckLoss(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachBuilt(
      subject, probe,
      [&](const ModelCase& one, Model& model, at::ScalarType compute, const std::string& words) {
        const Tokens tokens =
            RandomTokens(kBatch, kTime + 1, one.builder->VocabularySize(), probe.seed() + 37);
        const at::Tensor inputs = tokens.ids.narrow(1, 0, kTime);
        const at::Tensor targets = tokens.ids.narrow(1, 1, kTime);
        probe.Trying(
            absl::StrCat(words, "; ", tokens.words, ", each the target of the one before"));
        const at::Tensor mean = model.Loss(inputs, targets, LossReduction::kMean);
        const at::Tensor each = model.Loss(inputs, targets, LossReduction::kPerSequence);
        if (mean.dim() != 0 || mean.scalar_type() != at::kFloat || each.dim() != 1 ||
            each.numel() != kBatch || each.scalar_type() != at::kFloat) {
          probe.Fail(absl::StrCat("kMean gives ", ShapeText(mean.sizes()), " ",
                                  DtypeText(mean.scalar_type()), " and kPerSequence ",
                                  ShapeText(each.sizes()), " ", DtypeText(each.scalar_type()),
                                  "; they must be [] and [batch] in float32"));
          return;
        }
        std::string difference = Difference(each.mean(), mean, 1e-5);
        if (!difference.empty()) {
          probe.Fail(absl::StrCat("the mean of kPerSequence and kMean: ", difference));
        }
        const at::Tensor expected = at::log_softmax(model.Logits(inputs).to(at::kDouble), -1)
                                        .gather(-1, targets.unsqueeze(-1))
                                        .squeeze(-1)
                                        .neg()
                                        .mean(1);
        difference = Difference(each, expected, compute == at::kFloat ? 1e-5 : 1e-3);
        if (!difference.empty()) {
          probe.Fail(
              absl::StrCat("the loss of each sequence and the cross-entropy of its logits, in "
                           "nats a token: ",
                           difference));
        }
      });
}

void CheckModelDtypes(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const Tokens tokens =
        RandomTokens(kBatch, kTime, one.builder->VocabularySize(), probe.seed() + 41);
    at::Tensor logits[2];
    for (int i = 0; i < 2; ++i) {
      BuildSettings settings;
      settings.compute = kComputes[i];
      probe.Trying(absl::StrCat(one.Words(), ", computing in ", DtypeText(kComputes[i]), "; ",
                                tokens.words));
      const auto model = BuildModel(one, probe, settings);
      if (model == nullptr) return;
      logits[i] = model->Logits(tokens.ids);
      if (logits[i].scalar_type() != at::kFloat ||
          logits[i].sizes() != at::IntArrayRef({kBatch, kTime, one.builder->VocabularySize()})) {
        probe.Fail(absl::StrCat("logits have shape ", ShapeText(logits[i].sizes()), " and dtype ",
                                DtypeText(logits[i].scalar_type())));
        return;
      }
    }
    if (one.extreme) return;
    const std::string difference = Difference(logits[1], logits[0], 0.1);
    if (!difference.empty()) {
      probe.Fail(absl::StrCat("logits computed in bfloat16 and in float32: ", difference));
    }
  });
}

void CheckModelDeterministic(const Subject& subject, Probe& probe) {
  ForEachBuilt(
      subject, probe,
      [&](const ModelCase& one, Model& model, at::ScalarType, const std::string& words) {
        const Tokens tokens =
            RandomTokens(kBatch, kTime + 1, one.builder->VocabularySize(), probe.seed() + 43);
        probe.Trying(absl::StrCat(words, "; twice ", tokens.words));
        at::Tensor losses[2];
        std::vector<at::Tensor> gradients[2];
        for (int i = 0; i < 2; ++i) {
          losses[i] = model.Loss(tokens.ids.narrow(1, 0, kTime), tokens.ids.narrow(1, 1, kTime),
                                 LossReduction::kPerSequence);
          losses[i].mean().backward();
          for (const NamedParameter& parameter : model.Parameters()) {
            at::Tensor tensor = parameter.tensor;
            gradients[i].push_back(tensor.grad());
            tensor.mutable_grad().reset();
          }
        }
        std::string difference = BitDifference(losses[0], losses[1]);
        if (!difference.empty()) {
          probe.Fail(absl::StrCat("losses of the first and the second time: ", difference));
        }
        const std::vector<NamedParameter> parameters = model.Parameters();
        for (size_t p = 0; p < parameters.size(); ++p) {
          difference = BitDifference(gradients[0][p], gradients[1][p]);
          if (!difference.empty()) {
            probe.Fail(absl::StrCat("gradients of '", parameters[p].name, "': ", difference));
          }
        }
      });
}

void CheckFlops(const Subject& subject, Probe& probe) {
  constexpr double kTolerance = 0.02;
  double worst = 0;
  bool seen = false;
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    for (const int64_t time : {int64_t{2}, kTime}) {
      const Tokens tokens =
          RandomTokens(kBatch, time, one.builder->VocabularySize(), probe.seed() + 47);
      probe.Trying(absl::StrCat(one.Words(), "; a forward pass of ", tokens.words));
      // With gradients: a kernel for inference alone might do without what is counted.
      const Products counted = CountProducts([&] { model->Logits(tokens.ids); });
      if (counted.linear == 0) return;
      seen = true;
      const double positions = static_cast<double>(time);
      const double real = (counted.linear + counted.attention * (positions + 1) / (2 * positions)) /
                          static_cast<double>(kBatch * time);
      const double stated = one.builder->Counts(time).forward_flops_per_token;
      const double gap = std::abs(stated - real) / real;
      worst = std::max(worst, gap);
      if (!(gap <= kTolerance)) {
        probe.Fail(absl::StrCat("Counts(", time, ").forward_flops_per_token is ", stated,
                                "; the matrix products of a forward pass need ", real,
                                " (attention ",
                                counted.attention / static_cast<double>(kBatch * time),
                                " over all pairs of positions, of which a causal model needs about "
                                "half)"));
      }
    }
  });
  if (!seen && !probe.failed()) {
    probe.Skip("the forward pass runs no matrix product that LibTorch counts");
    return;
  }
  probe.Measured("largest share by which FLOPs differ", worst, "");
}

}  // namespace qatlas::conformance
