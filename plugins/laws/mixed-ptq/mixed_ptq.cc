#include "mixed_ptq.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Exponent;
using qatlas::law_parts::Positive;

qatlas::LawSpec MixedPtq::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "C * e^(A*quantized_ratio) / N^gammaN * (G + d)^gammaC";
  spec.covariates = {qatlas::law_parts::Size(),
                     {"quantized_ratio", "share of the parameters that is quantized", "", 0, 1},
                     {"G", "elements of a block, which share a scale", "elements", 1}};
  spec.parameters = {Coefficient("C", "size of the error", {1e-4, 1e-2, 1, 100}),
                     Exponent("A", "how fast quantizing more of the model costs", -5, 20, {1, 4}),
                     Exponent("gammaN", "how fast size removes the error", -1, 3, {0, .3, .8}),
                     Positive("d", "block size that a block of one element counts as", "elements",
                              1e-3, 1e4, {1, 30, 300}),
                     Exponent("gammaC", "how the error grows with the block", -1, 3, {.1, .5, 1})};
  return spec;
}

}  // namespace qatlas_laws
