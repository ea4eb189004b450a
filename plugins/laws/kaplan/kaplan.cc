#include "kaplan.h"

#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

qatlas::LawParameter Scale(const char* name, const char* meaning, const char* unit) {
  qatlas::LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.unit = unit;
  parameter.lower = 1;
  parameter.upper = 1e30;
  parameter.starts = {1e9, 1e11, 1e13, 1e15, 1e18};
  parameter.log = true;
  return parameter;
}
qatlas::LawParameter Exponent(const char* name, const char* meaning) {
  qatlas::LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = .01;
  parameter.upper = 1;
  parameter.starts = {.03, .08, .15, .3, .6};
  parameter.log = true;
  return parameter;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Kaplan::Create(const qatlas::Options&) {
  return std::make_unique<Kaplan>();
}

qatlas::LawSpec Kaplan::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "((Nc/N)^(alphaN/alphaD) + Dc/D)^alphaD";
  spec.covariates = {{"N", "parameters of the model, without embeddings", "parameters", 1},
                     {"D", "training tokens", "tokens", 1}};
  spec.parameters = {Scale("Nc", "size at which size alone would give a loss of 1", "parameters"),
                     Exponent("alphaN", "exponent of size"),
                     Scale("Dc", "data at which data alone would give a loss of 1", "tokens"),
                     Exponent("alphaD", "exponent of data")};
  spec.presets = {{"kaplan-2020",
                   "Kaplan et al. 2020, arXiv 2001.08361, joint fit",
                   {{"Nc", 6.4e13}, {"alphaN", .076}, {"Dc", 1.8e13}, {"alphaD", .103}},
                   false,
                   "Taken from a summary. N leaves embeddings out."}};
  return spec;
}

}  // namespace qatlas_laws
