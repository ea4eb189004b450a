// Validation losses, one for each sequence.
#ifndef QATLAS_FRAMEWORK_TRAIN_EVALUATE_H_
#define QATLAS_FRAMEWORK_TRAIN_EVALUATE_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/data/batches.h"
#include "framework/train/tokens.h"
#include "qatlas/model.h"

namespace qatlas::train {

struct ValidationResult {
  double loss = 0;            // nats per token, mean over the sequences
  double standard_error = 0;  // of the mean, over sequences; 0 for a single one
  std::vector<double> per_sequence;
};

// Mean and standard error with compensated sums (Neumaier 1974), so that the mean of thousands of
// losses is exact to the last bit that a difference of two runs needs.
ValidationResult Summarize(std::vector<double> per_sequence);

// Sequences in one forward pass of evaluation: about 4,096 tokens, where logits still fit the
// caches' reach and matrix products are at their full rate. A function of the length alone, since
// the batch size may move last bits.
int64_t EvaluationBatch(int64_t sequence_length);

// Brackets an evaluation: quantized weights are computed once and kept.
class KeepQuantizedWeights {
 public:
  explicit KeepQuantizedWeights(Model& model) : model_(model) { Set(true); }
  ~KeepQuantizedWeights() { Set(false); }
  KeepQuantizedWeights(const KeepQuantizedWeights&) = delete;
  KeepQuantizedWeights& operator=(const KeepQuantizedWeights&) = delete;

 private:
  void Set(bool keep) {
    for (QuantizableLinear* linear : model_.Linears()) linear->KeepQuantizedWeight(keep);
  }
  Model& model_;
};

// Without gradients. `stop` is asked before each batch; true ends with Stopped(). Errors: "nan" of
// TrainingFailed() where a loss is not finite.
absl::StatusOr<ValidationResult> Evaluate(Model& model, const data::ValidationSet& validation,
                                          at::Device device, const std::function<bool()>& stop);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_EVALUATE_H_
