// A formula as the source of a plugin: what the template of a law project takes from it.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_

#include <string>

#include <absl/status/statusor.h>

#include "framework/forms/formula.h"
#include "framework/forms/project.h"

namespace qatlas::forms {

// The right side in C++ over the names of covariates and parameters, as LawFormula::Formula has it.
std::string FormulaAsCpp(const FormulaText& text, const LawSpec& spec);

// What the template of a law (sdk/template/law) takes from a formula: the formula in C++, its spec
// with what was guessed, and points with the formula's own values for the project's test.
// InvalidArgument: names of covariates and parameters that C++ cannot tell apart; a formula that is
// not finite at typical points.
absl::StatusOr<TemplateValues> LawValues(const FormulaLaw& law);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_
