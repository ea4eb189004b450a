// Law forms from text: "L = E + A/N^a + B/D^b" becomes a LawForm with the same derivatives,
// intervals and ranking as a plugin's.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <qatlas/law.h>

#include "framework/forms/formula_text.h"
#include "framework/forms/overrides.h"

namespace qatlas::forms {

// What is not said of parameters is guessed from the formula's structure.
struct FormulaOptions : ParameterOverrides {
  // Numeric columns of the table at hand: symbols of these names are covariates, besides those of
  // KnownCovariates().
  std::vector<std::string> columns;
  // What columns range over, for start values of scales: γ in exp(-bits/γ).
  std::map<std::string, std::pair<double, double>> ranges;
  // Where not empty, the parameters; every other symbol is a covariate.
  std::vector<std::string> parameters;
  std::string target;  // where the text has no left side
};

struct FormulaLaw {                     // A law made of a formula.
  std::shared_ptr<const LawForm> form;  // to fit
  FormulaText text;                     // parsed
  // What was guessed, for people: "N, D are read from the table", "E, A, B: above 0, linear".
  std::vector<std::string> assumptions;
};

// The target on the left side: L and loss are the loss; delta, δ and Δ are δ; f is the optimal
// fraction; any other name is a column. The form's parameters stand in order of appearance, and
// which of them enter linearly is found in the derivatives.
// InvalidArgument, with a caret under the character: what cannot be parsed, a formula without a
// parameter or a covariate, more than 63 parameters, a target that stands on both sides, options
// that name no parameter (with the nearest) or contradict each other.
absl::StatusOr<FormulaLaw> MakeFormulaLaw(absl::string_view text,
                                          const FormulaOptions& options = {});

// Names of columns that are covariates in every formula: N, D, G, weight_bits, ...
const std::vector<std::string>& KnownCovariates();

// The column that a formula's left side names.
std::string FormulaTarget(absl::string_view left);

// Symbols parted into covariates and parameters, each in order of appearance.
struct FormulaSymbols {
  std::vector<std::string> covariates, parameters;  // names
};
FormulaSymbols PartSymbols(const FormulaText& text, const FormulaOptions& options);  // parts

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_H_
