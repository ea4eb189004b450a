#include "sdk/conformance/torch/variants.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "qatlas/conformance/create.h"

namespace qatlas::conformance {
namespace {

// Values of an option besides its default. `ends` holds those of numbers.
struct Others {
  const char* name = nullptr;
  std::vector<OptionValue> choices;
  std::vector<OptionValue> ends;
};

double NearEnd(double end, double fallback) {
  if (std::abs(end) <= kFarEnd) return end;
  return fallback == 0 ? std::copysign(1, end) : fallback;
}

Others OthersOf(const qatlas_option& option) {
  Others others;
  others.name = option.name;
  const bool required = option.default_value == nullptr;
  const absl::StatusOr<OptionValue> value = ParseDefault(option);
  if (!required && !value.ok()) return others;  // a check of any component says so
  auto add = [&](std::vector<OptionValue>* list, OptionValue other) {
    if (required || CanonicalText(other) != CanonicalText(*value)) {
      list->push_back(std::move(other));
    }
  };
  if (option.type == QATLAS_OPTION_BOOL) {
    add(&others.choices, true);
    add(&others.choices, false);
  } else if (option.type == QATLAS_OPTION_STRING && option.choices != nullptr) {
    for (const char* const* choice = option.choices; *choice != nullptr; ++choice) {
      add(&others.choices, std::string(*choice));
    }
  } else if (option.type == QATLAS_OPTION_INT && !required) {
    const auto start = static_cast<double>(std::get<int64_t>(*value));
    if (!std::isnan(option.minimum)) {
      add(&others.ends, static_cast<int64_t>(std::ceil(NearEnd(option.minimum, start / 4))));
    }
    if (!std::isnan(option.maximum)) {
      add(&others.ends, static_cast<int64_t>(NearEnd(option.maximum, start * 4)));
    }
  } else if (option.type == QATLAS_OPTION_FLOAT && !required) {
    const double start = std::get<double>(*value);
    if (!std::isnan(option.minimum)) add(&others.ends, NearEnd(option.minimum, start / 4));
    if (!std::isnan(option.maximum)) add(&others.ends, NearEnd(option.maximum, start * 4));
  }
  return others;
}

Variant Make(const std::vector<std::pair<const char*, const OptionValue*>>& changes) {
  Variant variant;
  std::vector<std::string> words;
  for (const auto& [name, value] : changes) {
    variant.given.values[name] = *value;
    words.push_back(absl::StrCat(name, " = ", CanonicalText(*value)));
  }
  variant.words = words.empty() ? "default options" : absl::StrJoin(words, ", ");
  return variant;
}

}  // namespace

std::vector<Variant> AllVariants(const qatlas_component& component) {
  std::vector<Others> options;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    options.push_back(OthersOf(component.options[i]));
  }
  std::vector<Variant> variants = {Make({})};
  for (const Others& option : options) {
    for (const OptionValue& value : option.choices)
      variants.push_back(Make({{option.name, &value}}));
    for (const OptionValue& value : option.ends) {
      variants.push_back(Make({{option.name, &value}}));
      variants.back().extreme = true;
    }
  }
  for (size_t i = 0; i < options.size(); ++i) {
    for (size_t j = i + 1; j < options.size(); ++j) {
      for (const OptionValue& first : options[i].choices) {
        for (const OptionValue& second : options[j].choices) {
          variants.push_back(Make({{options[i].name, &first}, {options[j].name, &second}}));
        }
      }
    }
  }
  return variants;
}

bool Can(const qatlas_component& component, const std::string& ability) {
  for (const char* const* one = component.abilities; one != nullptr && *one != nullptr; ++one) {
    if (ability == *one) return true;
  }
  return false;
}

std::string AbilityValue(const qatlas_component& component, const std::string& key) {
  for (const char* const* one = component.abilities; one != nullptr && *one != nullptr; ++one) {
    absl::string_view text = *one;
    if (absl::ConsumePrefix(&text, absl::StrCat(key, ":"))) return std::string(text);
  }
  return "";
}

}  // namespace qatlas::conformance
