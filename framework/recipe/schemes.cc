#include <algorithm>

#include <qatlas/check.h>
#include <qatlas/scheme.h>
#include <qatlas/site.h>
#include "absl/strings/str_cat.h"
#include "framework/plugin/loader.h"
#include "framework/plugin/nearest.h"
#include "framework/plugin/options.h"
#include "framework/recipe/parts.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;
using plugin::Problems;

constexpr char kNone[] = "none";

// A group that was asked for but that another granularity leaves without effect.
void CheckGroup(const plugin::ComponentDeclaration& quantizer, const OptionTable& options,
                const std::set<std::string>& given, const std::string& where,
                const std::string& what, Problems* problems) {
  if (quantizer.FindOption("granularity") == nullptr || given.count("group") == 0 ||
      given.count("granularity") != 0) {
    return;
  }
  auto it = options.values.find("granularity");
  const auto* text = it == options.values.end() ? nullptr : std::get_if<std::string>(&it->second);
  if (text == nullptr || *text == "group") return;
  problems->Add(where, absl::StrCat(what, "'group' has no effect, since 'granularity' is '", *text,
                                    "'; add granularity = \"group\""));
}

std::set<std::string> KeysOf(const Node& table) {
  std::set<std::string> keys;
  for (const plugin::Entry& entry : table.table) keys.insert(entry.key);
  return keys;
}

std::optional<SchemeSource::Rule> ReadRule(const Node& table, Reading* reading) {
  Problems& problems = reading->problems;
  const size_t before = problems.size();
  if (!table.Is(Node::Type::kTable) || table.table.empty()) {
    problems.Add(table.where, "a rule must be a table with sites, use and the quantizer's options");
    return std::nullopt;
  }
  SchemeSource::Rule rule;
  rule.where = table.where;
  const Node* sites = table.Find("sites");
  const Node* use = table.Find("use");
  if (sites == nullptr || !sites->Is(Node::Type::kString)) {
    problems.Add(sites == nullptr ? table.where : sites->where,
                 "a rule needs 'sites', a pattern such as \"*.fc2.input\"");
  } else {
    rule.sites = sites->text;
    const auto pattern = SitePattern::Parse(rule.sites);
    if (!pattern.ok()) problems.Add(sites->where, std::string(pattern.status().message()));
  }
  if (use == nullptr || !use->Is(Node::Type::kString)) {
    problems.Add(use == nullptr ? table.where : use->where,
                 "a rule needs 'use', the name of a quantizer or \"none\"");
    return std::nullopt;
  }
  const std::set<std::string> own = {"sites", "use"};
  if (use->text == kNone) {
    for (const plugin::Entry& entry : table.table) {
      if (own.count(entry.key) == 0) {
        problems.Add(entry.where,
                     absl::StrCat("'", entry.key, "' has no effect: \"none\" has no options"));
      }
    }
  } else {
    const auto found = reading->catalog.Find(QATLAS_KIND_QUANTIZER, use->text);
    if (!found.ok()) {
      problems.Add(use->where, std::string(found.status().message()));
      return std::nullopt;
    }
    rule.quantizer = found->declaration;
    rule.options = ReadOptions(*rule.quantizer, table, own, &problems);
    rule.given = KeysOf(table);
    CheckGroup(*rule.quantizer, rule.options, rule.given, table.where, "", &problems);
  }
  if (problems.size() != before) return std::nullopt;
  return rule;
}

std::optional<std::vector<SchemeSource::Rule>> RulesOfComponent(const SchemeSource& source,
                                                                const OptionTable& options,
                                                                const std::string& where,
                                                                Reading* reading);

// Keys of a scheme's table that neither the section nor its component knows.
size_t UnknownKeys(const SchemeSource& source, const Node& table) {
  size_t unknown = 0;
  for (const plugin::Entry& entry : table.table) {
    const bool known = Section("scheme").Find(entry.key) != nullptr ||
                       source.component->FindOption(entry.key) != nullptr;
    if (!known) ++unknown;
  }
  return unknown;
}

void ReadScheme(const plugin::Entry& entry, Reading* reading) {
  Problems& problems = reading->problems;
  const size_t before = problems.size();
  const std::string title = absl::StrCat("[scheme.", entry.key, "]");
  CheckName(entry.key, "the name of a scheme", entry.where, &problems);
  if (entry.key == "fp") {
    problems.Add(entry.where, "'fp' is full precision, which every recipe has; take another name");
  }
  const SectionSpec& section = Section("scheme");
  const Values values = ReadSection(section, &entry.value, title, &problems);
  SchemeSource source;
  source.name = entry.key;
  source.where = entry.where;
  if (values.Has("part")) {
    source.part = values.Text("part");
    const absl::Status status = CheckPart(source.part);
    if (!status.ok()) problems.Add(values.Get("part").where, std::string(status.message()));
  }
  if (values.Has("after")) {
    source.after = values.Text("after");
    source.after_where = values.Get("after").where;
  }
  if (values.Has("frozen")) {
    const std::vector<Node> groups = values.List("frozen");
    if (groups.empty()) problems.Add(values.Get("frozen").where, "'frozen' is an empty list");
    for (const Node& group : groups) source.frozen.push_back(group.text);
    std::sort(source.frozen.begin(), source.frozen.end());
    if (std::adjacent_find(source.frozen.begin(), source.frozen.end()) != source.frozen.end()) {
      problems.Add(values.Get("frozen").where, "'frozen' names a group twice");
    }
  }
  const bool written = entry.value.Is(Node::Type::kTable) && !entry.value.table.empty();
  if (written && values.Has("use") == values.Has("rules") && problems.size() == before) {
    problems.Add(
        entry.where,
        absl::StrCat(title, values.Has("use") ? " has both 'use' and 'rules'; keep one"
                                              : " needs 'use', a scheme component, or 'rules'"));
  } else if (values.Has("use")) {
    const auto found = reading->catalog.Find(QATLAS_KIND_SCHEME, values.Text("use"));
    if (!found.ok()) {
      problems.Add(values.Get("use").where, std::string(found.status().message()));
    } else {
      source.component = found->declaration;
      const std::vector<std::string> names = section.KeyNames();
      source.options =
          ReadOptions(*source.component, entry.value, {names.begin(), names.end()}, &problems);
    }
  } else if (values.Has("rules")) {
    for (const plugin::Entry& key : entry.value.table) {
      if (section.Find(key.key) == nullptr) {
        problems.Add(key.where, absl::StrCat("unknown key '", key.key, "' in ", title,
                                             "; with 'rules', options belong into the rules"));
      }
    }
    if (values.List("rules").empty()) {
      problems.Add(values.Get("rules").where, "'rules' is an empty list");
    }
    for (const Node& table : values.List("rules")) {
      if (auto rule = ReadRule(table, reading)) source.rules.push_back(*std::move(rule));
    }
  }
  source.good = problems.size() == before;
  // A scheme with nothing worse than unknown keys still has its values checked, so that they are
  // said at once; of a good one its grid does it.
  if (source.component != nullptr && problems.size() - before == UnknownKeys(source, entry.value)) {
    if (!source.good) RulesOfComponent(source, source.options, source.where, reading);
  }
  reading->schemes.push_back(std::move(source));
}

// `after` names a scheme that stands on its own feet.
void CheckAfter(const SchemeSource& source, Reading* reading) {
  if (source.after.empty()) return;
  std::vector<std::string> others;
  for (const SchemeSource& other : reading->schemes) {
    if (other.name != source.name && other.after.empty()) others.push_back(other.name);
  }
  if (std::find(others.begin(), others.end(), source.after) != others.end()) return;
  reading->problems.Add(
      source.after_where,
      absl::StrCat("'after' is '", source.after, "'; it must be another scheme that has no 'after'",
                   plugin::NearestHint(source.after, others)));
}

absl::StatusOr<std::vector<SchemeRule>> RulesFrom(
    const absl::StatusOr<std::unique_ptr<Scheme>>& scheme) {
  if (!scheme.ok()) return scheme.status();
  try {
    return (*scheme)->Rules();
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("the scheme's Rules() threw: ", e.what()));
  }
}

// The rules that a scheme component gives for options, checked like written ones.
std::optional<std::vector<SchemeSource::Rule>> RulesOfComponent(const SchemeSource& source,
                                                                const OptionTable& options,
                                                                const std::string& where,
                                                                Reading* reading) {
  const size_t before = reading->problems.size();
  const auto given =
      RulesFrom(plugin::Create<Scheme>(reading->catalog, source.component->name, options));
  if (!given.ok()) {
    reading->problems.Add(where, std::string(given.status().message()));
    return std::nullopt;
  }
  std::vector<SchemeSource::Rule> rules;
  for (const SchemeRule& rule : *given) {
    SchemeSource::Rule read;
    read.sites = rule.sites;
    read.where = where;
    const std::string who = absl::StrCat("scheme '", source.name, "', sites '", rule.sites, "': ");
    const auto pattern = SitePattern::Parse(rule.sites);
    if (!pattern.ok()) reading->problems.Add(where, absl::StrCat(who, pattern.status().message()));
    if (rule.quantizer != kNone) {
      const auto found = reading->catalog.Find(QATLAS_KIND_QUANTIZER, rule.quantizer);
      if (!found.ok()) {
        reading->problems.Add(where, absl::StrCat(who, found.status().message()));
        continue;
      }
      read.quantizer = found->declaration;
      Problems problems;
      const Node table = plugin::NodeFromOptions(rule.options, "");
      read.options = ReadOptions(*read.quantizer, table, {}, &problems);
      read.given = KeysOf(table);
      for (const plugin::Problem& problem : problems.Sorted()) {
        reading->problems.Add(where, absl::StrCat(who, problem.what));
      }
    }
    rules.push_back(std::move(read));
  }
  if (reading->problems.size() != before) return std::nullopt;
  return rules;
}

}  // namespace

void ReadSchemes(Reading* reading) {
  reading->recipe.schemes.clear();
  SchemeVariant full;
  full.name = "fp";
  full.label = "fp";
  full.part = "none";
  reading->recipe.schemes.push_back(full);
  const Node* schemes = reading->root.Find("scheme");
  if (schemes == nullptr) return;
  if (!schemes->Is(Node::Type::kTable) || schemes->table.empty()) {
    reading->problems.Add(schemes->where, "schemes have names: write [scheme.<name>]");
    return;
  }
  for (const plugin::Entry& entry : schemes->table) ReadScheme(entry, reading);
  for (const SchemeSource& source : reading->schemes) CheckAfter(source, reading);
}

bool SchemeSource::Declares(const std::string& option) const {
  if (component != nullptr && component->FindOption(option) != nullptr) return true;
  for (const Rule& rule : rules) {
    if (rule.quantizer != nullptr && rule.quantizer->FindOption(option) != nullptr) return true;
  }
  return false;
}

std::optional<std::vector<ResolvedRule>> ExpandScheme(const SchemeSource& source,
                                                      const std::vector<VariedOption>& varied,
                                                      Reading* reading) {
  if (!source.good) return std::nullopt;
  Problems& problems = reading->problems;
  const size_t before = problems.size();
  std::vector<SchemeSource::Rule> rules = source.rules;
  std::set<std::string> taken;  // by the scheme component
  if (source.component != nullptr) {
    OptionTable options = source.options;
    for (const auto& [name, value] : varied) {
      const plugin::OptionDeclaration* option = source.component->FindOption(name);
      if (option == nullptr) continue;
      taken.insert(name);
      if (auto read = ReadOption(*option, value, &problems)) options.values[name] = *read;
    }
    if (problems.size() != before) return std::nullopt;
    const std::string where = varied.empty() ? source.where : varied.front().second.where;
    auto given = RulesOfComponent(source, options, where, reading);
    if (!given) return std::nullopt;
    rules = *std::move(given);
  }
  for (const auto& [name, value] : varied) {
    bool declared = taken.count(name) != 0;
    if (declared) continue;
    for (SchemeSource::Rule& rule : rules) {
      const plugin::OptionDeclaration* option =
          rule.quantizer == nullptr ? nullptr : rule.quantizer->FindOption(name);
      if (option == nullptr) continue;
      declared = true;
      rule.given.insert(name);
      // What a grid varies must have an effect, whatever the rule says of the granularity.
      bool granularity_varies = false;
      for (const VariedOption& other : varied) granularity_varies |= other.first == "granularity";
      if (name == "group" && !granularity_varies) rule.given.erase("granularity");
      if (auto read = ReadOption(*option, value, &problems)) rule.options.values[name] = *read;
    }
    if (!declared) {
      problems.Add(value.where,
                   absl::StrCat("no option '", name, "' to vary: neither the scheme '", source.name,
                                "' nor a quantizer in its rules declares it"));
    }
  }
  std::vector<ResolvedRule> resolved;
  for (const SchemeSource::Rule& rule : rules) {
    ComponentUse use{kNone, {}, 0};
    if (rule.quantizer != nullptr) {
      CheckGroup(*rule.quantizer, rule.options, rule.given, rule.where,
                 absl::StrCat("scheme '", source.name, "', sites '", rule.sites, "': "), &problems);
      use = {rule.quantizer->name, rule.options, rule.quantizer->numerics};
    }
    resolved.push_back({rule.sites, std::move(use), rule.where});
  }
  if (problems.size() != before) return std::nullopt;
  return resolved;
}

}  // namespace qatlas::recipe
