#include "framework/recipe/section.h"

#include <cmath>

#include <qatlas/check.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/plugin/nearest.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;
using plugin::Problems;

std::string Shown(const Node& value) {
  const bool whole = value.Is(Node::Type::kTable) || value.Is(Node::Type::kArray);
  return whole ? TypeName(value.type) : ToToml(value);
}

const char* Wanted(KeyType type) {
  switch (type) {
    case KeyType::kBool:
      return "true or false";
    case KeyType::kInt:
      return "a whole number";
    case KeyType::kFloat:
      return "a number";
    case KeyType::kText:
      return "text";
    case KeyType::kTexts:
      return "a list of texts";
    case KeyType::kInts:
      return "a list of whole numbers";
    case KeyType::kRules:
      return "a list of tables";
    case KeyType::kOptions:
      return "a table of lists, or a list of such tables";
    case KeyType::kStart:
      return "text, a table, or a list of these";
    case KeyType::kLaws:
      return "a list of texts and tables";
    case KeyType::kExpressions:
      return "a table of expressions";
  }
  return "";
}

std::string Range(const KeySpec& key) {
  std::string result;
  if (key.minimum) {
    absl::StrAppend(&result, key.above ? "above " : "at least ", *key.minimum);
  }
  if (key.maximum) {
    absl::StrAppend(&result, result.empty() ? "" : " and ", key.below ? "below " : "at most ",
                    *key.maximum);
  }
  return result;
}

bool InRange(const KeySpec& key, const Node& value, double number, Problems* problems) {
  const bool low = key.minimum && !(key.above ? number > *key.minimum : number >= *key.minimum);
  const bool high = key.maximum && !(key.below ? number < *key.maximum : number <= *key.maximum);
  if (!low && !high && std::isfinite(number)) return true;
  const std::string range = Range(key);
  problems->Add(value.where, absl::StrCat("'", key.name, "' is ", Shown(value), "; it must be ",
                                          range.empty() ? "finite" : range));
  return false;
}

// "; write 1000000" where a whole number was written as one with a point or exponent.
std::string WholeHint(KeyType type, const Node& value) {
  constexpr double kExact = 9007199254740992;  // 2^53: beyond, digits are lost
  const bool whole = type == KeyType::kInt && value.Is(Node::Type::kFloat) &&
                     value.number == std::floor(value.number) && std::fabs(value.number) <= kExact;
  return whole ? absl::StrCat("; write ", static_cast<int64_t>(value.number)) : "";
}

// Checks one value that is no list; floats are brought to kFloat.
bool ReadScalar(const KeySpec& key, KeyType type, const Node& value, Node* out,
                Problems* problems) {
  *out = value;
  if (type == KeyType::kBool && value.Is(Node::Type::kBool)) return true;
  if (type == KeyType::kInt && value.Is(Node::Type::kInt)) {
    return InRange(key, value, static_cast<double>(value.integer), problems);
  }
  if (type == KeyType::kFloat && (value.Is(Node::Type::kInt) || value.Is(Node::Type::kFloat))) {
    if (value.Is(Node::Type::kInt)) {
      *out = Node::Float(static_cast<double>(value.integer), value.where);
    }
    return InRange(key, value, out->number, problems);
  }
  if (type == KeyType::kText && value.Is(Node::Type::kString)) {
    if (key.choices.empty()) return true;
    for (const std::string& choice : key.choices) {
      if (choice == value.text) return true;
    }
    problems->Add(value.where,
                  absl::StrCat("'", key.name, "' is ", Shown(value), "; it must be one of '",
                               absl::StrJoin(key.choices, "', '"), "'"));
    return false;
  }
  problems->Add(value.where, absl::StrCat("'", key.name, "' must be ", Wanted(key.type), ", not ",
                                          Shown(value), WholeHint(type, value)));
  return false;
}

bool ReadValue(const KeySpec& key, const Node& value, Node* out, Problems* problems) {
  switch (key.type) {
    case KeyType::kTexts:
    case KeyType::kInts: {
      const KeyType element = key.type == KeyType::kTexts ? KeyType::kText : KeyType::kInt;
      // One value is a list of one.
      const plugin::Array list = value.Is(Node::Type::kArray) ? value.array : plugin::Array{value};
      *out = Node::MakeArray({}, value.where);
      bool good = true;
      for (const Node& one : list) {
        Node read;
        if (ReadScalar(key, element, one, &read, problems)) {
          out->array.push_back(std::move(read));
        } else {
          good = false;
        }
      }
      return good;
    }
    case KeyType::kRules:
    case KeyType::kOptions:
    case KeyType::kStart: {
      *out = value;
      const bool table = value.Is(Node::Type::kTable) && key.type != KeyType::kRules;
      const bool text = value.Is(Node::Type::kString) && key.type == KeyType::kStart;
      if (value.Is(Node::Type::kArray) || table || text) return true;
      problems->Add(value.where, absl::StrCat("'", key.name, "' must be ", Wanted(key.type),
                                              ", not ", Shown(value)));
      return false;
    }
    case KeyType::kLaws:
      // One law is a list of one.
      *out = value.Is(Node::Type::kArray) ? value : Node::MakeArray({value}, value.where);
      return true;
    case KeyType::kExpressions:
      *out = value;
      if (value.Is(Node::Type::kTable)) return true;
      problems->Add(value.where, absl::StrCat("'", key.name, "' must be ", Wanted(key.type),
                                              ", not ", Shown(value)));
      return false;
    default:
      return ReadScalar(key, key.type, value, out, problems);
  }
}

// The keys of a section and the sections below it.
std::vector<std::string> NamesIn(const SectionSpec& section) {
  std::vector<std::string> names = section.KeyNames();
  const std::string prefix = section.name + ".";
  for (const SectionSpec& other : Schema()) {
    if (other.name.compare(0, prefix.size(), prefix) == 0) {
      names.push_back(other.name.substr(prefix.size()));
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> Values::Texts(const std::string& key) const {
  std::vector<std::string> result;
  for (const Node& node : List(key)) result.push_back(node.text);
  return result;
}

const Node& Values::Get(const std::string& key) const {
  static const Node* nothing = new Node();
  auto it = values_.find(key);
  return it == values_.end() ? *nothing : it->second;
}

bool Values::Given(const std::string& key) const {
  auto it = given_.find(key);
  return it != given_.end() && it->second;
}

Values ReadSection(const SectionSpec& section, const Node* table, const std::string& title,
                   Problems* problems) {
  Values values;
  static const Node* absent = new Node();
  const bool present = table != nullptr;
  if (!present) table = absent;
  if (!table->Is(Node::Type::kTable)) {
    problems->Add(table->where, absl::StrCat(title, " must be a table, not ", Shown(*table)));
    table = absent;
  } else if (present && table->table.empty()) {
    problems->Add(table->where,
                  absl::StrCat("section ", title, " is empty; fill it or take it out"));
  }
  for (const plugin::Entry& entry : table->table) {
    const KeySpec* key = section.Find(entry.key);
    if (key == nullptr) {
      if (section.open) continue;
      problems->Add(entry.where, absl::StrCat("unknown key '", entry.key, "' in ", title,
                                              plugin::NearestHint(entry.key, NamesIn(section))));
      continue;
    }
    Node value;
    if (ReadValue(*key, entry.value, &value, problems)) {
      values.values_[key->name] = std::move(value);
      values.given_[key->name] = true;
    }
  }
  for (const KeySpec& key : section.keys) {
    if (values.Has(key.name)) continue;
    if (key.required && present && table->Find(key.name) == nullptr && !table->table.empty()) {
      problems->Add(table->where,
                    absl::StrCat(title, " lacks the key '", key.name, "': ", key.help));
    }
    if (!key.fallback) continue;
    absl::StatusOr<Node> fallback = plugin::ParseTomlValue(*key.fallback, table->where);
    QATLAS_CHECK(fallback.ok(), "a default of the schema is no TOML");
    Node value;
    QATLAS_CHECK(ReadValue(key, *fallback, &value, problems), "a default does not fit its key");
    values.values_[key.name] = std::move(value);
  }
  return values;
}

}  // namespace qatlas::recipe
