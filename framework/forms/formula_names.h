// Names and numbers of a formula in C++.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_NAMES_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_NAMES_H_

#include <string>

namespace qatlas::forms {

// The name, with a '_' after it where C++ or the surrounding code has it already.
std::string CppName(const std::string& name);
// A literal of type double that is the same number.
std::string CppNumber(double number);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_NAMES_H_
