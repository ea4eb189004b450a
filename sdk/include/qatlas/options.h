// Options of a component: declared once, validated by the host, read by the factory.
#ifndef QATLAS_OPTIONS_H_
#define QATLAS_OPTIONS_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "qatlas/abi.h"
#include "qatlas/check.h"

namespace qatlas {

struct OptionTable;

// A value as a recipe holds it. Tables are shared and immutable.
using OptionValue =
    std::variant<bool, int64_t, double, std::string, std::shared_ptr<const OptionTable>>;

struct OptionTable {  // Options by name.
  std::map<std::string, OptionValue> values;  // sorted
};

// Text that is equal exactly when the values are: part of a segment's identity, so it is stable across
// releases. Doubles are written with 17 significant digits; keys are sorted.
inline std::string CanonicalText(const OptionTable& table);

inline std::string CanonicalText(const OptionValue& value) {  // the same of one value
  if (const bool* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const int64_t* i = std::get_if<int64_t>(&value)) return absl::StrCat(*i);
  if (const double* d = std::get_if<double>(&value)) {
    char text[40];
    std::snprintf(text, sizeof(text), "%.17g", *d);
    // Keeps 4.0 apart from the integer 4.
    std::string result = text;
    if (result.find_first_of(".en") == std::string::npos) result += ".0";
    return result;
  }
  if (const std::string* s = std::get_if<std::string>(&value)) {
    std::string quoted = "\"";
    for (char c : *s) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    return quoted + "\"";
  }
  return CanonicalText(*std::get<std::shared_ptr<const OptionTable>>(value));
}

inline std::string CanonicalText(const OptionTable& table) {
  std::string result = "{";
  for (const auto& [key, value] : table.values) {
    absl::StrAppend(&result, result.size() > 1 ? ", " : "", key, " = ", CanonicalText(value));
  }
  return result + "}";
}

// The validated options of one component: every declared option has a value of the declared type, within
// its range. Asking for an option that was not declared, or for another type, is a bug of the component
// and aborts.
class Options {
 public:
  Options() = default;
  explicit Options(OptionTable table) : table_(std::move(table)) {}  // complete and checked

  bool Has(const std::string& name) const { return table_.values.count(name) != 0; }  // declared?
  bool Bool(const std::string& name) const { return Get<bool>(name); }  // of type bool
  int64_t Int(const std::string& name) const { return Get<int64_t>(name); }  // of type int
  double Float(const std::string& name) const { return Get<double>(name); }  // of type float
  const std::string& String(const std::string& name) const { return Get<std::string>(name); }  // of text
  const OptionTable& Table(const std::string& name) const {  // of type table
    return *Get<std::shared_ptr<const OptionTable>>(name);
  }
  const OptionTable& table() const { return table_; }  // all

 private:
  template <typename T>
  const T& Get(const std::string& name) const {
    auto it = table_.values.find(name);
    if (it == table_.values.end()) {
      QATLAS_CHECK(false, absl::StrCat("option '", name, "' was not declared").c_str());
    }
    const T* value = std::get_if<T>(&it->second);
    if (value == nullptr) {
      QATLAS_CHECK(false, absl::StrCat("option '", name, "' has another declared type").c_str());
    }
    return *value;
  }

  OptionTable table_;
};

// Declarations, for use in a component's static table:
//   static constexpr qatlas_option kOptions[] = {
//       IntOption("bits", "4", 2, 8, "Bits of a code."),
//       ChoiceOption("granularity", "group", kGranularities, "What shares a scale."),
//   };
inline constexpr double kNoLimit = std::numeric_limits<double>::quiet_NaN();

constexpr qatlas_option BoolOption(const char* name, const char* value, const char* help) {  // "true" or "false"
  return {name, QATLAS_OPTION_BOOL, value, kNoLimit, kNoLimit, nullptr, help};
}
constexpr qatlas_option IntOption(const char* name, const char* value, double minimum, double maximum,  // inclusive limits
                                  const char* help) {
  return {name, QATLAS_OPTION_INT, value, minimum, maximum, nullptr, help};
}
constexpr qatlas_option FloatOption(const char* name, const char* value, double minimum,  // inclusive limits
                                    double maximum, const char* help) {
  return {name, QATLAS_OPTION_FLOAT, value, minimum, maximum, nullptr, help};
}
constexpr qatlas_option StringOption(const char* name, const char* value, const char* help) {  // any text
  return {name, QATLAS_OPTION_STRING, value, kNoLimit, kNoLimit, nullptr, help};
}
constexpr qatlas_option ChoiceOption(const char* name, const char* value,  // one of a list
                                     const char* const* choices, const char* help) {
  return {name, QATLAS_OPTION_STRING, value, kNoLimit, kNoLimit, choices, help};
}
constexpr qatlas_option TableOption(const char* name, const char* help) {  // of any keys
  return {name, QATLAS_OPTION_TABLE, "{}", kNoLimit, kNoLimit, nullptr, help};
}

}  // namespace qatlas

#endif  // QATLAS_OPTIONS_H_
