// Checks of schemes: rules that can be read, mean something, and follow from the options.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "qatlas/conformance/check.h"
#include "qatlas/conformance/create.h"
#include "qatlas/scheme.h"
#include "qatlas/site.h"

namespace qatlas::conformance {
namespace {

constexpr char kNone[] = "none";
constexpr int kContexts = 200;  // combinations in which an option is tried

std::string Text(const SchemeRule& rule) {
  return absl::StrCat("{ sites = \"", rule.sites, "\", use = \"", rule.quantizer,
                      "\", options = ", CanonicalText(rule.options), " }");
}
std::string Text(const std::vector<SchemeRule>& rules) {
  return absl::StrJoin(rules, "\n", [](std::string* out, const SchemeRule& rule) {
    absl::StrAppend(out, Text(rule));
  });
}

absl::StatusOr<std::vector<SchemeRule>> RulesOf(const Subject& subject, const Options& options) {
  QATLAS_ASSIGN_OR_RETURN(auto scheme, Create<Scheme>(*subject.component, options));
  return scheme->Rules();
}

// Calls `body` with the rules of every variant of the options; those of the defaults must exist.
void ForEachRules(const Subject& subject, Probe& probe,
                  const std::function<void(const std::vector<SchemeRule>&)>& body) {
  bool first = true;
  for (const Options& options : Variants(*subject.component)) {
    probe.Trying(absl::StrCat("options ", CanonicalText(options.table())));
    const auto rules = RulesOf(subject, options);
    if (rules.ok()) body(*rules);
    if (!rules.ok() && first) probe.Fail(std::string(rules.status().message()));
    if (!rules.ok() && rules.status().message().empty()) probe.Fail("refused without a message");
    first = false;
  }
}

// Sites of usual models: dense, with attention's four parts apart, and with experts.
const std::vector<Site>& UsualSites() {
  static const auto* sites = [] {
    auto* made = new std::vector<Site>();
    for (int block = 0; block < 8; ++block) {
      for (const char* role : {"qkv", "q", "k", "v", "o", "fc1", "fc2", "gate", "up", "down"}) {
        for (const char* operand : {kWeight, kInput}) {
          made->push_back({block, role, operand, -1});
          if (role[0] == 'f') made->push_back({block, role, operand, 0});
        }
      }
    }
    return made;
  }();
  return *sites;
}

void RulesAreRead(const Subject& subject, Probe& probe) {
  int count = 0;
  ForEachRules(subject, probe, [&](const std::vector<SchemeRule>& rules) {
    for (const SchemeRule& rule : rules) {
      ++count;
      if (auto pattern = SitePattern::Parse(rule.sites); !pattern.ok()) {
        probe.Trying(Text(rule));
        probe.Fail(std::string(pattern.status().message()));
      }
      if (rule.quantizer.empty()) {
        probe.Trying(Text(rule));
        probe.Fail("the rule names no quantizer; \"none\" leaves a site in full precision");
      }
    }
  });
  probe.Measured("read", count, "rules");
}

void QuantizersKnown(const Subject& subject, Probe& probe) {
  if (subject.quantizers == nullptr) {
    return probe.Skip("this program knows no quantizers; `qatlas plugin check` does");
  }
  const std::set<std::string> known(subject.quantizers->begin(), subject.quantizers->end());
  ForEachRules(subject, probe, [&](const std::vector<SchemeRule>& rules) {
    for (const SchemeRule& rule : rules) {
      if (rule.quantizer == kNone || known.count(rule.quantizer) != 0) continue;
      probe.Trying(Text(rule));
      probe.Fail(absl::StrCat("no plugin of the search path offers the quantizer '", rule.quantizer,
                              "'; there are: ", absl::StrJoin(*subject.quantizers, ", ")));
    }
  });
}

void PatternsMatch(const Subject& subject, Probe& probe) {
  ForEachRules(subject, probe, [&](const std::vector<SchemeRule>& rules) {
    std::vector<std::set<size_t>> matched(rules.size());
    std::vector<size_t> last(UsualSites().size(), rules.size());  // the rule that a site keeps
    for (size_t r = 0; r < rules.size(); ++r) {
      const auto pattern = SitePattern::Parse(rules[r].sites);
      if (!pattern.ok()) continue;  // of another check
      for (size_t s = 0; s < UsualSites().size(); ++s) {
        if (!pattern->Matches(UsualSites()[s])) continue;
        matched[r].insert(s);
        last[s] = r;
      }
      if (matched[r].empty()) {
        probe.Trying(Text(rules[r]));
        probe.Fail(absl::StrCat("'", rules[r].sites,
                                "' matches no site of a usual model (blocks 0 to 7, roles qkv, o, "
                                "fc1, fc2 and their parts, operands weight and input)"));
      }
    }
    for (size_t r = 0; r < rules.size(); ++r) {
      if (matched[r].empty() || std::find(last.begin(), last.end(), r) != last.end()) continue;
      probe.Trying(Text(rules));
      probe.Warn(absl::StrCat("later rules override every site of '", rules[r].sites, "'"));
    }
  });
}

void Deterministic(const Subject& subject, Probe& probe) {
  for (const Options& options : Variants(*subject.component)) {
    auto first = Create<Scheme>(*subject.component, options);
    auto second = Create<Scheme>(*subject.component, options);
    if (!first.ok() || !second.ok()) continue;  // of another check
    probe.Trying(absl::StrCat("options ", CanonicalText(options.table())));
    const auto a = (*first)->Rules(), b = (*first)->Rules(), c = (*second)->Rules();
    if (!a.ok() || !b.ok() || !c.ok()) continue;
    if (Text(*a) != Text(*b)) {
      probe.Fail(absl::StrCat("asked twice it gives\n", Text(*a), "\nand then\n", Text(*b)));
    }
    if (Text(*a) != Text(*c)) {
      probe.Fail(absl::StrCat("two instances give\n", Text(*a), "\nand\n", Text(*c)));
    }
  }
}

// Values worth trying of an option, besides its default.
std::vector<OptionValue> Trials(const qatlas_option& option, std::mt19937_64& random) {
  std::vector<OptionValue> trials;
  const auto add = [&trials](auto value) { trials.emplace_back().emplace<decltype(value)>(value); };
  switch (option.type) {
    case QATLAS_OPTION_BOOL:
      add(true);
      add(false);
      break;
    case QATLAS_OPTION_INT:
    case QATLAS_OPTION_FLOAT: {
      const double low = option.minimum == option.minimum ? option.minimum : 0;
      const double high = option.maximum == option.maximum ? option.maximum : low + 64;
      for (double value :
           {low, std::min(high, low + 1 + static_cast<double>(random() % 16)), high}) {
        if (option.type == QATLAS_OPTION_INT) {
          add(static_cast<int64_t>(value));
        } else {
          add(value);
        }
      }
      break;
    }
    case QATLAS_OPTION_STRING:
      if (option.choices == nullptr) {
        for (const char* text : {"int", "lsq", "channel", "group", "tensor", "x"}) {
          add(std::string(text));
        }
      }
      for (const char* const* c = option.choices; c != nullptr && *c != nullptr; ++c) {
        add(std::string(*c));
      }
      break;
    default: {
      OptionTable table;
      table.values["divisor"].emplace<std::string>("half");
      add(std::make_shared<const OptionTable>(std::move(table)));
    }
  }
  return trials;
}

void OptionsMatter(const Subject& subject, Probe& probe) {
  const qatlas_component& component = *subject.component;
  if (component.option_count == 0) return probe.Skip("it has no options");
  std::mt19937_64 random(probe.seed());
  std::vector<bool> matters(component.option_count);
  for (int context = 0; context < kContexts; ++context) {
    OptionTable given;
    // The first context is the defaults; in others some options differ from them.
    for (uint64_t i = 0; context > 0 && i < component.option_count; ++i) {
      if (random() % 3 != 0) continue;
      const auto trials = Trials(component.options[i], random);
      given.values[component.options[i].name] = trials[random() % trials.size()];
    }
    const auto options = CompleteOptions(component, given);
    if (!options.ok()) continue;
    const auto base = RulesOf(subject, *options);
    if (!base.ok()) continue;
    for (uint64_t i = 0; i < component.option_count; ++i) {
      if (matters[i]) continue;
      for (const OptionValue& value : Trials(component.options[i], random)) {
        OptionTable changed = given;
        changed.values[component.options[i].name] = value;
        probe.Trying(CanonicalText(changed));
        const auto other = CompleteOptions(component, changed);
        if (!other.ok()) continue;
        const auto rules = RulesOf(subject, *other);
        // A refusal is an effect: the option does not fit the others.
        if (!rules.ok() || Text(*rules) != Text(*base)) matters[i] = true;
      }
    }
  }
  for (uint64_t i = 0; i < component.option_count; ++i) {
    if (matters[i]) continue;
    const std::string name = component.options[i].name;
    probe.Trying(absl::StrCat("option '", name, "' in ", kContexts, " combinations of the others"));
    probe.Fail(absl::StrCat("option '", name, "' never changes the rules"));
  }
}

}  // namespace

absl::Span<const Check> SchemeChecks() {
  static constexpr Check kChecks[] = {
      {"rules-read", "Every rule has a pattern of sites that can be read, and names a quantizer.",
       RulesAreRead},
      {"quantizers-known",
       "Every rule names a quantizer of the search path, or 'none' for full precision.",
       QuantizersKnown},
      {"patterns-match",
       "Every pattern matches a site of a usual model, and no rule is overridden at all of its "
       "sites.",
       PatternsMatch},
      {"deterministic",
       "The same options give the same rules, asked again and of another instance.", Deterministic},
      {"options-matter", "Every option changes the rules, alone or with others.", OptionsMatter},
  };
  return kChecks;
}

}  // namespace qatlas::conformance
