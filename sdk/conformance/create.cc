#include "qatlas/conformance/create.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "qatlas/kinds.h"

namespace qatlas::conformance {
namespace {

absl::Status Wrong(const qatlas_option& option, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("option '", option.name, "' ", what));
}

// The type of a value, as in the declaration.
int TypeOf(const OptionValue& value) { return static_cast<int>(value.index()) + 1; }
static_assert(QATLAS_OPTION_BOOL == 1 && QATLAS_OPTION_INT == 2 && QATLAS_OPTION_FLOAT == 3 &&
              QATLAS_OPTION_STRING == 4 && QATLAS_OPTION_TABLE == 5);

absl::Status CheckRange(const qatlas_option& option, double number, const std::string& shown) {
  // Negated, so that NaN is out of every range.
  if (!std::isnan(option.minimum) && !(number >= option.minimum)) {
    return Wrong(option, absl::StrCat("is ", shown, "; it must be at least ", option.minimum));
  }
  if (!std::isnan(option.maximum) && !(number <= option.maximum)) {
    return Wrong(option, absl::StrCat("is ", shown, "; it must be at most ", option.maximum));
  }
  return absl::OkStatus();
}

double LeastNumber(const qatlas_option& option) {
  if (std::isfinite(option.minimum)) return option.minimum;
  return std::isfinite(option.maximum) ? std::min(1.0, option.maximum) : 1.0;
}

}  // namespace

std::string KindName(int kind) {
  if (kind == 0) return "plugin";
  const char* word = KindWord(kind);
  return word != nullptr ? word : absl::StrCat("kind ", kind);
}

absl::StatusOr<OptionValue> ParseDefault(const qatlas_option& option) {
  const std::string text = option.default_value == nullptr ? "" : option.default_value;
  const std::string digits = absl::StrReplaceAll(text, {{"_", ""}});
  int64_t integer = 0;
  double number = 0;
  switch (option.type) {
    case QATLAS_OPTION_BOOL:
      if (text == "true" || text == "false") return OptionValue(text == "true");
      break;
    case QATLAS_OPTION_INT:
      if (absl::SimpleAtoi(digits, &integer)) return OptionValue(integer);
      break;
    case QATLAS_OPTION_FLOAT:
      if (absl::SimpleAtod(digits, &number)) return OptionValue(number);
      break;
    case QATLAS_OPTION_STRING:
      return OptionValue(text);
    case QATLAS_OPTION_TABLE:
      if (text == "{}") return OptionValue(std::make_shared<const OptionTable>());
      break;
  }
  return Wrong(option, absl::StrCat("has the default '", text, "', which is not ",
                                    OptionTypeWanted(option.type)));
}

absl::Status CheckValue(const qatlas_option& option, const OptionValue& value) {
  const std::string shown = CanonicalText(value);
  const bool whole_for_float =
      option.type == QATLAS_OPTION_FLOAT && TypeOf(value) == QATLAS_OPTION_INT;
  if (TypeOf(value) != option.type && !whole_for_float) {
    return Wrong(option, absl::StrCat("must be ", OptionTypeWanted(option.type), ", not ", shown));
  }
  if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    return CheckRange(option, static_cast<double>(*integer), shown);
  }
  if (const double* number = std::get_if<double>(&value)) {
    return CheckRange(option, *number, shown);
  }
  const std::string* text = std::get_if<std::string>(&value);
  if (text == nullptr || option.choices == nullptr) return absl::OkStatus();
  std::vector<std::string> choices;
  for (const char* const* choice = option.choices; *choice != nullptr; ++choice) {
    if (*text == *choice) return absl::OkStatus();
    choices.push_back(*choice);
  }
  return Wrong(option, absl::StrCat("is ", shown, "; it must be one of '",
                                    absl::StrJoin(choices, "', '"), "'"));
}

OptionTable RequiredOptions(const qatlas_component& component) {
  OptionTable result;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = component.options[i];
    if (option.default_value != nullptr) continue;
    OptionValue& value = result.values[option.name];
    switch (option.type) {
      case QATLAS_OPTION_BOOL:
        value = false;
        break;
      case QATLAS_OPTION_INT:
        value = static_cast<int64_t>(std::ceil(LeastNumber(option)));
        break;
      case QATLAS_OPTION_FLOAT:
        value = LeastNumber(option);
        break;
      case QATLAS_OPTION_STRING:
        value = std::string(
            option.choices != nullptr && *option.choices != nullptr ? *option.choices : "");
        break;
      default:
        value = std::make_shared<const OptionTable>();
    }
  }
  return result;
}

absl::StatusOr<Options> CompleteOptions(const qatlas_component& component,
                                        const OptionTable& given) {
  OptionTable complete = RequiredOptions(component);
  std::map<std::string, const qatlas_option*> declared;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = component.options[i];
    declared[option.name] = &option;
    if (option.default_value == nullptr) continue;
    QATLAS_ASSIGN_OR_RETURN(complete.values[option.name], ParseDefault(option));
  }
  for (const auto& [name, value] : given.values) {
    if (declared.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat(KindName(component.kind), " '", component.name,
                                                     "' has no option '", name, "'"));
    }
    complete.values[name] = value;
  }
  for (auto& [name, value] : complete.values) {
    QATLAS_RETURN_IF_ERROR(CheckValue(*declared[name], value));
    const int64_t* whole = std::get_if<int64_t>(&value);
    if (declared[name]->type == QATLAS_OPTION_FLOAT && whole != nullptr) {
      value = static_cast<double>(*whole);
    }
  }
  return Options(std::move(complete));
}

std::vector<Options> Variants(const qatlas_component& component) {
  std::vector<Options> variants;
  auto defaults = CompleteOptions(component);
  if (!defaults.ok()) return variants;
  variants.push_back(*defaults);
  const auto add = [&](const qatlas_option& option, auto value) {
    OptionTable table = defaults->table();
    table.values[option.name] = std::move(value);
    if (CanonicalText(table) != CanonicalText(defaults->table())) {
      variants.push_back(Options(std::move(table)));
    }
  };
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = component.options[i];
    if (option.type == QATLAS_OPTION_BOOL) {
      add(option, true);
      add(option, false);
    }
    if (option.type != QATLAS_OPTION_STRING || option.choices == nullptr) continue;
    for (const char* const* choice = option.choices; *choice != nullptr; ++choice) {
      add(option, std::string(*choice));
    }
  }
  return variants;
}

}  // namespace qatlas::conformance
