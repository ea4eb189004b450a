#include "framework/recipe/labels.h"

#include <set>
#include <string>
#include <vector>

#include <qatlas/site.h>
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qatlas::recipe {
namespace {

// Stand for whatever no rule names.
constexpr char kOtherRole[] = "?";
constexpr int kOtherBlock = 1 << 30;

struct OperandLabels {
  bool quantized = false;
  std::string quantizer;
  std::optional<double> bits;
  std::optional<int64_t> group;
  std::string granularity;
};

// The rule in force at a site: the last that matches. nullptr: none, or "none".
const ResolvedRule* RuleAt(const std::vector<ResolvedRule>& rules, const Site& site) {
  const ResolvedRule* found = nullptr;
  for (const ResolvedRule& rule : rules) {
    const absl::StatusOr<SitePattern> pattern = SitePattern::Parse(rule.sites);
    if (pattern.ok() && pattern->Matches(site)) found = &rule;
  }
  return found == nullptr || found->quantizer.component == "none" ? nullptr : found;
}

OperandLabels LabelsOf(const ResolvedRule* rule, const plugin::Catalog& catalog) {
  OperandLabels labels;
  if (rule == nullptr) return labels;
  labels.quantized = true;
  labels.quantizer = rule->quantizer.component;
  const auto& options = rule->quantizer.options.values;
  const plugin::ComponentDeclaration* declaration =
      catalog.FindDeclaration(QATLAS_KIND_QUANTIZER, rule->quantizer.component);
  const auto ability = [&](const char* key) {
    return declaration == nullptr ? std::nullopt : declaration->AbilityValue(key);
  };
  if (auto it = options.find("bits"); it != options.end()) {
    if (const auto* whole = std::get_if<int64_t>(&it->second)) {
      labels.bits = static_cast<double>(*whole);
    } else if (const auto* number = std::get_if<double>(&it->second)) {
      labels.bits = *number;
    }
  } else if (auto text = ability("bits")) {
    double number = 0;
    if (absl::SimpleAtod(*text, &number)) labels.bits = number;
  }
  if (auto it = options.find("granularity"); it != options.end()) {
    if (const auto* text = std::get_if<std::string>(&it->second)) labels.granularity = *text;
  } else {
    labels.granularity = ability("granularity").value_or("");
  }
  if (!labels.granularity.empty() && labels.granularity != "group") {
    labels.group = 0;
  } else if (auto it = options.find("group"); it != options.end()) {
    if (const auto* whole = std::get_if<int64_t>(&it->second)) labels.group = *whole;
  } else if (auto text = ability("group")) {
    int64_t number = 0;
    if (absl::SimpleAtoi(*text, &number)) labels.group = number;
  }
  if (labels.granularity.empty() && labels.group.value_or(0) > 0) labels.granularity = "group";
  return labels;
}

// Roles and blocks that patterns name, in their order, after the ones that stand for all others.
struct Places {
  std::vector<std::string> roles = {kOtherRole};
  std::vector<int> blocks = {kOtherBlock};
};

Places PlacesOf(const std::vector<ResolvedRule>& rules) {
  Places places;
  std::set<std::string> roles = {"*"};
  std::set<int> blocks;
  for (const ResolvedRule& rule : rules) {
    const std::vector<std::string> parts = absl::StrSplit(rule.sites, '.');
    if (parts.size() < 3) continue;
    std::vector<std::string> names =
        absl::StrSplit(parts[1], absl::ByAnyChar("{},"), absl::SkipEmpty());
    for (const std::string& name : names) {
      if (roles.insert(name).second) places.roles.push_back(name);
    }
    std::vector<std::string> numbers =
        absl::StrSplit(parts[0], absl::ByAnyChar("{},-"), absl::SkipEmpty());
    for (const std::string& text : numbers) {
      int block = 0;
      if (absl::SimpleAtoi(text, &block) && blocks.insert(block).second) {
        places.blocks.push_back(block);
      }
    }
  }
  return places;
}

OperandLabels LabelsOfOperand(const std::vector<ResolvedRule>& rules, const Places& places,
                              const char* operand, const plugin::Catalog& catalog) {
  // Expert 0 stands for all of them: patterns of four parts match no site without an expert.
  for (const int expert : {-1, 0}) {
    for (const std::string& role : places.roles) {
      for (const int block : places.blocks) {
        if (const ResolvedRule* rule = RuleAt(rules, {block, role, operand, expert})) {
          return LabelsOf(rule, catalog);
        }
      }
    }
  }
  return {};
}

// "a" where both are the same or one is empty, else "a+b".
std::string Joined(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || a == b) return a.empty() ? b : a;
  return absl::StrCat(a, "+", b);
}

}  // namespace

void SetLabels(const plugin::Catalog& catalog, SchemeVariant* variant) {
  const Places places = PlacesOf(variant->rules);
  const OperandLabels weight = LabelsOfOperand(variant->rules, places, kWeight, catalog);
  const OperandLabels input = LabelsOfOperand(variant->rules, places, kInput, catalog);
  OperandLabels fc2;
  for (const int block : places.blocks) {
    if (fc2.quantized) break;
    fc2 = LabelsOf(RuleAt(variant->rules, {block, "fc2", kInput, -1}), catalog);
  }
  variant->weight_bits = weight.bits;
  variant->input_bits = input.bits;
  variant->fc2_input_bits.reset();
  if (fc2.quantized && fc2.bits != input.bits) variant->fc2_input_bits = fc2.bits;
  variant->group = weight.quantized ? weight.group : input.group;
  variant->input_group.reset();
  if (weight.quantized && input.quantized && input.group != weight.group) {
    variant->input_group = input.group;
  }
  variant->quantizer = Joined(weight.quantizer, input.quantizer);
  // What a channel is to a weight is a token to an input: one row of its matrix.
  variant->granularity =
      Joined(weight.granularity, input.granularity == "channel" ? "token" : input.granularity);
}

}  // namespace qatlas::recipe
