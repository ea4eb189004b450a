#include "framework/cli/lab_laws.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "framework/plugin/nearest.h"

namespace qatlas::cli {
namespace {

using plugin::Node;

// "eff" of "eff[W4A4]".
std::string BaseName(const std::string& name) { return name.substr(0, name.find('[')); }

// What is said of parameters that the form has.
template <typename Value>
void Merge(const std::map<std::string, Value>& from, const LawSpec& spec,
           std::map<std::string, Value>* to) {
  for (const auto& [name, value] : from) {
    if (spec.ParameterIndex(BaseName(name)) >= 0) to->insert({name, value});
  }
}

std::vector<std::pair<std::string, std::string>> NamesSaid(const LabSettings& settings) {
  std::vector<std::pair<std::string, std::string>> names = settings.overrides.Names();
  for (const auto& [name, value] : settings.fixed) names.emplace_back("fix", name);
  for (const auto& [name, to] : settings.tied) {
    names.emplace_back("tie", name);
    names.emplace_back("tie", to);
  }
  for (const auto& [name, columns] : settings.per) names.emplace_back("per", name);
  return names;
}

absl::StatusOr<std::pair<std::string, std::string>> Sides(const char* option,
                                                          const std::string& item,
                                                          const char* wanted) {
  const std::vector<std::string> sides = absl::StrSplit(item, absl::MaxSplits('=', 1));
  if (sides.size() == 2 && !sides[0].empty()) return std::pair{sides[0], sides[1]};
  return absl::InvalidArgumentError(absl::StrCat("--", option, " ", item, ": must be ", wanted));
}

absl::Status Wrong(const char* option, const std::string& item, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, " ", item, ": must be ", wanted));
}

absl::StatusOr<std::vector<double>> Starts(const std::string& text) {
  if (text.find("..") != std::string::npos) return forms::StartValues(Node::String(text));
  Node list = Node::MakeArray({});
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    double value = 0;
    if (!absl::SimpleAtod(part, &value)) return absl::InvalidArgumentError("no number");
    list.array.push_back(Node::Float(value));
  }
  return forms::StartValues(list);
}

}  // namespace

absl::StatusOr<forms::MadeLaw> LawByText(Session& session, const std::string& text,
                                         const std::string& target) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  return forms::LawFromText(text, **catalog, target);
}

bool DescribeBoth(Session& session, const LabSettings& settings) {
  for (const auto& [parameter, columns] : settings.per) {
    for (const char* kind : {"precision", "scheme", "quantizer", "weight_bits", "input_bits"}) {
      if (absl::c_linear_search(columns, kind)) return true;
    }
  }
  LabSettings plain;
  plain.laws = settings.laws;
  plain.requests = settings.requests;
  plain.target = settings.target;
  // What is wrong with the laws is said when they are made for the rows.
  const auto laws = MakeLaws(session, plain, observe::Table());
  if (!laws.ok()) return false;
  return std::any_of(laws->begin(), laws->end(), [](const LabLaw& law) {
    const LawSpec& spec = law.law.form->Spec();
    for (const char* covariate :
         {kQuantized, "weight_bits", "input_bits", "fc2_input_bits", "kv_bits", "exponent_bits",
          "mantissa_bits", "weight_gmse", "input_gmse", "qat_fraction"}) {
      if (spec.CovariateIndex(covariate) >= 0) return true;
    }
    return std::any_of(spec.parameters.begin(), spec.parameters.end(),
                       [](const LawParameter& p) { return !p.per.empty(); });
  });
}

absl::StatusOr<std::vector<LabLaw>> MakeLaws(Session& session, const LabSettings& settings,
                                             const observe::Table& rows) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  std::vector<forms::LawRequest> requests = settings.requests;
  if (requests.empty()) {
    for (const std::string& text : settings.laws) {
      auto request = forms::RequestFromText(text, **catalog, settings.target);
      if (!request.ok()) return request.status();
      requests.push_back(*std::move(request));
    }
  }
  std::vector<std::string> columns;
  std::map<std::string, std::pair<double, double>> ranges;
  for (const std::string& name : rows.names()) {
    const std::vector<double>* numbers = rows.FindNumbers(name);
    if (numbers == nullptr) continue;
    columns.push_back(name);
    double low = INFINITY;
    double high = -INFINITY;
    for (double value : *numbers) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    if (low <= high) ranges[name] = {low, high};
  }
  const auto make = [&](const forms::LawRequest& request) {
    return forms::MakeLaw(request, **catalog, settings.target, columns, ranges);
  };
  std::vector<LabLaw> laws;
  std::set<std::string> known;
  for (forms::LawRequest& request : requests) {
    auto law = make(request);
    if (!law.ok()) return law.status();
    const LawSpec& spec = law->form->Spec();
    for (const LawParameter& parameter : spec.parameters) known.insert(parameter.name);
    // What the request itself says goes before.
    Merge(settings.fixed, spec, &request.fixed);
    Merge(settings.tied, spec, &request.tied);
    Merge(settings.per, spec, &request.per);
    Merge(settings.overrides.start, spec, &request.start);
    Merge(settings.overrides.bounds, spec, &request.bounds);
    for (const std::string& name : settings.overrides.positive) {
      if (spec.ParameterIndex(name) >= 0) request.positive.push_back(name);
    }
    LabLaw made;
    law = make(request);
    if (!law.ok()) return law.status();
    made.law = *std::move(law);
    made.text = forms::LawText(request, *made.law.form);
    made.request = std::move(request);
    laws.push_back(std::move(made));
  }
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [what, name] : NamesSaid(settings)) {
    if (known.count(BaseName(name)) != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(what, ": no law has a parameter '", name, "'",
                                                   plugin::NearestHint(name, names)));
  }
  return laws;
}

absl::Status ReadParameterItems(const ParameterItems& items, LabSettings* settings) {
  for (const std::string& item : items.fixed) {
    const char* wanted = "parameter=number";
    auto sides = Sides("fix", item, wanted);
    if (!sides.ok()) return sides.status();
    if (!absl::SimpleAtod(sides->second, &settings->fixed[sides->first])) {
      return Wrong("fix", item, wanted);
    }
  }
  for (const std::string& item : items.tied) {
    auto sides = Sides("tie", item, "parameter=parameter");
    if (!sides.ok()) return sides.status();
    settings->tied[sides->first] = sides->second;
  }
  for (const std::string& item : items.per) {
    auto sides = Sides("per", item, "parameter=column,column");
    if (!sides.ok()) return sides.status();
    settings->per[sides->first] = absl::StrSplit(sides->second, ',', absl::SkipEmpty());
  }
  for (const std::string& item : items.start) {
    const char* wanted = "parameter=number,number or parameter=low..high";
    auto sides = Sides("start", item, wanted);
    if (!sides.ok()) return sides.status();
    auto values = Starts(sides->second);
    if (!values.ok()) return Wrong("start", item, wanted);
    settings->overrides.start[sides->first] = *std::move(values);
  }
  for (const std::string& item : items.bounds) {
    const char* wanted = "parameter=low..high";
    auto sides = Sides("bounds", item, wanted);
    if (!sides.ok()) return sides.status();
    const std::vector<std::string> ends = absl::StrSplit(sides->second, absl::MaxSplits("..", 1));
    auto& [low, high] = settings->overrides.bounds[sides->first];
    if (ends.size() != 2 || !absl::SimpleAtod(ends[0], &low) || !absl::SimpleAtod(ends[1], &high) ||
        !(low < high)) {
      return Wrong("bounds", item, wanted);
    }
  }
  settings->overrides.positive = items.positive;
  return absl::OkStatus();
}

}  // namespace qatlas::cli
