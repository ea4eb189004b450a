#include "framework/recipe/json_schema.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/forms/request.h"
#include "framework/plugin/document.h"
#include "framework/recipe/schema.h"

namespace qatlas::recipe {
namespace {

using Json = nlohmann::ordered_json;
using plugin::ComponentDeclaration;
using plugin::OptionDeclaration;

// Names of models, schemes and recipes, as CheckName() has them.
constexpr char kNamePattern[] = "^[A-Za-z0-9_+-]+$";

Json Described(Json schema, const std::string& help) {
  if (!help.empty()) schema["description"] = help;
  return schema;
}

Json Text() { return {{"type", "string"}}; }
Json OneOf(const std::vector<std::string>& choices) {
  return {{"type", "string"}, {"enum", choices}};
}

// An object of these keys alone.
Json Closed(Json properties, const std::vector<std::string>& required = {}) {
  Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = required;
  schema["additionalProperties"] = false;
  return schema;
}
Json ByName(Json values) {
  return {{"type", "object"}, {"additionalProperties", std::move(values)}};
}
Json ListOf(Json items, bool empty = true) {
  Json schema = {{"type", "array"}, {"items", std::move(items)}};
  if (!empty) schema["minItems"] = 1;
  return schema;
}
// One value stands for a list of one.
Json OneOrList(const Json& item, bool empty = true) {
  return {{"anyOf", {item, ListOf(item, empty)}}};
}

// A schema of alternatives; the only one where there is one.
Json AnyOf(std::vector<Json> alternatives) {
  if (alternatives.size() == 1) return alternatives[0];
  return {{"anyOf", std::move(alternatives)}};
}

void Bound(const std::optional<double>& bound, const char* key, Json* schema) {
  if (!bound) return;
  // Whole numbers without ".0", as a person would write them.
  const auto whole = static_cast<int64_t>(*bound);
  (*schema)[key] = static_cast<double>(whole) == *bound ? Json(whole) : Json(*bound);
}

Json OptionSchema(const OptionDeclaration& option) {
  Json schema;
  switch (option.type) {
    case QATLAS_OPTION_BOOL:
      schema = {{"type", "boolean"}};
      break;
    case QATLAS_OPTION_INT:
      schema = {{"type", "integer"}};
      break;
    case QATLAS_OPTION_FLOAT:
      schema = {{"type", "number"}};
      break;
    case QATLAS_OPTION_TABLE:
      schema = {{"type", "object"}};
      break;
    default:
      schema = option.choices.empty() ? Text() : OneOf(option.choices);
  }
  Bound(option.minimum, "minimum", &schema);
  Bound(option.maximum, "maximum", &schema);
  if (option.default_value) {
    schema["default"] = plugin::NodeToJson(plugin::NodeFromOption(*option.default_value, ""));
  }
  return Described(std::move(schema), option.help);
}

// The table of a component that `use` names: `properties` and the component's options.
Json UseSchema(const ComponentDeclaration& component, Json properties,
               std::vector<std::string> required) {
  properties["use"] = Described(OneOf({component.name}), component.summary);
  for (const OptionDeclaration& option : component.options) {
    if (properties.contains(option.name)) continue;
    properties[option.name] = OptionSchema(option);
    if (!option.default_text) required.push_back(option.name);
  }
  return Closed(std::move(properties), required);
}

class Writer {
 public:
  explicit Writer(const plugin::Catalog& catalog) : catalog_(catalog) {}

  Json Write() {
    Json properties = Json::object();
    for (const SectionSpec& section : Schema()) {
      if (absl::StrContains(section.name, '.') || properties.contains(section.name)) continue;
      properties[section.name] = SectionSchema(section);
    }
    Json schema = Closed(std::move(properties));
    Json either = Json::array();
    either.push_back({{"required", {"observations"}}});
    either.push_back({{"required", {"data", "model", "grid"}}});
    schema["anyOf"] = std::move(either);
    Json result = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                   {"title", "Qatlas recipe"}};
    result.update(schema);
    return result;
  }

 private:
  std::vector<const ComponentDeclaration*> Components(int kind) const {
    std::vector<const ComponentDeclaration*> result;
    for (const plugin::Component& component : catalog_.Components(kind)) {
      result.push_back(component.declaration);
    }
    return result;
  }

  Json SectionSchema(const SectionSpec& section) {
    Json table;
    if (!section.variant.empty()) {
      std::vector<Json> variants;
      for (const SectionSpec& variant : Schema()) {
        if (variant.name == section.name) variants.push_back(Variant(variant));
      }
      return Described(AnyOf(std::move(variants)), "Where the tokens come from.");
    }
    if (section.open) {
      table = section.name == "scheme" ? SchemeSchema(section) : OpenSchema(section);
    } else {
      table = Keys(section);
    }
    if (section.form == SectionSpec::Form::kNamed) {
      Json named = ByName(std::move(table));
      named["propertyNames"] = {{"pattern", kNamePattern}};
      return Described(std::move(named), section.help);
    }
    if (section.form == SectionSpec::Form::kList) {
      return Described(ListOf(Described(std::move(table), section.help)), section.help);
    }
    table["minProperties"] = 1;
    return Described(std::move(table), section.help);
  }

  // [data] of one kind of source.
  Json Variant(const SectionSpec& section) {
    Json schema = Keys(section);
    schema["properties"]["source"] =
        Described(OneOf({section.variant}), section.Find("source")->help);
    return Described(std::move(schema), section.help);
  }

  // The keys of a section and the sections below it.
  Json Keys(const SectionSpec& section) {
    Json properties = Json::object();
    std::vector<std::string> required;
    for (const KeySpec& key : section.keys) {
      properties[key.name] = KeySchema(key);
      if (key.required) required.push_back(key.name);
    }
    const std::string prefix = section.name + ".";
    for (const SectionSpec& below : Schema()) {
      if (!absl::StartsWith(below.name, prefix)) continue;
      properties[below.name.substr(prefix.size())] = SectionSchema(below);
    }
    return Closed(std::move(properties), required);
  }

  // [model.<name>]: one alternative a builder.
  Json OpenSchema(const SectionSpec& section) {
    const Json keys = Keys(section);
    const auto required = keys.value("required", std::vector<std::string>());
    std::vector<Json> alternatives;
    for (const ComponentDeclaration* component : Components(QATLAS_KIND_MODEL)) {
      Json model = UseSchema(*component, keys["properties"], required);
      // Left out, it is the data's.
      Json& needed = model["required"];
      needed.erase(std::remove(needed.begin(), needed.end(), "vocabulary"), needed.end());
      alternatives.push_back(std::move(model));
    }
    if (alternatives.empty()) return keys;
    return AnyOf(std::move(alternatives));
  }

  Json SchemeSchema(const SectionSpec& section) {
    Json properties = Keys(section)["properties"];
    Json rules = properties;
    rules.erase("use");
    Json others = properties;
    others.erase("rules");
    std::vector<Json> alternatives = {Closed(std::move(rules), {"rules"})};
    for (const ComponentDeclaration* component : Components(QATLAS_KIND_SCHEME)) {
      alternatives.push_back(UseSchema(*component, others, {"use"}));
    }
    return AnyOf(std::move(alternatives));
  }

  Json RuleSchema() {
    const Json sites = Described(
        Text(), "Sites that the rule is for: <block>.<role>.<operand>, such as \"*.fc2.input\".");
    Json none = {{"sites", sites},
                 {"use", Described(OneOf({"none"}), "Leaves the sites in full precision.")}};
    std::vector<Json> alternatives = {Closed(std::move(none), {"sites", "use"})};
    for (const ComponentDeclaration* component : Components(QATLAS_KIND_QUANTIZER)) {
      alternatives.push_back(UseSchema(*component, {{"sites", sites}}, {"sites", "use"}));
    }
    return AnyOf(std::move(alternatives));
  }

  // Lists of values of options of any quantizer or scheme; which one the grid varies is not known.
  Json VariedOptions() {
    std::map<std::string, std::vector<Json>> schemas;
    for (const int kind : {QATLAS_KIND_QUANTIZER, QATLAS_KIND_SCHEME}) {
      for (const ComponentDeclaration* component : Components(kind)) {
        for (const OptionDeclaration& option : component->options) {
          std::vector<Json>& known = schemas[option.name];
          Json schema = OptionSchema(option);
          schema.erase("default");
          if (std::find(known.begin(), known.end(), schema) == known.end()) {
            known.push_back(std::move(schema));
          }
        }
      }
    }
    Json properties = Json::object();
    for (auto& [name, alternatives] : schemas) {
      const std::string help = alternatives[0].value("description", "");
      properties[name] = Described(ListOf(AnyOf(std::move(alternatives)), /*empty=*/false), help);
    }
    return OneOrList(Closed(std::move(properties)), /*empty=*/false);
  }

  Json StartSchema() {
    const Json fraction = Described({{"type", "number"}, {"minimum", 0}, {"maximum", 1}},
                                    "Share of the budget that is trained quantized, at its end.");
    const Json extra = Described({{"type", "integer"}, {"minimum", 1}},
                                 "Tokens trained quantized after the budget.");
    const Json rate = Described({{"type", "number"}, {"exclusiveMinimum", 0}},
                                "Peak of that training; default: the run's.");
    return OneOrList(
        {{"anyOf",
          {OneOf({"scratch", "cooldown"}), Closed({{"fraction", fraction}}, {"fraction"}),
           Closed({{"extra_tokens", extra}, {"learning_rate", rate}}, {"extra_tokens"})}}},
        /*empty=*/false);
  }

  Json LawSchema() {
    const std::vector<std::string> names = catalog_.Names(QATLAS_KIND_LAW);
    // A sum or a formula.
    Json text = {{"type", "string"}, {"pattern", "[=+]"}};
    Json properties = Json::object();
    for (const forms::LawKey& key : forms::LawTableKeys()) {
      properties[key.name] = Described(LawKeySchema(key.kind), key.help);
    }
    Json table = Closed(std::move(properties));
    table["oneOf"] = Json::array({{{"required", {"use"}}}, {{"required", {"formula"}}}});
    Json options = Json::array();
    for (const ComponentDeclaration* component : Components(QATLAS_KIND_LAW)) {
      Json own = Json::object();
      for (const OptionDeclaration& option : component->options) {
        own[option.name] = OptionSchema(option);
      }
      options.push_back(
          {{"if",
            {{"properties", {{"use", {{"enum", {component->name}}}}}}, {"required", {"use"}}}},
           {"then", {{"properties", {{"options", Closed(std::move(own))}}}}}});
    }
    if (!options.empty()) table["allOf"] = std::move(options);
    if (names.empty()) return {{"anyOf", {text, table}}};
    return {{"anyOf", {OneOf(names), text, table}}};
  }

  static Json LawKeySchema(forms::LawKey::Kind kind) {
    using Kind = forms::LawKey::Kind;
    const Json number = {{"type", "number"}};
    switch (kind) {
      case Kind::kText:
        return {{"type", "string"}, {"minLength", 1}};
      case Kind::kOptions:
        return {{"type", "object"}};
      case Kind::kNumbers:
        return ByName(number);
      case Kind::kNames:
      case Kind::kUnits:
        return ByName(Text());
      case Kind::kColumns:
        return ByName(OneOrList(Text()));
      case Kind::kStarts:
        return ByName({{"anyOf", {number, ListOf(number, /*empty=*/false), Text()}}});
      case Kind::kBounds: {
        Json pair = ListOf(number);
        pair["minItems"] = pair["maxItems"] = 2;
        return ByName(std::move(pair));
      }
      case Kind::kList:
        return OneOrList(Text());
    }
    return {};
  }

  Json KeySchema(const KeySpec& key) {
    Json schema = TypeSchema(key);
    if (key.fallback) {
      const auto value = plugin::ParseTomlValue(*key.fallback, key.name);
      if (value.ok()) schema["default"] = plugin::NodeToJson(*value);
    }
    return Described(std::move(schema), key.help);
  }

  Json TypeSchema(const KeySpec& key) {
    auto number = [&](const char* type) {
      Json schema = {{"type", type}};
      Bound(key.minimum, key.above ? "exclusiveMinimum" : "minimum", &schema);
      Bound(key.maximum, key.below ? "exclusiveMaximum" : "maximum", &schema);
      return schema;
    };
    auto text = [&] {
      Json schema = key.choices.empty() ? Text() : OneOf(key.choices);
      if (!key.pattern.empty()) schema["pattern"] = key.pattern;
      return schema;
    };
    switch (key.type) {
      case KeyType::kBool:
        return {{"type", "boolean"}};
      case KeyType::kInt:
        return number("integer");
      case KeyType::kFloat:
        return number("number");
      case KeyType::kText:
        return text();
      case KeyType::kTexts:
        return OneOrList(text());
      case KeyType::kInts:
        return OneOrList(number("integer"));
      case KeyType::kRules:
        return ListOf(RuleSchema(), /*empty=*/false);
      case KeyType::kOptions:
        return VariedOptions();
      case KeyType::kStart:
        return StartSchema();
      case KeyType::kLaws:
        return OneOrList(LawSchema(), /*empty=*/false);
      case KeyType::kExpressions:
        return ByName({{"type", {"string", "number"}}});
    }
    return {};
  }

  const plugin::Catalog& catalog_;
};

}  // namespace

Json JsonSchema(const plugin::Catalog& catalog) { return Writer(catalog).Write(); }

}  // namespace qatlas::recipe
