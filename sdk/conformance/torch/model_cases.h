// Models small enough to check in seconds, under all their options.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_MODEL_CASES_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_MODEL_CASES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "qatlas/conformance/check.h"
#include "qatlas/model.h"
#include "qatlas/options.h"

namespace qatlas::conformance {

inline constexpr int64_t kBatch = 3;
inline constexpr int64_t kTime = 16;  // also BuildContext::sequence_length

struct ModelCase {
  const qatlas_component* component = nullptr;
  Options options;
  bool extreme = false;  // some number is at an end of its range: no sense in training it
  std::shared_ptr<ModelBuilder> builder;

  // "model llama {layers = 2, ...}".
  std::string Words() const;
};

// A small model, one block more of it, and variants of its options. Which options make a model
// small is told by their names (layers, width, ffn, heads, vocabulary and their like); where the
// factory refuses those values, others are tried at random.
std::vector<ModelCase> ModelCases(const Subject& subject, uint64_t seed);

enum class Which { kAll, kSensible };
// Runs `body` on the cases. An exception is a failure of that case, and the next one follows.
void ForEachModel(const Subject& subject, Probe& probe, Which which,
                  const std::function<void(const ModelCase&)>& body);

struct BuildSettings {
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat;
};
// Builds; null where that fails, which is then recorded.
std::unique_ptr<Model> BuildModel(const ModelCase& one, Probe& probe,
                                  const BuildSettings& settings = {});

// Tokens with the words that make them again.
struct Tokens {
  at::Tensor ids;  // [batch, time] int64
  std::string words;
};
// Uniform in [0, below).
Tokens RandomTokens(int64_t batch, int64_t time, int64_t below, uint64_t seed);

// Adam (Kingma and Ba 2015, betas .9 and .99) on a model's parameters, without weight decay.
class Adam {
 public:
  Adam(std::vector<NamedParameter> parameters, double rate);
  // One step against the gradients, which are then cleared. Parameters without one stay.
  void Step();

 private:
  std::vector<NamedParameter> parameters_;
  std::vector<at::Tensor> first_, second_;
  double rate_;
  int steps_ = 0;
};

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_MODEL_CASES_H_
