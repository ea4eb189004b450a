#include "kaplan.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::law_parts::Positive;

qatlas::LawParameter Scale(const char* name, const char* meaning, const char* unit) {
  return Positive(name, meaning, unit, 1, 1e30, {1e9, 1e11, 1e13, 1e15, 1e18});
}
qatlas::LawParameter Power(const char* name, const char* meaning) {
  return Positive(name, meaning, "", .01, 1, {.03, .08, .15, .3, .6});
}

}  // namespace

qatlas::LawSpec Kaplan::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "((Nc/N)^(alphaN/alphaD) + Dc/D)^alphaD";
  spec.covariates = {qatlas::law_parts::Size("parameters of the model, without embeddings"),
                     qatlas::law_parts::Data()};
  spec.parameters = {Scale("Nc", "size at which size alone would give a loss of 1", "parameters"),
                     Power("alphaN", "exponent of size"),
                     Scale("Dc", "data at which data alone would give a loss of 1", "tokens"),
                     Power("alphaD", "exponent of data")};
  spec.presets = {{"kaplan-2020",
                   "Kaplan et al. 2020, arXiv 2001.08361, joint fit",
                   {{"Nc", 6.4e13}, {"alphaN", .076}, {"Dc", 1.8e13}, {"alphaD", .103}},
                   false,
                   "Taken from a summary. N leaves embeddings out."}};
  return spec;
}

}  // namespace qatlas_laws
