#include "framework/plugin/manifest.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <qatlas/check.h>
#include <qatlas/kinds.h>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/plugin/document.h"
#include "framework/plugin/nearest.h"
#include "framework/plugin/options.h"

namespace qatlas::plugin {
namespace {

constexpr int64_t kManifestFormat = 1;

// Reads the keys of one table of a manifest; the first problem is kept.
class TableReader {
 public:
  TableReader(const Node& table, std::string what) : table_(table), what_(std::move(what)) {}

  std::string Text(const char* key) { return OptionalText(key, true).value_or(""); }
  std::optional<std::string> OptionalText(const char* key, bool required = false) {
    const Node* node = Get(key, Node::Type::kString, required);
    return node == nullptr ? std::nullopt : std::optional(node->text);
  }
  int64_t Int(const char* key, int64_t minimum, int64_t maximum) {
    const Node* node = Get(key, Node::Type::kInt, true);
    if (node == nullptr) return minimum;
    if (node->integer < minimum || node->integer > maximum) {
      Fail(node->where, absl::StrCat("'", key, "' of ", what_, " is ", node->integer,
                                     "; it must be from ", minimum, " to ", maximum));
    }
    return node->integer;
  }
  std::optional<double> Number(const char* key) {
    known_.insert(key);
    const Node* node = table_.Find(key);
    if (node == nullptr) return std::nullopt;
    if (node->Is(Node::Type::kInt)) return static_cast<double>(node->integer);
    if (!node->Is(Node::Type::kFloat)) {
      Fail(node->where,
           absl::StrCat("'", key, "' of ", what_, " must be a number, not ", TypeName(node->type)));
      return std::nullopt;
    }
    return node->number;
  }
  std::vector<std::string> TextList(const char* key, bool required) {
    std::vector<std::string> result;
    const Node* node = Get(key, Node::Type::kArray, required);
    if (node == nullptr) return result;
    for (const Node& element : node->array) {
      if (!element.Is(Node::Type::kString)) {
        Fail(element.where, absl::StrCat("'", key, "' of ", what_, " must hold texts only"));
        break;
      }
      result.push_back(element.text);
    }
    return result;
  }
  // The tables of [[key]]; none where the key is absent.
  std::vector<const Node*> Tables(const char* key) {
    std::vector<const Node*> result;
    const Node* node = Get(key, Node::Type::kArray, false);
    if (node == nullptr) return result;
    for (const Node& element : node->array) {
      if (!element.Is(Node::Type::kTable)) {
        Fail(element.where, absl::StrCat("'", key, "' of ", what_, " must hold tables only"));
        break;
      }
      result.push_back(&element);
    }
    return result;
  }
  void Fail(const std::string& where, const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
  }
  // Call last: keys that nobody asked for are unknown.
  absl::Status Finish() {
    for (const Entry& entry : table_.table) {
      if (known_.count(entry.key) == 0) {
        Fail(entry.where, absl::StrCat("unknown key '", entry.key, "' in ", what_,
                                       NearestHint(entry.key, {known_.begin(), known_.end()})));
      }
    }
    return status_;
  }

 private:
  const Node* Get(const char* key, Node::Type type, bool required) {
    known_.insert(key);
    const Node* node = table_.Find(key);
    if (node == nullptr) {
      if (required) Fail(table_.where, absl::StrCat(what_, " lacks the key '", key, "'"));
      return nullptr;
    }
    if (!node->Is(type)) {
      Node wanted;
      wanted.type = type;
      Fail(node->where, absl::StrCat("'", key, "' of ", what_, " must be ", TypeName(wanted.type),
                                     ", not ", TypeName(node->type)));
      return nullptr;
    }
    return node;
  }

  const Node& table_;
  std::string what_;
  std::set<std::string> known_;
  absl::Status status_;
};

// The number that has this word, of those from 1 to `last`.
std::optional<int> NumberOf(absl::string_view name, const char* (*word)(int), int last) {
  for (int number = 1; number <= last; ++number) {
    if (word(number) == name) return number;
  }
  return std::nullopt;
}

absl::StatusOr<OptionDeclaration> ReadOptionDeclaration(const Node& table,
                                                        const std::string& component) {
  TableReader reader(table, absl::StrCat("an option of ", component));
  OptionDeclaration option;
  option.name = reader.Text("name");
  const std::string type = reader.Text("type");
  option.default_text = reader.OptionalText("default");
  option.minimum = reader.Number("minimum");
  option.maximum = reader.Number("maximum");
  option.choices = reader.TextList("choices", false);
  option.help = reader.Text("help");
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  const std::optional<int> number = NumberOf(type, OptionTypeWord, QATLAS_OPTION_TABLE);
  if (!number) {
    return absl::InvalidArgumentError(absl::StrCat(table.Find("type")->where, ": option '",
                                                   option.name, "' of ", component, ": type '",
                                                   type, "' is unknown"));
  }
  option.type = *number;
  if (absl::Status status = SetDefault(&option); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(table.where, ": option '", option.name, "' of ",
                                                   component, ": ", status.message()));
  }
  return option;
}

absl::StatusOr<ComponentDeclaration> ReadComponent(const Node& table) {
  TableReader reader(table, "a component");
  ComponentDeclaration component;
  const std::string kind = reader.Text("kind");
  component.name = reader.Text("name");
  component.summary = reader.Text("summary");
  component.citation = reader.Text("citation");
  component.numerics = static_cast<uint32_t>(reader.Int("numerics", 0, 0xffffffffLL));
  component.abilities = reader.TextList("abilities", true);
  const std::vector<const Node*> options = reader.Tables("option");
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  const std::optional<int> number = KindFromName(kind);
  if (!number) {
    return absl::InvalidArgumentError(absl::StrCat(table.Find("kind")->where, ": component '",
                                                   component.name, "' is of kind '", kind,
                                                   "', which this host does not know"));
  }
  component.kind = *number;
  for (const Node* node : options) {
    QATLAS_ASSIGN_OR_RETURN(
        OptionDeclaration option,
        ReadOptionDeclaration(*node, absl::StrCat(kind, " '", component.name, "'")));
    if (component.FindOption(option.name) != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(node->where, ": ", kind, " '", component.name,
                                                     "' declares the option '", option.name,
                                                     "' twice"));
    }
    component.options.push_back(std::move(option));
  }
  return component;
}

}  // namespace

std::string KindName(int kind) {
  const char* word = KindWord(kind);
  return word != nullptr ? word : absl::StrCat("kind ", kind);
}

std::optional<int> KindFromName(absl::string_view name) {
  return NumberOf(name, KindWord, QATLAS_KIND_MODEL);
}

std::string OptionTypeName(int type) {
  const char* word = OptionTypeWord(type);
  return word != nullptr ? word : absl::StrCat("type ", type);
}

const OptionDeclaration* ComponentDeclaration::FindOption(absl::string_view option) const {
  for (const OptionDeclaration& declared : options) {
    if (declared.name == option) return &declared;
  }
  return nullptr;
}

std::vector<std::string> ComponentDeclaration::OptionNames() const {
  std::vector<std::string> names;
  for (const OptionDeclaration& option : options) names.push_back(option.name);
  return names;
}

bool ComponentDeclaration::HasAbility(absl::string_view ability) const {
  return std::find(abilities.begin(), abilities.end(), ability) != abilities.end();
}

std::optional<std::string> ComponentDeclaration::AbilityValue(absl::string_view key) const {
  const std::vector<std::string> values = AbilityValues(key);
  return values.empty() ? std::nullopt : std::optional(values.front());
}

std::vector<std::string> ComponentDeclaration::AbilityValues(absl::string_view key) const {
  std::vector<std::string> values;
  const std::string prefix = absl::StrCat(key, ":");
  for (const std::string& ability : abilities) {
    if (absl::StartsWith(ability, prefix)) values.push_back(ability.substr(prefix.size()));
  }
  return values;
}

absl::StatusOr<Manifest> ReadManifest(const std::string& file) {
  QATLAS_ASSIGN_OR_RETURN(const Node root, ParseTomlFile(file));
  TableReader reader(root, "the manifest");
  Manifest manifest;
  manifest.file = file;
  reader.Int("manifest", kManifestFormat, kManifestFormat);
  const std::string library = reader.Text("library");
  manifest.name = reader.Text("name");
  manifest.version = reader.Text("version");
  manifest.sdk_abi = static_cast<uint32_t>(reader.Int("sdk-abi", 0, 0xffffffffLL));
  manifest.libtorch = reader.Text("libtorch");
  manifest.cxx_abi = reader.Text("cxx-abi");
  manifest.abseil = reader.Text("abseil");
  manifest.compiler = reader.Text("compiler");
  const std::vector<const Node*> components = reader.Tables("component");
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  if (library.empty() || absl::StrContains(library, '/')) {
    return absl::InvalidArgumentError(
        absl::StrCat(root.Find("library")->where, ": 'library' is '", library,
                     "'; it must be the name of a file beside the manifest"));
  }
  manifest.library = (std::filesystem::path(file).parent_path() / library).string();
  for (const Node* node : components) {
    QATLAS_ASSIGN_OR_RETURN(ComponentDeclaration component, ReadComponent(*node));
    manifest.components.push_back(std::move(component));
  }
  return manifest;
}

}  // namespace qatlas::plugin
