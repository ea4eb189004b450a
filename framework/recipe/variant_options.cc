// What tells the variants of one scheme apart besides bits, group and granularity.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

// Options that have columns of their own.
constexpr const char* kTold[] = {"bits", "group", "granularity"};

std::string ShownOption(const OptionValue& value) {
  const std::string* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : CanonicalText(value);
}

}  // namespace

std::map<std::string, std::string> OptionsOfRules(const std::vector<ResolvedRule>& rules) {
  std::map<std::string, std::vector<std::string>> values;  // different ones, in order of the rules
  for (const ResolvedRule& rule : rules) {
    for (const auto& [name, value] : rule.quantizer.options.values) {
      std::vector<std::string>& seen = values[name];
      std::string shown = ShownOption(value);
      if (std::find(seen.begin(), seen.end(), shown) == seen.end()) {
        seen.push_back(std::move(shown));
      }
    }
  }
  for (const char* told : kTold) values.erase(told);
  std::map<std::string, std::string> joined;
  for (const auto& [name, seen] : values) joined[name] = absl::StrJoin(seen, "+");
  return joined;
}

void SetVariantOptions(Reading* reading) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> of_scheme;
  std::vector<SchemeVariant>& schemes = reading->recipe.schemes;
  for (const auto& [index, options] : reading->variant_options) {
    for (const auto& [name, value] : options) {
      of_scheme[schemes[static_cast<size_t>(index)].name][name].insert(value);
    }
  }
  for (const auto& [index, options] : reading->variant_options) {
    SchemeVariant& variant = schemes[static_cast<size_t>(index)];
    std::vector<std::string> words;
    for (const auto& [name, value] : options) {
      if (of_scheme[variant.name][name].size() > 1) words.push_back(absl::StrCat(name, "=", value));
    }
    variant.options = absl::StrJoin(words, " ");
  }
}

}  // namespace qatlas::recipe
