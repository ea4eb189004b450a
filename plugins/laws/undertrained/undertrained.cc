#include "undertrained.h"

#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

qatlas::LawParameter Exponent(const char* name, const char* meaning, double upper,
                              std::vector<double> starts) {
  qatlas::LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = -1;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  return parameter;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Undertrained::Create(const qatlas::Options&) {
  return std::make_unique<Undertrained>();
}

qatlas::LawSpec Undertrained::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "k * D^beta / (N^alpha * bits^gamma)";
  spec.covariates = {{"N", "parameters of the model, without embeddings", "parameters", 1},
                     {"D", "training tokens", "tokens", 1},
                     {"weight_bits", "bits of the weights", "bits", 1}};
  qatlas::LawParameter k;
  k.name = "k";
  k.meaning = "size of the error";
  k.unit = "nats/token";
  k.lower = 0;
  k.starts = {1e-3, 1e-2, .1, 1, 10};
  k.linear = true;
  k.log = true;
  spec.parameters = {k, Exponent("alpha", "how fast size removes the error", 3, {0, .2, .5, 1}),
                     Exponent("beta", "how fast data add to the error", 3, {0, .2, .5, 1}),
                     Exponent("gamma", "how fast bits remove the error", 20, {1, 3, 6, 10})};
  spec.presets = {
      {"ouyang-2024",
       "Ouyang et al. 2024, arXiv 2411.17691",
       {{"k", .017}, {"alpha", .2261}, {"beta", .5251}, {"gamma", 5.4967}},
       false,
       "Quantization after training, of weights alone. Not marked as read in the paper."}};
  return spec;
}

}  // namespace qatlas_laws
