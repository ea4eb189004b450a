// A law as a person asks for it, in a recipe or on the command line:
//   "qat-unified"                            a component
//   "chinchilla + qat-unified"               the sum of a form for the loss and one for δ
//   "L = E + A/N^a + B/D^b"                  a formula
//   "mine: L = E + A/N^a + B/D^b"            a formula with a name for results
//   { use = "qat-unified", fixed = { gammaN = 0.2 }, per = { k = ["precision"] } }
#ifndef QATLAS_FRAMEWORK_FORMS_REQUEST_H_
#define QATLAS_FRAMEWORK_FORMS_REQUEST_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <qatlas/law.h>
#include <qatlas/options.h>

#include "framework/forms/formula.h"
#include "framework/forms/overrides.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/document.h"
#include "framework/plugin/problems.h"

namespace qatlas::forms {

// start, bounds, positive and units go before what the form declares.
struct LawRequest : ParameterOverrides {
  std::string name;              // in results; unique within a comparison
  std::vector<std::string> use;  // one component, or the base and δ's; empty: a formula
  std::string formula;           // text; empty: none
  OptionTable options;           // of the one component, as written
  // As fit::ProblemOptions has them.
  std::map<std::string, double> fixed;
  std::map<std::string, std::string> tied;              // name → name
  std::map<std::string, std::vector<std::string>> per;  // columns
  std::vector<std::string> parameters;                  // of a formula: all else are columns
};

// A key of the table.
struct LawKey {
  enum class Kind {  // Of a value.
    kText,
    kOptions,  // a table of the component's options
    // Tables by parameter of
    kNumbers,  // numbers
    kNames,    // names of parameters
    kColumns,  // lists of columns, or one
    kStarts,   // numbers, lists of them, or ranges as text
    kBounds,   // pairs of numbers
    kUnits,    // texts
    kList,     // a list of parameters, or one
  };
  std::string name;  // as written
  Kind kind;         // of its value
  std::string help;  // one line
};
// In the order in which documentation lists them.
const std::vector<LawKey>& LawTableKeys();

// Reads a text or a table. Adds every problem at its place: unknown keys, components, options and,
// of a formula, parameters with the nearest valid name; wrong types; what cannot be parsed. No
// library is opened. `target` is that of the fit, for formulas without a left side. Components'
// parameters are not known here: MakeLaw checks them.
LawRequest ReadLaw(const plugin::Node& node, const plugin::Catalog& catalog,
                   const std::string& target, plugin::Problems* problems);

// start: a number, a list of numbers, or "low..high" (five values over the range, by equal factors
// where both are above 0). InvalidArgument says what it must be.
absl::StatusOr<std::vector<double>> StartValues(const plugin::Node& node);

struct MadeLaw {                         // A law, ready to fit.
  std::string name;                      // in results
  std::shared_ptr<const LawForm> form;   // ready to fit
  std::vector<std::string> assumptions;  // of a formula
  // Those of the request, as fit::ProblemOptions has them.
  std::map<std::string, double> fixed;                  // parameters held at a value
  std::map<std::string, std::string> tied;              // parameters that equal another one
  std::map<std::string, std::vector<std::string>> per;  // columns with a value per level
};

// Creates the form, with `start`, `bounds`, `positive` and `units` of the request in its spec.
// columns, ranges: of the table that is fitted to (FormulaOptions). Errors: those of
// plugin::Create, Compose and MakeFormulaLaw; a parameter that the form does not have, with the
// nearest.
absl::StatusOr<MadeLaw> MakeLaw(
    const LawRequest& request, const plugin::Catalog& catalog, const std::string& target = "",
    const std::vector<std::string>& columns = {},
    const std::map<std::string, std::pair<double, double>>& ranges = {});

// The request as text that LawFromText makes again, in whatever table: a name or sum where that
// says all, else a table in one line of TOML. `form`: what was made of it, whose parameters tell a
// formula's symbols apart.
std::string LawText(const LawRequest& request, const LawForm& form);
// One law from text as on a command line, or from a table in one line of TOML ("{ use = ... }").
absl::StatusOr<LawRequest> RequestFromText(const std::string& text, const plugin::Catalog& catalog,
                                           const std::string& target = "");
absl::StatusOr<MadeLaw> LawFromText(const std::string& text, const plugin::Catalog& catalog,
                                    const std::string& target = "");

// The two laws that a sum is of, each with what the request says of its parameters: for fits in two
// stages. InvalidArgument: the request is no sum; a parameter that neither has, or one that is tied
// to one of the other law.
absl::StatusOr<std::pair<LawRequest, LawRequest>> SplitSum(const LawRequest& request,
                                                           const plugin::Catalog& catalog);

// A list of laws on a command line: split at commas outside of parentheses and brackets.
std::vector<std::string> SplitLaws(absl::string_view text);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_REQUEST_H_
