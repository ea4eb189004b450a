// Laws written as formulas.
#include <qatlas/law.h>

#include "framework/forms/formula.h"
#include "framework/forms/formula_project.h"
#include "framework/forms/request.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = fuzz::Text(data, size);
  forms::SplitLaws(text);
  forms::FormulaOptions options;
  options.columns = {"x", "tokens"};
  options.ranges = {{"weight_bits", {2, 8}}, {"x", {-1, 1}}};
  const auto law = forms::MakeFormulaLaw(text, options);
  if (!law.ok()) {
    fuzz::CheckRefusal(law.status());
    return 0;
  }
  const LawSpec& spec = law->form->Spec();
  std::vector<double> theta;
  for (const LawParameter& parameter : spec.parameters) {
    QATLAS_FUZZ_CHECK(!parameter.starts.empty(), parameter.name);
    QATLAS_FUZZ_CHECK(parameter.lower <= parameter.upper, parameter.name);
    theta.push_back(parameter.starts.front());
  }
  const LawPoints points(std::vector<std::vector<double>>(spec.covariates.size(), {1.5, 3, 64}));
  std::vector<double> values(3), jacobian(3 * theta.size());
  law->form->Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), 3);
  forms::FormulaAsCpp(law->text, spec);
  return 0;
}
