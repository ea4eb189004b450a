// A formula as the source of a plugin: a small project that builds against an installed Qatlas.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/forms/formula.h"

namespace qatlas::forms {

struct ProjectFile {  // A file of the project.
  std::string path;   // in the project's folder
  std::string text;   // content
};

// The right side in C++ over the names of covariates and parameters, as LawFormula::Formula has it.
std::string FormulaAsCpp(const FormulaText& text, const LawSpec& spec);

// CMakeLists.txt, header and source with the formula and its spec, register.cc, README.md and a
// test that holds values against the formula's own and derivatives against differences.
// InvalidArgument: a name that is not letters, digits and '-', beginning with a letter; names of
// covariates and parameters that C++ cannot tell apart.
absl::StatusOr<std::vector<ProjectFile>> LawProject(const std::string& name, const FormulaLaw& law);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_PROJECT_H_
