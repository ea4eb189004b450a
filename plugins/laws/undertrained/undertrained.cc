#include "undertrained.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Exponent;

qatlas::LawSpec Undertrained::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "k * D^beta / (N^alpha * bits^gamma)";
  spec.covariates = {qatlas::law_parts::Size("parameters of the model, without embeddings"),
                     qatlas::law_parts::Data(),
                     {"weight_bits", "bits of the weights", "bits", 1}};
  spec.parameters = {Coefficient("k", "size of the error", {1e-3, 1e-2, .1, 1, 10}),
                     Exponent("alpha", "how fast size removes the error", -1, 3, {0, .2, .5, 1}),
                     Exponent("beta", "how fast data add to the error", -1, 3, {0, .2, .5, 1}),
                     Exponent("gamma", "how fast bits remove the error", -1, 20, {1, 3, 6, 10})};
  spec.presets = {
      {"ouyang-2024",
       "Ouyang et al. 2024, arXiv 2411.17691",
       {{"k", .017}, {"alpha", .2261}, {"beta", .5251}, {"gamma", 5.4967}},
       false,
       "Quantization after training, of weights alone. Not marked as read in the paper."}};
  return spec;
}

}  // namespace qatlas_laws
