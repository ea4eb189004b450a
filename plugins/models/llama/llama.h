// The llama model builder: options, counts, construction. The model itself is in model.h.
#ifndef QATLAS_PLUGINS_MODELS_LLAMA_LLAMA_H_
#define QATLAS_PLUGINS_MODELS_LLAMA_LLAMA_H_

#include <qatlas/component.h>
#include <qatlas/model.h>
#include <qatlas/options.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace qatlas::llama {

// Shape of a model. Checked by Create: width is a multiple of heads, heads of kv_heads, and a head
// has an even number of features (RoPE turns them in pairs).
struct Config {
  int64_t layers = 0;
  int64_t width = 0;
  int64_t ffn = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t vocabulary = 0;
  bool tied = false;
  double rope_theta = 0;
  double norm_eps = 0;
  double init_std = 0;
  bool scale_residual_init = true;

  int64_t head_size() const { return width / heads; }
  // Rows of the packed query, key and value projection.
  int64_t qkv_rows() const { return (heads + 2 * kv_heads) * head_size(); }
};

// Llama 3 (arXiv 2407.21783): pre-norm blocks of grouped-query attention and SwiGLU.
//
// Roles of the linears: "qkv" [(heads + 2 kv_heads) head_size, width] with the rows of all query
// heads, then keys, then values; "o" [width, width]; "fc1" [2 ffn, width] with gate rows before up
// rows; "fc2" [width, ffn]. No biases.
class LlamaBuilder final : public ModelBuilder {
 public:
  static constexpr const char* kName = "llama";
  static const ComponentInfo kInfo;
  static absl::StatusOr<std::unique_ptr<ModelBuilder>> Create(const Options& options);

  explicit LlamaBuilder(Config config) : config_(config) {}

  ModelCounts Counts(int64_t sequence_length) const override;
  int64_t VocabularySize() const override { return config_.vocabulary; }
  absl::StatusOr<std::unique_ptr<Model>> Build(const BuildContext& context) const override;

  // Names of Hugging Face's LlamaForCausalLM (transformers, models/llama). Its rotary embedding
  // pairs feature i with i + head_size / 2 as ours does, so rows keep their order.
  std::vector<ForeignLayout> ForeignLayouts() const override;

  const Config& config() const { return config_; }

 private:
  Config config_;
};

}  // namespace qatlas::llama

#endif  // QATLAS_PLUGINS_MODELS_LLAMA_LLAMA_H_
