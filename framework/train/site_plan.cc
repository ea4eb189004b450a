#include "framework/train/site_plan.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
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

constexpr char kProblemsPayload[] = "qatlas/site-problems";

std::optional<SiteProblem> CheckAbility(const Site& site, int rule,
                                        const recipe::ResolvedRule& written,
                                        const QuantizerComponent& quantizer) {
  if (quantizer.Can(site.operand)) return std::nullopt;
  return SiteProblem{rule, site.Name(),
                     absl::StrCat("the quantizer '", written.quantizer.component,
                                  "' does not do operand '", site.operand, "'; its abilities are ",
                                  absl::StrJoin(quantizer.abilities, ", "))};
}

// What the rules of one linear ask of their quantizers.
void CheckLinear(const LinearPlan& plan, const std::vector<recipe::ResolvedRule>& rules,
                 const std::vector<QuantizerComponent>& quantizers,
                 std::vector<SiteProblem>* problems) {
  const auto add = [problems](std::optional<SiteProblem> problem) {
    if (problem.has_value()) problems->push_back(*std::move(problem));
  };
  if (const int rule = plan.weight_rule; rule != kFullPrecision) {
    add(CheckAbility(plan.linear->WeightSite(), rule, rules[rule], quantizers[rule]));
  }
  const int rule = plan.input_rule;
  if (rule == kFullPrecision) return;
  const Site site = plan.linear->InputSite();
  add(CheckAbility(site, rule, rules[rule], quantizers[rule]));
  if (quantizers[rule].Can(kLinear) && !plan.OwnsInput()) {
    add(SiteProblem{rule, site.Name(),
                    absl::StrCat("the quantizer '", rules[rule].quantizer.component,
                                 "' owns whole linears, so one rule must give it weight and input "
                                 "alike")});
  }
}

}  // namespace

std::string SiteProblem::Show() const {
  return site.empty() ? what : absl::StrCat("site ", site, ": ", what);
}

absl::Status ToStatus(const std::vector<SiteProblem>& problems) {
  if (problems.empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  nlohmann::json json = nlohmann::json::array();
  for (const SiteProblem& problem : problems) {
    lines.push_back(problem.Show());
    json.push_back({problem.rule, problem.site, problem.what});
  }
  absl::Status status = absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  status.SetPayload(kProblemsPayload, absl::Cord(json.dump()));
  return status;
}

std::vector<SiteProblem> ProblemsOf(const absl::Status& status) {
  if (status.ok()) return {};
  const auto payload = status.GetPayload(kProblemsPayload);
  if (!payload.has_value()) return {{kFullPrecision, "", std::string(status.message())}};
  std::vector<SiteProblem> problems;
  for (const nlohmann::json& entry : nlohmann::json::parse(std::string(*payload))) {
    problems.push_back(
        {entry[0].get<int>(), entry[1].get<std::string>(), entry[2].get<std::string>()});
  }
  return problems;
}

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
  std::vector<SiteProblem> problems;
  for (QuantizableLinear* linear : linears) plans.push_back({linear});
  for (size_t r = 0; r < rules.size(); ++r) {
    const absl::StatusOr<SitePattern> pattern = SitePattern::Parse(rules[r].sites);
    if (!pattern.ok()) {
      problems.push_back({static_cast<int>(r), "", std::string(pattern.status().message())});
      continue;
    }
    const int rule = quantizers[r].quantizer == nullptr ? kFullPrecision : static_cast<int>(r);
    bool matched = false;
    for (LinearPlan& plan : plans) {
      if (pattern->Matches(plan.linear->WeightSite())) {
        plan.weight_rule = rule;
        matched = true;
      }
      if (pattern->Matches(plan.linear->InputSite())) {
        plan.input_rule = rule;
        matched = true;
      }
    }
    if (!matched) {
      problems.push_back(
          {static_cast<int>(r), "",
           absl::StrCat("the rule for sites '", rules[r].sites,
                        "' matches none; the model's sites are ", ListSites(linears))});
    }
  }
  for (LinearPlan& plan : plans) {
    if (plan.weight_rule != kFullPrecision) plan.whole = quantizers[plan.weight_rule].Can(kLinear);
    CheckLinear(plan, rules, quantizers, &problems);
  }
  QATLAS_RETURN_IF_ERROR(ToStatus(problems));
  return plans;
}

std::optional<SiteProblem> CheckSite(const LinearPlan& plan, const char* operand,
                                     const std::vector<recipe::ResolvedRule>& rules,
                                     const std::vector<QuantizerComponent>& quantizers) {
  const bool weight = std::string_view(operand) == kWeight;
  const int rule = weight ? plan.weight_rule : plan.input_rule;
  if (rule == kFullPrecision) return std::nullopt;
  const absl::Status status = quantizers[rule].quantizer->Check(operand, plan.linear->in_features(),
                                                                plan.linear->out_features());
  if (status.ok()) return std::nullopt;
  const Site site = weight ? plan.linear->WeightSite() : plan.linear->InputSite();
  return SiteProblem{
      rule, site.Name(),
      absl::StrCat("quantizer '", rules[rule].quantizer.component, "': ", status.message())};
}

absl::Status CheckSites(const std::vector<LinearPlan>& plans,
                        const std::vector<recipe::ResolvedRule>& rules,
                        const std::vector<QuantizerComponent>& quantizers) {
  std::vector<SiteProblem> problems;
  for (const LinearPlan& plan : plans) {
    for (const char* operand : {kWeight, kInput}) {
      if (auto problem = CheckSite(plan, operand, rules, quantizers)) {
        problems.push_back(*std::move(problem));
      }
    }
  }
  return ToStatus(problems);
}

}  // namespace qatlas::train
