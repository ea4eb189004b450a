#include "framework/recipe/overrides.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "framework/plugin/nearest.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

// The element of the list `of` tables ("grid") with this `name` or index; nullptr after adding a
// problem. One without a name goes by its default, "grid1" for the first.
Node* Element(Node* list, const std::string& of, const std::string& key, const std::string& where,
              plugin::Problems* problems) {
  std::vector<std::string> names;
  for (size_t i = 0; i < list->array.size(); ++i) {
    const Node* name = list->array[i].Find("name");
    names.push_back(name != nullptr ? name->text : absl::StrCat(of, i + 1));
    if (names.back() == key) return &list->array[i];
  }
  size_t index = 0;
  if (absl::SimpleAtoi(key, &index)) {
    if (index < list->array.size()) return &list->array[index];
    problems->Add(where, absl::StrCat("there is no element ", index, "; the list has ",
                                      list->array.size(), ", counted from 0"));
    return nullptr;
  }
  problems->Add(where, absl::StrCat("no element of the list has the name '", key, "'",
                                    plugin::NearestHint(key, names)));
  return nullptr;
}

void Apply(const std::string& text, Node* document, plugin::Problems* problems) {
  const std::string where = absl::StrCat("override '", text, "'");
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return problems->Add(where, "it has no '='; write key.path=value, such as training.threads=2");
  }
  std::vector<std::string> path = absl::StrSplit(text.substr(0, equals), '.');
  for (std::string& key : path) {
    key = std::string(absl::StripAsciiWhitespace(key));
    if (key.empty()) return problems->Add(where, "a part of its key is empty");
  }
  const std::string written(absl::StripAsciiWhitespace(text.substr(equals + 1)));
  if (written.empty()) return problems->Add(where, "it has no value after the '='");
  absl::StatusOr<Node> value = plugin::ParseTomlValue(written, where);
  if (!value.ok()) {
    const bool quoted = written.find_first_of("[{\"'") == 0;
    const bool number = written.find_first_not_of("+-0123456789_.eE") == std::string::npos;
    return problems->Add(
        where, quoted || number
                   ? std::string(value.status().message())
                   : absl::StrCat("'", written, "' is no value of TOML; text needs quotes: ",
                                  text.substr(0, equals), "=\"", written, "\""));
  }
  Node* node = document;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (node->Is(Node::Type::kArray)) {
      node = Element(node, i > 0 ? path[i - 1] : "", path[i], where, problems);
      if (node == nullptr) return;
      continue;
    }
    if (!node->Is(Node::Type::kTable)) {
      return problems->Add(
          where, absl::StrCat("'", path[i - 1], "' is no table, so it has no '", path[i], "'"));
    }
    Node* next = node->Find(path[i]);
    node = next != nullptr ? next : &node->Set(path[i], Node::MakeTable(where));
  }
  if (node->Is(Node::Type::kArray)) {
    const std::string of = path.size() > 1 ? path[path.size() - 2] : "";
    if (Node* element = Element(node, of, path.back(), where, problems)) {
      *element = *std::move(value);
    }
  } else if (node->Is(Node::Type::kTable)) {
    node->Set(path.back(), *std::move(value));
  } else {
    problems->Add(where, absl::StrCat("'", path[path.size() - 2], "' is no table, so it has no '",
                                      path.back(), "'"));
  }
}

}  // namespace

void ApplyOverrides(const std::vector<std::string>& overrides, Node* document,
                    plugin::Problems* problems) {
  for (const std::string& text : overrides) Apply(text, document, problems);
}

}  // namespace qatlas::recipe
