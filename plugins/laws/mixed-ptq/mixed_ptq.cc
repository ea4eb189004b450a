#include "mixed_ptq.h"

#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

qatlas::LawParameter Exponent(const char* name, const char* meaning, double lower, double upper,
                              std::vector<double> starts) {
  qatlas::LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = lower;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  return parameter;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> MixedPtq::Create(const qatlas::Options&) {
  return std::make_unique<MixedPtq>();
}

qatlas::LawSpec MixedPtq::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "C * e^(A*quantized_ratio) / N^gammaN * (G + d)^gammaC";
  spec.covariates = {{"N", "parameters of the model", "parameters", 1},
                     {"quantized_ratio", "share of the parameters that is quantized", "", 0, 1},
                     {"G", "elements of a block, which share a scale", "elements", 1}};
  qatlas::LawParameter factor;
  factor.name = "C";
  factor.meaning = "size of the error";
  factor.unit = "nats/token";
  factor.lower = 0;
  factor.starts = {1e-4, 1e-2, 1, 100};
  factor.linear = true;
  factor.log = true;
  qatlas::LawParameter offset;
  offset.name = "d";
  offset.meaning = "block size that a block of one element counts as";
  offset.unit = "elements";
  offset.lower = 1e-3;
  offset.upper = 1e4;
  offset.starts = {1, 30, 300};
  offset.log = true;
  spec.parameters = {
      factor, Exponent("A", "how fast quantizing more of the model costs", -5, 20, {1, 4}),
      Exponent("gammaN", "how fast size removes the error", -1, 3, {0, .3, .8}), offset,
      Exponent("gammaC", "how the error grows with the block", -1, 3, {.1, .5, 1})};
  return spec;
}

}  // namespace qatlas_laws
