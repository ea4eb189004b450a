// Which rule of a scheme gives which site its quantizer, decided without allocating anything.
#ifndef QATLAS_FRAMEWORK_TRAIN_SITE_PLAN_H_
#define QATLAS_FRAMEWORK_TRAIN_SITE_PLAN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "qatlas/linear.h"

namespace qatlas::train {

inline constexpr int kFullPrecision = -1;

// The rules (as indices) of one linear's two sites. With `whole`, the weight's quantizer owns the
// linear, and owns the input too where both rules are the same.
struct LinearPlan {
  QuantizableLinear* linear = nullptr;
  int weight_rule = kFullPrecision;
  int input_rule = kFullPrecision;
  bool whole = false;
  bool OwnsInput() const { return whole && input_rule == weight_rule; }
};

// What is wrong with one site, or with a rule.
struct SiteProblem {
  int rule = kFullPrecision;  // index; kFullPrecision: not known
  std::string site;           // "0.fc2.weight"; "": of the rule as a whole
  std::string what;           // "quantizer 'int': group = 24 does not divide 32"

  std::string Show() const;  // "site 0.fc2.weight: quantizer ..."
};
// InvalidArgument that says all of them, one a line; OK where there are none.
absl::Status ToStatus(const std::vector<SiteProblem>& problems);
// What such a status was made of; of another error its message, of no rule.
std::vector<SiteProblem> ProblemsOf(const absl::Status& status);

// The quantizers of the rules, in order; an empty entry for "none".
absl::StatusOr<std::vector<QuantizerComponent>> MakeQuantizers(
    const std::vector<recipe::ResolvedRule>& rules, Components& components);

// Later rules override earlier ones, site by site. InvalidArgument, all at once: a pattern that
// cannot be read or matches no site (all sites are listed); an operand that the quantizer cannot
// do; a quantizer of whole linears on an input whose weight has another rule.
absl::StatusOr<std::vector<LinearPlan>> PlanSites(
    const std::vector<QuantizableLinear*>& linears, const std::vector<recipe::ResolvedRule>& rules,
    const std::vector<QuantizerComponent>& quantizers);

// The quantizers' own checks for one site: "site 0.fc2.weight: quantizer 'int': group = ...".
std::optional<SiteProblem> CheckSite(const LinearPlan& plan, const char* operand,
                                     const std::vector<recipe::ResolvedRule>& rules,
                                     const std::vector<QuantizerComponent>& quantizers);
// Of all sites, as ToStatus() says them.
absl::Status CheckSites(const std::vector<LinearPlan>& plans,
                        const std::vector<recipe::ResolvedRule>& rules,
                        const std::vector<QuantizerComponent>& quantizers);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_SITE_PLAN_H_
