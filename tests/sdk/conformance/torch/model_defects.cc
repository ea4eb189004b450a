// A small model in plain ATen, and the same with one fault each.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "ATen/CPUGeneratorImpl.h"
#include "absl/strings/str_cat.h"
#include "qatlas/model.h"
#include "tests/sdk/conformance/torch/defect.h"

namespace qatlas::conformance::testing {
namespace {

enum class Fault {
  kNone,
  kNarrowParameter,  // a bfloat16 parameter where bfloat16 is computed
  kCountsOneMore,    // of the rest
  kReversedSites,    // Linears() against the order of execution
  kBypassedSite,     // the weight of fc2 is used past its quantizer
  kListsFreed,       // freed weights stay on the list, undefined
  kAllocatesOnMeta,  // an embedding on the CPU
  kDrawsInOrder,     // initial values by order of creation
  kLoudHead,         // a head that starts too large
  kFaintLogits,      // logits a thousand times too small to learn from
  kSeesFuture,       // mixes over all of time
  kMixesBatch,       // takes the mean over the batch away
  kDeadParameter,    // a detached scale
  kSumsTokens,       // per sequence the sum in place of the mean
  kNarrowLogits,     // logits in the dtype of activations
  kDrifts,           // the loss grows by a millionth a call
  kTwiceFlops,
  kForeignRows,    // one row too many
  kForeignTurned,  // a vector is said to be transposed
};

constexpr int64_t kWidth = 16;
constexpr int64_t kVocabulary = 61;
constexpr int64_t kPositions = 64;
constexpr const char* kRoles[] = {"fc1", "fc2"};

class SmallModel : public Model {
 public:
  SmallModel(int64_t layers, Fault fault, const BuildContext& context)
      : fault_(fault), compute_(context.compute) {
    auto make = [&](const std::string& name, std::vector<int64_t> shape, double std) {
      const uint64_t salt =
          fault == Fault::kDrawsInOrder ? drawn_++ : std::hash<std::string>()(name);
      const bool cpu = fault == Fault::kAllocatesOnMeta && name == "embedding.weight";
      if (context.device.is_meta() && !cpu) {
        return at::empty(shape, at::TensorOptions(at::kFloat).device(at::kMeta)).requires_grad_();
      }
      at::Generator generator =
          at::detail::createCPUGenerator((salt + 7919 * context.seed) & 0xffffffffu);
      return at::empty(shape, at::TensorOptions(at::kFloat))
          .normal_(0, std, generator)
          .requires_grad_();
    };
    embedding_ = make("embedding.weight", {kVocabulary, kWidth}, 0.1);
    positions_ = make("positions.weight", {kPositions, kWidth}, 0.1);
    for (int64_t block = 0; block < layers; ++block) {
      for (const char* role : kRoles) {
        linears_.push_back(std::make_unique<QuantizableLinear>(
            static_cast<int>(block), role,
            make(absl::StrCat(block, ".", role, ".weight"), {kWidth, kWidth}, 0.2)));
      }
    }
    scale_ = at::ones({kWidth}, embedding_.options().device(context.device).requires_grad(false))
                 .requires_grad_();
    if (fault == Fault::kNarrowParameter && compute_ == at::kBFloat16) {
      scale_ = scale_.detach().to(at::kBFloat16).requires_grad_();
    }
    head_ = make("head.weight", {kVocabulary, kWidth}, fault == Fault::kLoudHead ? 20 : 0.1);
  }

  at::Tensor Logits(const at::Tensor& tokens) override {
    const int64_t time = tokens.size(1);
    at::Tensor x = (at::embedding(embedding_, tokens) + positions_.narrow(0, 0, time)).to(compute_);
    for (size_t i = 0; i < linears_.size(); i += 2) {
      x = x + Second(*linears_[i + 1], at::tanh(linears_[i]->Forward(Mix(x))));
    }
    if (fault_ == Fault::kMixesBatch) x = x - x.mean(0, true);
    const at::Tensor scale = fault_ == Fault::kDeadParameter ? scale_.detach() : scale_;
    const double size = fault_ == Fault::kFaintLogits ? 1e-3 : 1;
    const at::Tensor logits = at::linear(x * scale.to(compute_), head_.to(compute_)) * size;
    return fault_ == Fault::kNarrowLogits ? logits : logits.to(at::kFloat);
  }

  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  LossReduction reduction) override {
    const at::Tensor logits = Logits(tokens).to(at::kFloat).view({-1, kVocabulary});
    at::Tensor each = at::cross_entropy_loss(logits, targets.reshape({-1}), {}, at::Reduction::None)
                          .view(targets.sizes());
    if (fault_ == Fault::kDrifts) each = each * (1 + 1e-6 * calls_++);
    if (reduction == LossReduction::kMean) return each.mean();
    return fault_ == Fault::kSumsTokens ? each.sum(1) : each.mean(1);
  }

  std::vector<NamedParameter> Parameters() override {
    std::vector<NamedParameter> parameters = {{"embedding.weight", embedding_},
                                              {"positions.weight", positions_}};
    for (const auto& linear : linears_) {
      if (!linear->weight().defined() && fault_ != Fault::kListsFreed) continue;
      parameters.push_back({linear->Name() + ".weight", linear->weight()});
    }
    parameters.push_back({"scale.weight", scale_});
    parameters.push_back({"head.weight", head_});
    return parameters;
  }

  std::vector<QuantizableLinear*> Linears() override {
    std::vector<QuantizableLinear*> linears;
    for (const auto& linear : linears_) linears.push_back(linear.get());
    if (fault_ == Fault::kReversedSites) std::swap(linears.front(), linears.back());
    return linears;
  }

 private:
  // The mean over what came before.
  at::Tensor Mix(const at::Tensor& x) const {
    if (fault_ == Fault::kSeesFuture) return x.mean(1, true).expand_as(x);
    const at::Tensor counts =
        at::arange(1, x.size(1) + 1, at::TensorOptions(at::kFloat)).view({1, -1, 1});
    return (x.to(at::kFloat).cumsum(1) / counts).to(compute_);
  }
  at::Tensor Second(QuantizableLinear& linear, const at::Tensor& x) const {
    if (fault_ != Fault::kBypassedSite) return linear.Forward(x);
    return linear.Forward(x) * 0 + at::linear(x, linear.weight().to(compute_));
  }

  Fault fault_;
  at::ScalarType compute_;
  uint64_t drawn_ = 0;
  int calls_ = 0;
  at::Tensor embedding_, positions_, scale_, head_;
  std::vector<std::unique_ptr<QuantizableLinear>> linears_;
};

template <Fault fault>
class SmallBuilder : public ModelBuilder {
 public:
  explicit SmallBuilder(int64_t layers) : layers_(layers) {}
  ModelCounts Counts(int64_t) const override {
    ModelCounts counts;
    counts.block_linears = 2 * layers_ * kWidth * kWidth;
    counts.embedding = (kVocabulary + kPositions) * kWidth;
    counts.head = kVocabulary * kWidth;
    counts.other = kWidth + (fault == Fault::kCountsOneMore ? 1 : 0);
    counts.forward_flops_per_token = 2.0 * static_cast<double>(counts.block_linears + counts.head);
    if (fault == Fault::kTwiceFlops) counts.forward_flops_per_token *= 2;
    return counts;
  }
  int64_t VocabularySize() const override { return kVocabulary; }
  absl::StatusOr<std::unique_ptr<Model>> Build(const BuildContext& context) const override {
    return std::make_unique<SmallModel>(layers_, fault, context);
  }
  std::vector<ForeignLayout> ForeignLayouts() const override {
    ForeignLayout layout;
    layout.name = "somebody's";
    auto add = [&](const std::string& name, int64_t rows) {
      layout.parameters.push_back({name, {{"theirs." + name, rows}}, {}});
    };
    add("embedding.weight", kVocabulary);
    add("positions.weight", kPositions);
    for (int64_t block = 0; block < layers_; ++block) {
      for (const char* role : kRoles) add(absl::StrCat(block, ".", role, ".weight"), kWidth);
    }
    add("scale.weight", kWidth);
    layout.parameters.back().tensors[0].transposed = fault == Fault::kForeignTurned;
    add("head.weight", kVocabulary + (fault == Fault::kForeignRows ? 1 : 0));
    return {layout};
  }

 private:
  int64_t layers_;
};

constexpr qatlas_option kOptions[] = {IntOption("layers", "2", 1, 64, "Number of blocks.")};

template <Fault fault>
Defect MakeModel(const char* name, std::set<std::string> checks) {
  Factory<ModelBuilder> factory =
      [](const Options& options) -> absl::StatusOr<std::unique_ptr<ModelBuilder>> {
    return std::make_unique<SmallBuilder<fault>>(options.Int("layers"));
  };
  return {{QATLAS_KIND_MODEL, 1, name, "", "", kNoAbilities, kOptions, 1,
           reinterpret_cast<void (*)()>(factory)},
          std::move(checks)};
}

}  // namespace

std::vector<Defect> ModelDefects() {
  return {
      MakeModel<Fault::kNone>("sound-model", {}),
      MakeModel<Fault::kNarrowParameter>("narrow-parameter", {"model-parameters"}),
      MakeModel<Fault::kCountsOneMore>("counts-one-more", {"counts"}),
      MakeModel<Fault::kReversedSites>("reversed-sites", {"sites"}),
      // Where the weight is freed there is none to use.
      MakeModel<Fault::kBypassedSite>("bypassed-site", {"sites-reached", "owned-linears", "flops"}),
      MakeModel<Fault::kListsFreed>("lists-freed", {"owned-linears"}),
      MakeModel<Fault::kAllocatesOnMeta>("allocates-on-meta", {"meta-build"}),
      MakeModel<Fault::kDrawsInOrder>("draws-in-order", {"initial-values"}),
      MakeModel<Fault::kLoudHead>("loud-head", {"initial-loss"}),
      MakeModel<Fault::kFaintLogits>("faint-logits", {"overfits-one-batch"}),
      // What a sequence is cut off is its future.
      MakeModel<Fault::kSeesFuture>("sees-future", {"causal", "sequences-independent"}),
      MakeModel<Fault::kMixesBatch>("mixes-batch", {"sequences-independent"}),
      MakeModel<Fault::kDeadParameter>("dead-parameter", {"gradients"}),
      MakeModel<Fault::kSumsTokens>("sums-tokens", {"loss"}),
      MakeModel<Fault::kNarrowLogits>("narrow-logits", {"model-dtypes"}),
      MakeModel<Fault::kDrifts>("drifts", {"model-deterministic"}),
      MakeModel<Fault::kTwiceFlops>("twice-flops", {"flops"}),
      MakeModel<Fault::kForeignRows>("foreign-rows", {"foreign-layouts"}),
      MakeModel<Fault::kForeignTurned>("foreign-turned", {"foreign-layouts"}),
  };
}

}  // namespace qatlas::conformance::testing
