#include "llama.h"

#include <qatlas/check.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model.h"

namespace qatlas::llama {
namespace {

constexpr double kMany = 1 << 24;

constexpr const char* kAbilities[] = {"role:qkv", "role:o", "role:fc1", "role:fc2", nullptr};

constexpr qatlas_option kOptions[] = {
    IntOption("layers", nullptr, 1, 4096, "Number of transformer blocks."),
    IntOption("width", nullptr, 2, kMany, "Features of the residual stream."),
    IntOption("ffn", nullptr, 1, kMany, "Features between gate, up and down projections."),
    IntOption("heads", nullptr, 1, 65536, "Query heads; they share the width evenly."),
    IntOption("kv_heads", "0", 0, 65536, "Key and value heads; 0 takes as many as query heads."),
    IntOption("vocabulary", nullptr, 2, kMany, "Number of token ids."),
    BoolOption("tied", "false", "Whether the output head is the token embedding."),
    FloatOption("rope_theta", "10000.0", 1, 1e12, "Base of the rotary embedding's wavelengths."),
    FloatOption("norm_eps", "1e-5", 0, 1, "Added to the mean square inside RMSNorm."),
    FloatOption("init_std", "0.02", 0, 10, "Standard deviation of the initial weights."),
    BoolOption("scale_residual_init", "true",
               "Whether o and fc2 start smaller by sqrt(2 layers) (GPT-2's rule)."),
};

}  // namespace

const ComponentInfo LlamaBuilder::kInfo = {
    kName,
    "Llama-style decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU",
    "Grattafiori et al. 2024, arXiv:2407.21783; sizes of Chen et al. 2025",
    2,
    kAbilities,
    kOptions,
    std::size(kOptions)};

absl::StatusOr<std::unique_ptr<ModelBuilder>> LlamaBuilder::Create(const Options& options) {
  Config config;
  config.layers = options.Int("layers");
  config.width = options.Int("width");
  config.ffn = options.Int("ffn");
  config.heads = options.Int("heads");
  config.kv_heads = options.Int("kv_heads");
  config.vocabulary = options.Int("vocabulary");
  config.tied = options.Bool("tied");
  config.rope_theta = options.Float("rope_theta");
  config.norm_eps = options.Float("norm_eps");
  config.init_std = options.Float("init_std");
  config.scale_residual_init = options.Bool("scale_residual_init");
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.width % config.heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("heads = ", config.heads, " does not divide width = ", config.width));
  }
  if (config.heads % config.kv_heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv_heads = ", config.kv_heads, " does not divide heads = ", config.heads));
  }
  if (config.head_size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("width / heads = ", config.head_size(),
                     " is odd, but the rotary embedding turns features in pairs"));
  }
  return std::make_unique<LlamaBuilder>(config);
}

ModelCounts LlamaBuilder::Counts(int64_t sequence_length) const {
  const Config& c = config_;
  ModelCounts counts;
  counts.block_linears = c.layers * (c.qkv_rows() * c.width + c.width * c.width +
                                     2 * c.ffn * c.width + c.width * c.ffn);
  counts.embedding = c.vocabulary * c.width;
  counts.head = c.tied ? 0 : c.vocabulary * c.width;
  counts.other = (2 * c.layers + 1) * c.width;
  // A token sees (T + 1) / 2 positions on average; scores and values take 2 width FLOPs for each.
  const double positions = (static_cast<double>(sequence_length) + 1) / 2;
  const double attention =
      static_cast<double>(c.layers) * 4 * positions * static_cast<double>(c.width);
  counts.forward_flops_per_token =
      2 * static_cast<double>(counts.block_linears + c.vocabulary * c.width) + attention;
  return counts;
}

std::vector<ForeignLayout> LlamaBuilder::ForeignLayouts() const {
  ForeignLayout layout;
  layout.name = "Hugging Face's Llama";
  layout.ignored = {".rotary_emb.inv_freq"};
  auto add = [&layout](std::string parameter, std::vector<ForeignTensor> tensors) {
    layout.parameters.push_back({std::move(parameter), std::move(tensors), {}});
  };
  const Config& c = config_;
  const int64_t kv_rows = c.kv_heads * c.head_size();
  add("embedding.weight", {{"model.embed_tokens.weight", c.vocabulary}});
  if (c.tied) layout.parameters.back().same = {"lm_head.weight"};
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string block = absl::StrCat("model.layers.", i, ".");
    add(absl::StrCat(i, ".attention_norm.weight"), {{block + "input_layernorm.weight", c.width}});
    add(absl::StrCat(i, ".qkv.weight"), {{block + "self_attn.q_proj.weight", c.width},
                                         {block + "self_attn.k_proj.weight", kv_rows},
                                         {block + "self_attn.v_proj.weight", kv_rows}});
    add(absl::StrCat(i, ".o.weight"), {{block + "self_attn.o_proj.weight", c.width}});
    add(absl::StrCat(i, ".ffn_norm.weight"),
        {{block + "post_attention_layernorm.weight", c.width}});
    add(absl::StrCat(i, ".fc1.weight"),
        {{block + "mlp.gate_proj.weight", c.ffn}, {block + "mlp.up_proj.weight", c.ffn}});
    add(absl::StrCat(i, ".fc2.weight"), {{block + "mlp.down_proj.weight", c.width}});
  }
  add("norm.weight", {{"model.norm.weight", c.width}});
  if (!c.tied) add("head.weight", {{"lm_head.weight", c.vocabulary}});
  return {layout};
}

absl::StatusOr<std::unique_ptr<Model>> LlamaBuilder::Build(const BuildContext& context) const {
  if (context.sequence_length < 1) {
    return absl::InvalidArgumentError("llama needs a sequence length of at least 1");
  }
  if (context.compute != at::kFloat && context.compute != at::kBFloat16) {
    return absl::InvalidArgumentError(absl::StrCat("llama computes in float32 or bfloat16, not in ",
                                                   c10::toString(context.compute)));
  }
  return std::make_unique<LlamaModel>(config_, context);
}

}  // namespace qatlas::llama
