// Model builders: options → a language model with named sites.
#ifndef QATLAS_MODEL_H_
#define QATLAS_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/abi.h"
#include "qatlas/component.h"
#include "qatlas/linear.h"
#include "qatlas/tensors.h"

namespace qatlas {

// Exact counts of a model, known without building it.
struct ModelCounts {
  int64_t block_linears = 0;  // N of the scaling laws: weights of the blocks' linears
  int64_t embedding =
      0;              // token (and position) embeddings; with a tied head these are the head too
  int64_t head = 0;   // an untied output head
  int64_t other = 0;  // norms, biases
  // Matrix products and attention, averaged over the tokens of a sequence of the given length; a
  // causal model counts only the positions that a token sees. Training costs three times this.
  double forward_flops_per_token = 0;
  int64_t Total() const { return block_linears + embedding + head + other; }
};

struct BuildContext {                   // What a builder is told besides its options.
  uint64_t seed = 0;                    // of initial values
  at::Device device = at::kCPU;         // at::kMeta: shapes only
  at::ScalarType compute = at::kFloat;  // dtype of activations and matrix products
  int64_t sequence_length = 0;          // longest sequence that will be fed
  // Linears get their weights later, one by one (QuantizableLinear::MakeWeight), so that a model
  // whose quantizers free them never holds them all. A builder may make them at once all the same.
  bool put_off_weights = false;
};

enum class LossReduction {  // Over tokens.
  kMean,                    // scalar: mean over all tokens, for training
  kPerSequence,             // [batch]: mean over the tokens of each sequence, for evaluation
};

// A built model. Parameters are FP32 leaves; activations have the compute dtype. Results depend on
// parameters and tokens alone. Dropout would be an exception: ask at::GradMode::is_enabled(), since
// evaluation runs without gradients, and mind that runs are compared with pairs that see the same
// tokens.
class Model {
 public:
  virtual ~Model() = default;

  // tokens: [batch, time] int64 → [batch, time, vocabulary] FP32. `time` is at most
  // BuildContext::sequence_length where that is given.
  virtual at::Tensor Logits(const at::Tensor& tokens) = 0;
  // Cross-entropy in nats per token. tokens, targets: [batch, time] int64, targets[t] follows
  // tokens[t].
  virtual at::Tensor Loss(const at::Tensor& tokens, const at::Tensor& targets,
                          LossReduction reduction) = 0;
  // All parameters but those of quantizers: the weights of linears are "<linear name>.weight". A
  // weight that an operator freed, or that was put off, is not on this list. By custom, and as
  // AddParameter() of layers.h has it, matrices decay (embeddings and positions too), gains and
  // biases do not.
  virtual std::vector<NamedParameter> Parameters() = 0;
  // The quantizable linears in order of execution; the model owns them.
  virtual std::vector<QuantizableLinear*> Linears() = 0;
};

// How another program's checkpoint names what this model is made of.
struct ForeignTensor {
  std::string name;  // in the file
  int64_t rows = 0;  // of the parameter that it makes up
  // The file has the transpose, [in, out] for a linear's weight (GPT-2's Conv1D): `rows` of the
  // parameter are then its columns.
  bool transposed = false;
};
struct ForeignParameter {              // Where a parameter lies in such a file.
  std::string parameter;               // of Model::Parameters()
  std::vector<ForeignTensor> tensors;  // of the file, their rows one below the other
  // Tensors of the file, where it has them, that must be equal to the parameter: a tied head that
  // is written out.
  std::vector<std::string> same;
};

// A file is taken to have this layout when it has the first tensor of the first parameter.
struct ForeignLayout {
  std::string name;                          // "Hugging Face's Llama", for messages
  std::vector<ForeignParameter> parameters;  // all of the model
  // Endings of names that carry nothing, such as buffers that can be computed. Any other tensor
  // that no parameter takes is an error: the file is of another model.
  std::vector<std::string> ignored;
};

// The component. Abilities that a builder declares: "role:qkv" and so on, one for each role of its
// linears, so that a recipe that names another is refused before anything runs.
class ModelBuilder {
 public:
  static constexpr int kKind = QATLAS_KIND_MODEL;  // of the descriptor
  using Base = ModelBuilder;                       // what factories return
  virtual ~ModelBuilder() = default;

  // Counts for sequences of this length.
  virtual ModelCounts Counts(int64_t sequence_length) const = 0;
  virtual int64_t VocabularySize() const = 0;
  // Initial values depend on the seed and each parameter's name alone, not on the order of
  // creation.
  virtual absl::StatusOr<std::unique_ptr<Model>> Build(const BuildContext& context) const = 0;
  // Layouts besides the model's own names in which somebody else's checkpoint may come.
  virtual std::vector<ForeignLayout> ForeignLayouts() const { return {}; }
};

}  // namespace qatlas

#endif  // QATLAS_MODEL_H_
