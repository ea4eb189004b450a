// @plugin@: a decoder of pre-norm blocks with causal attention and a ReLU² network, biases,
// learned positions and an output head of its own.
#include <cmath>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/component.h"
#include "qatlas/init.h"
#include "qatlas/layers.h"
#include "qatlas/model.h"

namespace {

using qatlas::QuantizableLinear;

struct Shape {
  int64_t layers, width, heads, vocabulary, context;
};

class @type@Model final : public qatlas::Model {
 public:
  @type@Model(const Shape& shape, const qatlas::BuildContext& context)
      : shape_(shape), compute_(context.compute) {
    const int64_t width = shape.width;
    // Initial values follow from the seed and the name alone, which is that of Parameters() below.
    auto normal = [&](const std::string& name, int64_t rows) {
      return qatlas::NormalParameter(context.seed, name, {rows, width}, .02, context.device);
    };
    auto ones = [&] { return qatlas::ConstantParameter(1, {width}, context.device); };
    embedding_ = normal("embedding.weight", shape.vocabulary);
    positions_ = normal("positions.weight", shape.context);
    for (int64_t i = 0; i < shape.layers; ++i) {
      // Every linear that a scheme may quantize, by block and role.
      auto linear = [&](const char* role, int64_t out, int64_t in) {
        return qatlas::MakeLinear(context, i, role, out, in, /*std=*/.02, /*bias=*/true);
      };
      blocks_.push_back({ones(), linear("qkv", 3 * width, width), linear("o", width, width), ones(),
                         linear("fc1", 4 * width, width), linear("fc2", width, 4 * width)});
    }
    norm_ = ones();
    head_ = normal("head.weight", shape.vocabulary);
  }

  at::Tensor Logits(const at::Tensor& tokens) override {
    const int64_t batch = tokens.size(0), time = tokens.size(1), width = shape_.width;
    at::Tensor x = (at::embedding(embedding_, tokens) + positions_.narrow(0, 0, time)).to(compute_);
    for (Block& block : blocks_) {
      const at::Tensor qkv = block.qkv->Forward(Norm(x, block.attention_norm))
                                 .view({batch, time, 3, shape_.heads, width / shape_.heads})
                                 .permute({2, 0, 3, 1, 4});
      const at::Tensor mixed = at::scaled_dot_product_attention(
          qkv[0], qkv[1], qkv[2], /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
      x = x + block.o->Forward(mixed.transpose(1, 2).reshape({batch, time, width}));
      const at::Tensor hidden = block.fc1->Forward(Norm(x, block.ffn_norm)).relu().square();
      x = x + block.fc2->Forward(hidden);
    }
    return at::linear(Norm(x, norm_), head_.to(compute_)).to(at::kFloat);
  }

  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  qatlas::LossReduction reduction) override {
    const at::Tensor losses =
        at::cross_entropy_loss(Logits(tokens).view({-1, shape_.vocabulary}),
                               targets.reshape({-1}), /*weight=*/{}, at::Reduction::None)
            .view(targets.sizes());
    return reduction == qatlas::LossReduction::kMean ? losses.mean() : losses.mean(1);
  }

  std::vector<qatlas::NamedParameter> Parameters() override {
    std::vector<qatlas::NamedParameter> parameters;
    auto add = [&](const std::string& name, const at::Tensor& tensor) {
      qatlas::AddParameter(name, tensor, &parameters);
    };
    add("embedding.weight", embedding_);
    add("positions.weight", positions_);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      add(absl::StrCat(i, ".attention_norm.weight"), blocks_[i].attention_norm);
      add(absl::StrCat(i, ".ffn_norm.weight"), blocks_[i].ffn_norm);
    }
    qatlas::AddLinears(Linears(), &parameters);
    add("norm.weight", norm_);
    add("head.weight", head_);
    return parameters;
  }

  std::vector<QuantizableLinear*> Linears() override {
    std::vector<QuantizableLinear*> linears;
    for (Block& block : blocks_) {
      for (auto* linear : {&block.qkv, &block.o, &block.fc1, &block.fc2}) {
        linears.push_back(linear->get());
      }
    }
    return linears;
  }

 private:
  struct Block {
    at::Tensor attention_norm;
    std::unique_ptr<QuantizableLinear> qkv, o;
    at::Tensor ffn_norm;
    std::unique_ptr<QuantizableLinear> fc1, fc2;
  };

  // RMSNorm, whose statistics are in FP32.
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const {
    const at::Tensor wide = x.to(at::kFloat);
    return (wide * (wide.square().mean(-1, true) + 1e-5).rsqrt() * weight).to(compute_);
  }

  Shape shape_;
  at::ScalarType compute_;
  at::Tensor embedding_, positions_, norm_, head_;
  std::vector<Block> blocks_;
};

class @type@ final : public qatlas::ModelBuilder {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("layers", nullptr, 1, 4096, "Number of blocks."),
      qatlas::IntOption("width", nullptr, 2, 1 << 20, "Features of the residual stream."),
      qatlas::IntOption("heads", nullptr, 1, 65536, "Heads; they share the width evenly."),
      qatlas::IntOption("vocabulary", nullptr, 2, 1 << 24, "Number of token ids."),
      qatlas::IntOption("context", "1024", 1, 1 << 24, "Longest sequence."),
  };
  static constexpr const char* kAbilities[] = {"role:qkv", "role:o", "role:fc1", "role:fc2", nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "@plugin@", "Decoder: RMSNorm, causal attention, ReLU² network, learned positions",
      /*citation=*/"", /*numerics_version=*/1, kAbilities, kOptions, std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::ModelBuilder>> Create(
      const qatlas::Options& options) {
    const Shape shape = {options.Int("layers"), options.Int("width"), options.Int("heads"),
                         options.Int("vocabulary"), options.Int("context")};
    if (shape.width % shape.heads != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("heads = ", shape.heads, " does not divide width = ", shape.width));
    }
    return std::make_unique<@type@>(shape);
  }
  explicit @type@(const Shape& shape) : shape_(shape) {}

  // In closed form; conformance compares them with a built model.
  qatlas::ModelCounts Counts(int64_t sequence_length) const override {
    const auto [layers, width, heads, vocabulary, context] = shape_;
    qatlas::ModelCounts counts;
    counts.block_linears = layers * 12 * width * width;
    counts.embedding = (vocabulary + context) * width;
    counts.head = vocabulary * width;
    counts.other = (2 * layers + 1) * width + layers * 9 * width;  // norms and biases
    // Two for each weight of a matrix product; a token attends to (T + 1) / 2 positions on average.
    const double positions = static_cast<double>(sequence_length + 1) / 2;
    counts.forward_flops_per_token =
        2 * static_cast<double>(counts.block_linears + counts.head) +
        4 * positions * static_cast<double>(layers * width);
    return counts;
  }
  int64_t VocabularySize() const override { return shape_.vocabulary; }

  absl::StatusOr<std::unique_ptr<qatlas::Model>> Build(
      const qatlas::BuildContext& context) const override {
    if (context.sequence_length > shape_.context) {
      return absl::InvalidArgumentError(absl::StrCat("sequences of ", context.sequence_length,
                                                     " tokens exceed context = ", shape_.context));
    }
    return std::make_unique<@type@Model>(shape_, context);
  }

 private:
  Shape shape_;
};

}  // namespace

QATLAS_PLUGIN("@plugin@", "1.0.0", qatlas::Component<@type@>())
