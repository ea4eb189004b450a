#include "framework/train/site_plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "qatlas/check.h"
#include "qatlas/site.h"

namespace qatlas::train {
namespace {

constexpr char kNone[] = "none";
constexpr char kLinear[] = "linear";

std::string ListSites(const std::vector<QuantizableLinear*>& linears) {
  std::vector<std::string> names;
  for (const QuantizableLinear* linear : linears) {
    names.push_back(linear->WeightSite().Name());
    names.push_back(linear->InputSite().Name());
  }
  return absl::StrJoin(names, ", ");
}

absl::Status CheckAbility(const Site& site, const recipe::ResolvedRule& rule,
                          const QuantizerComponent& quantizer) {
  if (quantizer.Can(site.operand)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("site ", site.Name(), " (rule '", rule.sites, "'): the quantizer '",
                   rule.quantizer.component, "' does not do operand '", site.operand,
                   "'; its abilities are ", absl::StrJoin(quantizer.abilities, ", ")));
}

}  // namespace

absl::StatusOr<std::vector<QuantizerComponent>> MakeQuantizers(
    const std::vector<recipe::ResolvedRule>& rules, Components& components) {
  std::vector<QuantizerComponent> result;
  for (const recipe::ResolvedRule& rule : rules) {
    if (rule.quantizer.component == kNone) {
      result.emplace_back();
      continue;
    }
    QATLAS_ASSIGN_OR_RETURN(QuantizerComponent made, components.MakeQuantizer(rule.quantizer));
    result.push_back(std::move(made));
  }
  return result;
}

absl::StatusOr<std::vector<LinearPlan>> PlanSites(
    const std::vector<QuantizableLinear*>& linears, const std::vector<recipe::ResolvedRule>& rules,
    const std::vector<QuantizerComponent>& quantizers) {
  std::vector<LinearPlan> plans;
  for (QuantizableLinear* linear : linears) plans.push_back({linear});
  for (size_t r = 0; r < rules.size(); ++r) {
    QATLAS_ASSIGN_OR_RETURN(SitePattern pattern, SitePattern::Parse(rules[r].sites));
    const int rule = quantizers[r].quantizer == nullptr ? kFullPrecision : static_cast<int>(r);
    bool matched = false;
    for (LinearPlan& plan : plans) {
      if (pattern.Matches(plan.linear->WeightSite())) {
        plan.weight_rule = rule;
        matched = true;
      }
      if (pattern.Matches(plan.linear->InputSite())) {
        plan.input_rule = rule;
        matched = true;
      }
    }
    if (!matched) {
      return absl::InvalidArgumentError(absl::StrCat("the rule for sites '", rules[r].sites,
                                                     "' matches none; the model's sites are ",
                                                     ListSites(linears)));
    }
  }
  for (LinearPlan& plan : plans) {
    if (plan.weight_rule != kFullPrecision) {
      const QuantizerComponent& quantizer = quantizers[plan.weight_rule];
      plan.whole = quantizer.Can(kLinear);
      QATLAS_RETURN_IF_ERROR(
          CheckAbility(plan.linear->WeightSite(), rules[plan.weight_rule], quantizer));
    }
    if (plan.input_rule == kFullPrecision) continue;
    const QuantizerComponent& quantizer = quantizers[plan.input_rule];
    QATLAS_RETURN_IF_ERROR(
        CheckAbility(plan.linear->InputSite(), rules[plan.input_rule], quantizer));
    if (quantizer.Can(kLinear) && !plan.OwnsInput()) {
      return absl::InvalidArgumentError(
          absl::StrCat("site ", plan.linear->InputSite().Name(), ": the quantizer '",
                       rules[plan.input_rule].quantizer.component,
                       "' owns whole linears, so one rule must give it weight and input alike"));
    }
  }
  return plans;
}

absl::Status CheckSite(const LinearPlan& plan, const char* operand,
                       const std::vector<recipe::ResolvedRule>& rules,
                       const std::vector<QuantizerComponent>& quantizers) {
  const bool weight = std::string_view(operand) == kWeight;
  const int rule = weight ? plan.weight_rule : plan.input_rule;
  if (rule == kFullPrecision) return absl::OkStatus();
  const absl::Status status = quantizers[rule].quantizer->Check(operand, plan.linear->in_features(),
                                                                plan.linear->out_features());
  if (status.ok()) return status;
  const Site site = weight ? plan.linear->WeightSite() : plan.linear->InputSite();
  return absl::InvalidArgumentError(absl::StrCat("site ", site.Name(), ": quantizer '",
                                                 rules[rule].quantizer.component,
                                                 "': ", status.message()));
}

absl::Status CheckSites(const std::vector<LinearPlan>& plans,
                        const std::vector<recipe::ResolvedRule>& rules,
                        const std::vector<QuantizerComponent>& quantizers) {
  std::vector<std::string> problems;
  for (const LinearPlan& plan : plans) {
    for (const char* operand : {kWeight, kInput}) {
      const absl::Status status = CheckSite(plan, operand, rules, quantizers);
      if (!status.ok()) problems.emplace_back(status.message());
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
}

}  // namespace qatlas::train
