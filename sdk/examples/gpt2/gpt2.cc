// gpt2: the decoder of Radford et al. 2019 (Language Models are Unsupervised Multitask Learners,
// section 2.3): pre-norm blocks of LayerNorm, causal attention and a GELU network, all with biases;
// learned positions; a final LayerNorm; the output head is the token embedding.
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
#include "qatlas/model.h"

namespace {

using qatlas::QuantizableLinear;

struct Shape {
  int64_t layers, width, heads, vocabulary, context;
};

struct LayerNorm {
  at::Tensor weight, bias;  // [width] FP32
};

struct Block {
  LayerNorm attention_norm;
  std::unique_ptr<QuantizableLinear> qkv, o;
  LayerNorm ffn_norm;
  std::unique_ptr<QuantizableLinear> fc1, fc2;
};

class Gpt2Model final : public qatlas::Model {
 public:
  Gpt2Model(const Shape& shape, const qatlas::BuildContext& context)
      : shape_(shape), compute_(context.compute) {
    const int64_t width = shape.width;
    auto normal = [&](const std::string& name, int64_t rows, int64_t columns, double std) {
      return qatlas::NormalParameter(context.seed, name, {rows, columns}, std, context.device);
    };
    auto vector = [&](double value, int64_t size) {
      return qatlas::ConstantParameter(value, {size}, context.device);
    };
    auto norm = [&] { return LayerNorm{vector(1, width), vector(0, width)}; };
    // "We scale the weights of residual layers at initialization by 1/sqrt(N), N the number of
    // residual layers": two in each block.
    const double residual = kStd / std::sqrt(2.0 * static_cast<double>(shape.layers));
    embedding_ = normal("embedding.weight", shape.vocabulary, width, kStd);
    positions_ = normal("positions.weight", shape.context, width, kStd);
    for (int64_t i = 0; i < shape.layers; ++i) {
      auto linear = [&](const char* role, int64_t out, int64_t in, double std) {
        return std::make_unique<QuantizableLinear>(
            static_cast<int>(i), role, normal(absl::StrCat(i, ".", role, ".weight"), out, in, std),
            vector(0, out));
      };
      blocks_.push_back({norm(), linear("qkv", 3 * width, width, kStd),
                         linear("o", width, width, residual), norm(),
                         linear("fc1", 4 * width, width, kStd),
                         linear("fc2", width, 4 * width, residual)});
    }
    norm_ = norm();
  }

  at::Tensor Logits(const at::Tensor& tokens) override {
    const int64_t batch = tokens.size(0), time = tokens.size(1), width = shape_.width;
    at::Tensor x = (at::embedding(embedding_, tokens) + positions_.narrow(0, 0, time)).to(compute_);
    for (Block& block : blocks_) {
      // [batch, time, 3 width] → three of [batch, heads, time, width / heads].
      const at::Tensor qkv = block.qkv->Forward(Normalized(x, block.attention_norm))
                                 .view({batch, time, 3, shape_.heads, width / shape_.heads})
                                 .permute({2, 0, 3, 1, 4});
      const at::Tensor mixed = at::scaled_dot_product_attention(
          qkv[0], qkv[1], qkv[2], /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
      x = x + block.o->Forward(mixed.transpose(1, 2).reshape({batch, time, width}));
      const at::Tensor hidden =
          at::gelu(block.fc1->Forward(Normalized(x, block.ffn_norm)), /*approximate=*/"tanh");
      x = x + block.fc2->Forward(hidden);
    }
    return at::linear(Normalized(x, norm_), embedding_.to(compute_)).to(at::kFloat);
  }

  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  qatlas::LossReduction reduction) override {
    const at::Tensor log_p = Logits(tokens).log_softmax(-1);
    const at::Tensor losses = -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1);
    return reduction == qatlas::LossReduction::kMean ? losses.mean() : losses.mean(1);
  }

  std::vector<qatlas::NamedParameter> Parameters() override {
    std::vector<qatlas::NamedParameter> parameters;
    auto add = [&](std::string name, const at::Tensor& tensor) {
      // A quantizer that owns its linear may have freed the weight. Norms and biases do not decay.
      if (tensor.defined()) {
        parameters.push_back({std::move(name), tensor, "model", tensor.dim() > 1});
      }
    };
    auto add_norm = [&](const std::string& name, const LayerNorm& norm) {
      add(name + ".weight", norm.weight);
      add(name + ".bias", norm.bias);
    };
    add("embedding.weight", embedding_);
    add("positions.weight", positions_);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      add_norm(absl::StrCat(i, ".attention_norm"), blocks_[i].attention_norm);
      add_norm(absl::StrCat(i, ".ffn_norm"), blocks_[i].ffn_norm);
    }
    for (QuantizableLinear* linear : Linears()) {
      add(linear->Name() + ".weight", linear->weight());
      add(linear->Name() + ".bias", linear->bias());
    }
    add_norm("norm", norm_);
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
  static constexpr double kStd = .02;

  // Statistics in FP32, the result in the compute dtype.
  at::Tensor Normalized(const at::Tensor& x, const LayerNorm& norm) const {
    return at::layer_norm(x.to(at::kFloat), {shape_.width}, norm.weight, norm.bias).to(compute_);
  }

  Shape shape_;
  at::ScalarType compute_;
  at::Tensor embedding_, positions_;
  std::vector<Block> blocks_;
  LayerNorm norm_;
};

class Gpt2 final : public qatlas::ModelBuilder {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("layers", nullptr, 1, 4096, "Number of blocks."),
      qatlas::IntOption("width", nullptr, 2, 1 << 20, "Features of the residual stream."),
      qatlas::IntOption("heads", nullptr, 1, 65536, "Heads; they share the width evenly."),
      qatlas::IntOption("vocabulary", nullptr, 2, 1 << 24, "Number of token ids."),
      qatlas::IntOption("context", "1024", 1, 1 << 24,
                        "Positions that are learned: the longest sequence."),
  };
  static constexpr const char* kAbilities[] = {"role:qkv", "role:o", "role:fc1", "role:fc2",
                                               nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "gpt2",
      "GPT-2: LayerNorm, GELU, biases, learned positions, tied head",
      "Radford et al. 2019, section 2.3",
      /*numerics_version=*/1,
      kAbilities,
      kOptions,
      std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::ModelBuilder>> Create(
      const qatlas::Options& options) {
    const Shape shape = {options.Int("layers"), options.Int("width"), options.Int("heads"),
                         options.Int("vocabulary"), options.Int("context")};
    if (shape.width % shape.heads != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("heads = ", shape.heads, " does not divide width = ", shape.width));
    }
    return std::make_unique<Gpt2>(shape);
  }
  explicit Gpt2(const Shape& shape) : shape_(shape) {}

  qatlas::ModelCounts Counts(int64_t sequence_length) const override {
    const auto [layers, width, heads, vocabulary, context] = shape_;
    qatlas::ModelCounts counts;
    counts.block_linears = layers * 12 * width * width;
    counts.embedding = (vocabulary + context) * width;
    // Per block: biases 3 + 1 + 4 + 1 widths, two norms of 2 widths; and the final norm.
    counts.other = (13 * layers + 2) * width;
    // Two for each weight of a matrix product, the head included; a token attends to (T + 1) / 2
    // positions on average, each costs 4 width.
    const double positions = static_cast<double>(sequence_length + 1) / 2;
    counts.forward_flops_per_token =
        2 * static_cast<double>(counts.block_linears + vocabulary * width) +
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
    return std::make_unique<Gpt2Model>(shape_, context);
  }

 private:
  Shape shape_;
};

}  // namespace

QATLAS_PLUGIN("gpt2", "1.0.0", qatlas::Component<Gpt2>())
