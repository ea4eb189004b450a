// gpt2: the decoder of Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
//
// Pre-norm blocks of LayerNorm, causal multi-head attention and a GELU network (in its tanh
// approximation), biases on every linear, learned positions, and a head that is the token
// embedding. With layers = 12, width = 768, heads = 12, vocabulary = 50257 it is GPT-2 small with
// its 124,439,808 parameters.
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
  int64_t layers, width, heads, ffn, vocabulary, context;
  bool tied;
  double norm_eps;
};

// LayerNorm with its gain and bias. Statistics are in FP32 whatever the activations are.
struct Norm {
  at::Tensor weight, bias;
  at::Tensor operator()(const at::Tensor& x, double eps) const {
    return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight, bias, eps).to(x.scalar_type());
  }
};

class Gpt2Model final : public qatlas::Model {
 public:
  // Initial values are those of the code that was published with the paper: N(0, .02²), for
  // positions N(0, .01²), biases of 0, and by the paper's section 2.3 the weights of linears that
  // end in the residual stream smaller by the root of the number of these, two a block.
  Gpt2Model(const Shape& shape, const qatlas::BuildContext& context)
      : shape_(shape), compute_(context.compute) {
    const int64_t width = shape.width, ffn = shape.ffn;
    const uint64_t seed = context.seed;
    const at::Device device = context.device;
    auto constant = [&](double value, int64_t size) {
      return qatlas::ConstantParameter(value, {size}, device);
    };
    auto norm = [&] { return Norm{constant(1, width), constant(0, width)}; };
    embedding_ =
        qatlas::NormalParameter(seed, "embedding.weight", {shape.vocabulary, width}, .02, device);
    positions_ =
        qatlas::NormalParameter(seed, "positions.weight", {shape.context, width}, .01, device);
    const double residual = .02 / std::sqrt(2 * static_cast<double>(shape.layers));
    for (int64_t i = 0; i < shape.layers; ++i) {
      auto linear = [&](const char* role, int64_t out, int64_t in, double std) {
        return qatlas::MakeLinear(context, i, role, out, in, std, /*bias=*/true);
      };
      // Query, key and value are one linear, as in GPT-2: they read the same input, which is then
      // quantized once and is one site.
      blocks_.push_back({norm(), linear("qkv", 3 * width, width, .02),
                         linear("o", width, width, residual), norm(),
                         linear("fc1", ffn, width, .02), linear("fc2", width, ffn, residual)});
    }
    norm_ = norm();
    if (!shape.tied) {
      head_ = qatlas::NormalParameter(seed, "head.weight", {shape.vocabulary, width}, .02, device);
    }
  }

  at::Tensor Logits(const at::Tensor& tokens) override {
    const int64_t batch = tokens.size(0), time = tokens.size(1), width = shape_.width;
    at::Tensor x = (at::embedding(embedding_, tokens) + positions_.narrow(0, 0, time)).to(compute_);
    for (const Block& block : blocks_) {
      const at::Tensor qkv = block.qkv->Forward(block.attention_norm(x, shape_.norm_eps))
                                 .view({batch, time, 3, shape_.heads, width / shape_.heads})
                                 .permute({2, 0, 3, 1, 4});  // [3, batch, heads, time, features]
      const at::Tensor mixed = at::scaled_dot_product_attention(
          qkv[0], qkv[1], qkv[2], /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
      x = x + block.o->Forward(mixed.transpose(1, 2).reshape({batch, time, width}));
      const at::Tensor hidden = block.fc1->Forward(block.ffn_norm(x, shape_.norm_eps));
      x = x + block.fc2->Forward(at::gelu(hidden, "tanh"));
    }
    const at::Tensor& head = shape_.tied ? embedding_ : head_;
    return at::linear(norm_(x, shape_.norm_eps), head.to(compute_)).to(at::kFloat);
  }

  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  qatlas::LossReduction reduction) override {
    const at::Tensor losses =
        at::cross_entropy_loss(Logits(tokens).view({-1, shape_.vocabulary}), targets.reshape({-1}),
                               /*weight=*/{}, at::Reduction::None)
            .view(targets.sizes());
    return reduction == qatlas::LossReduction::kMean ? losses.mean() : losses.mean(1);
  }

  std::vector<qatlas::NamedParameter> Parameters() override {
    std::vector<qatlas::NamedParameter> parameters;
    auto add = [&](const std::string& name, const at::Tensor& tensor) {
      qatlas::AddParameter(name, tensor, &parameters);
    };
    auto add_norm = [&](const std::string& name, const Norm& norm) {
      add(name + ".weight", norm.weight);
      add(name + ".bias", norm.bias);
    };
    add("embedding.weight", embedding_);
    add("positions.weight", positions_);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      add_norm(absl::StrCat(i, ".attention_norm"), blocks_[i].attention_norm);
      add_norm(absl::StrCat(i, ".ffn_norm"), blocks_[i].ffn_norm);
    }
    qatlas::AddLinears(Linears(), &parameters);
    add_norm("norm", norm_);
    add("head.weight", head_);  // undefined where it is tied
    return parameters;
  }

  std::vector<QuantizableLinear*> Linears() override {
    std::vector<QuantizableLinear*> linears;
    for (const Block& block : blocks_) {
      for (auto* linear : {&block.qkv, &block.o, &block.fc1, &block.fc2}) {
        linears.push_back(linear->get());
      }
    }
    return linears;
  }

 private:
  struct Block {
    Norm attention_norm;
    std::unique_ptr<QuantizableLinear> qkv, o;
    Norm ffn_norm;
    std::unique_ptr<QuantizableLinear> fc1, fc2;
  };

  Shape shape_;
  at::ScalarType compute_;
  at::Tensor embedding_, positions_, head_;
  std::vector<Block> blocks_;
  Norm norm_;
};

class Gpt2 final : public qatlas::ModelBuilder {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("layers", nullptr, 1, 4096, "Number of blocks."),
      qatlas::IntOption("width", nullptr, 2, 1 << 20, "Features of the residual stream."),
      qatlas::IntOption("heads", nullptr, 1, 65536, "Heads; they share the width evenly."),
      qatlas::IntOption("ffn", "0", 0, 1 << 22,
                        "Features between fc1 and fc2; 0 takes four times the width."),
      qatlas::IntOption("vocabulary", nullptr, 2, 1 << 24, "Number of token ids."),
      qatlas::IntOption("context", "1024", 1, 1 << 24, "Longest sequence, in tokens."),
      qatlas::BoolOption("tied", "true", "Whether the output head is the token embedding."),
      qatlas::FloatOption("norm_eps", "1e-5", 0, 1, "Added to the variance inside LayerNorm."),
  };
  static constexpr const char* kAbilities[] = {"role:qkv", "role:o", "role:fc1", "role:fc2",
                                               nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "gpt2",
      "GPT-2: LayerNorm, causal attention, GELU, biases, learned positions",
      "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
      /*numerics_version=*/1,
      kAbilities,
      kOptions,
      std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::ModelBuilder>> Create(
      const qatlas::Options& options) {
    Shape shape = {options.Int("layers"), options.Int("width"),      options.Int("heads"),
                   options.Int("ffn"),    options.Int("vocabulary"), options.Int("context"),
                   options.Bool("tied"),  options.Float("norm_eps")};
    if (shape.width % shape.heads != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("heads = ", shape.heads, " does not divide width = ", shape.width));
    }
    if (shape.ffn == 0) shape.ffn = 4 * shape.width;
    return std::make_unique<Gpt2>(shape);
  }
  explicit Gpt2(const Shape& shape) : shape_(shape) {}

  // In closed form; conformance compares them with a built model.
  qatlas::ModelCounts Counts(int64_t sequence_length) const override {
    const auto& [layers, width, heads, ffn, vocabulary, context, tied, norm_eps] = shape_;
    qatlas::ModelCounts counts;
    counts.block_linears = layers * (4 * width * width + 2 * width * ffn);
    counts.embedding = (vocabulary + context) * width;
    counts.head = tied ? 0 : vocabulary * width;
    // Of a block two norms of 2 width, and biases of 3 width, width, ffn and width; the last norm.
    counts.other = layers * (9 * width + ffn) + 2 * width;
    // Two for each weight of a matrix product, the head's whether it is tied or not; scores and
    // their sum of values 4 width for each of the (T + 1) / 2 positions that a token sees.
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
      return absl::InvalidArgumentError(absl::StrCat(
          "sequences of ", context.sequence_length, " tokens exceed context = ", shape_.context,
          ", for which there are positions; raise context"));
    }
    return std::make_unique<Gpt2Model>(shape_, context);
  }

  // GPT-2 as it was published: linears are Conv1D, [in, out]. Hugging Face's files have these
  // names, those of the whole language model with "transformer." before them; `.attn.bias` is no
  // bias but the causal mask.
  std::vector<qatlas::ForeignLayout> ForeignLayouts() const override {
    std::vector<qatlas::ForeignLayout> layouts;
    for (const std::string prefix : {"", "transformer."}) {
      qatlas::ForeignLayout layout;
      layout.name = absl::StrCat("Hugging Face's GPT-2", prefix.empty() ? "" : ", with its head");
      layout.ignored = {".attn.bias", ".attn.masked_bias"};
      auto add = [&](const std::string& name, const std::string& theirs, int64_t rows,
                     bool transposed = false) {
        layout.parameters.push_back({name, {{theirs, rows, transposed}}, {}});
      };
      add("embedding.weight", prefix + "wte.weight", shape_.vocabulary);
      if (shape_.tied) layout.parameters.back().same = {"lm_head.weight"};
      add("positions.weight", prefix + "wpe.weight", shape_.context);
      for (int64_t i = 0; i < shape_.layers; ++i) {
        auto both = [&](const char* name, const char* theirs, int64_t rows, bool linear) {
          const std::string own = absl::StrCat(i, ".", name);
          const std::string file = absl::StrCat(prefix, "h.", i, ".", theirs);
          add(own + ".weight", file + ".weight", rows, linear);
          add(own + ".bias", file + ".bias", rows);
        };
        both("attention_norm", "ln_1", shape_.width, false);
        both("qkv", "attn.c_attn", 3 * shape_.width, true);
        both("o", "attn.c_proj", shape_.width, true);
        both("ffn_norm", "ln_2", shape_.width, false);
        both("fc1", "mlp.c_fc", shape_.ffn, true);
        both("fc2", "mlp.c_proj", shape_.width, true);
      }
      add("norm.weight", prefix + "ln_f.weight", shape_.width);
      add("norm.bias", prefix + "ln_f.bias", shape_.width);
      if (!shape_.tied) add("head.weight", "lm_head.weight", shape_.vocabulary);
      layouts.push_back(std::move(layout));
    }
    return layouts;
  }

 private:
  Shape shape_;
};

}  // namespace

QATLAS_PLUGIN("gpt2", "1.0.0", qatlas::Component<Gpt2>())
