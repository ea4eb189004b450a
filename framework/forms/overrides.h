// What a person says of a law's parameters, in place of what the form declares.
#ifndef QATLAS_FRAMEWORK_FORMS_OVERRIDES_H_
#define QATLAS_FRAMEWORK_FORMS_OVERRIDES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <qatlas/law.h>

namespace qatlas::forms {

// By parameter, natural units.
struct ParameterOverrides {
  std::map<std::string, std::vector<double>> start;         // values
  std::map<std::string, std::pair<double, double>> bounds;  // low, high
  std::vector<std::string> positive;                        // searched as logarithms
  std::map<std::string, std::string> units;                 // texts

  bool empty() const {  // nothing is said
    return start.empty() && bounds.empty() && positive.empty() && units.empty();
  }
  // What names a parameter where: ("start", "alpha").
  std::vector<std::pair<std::string, std::string>> Names() const;
};

// Brings one parameter to what is said of it. Declared start values that lie outside new bounds are
// replaced by others over them. A start of 0 or less, or bounds that reach below 0, end the search
// as a logarithm, and a start outside bounds that nobody gave lifts them. InvalidArgument: bounds
// in the wrong order, starts outside bounds that were given, and a parameter that is declared
// positive and has a start or bound below 0.
absl::Status Override(const ParameterOverrides& overrides, LawParameter* parameter);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_OVERRIDES_H_
