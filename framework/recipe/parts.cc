#include "framework/recipe/parts.h"

#include <algorithm>
#include <optional>

#include <qatlas/check.h>
#include <qatlas/site.h>
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "framework/plugin/document.h"
#include "framework/plugin/nearest.h"
#include "framework/plugin/options.h"

namespace qatlas::recipe {
namespace {

constexpr char kOnly[] = "only:";
constexpr char kNot[] = "not:";
constexpr char kBit[] = "bit";

struct RoleBits {
  std::string role;
  int64_t bits = 0;
};

// "fc2-8bit" → fc2, 8.
std::optional<RoleBits> ParseRoleBits(const std::string& part) {
  const size_t dash = part.rfind('-');
  if (dash == std::string::npos || dash == 0 || !absl::EndsWith(part, kBit)) return std::nullopt;
  RoleBits result;
  result.role = part.substr(0, dash);
  const std::string number = part.substr(dash + 1, part.size() - dash - 1 - (sizeof(kBit) - 1));
  if (!absl::SimpleAtoi(number, &result.bits)) return std::nullopt;
  return result;
}

// A pattern whose part at `index` (from the end where negative) admits `name` alone, or nullopt
// where it admits `name` not at all.
std::optional<std::string> Narrowed(const std::string& pattern, int index,
                                    const std::string& name) {
  std::vector<std::string> parts =
      pattern == "*" ? std::vector<std::string>{"*", "*", "*"}
                     : static_cast<std::vector<std::string>>(absl::StrSplit(pattern, '.'));
  std::string& part = index < 0 ? parts[parts.size() + static_cast<size_t>(index)]
                                : parts[static_cast<size_t>(index)];
  std::string inner = part;
  if (inner.front() == '{') inner = inner.substr(1, inner.size() - 2);
  const std::vector<std::string> alternatives = absl::StrSplit(inner, ',');
  for (const std::string& alternative : alternatives) {
    if (alternative == "*" || alternative == name) {
      part = name;
      return absl::StrJoin(parts, ".");
    }
  }
  return std::nullopt;
}

std::vector<ResolvedRule> NarrowedRules(const std::vector<ResolvedRule>& rules, int index,
                                        const std::string& name) {
  std::vector<ResolvedRule> result;
  for (const ResolvedRule& rule : rules) {
    if (auto sites = Narrowed(rule.sites, index, name)) {
      result.push_back({*std::move(sites), rule.quantizer, rule.where});
    }
  }
  return result;
}

bool QuantizesNothing(const std::vector<ResolvedRule>& rules) {
  return std::all_of(rules.begin(), rules.end(),
                     [](const ResolvedRule& rule) { return rule.quantizer.component == "none"; });
}

absl::StatusOr<std::vector<ResolvedRule>> WithBits(const std::vector<ResolvedRule>& rules,
                                                   const RoleBits& wanted,
                                                   const plugin::Catalog& catalog) {
  std::vector<ResolvedRule> result;
  bool changed = false;
  for (const ResolvedRule& rule : rules) {
    result.push_back(rule);
    if (rule.quantizer.component == "none") continue;
    std::optional<std::string> sites = Narrowed(rule.sites, 1, wanted.role);
    if (sites) sites = Narrowed(*sites, -1, kInput);
    if (!sites) continue;
    const plugin::ComponentDeclaration* declaration =
        catalog.FindDeclaration(QATLAS_KIND_QUANTIZER, rule.quantizer.component);
    QATLAS_CHECK(declaration != nullptr, "a resolved rule with an unknown quantizer");
    const plugin::OptionDeclaration* bits = declaration->FindOption("bits");
    if (bits == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("the quantizer '", declaration->name, "' has no option 'bits'"));
    }
    plugin::Problems problems;
    const auto value = ReadOption(*bits, plugin::Node::Int(wanted.bits), &problems);
    if (!value) return absl::InvalidArgumentError(problems.Sorted().front().what);
    // Right behind the rule that it narrows: rules that follow override both.
    ResolvedRule narrowed = {*std::move(sites), rule.quantizer, rule.where};
    narrowed.quantizer.options.values["bits"] = *value;
    result.push_back(std::move(narrowed));
    changed = true;
  }
  if (!changed) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scheme quantizes no input of the role '", wanted.role, "'"));
  }
  return result;
}

}  // namespace

absl::Status CheckPart(const std::string& part) {
  if (part == "both" || part == "weights" || part == "inputs") return absl::OkStatus();
  for (const char* prefix : {kOnly, kNot}) {
    if (absl::StartsWith(part, prefix) && part.size() > std::string(prefix).size()) {
      return absl::OkStatus();
    }
  }
  if (ParseRoleBits(part)) return absl::OkStatus();
  const std::vector<std::string> known = {"both",     "weights",  "inputs",
                                          "fc2-8bit", "only:fc2", "not:fc2"};
  return absl::InvalidArgumentError(absl::StrCat(
      "part '", part,
      "' is unknown; parts are both, weights, inputs, <role>-<n>bit, only:<role>, "
      "not:<role>",
      plugin::NearestNames(part, known, 1).empty() ? "" : plugin::NearestHint(part, known)));
}

std::string RoleOfPart(const std::string& part) {
  for (const std::string prefix : {kOnly, kNot}) {
    if (absl::StartsWith(part, prefix)) return part.substr(prefix.size());
  }
  if (auto wanted = ParseRoleBits(part)) return wanted->role;
  return "";
}

absl::StatusOr<std::vector<ResolvedRule>> ApplyPart(const std::vector<ResolvedRule>& rules,
                                                    const std::string& part,
                                                    const plugin::Catalog& catalog) {
  std::vector<ResolvedRule> result;
  if (part == "both") {
    result = rules;
  } else if (part == "weights") {
    result = NarrowedRules(rules, -1, kWeight);
  } else if (part == "inputs") {
    result = NarrowedRules(rules, -1, kInput);
  } else if (absl::StartsWith(part, kOnly)) {
    result = NarrowedRules(rules, 1, RoleOfPart(part));
  } else if (absl::StartsWith(part, kNot)) {
    result = rules;
    result.push_back({absl::StrCat("*.", RoleOfPart(part), ".*"), {"none", {}, 0}});
  } else {
    const std::optional<RoleBits> wanted = ParseRoleBits(part);
    QATLAS_CHECK(wanted.has_value(), "a part that was not checked");
    return WithBits(rules, *wanted, catalog);
  }
  // As it is written a scheme may quantize nothing: the control of a tuning in full precision.
  if (part != "both" && QuantizesNothing(result)) {
    return absl::InvalidArgumentError("it leaves nothing of the scheme");
  }
  return result;
}

}  // namespace qatlas::recipe
