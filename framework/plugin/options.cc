#include "framework/plugin/options.h"

#include <cmath>
#include <memory>

#include <qatlas/kinds.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/plugin/nearest.h"

namespace qatlas::plugin {
namespace {

// 2 and not 2.0 where a bound is a whole number.
std::string Bound(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    return absl::StrCat(static_cast<int64_t>(value));
  }
  return ToToml(Node::Float(value));
}

std::string Range(const OptionDeclaration& option) {
  if (option.minimum && option.maximum) {
    return absl::StrCat("from ", Bound(*option.minimum), " to ", Bound(*option.maximum));
  }
  if (option.minimum) return absl::StrCat("at least ", Bound(*option.minimum));
  return absl::StrCat("at most ", Bound(*option.maximum));
}

}  // namespace

std::optional<OptionValue> ReadOption(const OptionDeclaration& option, const Node& value,
                                      Problems* problems) {
  const std::string shown = value.Is(Node::Type::kTable) || value.Is(Node::Type::kArray)
                                ? TypeName(value.type)
                                : ToToml(value);
  const auto wrong_type = [&]() -> std::optional<OptionValue> {
    problems->Add(value.where, absl::StrCat("'", option.name, "' must be ",
                                            OptionTypeWanted(option.type), ", not ", shown));
    return std::nullopt;
  };
  const auto in_range = [&](double number) {
    // Negated, so that NaN is out of every range.
    if ((option.minimum && !(number >= *option.minimum)) ||
        (option.maximum && !(number <= *option.maximum))) {
      problems->Add(value.where,
                    absl::StrCat("'", option.name, "' is ", shown, "; it must be ", Range(option)));
      return false;
    }
    return true;
  };
  switch (option.type) {
    case QATLAS_OPTION_BOOL:
      if (!value.Is(Node::Type::kBool)) return wrong_type();
      return OptionValue(value.boolean);
    case QATLAS_OPTION_INT:
      if (!value.Is(Node::Type::kInt)) return wrong_type();
      if (!in_range(static_cast<double>(value.integer))) return std::nullopt;
      return OptionValue(value.integer);
    case QATLAS_OPTION_FLOAT: {
      double number = value.number;
      if (value.Is(Node::Type::kInt)) {
        number = static_cast<double>(value.integer);
      } else if (!value.Is(Node::Type::kFloat)) {
        return wrong_type();
      }
      if (!in_range(number)) return std::nullopt;
      return OptionValue(number);
    }
    case QATLAS_OPTION_STRING: {
      if (!value.Is(Node::Type::kString)) return wrong_type();
      bool known = option.choices.empty();
      for (const std::string& choice : option.choices) known = known || choice == value.text;
      if (!known) {
        problems->Add(value.where,
                      absl::StrCat("'", option.name, "' is ", shown, "; it must be one of '",
                                   absl::StrJoin(option.choices, "', '"), "'"));
        return std::nullopt;
      }
      return OptionValue(value.text);
    }
    default: {
      if (!value.Is(Node::Type::kTable)) return wrong_type();
      absl::StatusOr<OptionValue> table = OptionFromNode(value);
      if (!table.ok()) {
        problems->Add(value.where, absl::StrCat("'", option.name,
                                                "' holds a list or a date, which "
                                                "no option can be"));
        return std::nullopt;
      }
      return *std::move(table);
    }
  }
}

absl::Status SetDefault(OptionDeclaration* option) {
  if (!option->default_text) return absl::OkStatus();
  Node node;
  if (option->type == QATLAS_OPTION_STRING) {
    node = Node::String(*option->default_text);
  } else {
    absl::StatusOr<Node> parsed = ParseTomlValue(*option->default_text, "");
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("its default '", *option->default_text, "' is no value of TOML"));
    }
    node = *std::move(parsed);
  }
  Problems problems;
  option->default_value = ReadOption(*option, node, &problems);
  if (!option->default_value) {
    return absl::InvalidArgumentError(
        absl::StrCat("its default does not fit: ", problems.Sorted().front().what));
  }
  return absl::OkStatus();
}

OptionTable ReadOptions(const ComponentDeclaration& component, const Node& table,
                        const std::set<std::string>& reserved, Problems* problems) {
  OptionTable result;
  const std::string who = absl::StrCat(KindName(component.kind), " '", component.name, "'");
  for (const Entry& entry : table.table) {
    if (reserved.count(entry.key) != 0) continue;
    const OptionDeclaration* option = component.FindOption(entry.key);
    if (option == nullptr) {
      std::vector<std::string> valid = component.OptionNames();
      valid.insert(valid.end(), reserved.begin(), reserved.end());
      problems->Add(entry.where, absl::StrCat(who, " has no option '", entry.key, "'",
                                              NearestHint(entry.key, valid)));
      continue;
    }
    if (auto value = ReadOption(*option, entry.value, problems)) {
      result.values[option->name] = *std::move(value);
    }
  }
  for (const OptionDeclaration& option : component.options) {
    if (table.Find(option.name) != nullptr) continue;
    if (option.default_value) {
      result.values[option.name] = *option.default_value;
    } else {
      problems->Add(table.where, absl::StrCat(who, " needs the option '", option.name, "', ",
                                              OptionTypeWanted(option.type), ": ", option.help));
    }
  }
  return result;
}

absl::StatusOr<OptionTable> CompleteOptions(const ComponentDeclaration& component,
                                            const OptionTable& given, const std::string& where) {
  Problems problems;
  OptionTable result = ReadOptions(component, NodeFromOptions(given, where), {}, &problems);
  if (absl::Status status = problems.ToStatus(); !status.ok()) return status;
  return result;
}

}  // namespace qatlas::plugin
