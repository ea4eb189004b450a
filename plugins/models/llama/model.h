// The llama model: parameters, forward pass, loss.
#ifndef QATLAS_PLUGINS_MODELS_LLAMA_MODEL_H_
#define QATLAS_PLUGINS_MODELS_LLAMA_MODEL_H_

#include <qatlas/linear.h>
#include <qatlas/model.h>

#include <memory>
#include <vector>

#include "ATen/ATen.h"
#include "llama.h"

namespace qatlas::llama {

// Parameters, in order of execution: "embedding.weight" [vocabulary, width]; for each block i
// "i.attention_norm.weight" [width], "i.qkv.weight", "i.o.weight", "i.ffn_norm.weight" [width],
// "i.fc1.weight", "i.fc2.weight"; "norm.weight" [width]; "head.weight" [vocabulary, width] unless
// tied. Norm weights have no weight decay. Norm statistics, softmax and loss are in FP32 whatever
// the compute dtype is.
class LlamaModel final : public Model {
 public:
  LlamaModel(const Config& config, const BuildContext& context);

  at::Tensor Logits(const at::Tensor& tokens) override;
  at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                  LossReduction reduction) override;
  std::vector<NamedParameter> Parameters() override;
  std::vector<QuantizableLinear*> Linears() override;

 private:
  struct Block {
    at::Tensor attention_norm;
    std::unique_ptr<QuantizableLinear> qkv;
    std::unique_ptr<QuantizableLinear> o;
    at::Tensor ffn_norm;
    std::unique_ptr<QuantizableLinear> fc1;
    std::unique_ptr<QuantizableLinear> fc2;
  };

  // [batch, time] → [batch * time, vocabulary] in the compute dtype.
  at::Tensor FlatLogits(const at::Tensor& tokens);
  // h: [batch * time, width], normed. The block's attention, output projection included.
  at::Tensor Attention(Block& block, const at::Tensor& h, int64_t batch, int64_t time);
  // Makes the tables of RoPE long enough for `time` positions.
  void ExtendRotary(int64_t time);

  Config config_;
  at::ScalarType compute_;
  at::Tensor embedding_;
  std::vector<Block> blocks_;
  at::Tensor norm_;
  at::Tensor head_;  // undefined when tied
  at::Tensor cos_;   // [positions, head_size / 2] FP32
  at::Tensor sin_;
};

}  // namespace qatlas::llama

#endif  // QATLAS_PLUGINS_MODELS_LLAMA_MODEL_H_
