#include "framework/forms/formula.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/forms/formula_graph.h"
#include "framework/forms/formula_guess.h"
#include "framework/forms/formula_program.h"
#include "framework/plugin/nearest.h"

namespace qatlas::forms {
namespace {

// A bit of a word marks what a node depends on.
constexpr size_t kMostParameters = 63;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class FormulaForm : public LawForm {
 public:
  FormulaForm(LawSpec spec, FormulaProgram value, FormulaProgram derivatives)
      : spec_(std::move(spec)), value_(std::move(value)), derivatives_(std::move(derivatives)) {}

  const LawSpec& Spec() const override { return spec_; }
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    (jacobian == nullptr ? value_ : derivatives_)
        .Run(HostLawIsa(), batch, theta, values, jacobian, stride);
  }

 private:
  LawSpec spec_;
  FormulaProgram value_;        // of the value alone
  FormulaProgram derivatives_;  // of both
};

absl::Status CheckNames(const FormulaText& text, const FormulaOptions& options,
                        const FormulaSymbols& symbols) {
  std::vector<std::pair<std::string, std::string>> named = options.Names();
  for (const std::string& name : options.parameters) named.emplace_back("parameters", name);
  for (const auto& [what, name] : named) {
    if (Contains(symbols.parameters, name)) continue;
    return FormulaError(text.text, 0,
                        absl::StrCat(what, ": the formula has no parameter '", name, "'",
                                     plugin::NearestHint(name, symbols.parameters)));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& KnownCovariates() {
  static const auto* names = new std::vector<std::string>{
      "N",     "N_total", "D", "G", "weight_bits", "input_bits", "fc2_input_bits", "qat_fraction",
      "flops", kQuantized};
  return *names;
}

std::string FormulaTarget(absl::string_view left) {
  if (left == "L" || left == "loss") return kTargetLoss;
  if (left == "delta" || left == "δ" || left == "Δ") return kTargetDelta;
  if (left == "f") return kTargetOptimalFraction;
  return std::string(left);
}

FormulaSymbols PartSymbols(const FormulaText& text, const FormulaOptions& options) {
  FormulaSymbols symbols;
  for (const std::string& name : text.Symbols()) {
    const bool parameter = options.parameters.empty() ? !Contains(KnownCovariates(), name) &&
                                                            !Contains(options.columns, name)
                                                      : Contains(options.parameters, name);
    (parameter ? symbols.parameters : symbols.covariates).push_back(name);
  }
  return symbols;
}

absl::StatusOr<FormulaLaw> MakeFormulaLaw(absl::string_view given, const FormulaOptions& options) {
  FormulaLaw law;
  auto text = ParseFormulaText(given);
  if (!text.ok()) return text.status();
  law.text = *std::move(text);
  LawSpec spec;
  spec.target = law.text.left.empty() ? options.target : FormulaTarget(law.text.left);
  spec.formula = law.text.right;
  if (spec.target.empty()) {
    return FormulaError(law.text.text, 0, "the left side is missing: write L = ... or delta = ...");
  }
  const FormulaSymbols symbols = PartSymbols(law.text, options);
  if (absl::Status status = CheckNames(law.text, options, symbols); !status.ok()) return status;
  for (const std::string& name : symbols.covariates) {
    if (name == spec.target) {
      return FormulaError(law.text.text, law.text.Position(name),
                          absl::StrCat("'", name, "' is the target and stands on both sides"));
    }
  }
  if (symbols.covariates.empty()) {
    return FormulaError(law.text.text, 0,
                        "no name of the formula is a column, so that nothing varies; columns that "
                        "are always known: " +
                            absl::StrJoin(KnownCovariates(), ", "));
  }
  if (symbols.parameters.empty()) {
    return FormulaError(law.text.text, 0, "the formula has no parameter that could be fitted");
  }
  if (symbols.parameters.size() > kMostParameters) {
    return FormulaError(law.text.text, law.text.Position(symbols.parameters[kMostParameters]),
                        absl::StrCat("more than ", kMostParameters, " parameters"));
  }
  spec.covariates = GuessCovariates(law.text, symbols.covariates);
  if (absl::Status status =
          GuessParameters(law.text, symbols.parameters, options, &spec, &law.assumptions);
      !status.ok()) {
    return status;
  }
  std::vector<bool> positive;
  for (LawParameter& parameter : spec.parameters) {
    if (absl::Status status = Override(options, &parameter); !status.ok()) {
      return FormulaError(law.text.text, law.text.Position(parameter.name), status.message());
    }
    positive.push_back(parameter.log);
  }
  std::vector<double> minimum;
  for (const LawCovariate& covariate : spec.covariates) minimum.push_back(covariate.minimum);
  FormulaGraph graph(minimum, positive);
  auto root = BuildFormula(law.text, symbols.covariates, symbols.parameters, &graph);
  if (!root.ok()) return root.status();
  const int covariates = static_cast<int>(symbols.covariates.size());
  FormulaProgram value(graph, covariates, {*root});
  std::vector<int> outputs = {*root};
  for (int id : graph.Derivatives(*root, static_cast<int>(symbols.parameters.size()))) {
    outputs.push_back(id);
  }
  FormulaProgram derivatives(graph, covariates, outputs);
  law.form =
      std::make_shared<FormulaForm>(std::move(spec), std::move(value), std::move(derivatives));
  return law;
}

}  // namespace qatlas::forms
