// What most law forms are made of: their covariates and the usual kinds of parameters.
//
//   spec.covariates = {Size(), Data(), WeightBits()};
//   spec.parameters = {Coefficient("A", "how much a small model loses", Exponentials({5, 10, 15})),
//                      Exponent("alpha", "exponent of size", .01, 3, {.2, .5, 1})};
#ifndef QATLAS_LAW_PARTS_H_
#define QATLAS_LAW_PARTS_H_

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "qatlas/law.h"

namespace qatlas::law_parts {

// N and D. What N counts differs by law: say so where it is not the whole model.
inline LawCovariate Size(std::string meaning = "parameters of the model") {
  return {"N", std::move(meaning), "parameters", 1};
}
inline LawCovariate Data(std::string meaning = "training tokens") {
  return {"D", std::move(meaning), "tokens", 1};
}
// Group size of the quantizer, as the observations' column G.
inline LawCovariate GroupSize(std::string meaning = "elements that share a scale") {
  return {"G", std::move(meaning), "elements", 1};
}
// Bits of an operand. Rows that lack them do not quantize it, and get kUnquantizedBits; a parameter
// that only quantized rows depend on is OnlyWith() them. A code may have less than one bit.
inline LawCovariate Bits(std::string name, std::string meaning) {
  return {.name = std::move(name),
          .meaning = std::move(meaning),
          .unit = "bits",
          .minimum = .5,
          .missing = kUnquantizedBits};
}
inline LawCovariate WeightBits(std::string meaning = "bits of the weights") {
  return Bits("weight_bits", std::move(meaning) + "; missing: not quantized");
}
inline LawCovariate InputBits(std::string meaning = "bits of the linears' inputs") {
  return Bits("input_bits", std::move(meaning) + "; missing: not quantized");
}

// Positive, searched as its logarithm between bounds in natural units (0: no lower bound).
inline LawParameter Positive(std::string name, std::string meaning, std::string unit, double lower,
                             double upper, std::vector<double> starts) {
  LawParameter parameter;
  parameter.name = std::move(name);
  parameter.meaning = std::move(meaning);
  parameter.unit = std::move(unit);
  parameter.lower = lower;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  parameter.log = true;
  return parameter;
}

// A positive factor of a term of the loss, which enters linearly.
inline LawParameter Coefficient(std::string name, std::string meaning, std::vector<double> starts) {
  LawParameter parameter =
      Positive(std::move(name), std::move(meaning), "nats/token", 0, kNoBound, std::move(starts));
  parameter.linear = true;
  return parameter;
}

// An exponent or a rate: a pure number that is searched as it is.
inline LawParameter Exponent(std::string name, std::string meaning, double lower, double upper,
                             std::vector<double> starts) {
  LawParameter parameter;
  parameter.name = std::move(name);
  parameter.meaning = std::move(meaning);
  parameter.lower = lower;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  return parameter;
}

// A share of N or D that counts, one for each precision; 1 in full precision as observations label
// it: "fp" from runs of our own, often nothing elsewhere.
inline LawParameter Efficiency(std::string name, std::string meaning, std::vector<double> starts) {
  // QuEST reports 1.02 at 8 bits: above 1 is allowed.
  LawParameter parameter =
      Positive(std::move(name), std::move(meaning), "", 1e-4, 4, std::move(starts));
  parameter.per = {"precision"};
  parameter.pins = {{"fp", 1.0}, {"", 1.0}};
  return parameter;
}

// Only rows that have this covariate depend on the parameter (LawParameter::only_with).
inline LawParameter OnlyWith(std::string covariate, LawParameter parameter) {
  parameter.only_with = std::move(covariate);
  return parameter;
}

// Start values of a coefficient from their natural logarithms.
inline std::vector<double> Exponentials(std::vector<double> logarithms) {
  for (double& value : logarithms) value = std::exp(value);
  return logarithms;
}

}  // namespace qatlas::law_parts

#endif  // QATLAS_LAW_PARTS_H_
