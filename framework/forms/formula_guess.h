// What a formula's structure says about its covariates and parameters.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_GUESS_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_GUESS_H_

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <qatlas/law.h>

#include "framework/forms/formula.h"

namespace qatlas::forms {

// Covariates with the least value at which the formula is finite: 0, or just above it where a
// logarithm is taken, a power of unknown sign, or a quotient; 1 for G.
std::vector<LawCovariate> GuessCovariates(const FormulaText& text,
                                          const std::vector<std::string>& names);

// What a covariate ranges over where no table says it.
std::pair<double, double> TypicalRange(const std::string& covariate);

// Fills spec->parameters (names, roles, bounds, starts, linear, log) for spec->covariates, and says
// what was assumed. Parameters are
//   linear     where no derivative by one of them depends on another of them; coefficients of
//              powers are taken as positive, and so is the constant of a loss;
//   exponents  where they stand in the exponent of a base that varies over points: 0 to 3 in sums,
//              -1 to 3 in a product, never below 0 where the base may be 0;
//   scales     else: positive, with starts where the formula responds to them over the ranges.
// Errors: those of BuildFormula.
absl::Status GuessParameters(const FormulaText& text, const std::vector<std::string>& names,
                             const FormulaOptions& options, LawSpec* spec,
                             std::vector<std::string>* assumptions);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_GUESS_H_
