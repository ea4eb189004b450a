// Law forms of requests, and requests as text.
#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/forms/compose.h"
#include "framework/forms/request.h"
#include "framework/plugin/loader.h"
#include "framework/plugin/nearest.h"

namespace qatlas::forms {
namespace {

using plugin::Node;

// A form with another spec.
class Respecified : public LawForm {
 public:
  Respecified(std::shared_ptr<const LawForm> form, LawSpec spec)
      : form_(std::move(form)), spec_(std::move(spec)) {}
  const LawSpec& Spec() const override { return spec_; }
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    form_->Evaluate(batch, theta, values, jacobian, stride);
  }

 private:
  std::shared_ptr<const LawForm> form_;
  LawSpec spec_;
};

absl::StatusOr<std::shared_ptr<const LawForm>> WithOverrides(const std::string& name,
                                                             std::shared_ptr<const LawForm> form,
                                                             const ParameterOverrides& overrides) {
  if (overrides.empty()) return form;
  LawSpec spec = form->Spec();
  std::vector<std::string> names;
  for (const LawParameter& parameter : spec.parameters) names.push_back(parameter.name);
  std::string problems;
  for (const auto& [key, parameter] : overrides.Names()) {
    if (spec.ParameterIndex(parameter) >= 0) continue;
    absl::StrAppend(&problems, problems.empty() ? "" : "\n", name, ": ", key,
                    ": the law has no parameter '", parameter, "'",
                    plugin::NearestHint(parameter, names));
  }
  for (LawParameter& parameter : spec.parameters) {
    if (absl::Status status = Override(overrides, &parameter); !status.ok()) {
      absl::StrAppend(&problems, problems.empty() ? "" : "\n", name, ": ", status.message());
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(problems);
  return std::make_shared<Respecified>(std::move(form), std::move(spec));
}

// "eff" of "eff[W4A4]".
std::string BaseName(const std::string& name) { return name.substr(0, name.find('[')); }

Node Numbers(const std::vector<double>& values) {
  Node list = Node::MakeArray({});
  for (const double value : values) list.array.push_back(Node::Float(value));
  return list;
}
Node TextList(const std::vector<std::string>& values) {
  Node list = Node::MakeArray({});
  for (const std::string& value : values) list.array.push_back(Node::String(value));
  return list;
}
Node AsNode(double value) { return Node::Float(value); }
Node AsNode(const std::string& value) { return Node::String(value); }
Node AsNode(const std::vector<std::string>& value) { return TextList(value); }
Node AsNode(const std::vector<double>& value) { return Numbers(value); }
Node AsNode(const std::pair<double, double>& value) { return Numbers({value.first, value.second}); }

template <typename Value>
void SetTable(const char* key, const std::map<std::string, Value>& values, Node* table) {
  if (values.empty()) return;
  Node node = Node::MakeTable();
  for (const auto& [name, value] : values) node.Set(name, AsNode(value));
  table->Set(key, std::move(node));
}

// Moves what is said of parameters to the law that has them, under its own names there.
class Splitter {
 public:
  Splitter(const LawSpec& base, const LawSpec& delta) : base_(base), delta_(delta) {}

  // The name within its law; `of_delta` says which. False where neither has it.
  bool Find(const std::string& name, bool* of_delta, std::string* own) const {
    const std::string plain = BaseName(name);
    const std::string category = name.substr(plain.size());
    *of_delta = base_.ParameterIndex(plain) < 0;
    *own = name;
    if (!*of_delta || delta_.ParameterIndex(plain) >= 0) return true;
    if (!absl::StartsWith(plain, kDeltaPrefix)) return false;
    *own = absl::StrCat(plain.substr(sizeof(kDeltaPrefix) - 1), category);
    return delta_.ParameterIndex(BaseName(*own)) >= 0;
  }

  template <typename Value>
  absl::Status Divide(const std::map<std::string, Value>& from, std::map<std::string, Value>* base,
                      std::map<std::string, Value>* delta) const {
    for (const auto& [name, value] : from) {
      bool of_delta = false;
      std::string own;
      if (!Find(name, &of_delta, &own)) return Unknown(name);
      (of_delta ? delta : base)->insert({own, value});
    }
    return absl::OkStatus();
  }

  absl::Status Unknown(const std::string& name) const {
    std::vector<std::string> names;
    for (const LawSpec* spec : {&base_, &delta_}) {
      for (const LawParameter& parameter : spec->parameters) names.push_back(parameter.name);
    }
    return absl::InvalidArgumentError(absl::StrCat("neither law of the sum has a parameter '", name,
                                                   "'", plugin::NearestHint(name, names)));
  }

 private:
  // Compose calls a parameter of δ so where the law of the loss has one of its name.
  static constexpr char kDeltaPrefix[] = "delta_";
  const LawSpec& base_;
  const LawSpec& delta_;
};

}  // namespace

absl::StatusOr<MadeLaw> MakeLaw(const LawRequest& request, const plugin::Catalog& catalog,
                                const std::string& target, const std::vector<std::string>& columns,
                                const std::map<std::string, std::pair<double, double>>& ranges) {
  MadeLaw made;
  made.name = request.name;
  made.fixed = request.fixed;
  made.tied = request.tied;
  made.per = request.per;
  if (!request.formula.empty()) {
    FormulaOptions options;
    static_cast<ParameterOverrides&>(options) = request;
    options.parameters = request.parameters;
    options.columns = columns;
    options.ranges = ranges;
    options.target = target;
    auto law = MakeFormulaLaw(request.formula, options);
    if (!law.ok()) return law.status();
    made.form = std::move(law->form);
    made.assumptions = std::move(law->assumptions);
    return made;
  }
  std::vector<std::shared_ptr<const LawForm>> forms;
  for (const std::string& name : request.use) {
    auto form = plugin::Create<LawForm>(catalog, name, request.options);
    if (!form.ok()) return form.status();
    forms.push_back(*std::move(form));
  }
  if (forms.empty() || forms.size() > 2) {
    return absl::InvalidArgumentError("a law is one component, or the sum of two, or a formula");
  }
  if (forms.size() == 2) {
    auto sum = Compose(forms[0], forms[1]);
    if (!sum.ok()) return sum.status();
    forms[0] = *std::move(sum);
  }
  auto form = WithOverrides(request.name, forms[0], request);
  if (!form.ok()) return form.status();
  made.form = *std::move(form);
  return made;
}

std::string LawText(const LawRequest& request, const LawForm& form) {
  const bool plain = request.empty() && request.fixed.empty() && request.tied.empty() &&
                     request.per.empty() && request.options.values.empty() &&
                     request.formula.empty();
  const std::string use = absl::StrJoin(request.use, " + ");
  if (plain && request.name == use) return use;
  Node table = Node::MakeTable();
  table.Set("name", Node::String(request.name));
  if (request.formula.empty()) {
    table.Set("use", Node::String(use));
  } else {
    table.Set("formula", Node::String(request.formula));
    std::vector<std::string> parameters;
    for (const LawParameter& parameter : form.Spec().parameters) {
      parameters.push_back(parameter.name);
    }
    table.Set("parameters", TextList(parameters));
  }
  if (!request.options.values.empty()) {
    table.Set("options", plugin::NodeFromOptions(request.options, ""));
  }
  SetTable("fixed", request.fixed, &table);
  SetTable("tied", request.tied, &table);
  SetTable("per", request.per, &table);
  SetTable("start", request.start, &table);
  SetTable("bounds", request.bounds, &table);
  if (!request.positive.empty()) table.Set("positive", TextList(request.positive));
  SetTable("units", request.units, &table);
  return ToToml(table);
}

absl::StatusOr<LawRequest> RequestFromText(const std::string& text, const plugin::Catalog& catalog,
                                           const std::string& target) {
  const std::string where = absl::StrCat("law '", text, "'");
  Node node = Node::String(text, where);
  if (absl::StartsWith(text, "{")) {
    auto table = plugin::ParseTomlValue(text, where);
    if (!table.ok()) return table.status();
    node = *std::move(table);
  }
  plugin::Problems problems;
  LawRequest request = ReadLaw(node, catalog, target, &problems);
  if (absl::Status status = problems.ToStatus(); !status.ok()) return status;
  return request;
}

absl::StatusOr<MadeLaw> LawFromText(const std::string& text, const plugin::Catalog& catalog,
                                    const std::string& target) {
  auto request = RequestFromText(text, catalog, target);
  if (!request.ok()) return request.status();
  return MakeLaw(*request, catalog, target);
}

absl::StatusOr<std::pair<LawRequest, LawRequest>> SplitSum(const LawRequest& request,
                                                           const plugin::Catalog& catalog) {
  if (request.use.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", request.name,
        "' is fitted at once: stages are for the sum of a law of the loss and one of delta"));
  }
  std::pair<LawRequest, LawRequest> split;
  std::vector<std::shared_ptr<const LawForm>> forms;
  for (const auto& [part, name] :
       {std::pair{&split.first, request.use[0]}, std::pair{&split.second, request.use[1]}}) {
    part->name = name;
    part->use = {name};
    auto form = plugin::Create<LawForm>(catalog, name);
    if (!form.ok()) return form.status();
    forms.push_back(*std::move(form));
  }
  auto& [base, delta] = split;
  const Splitter splitter(forms[0]->Spec(), forms[1]->Spec());
  for (const absl::Status& status : {splitter.Divide(request.fixed, &base.fixed, &delta.fixed),
                                     splitter.Divide(request.per, &base.per, &delta.per),
                                     splitter.Divide(request.start, &base.start, &delta.start),
                                     splitter.Divide(request.bounds, &base.bounds, &delta.bounds),
                                     splitter.Divide(request.units, &base.units, &delta.units)}) {
    if (!status.ok()) return status;
  }
  for (const std::string& name : request.positive) {
    bool of_delta = false;
    std::string own;
    if (!splitter.Find(name, &of_delta, &own)) return splitter.Unknown(name);
    (of_delta ? delta : base).positive.push_back(own);
  }
  for (const auto& [name, to] : request.tied) {
    bool of_delta = false;
    bool to_delta = false;
    std::string own;
    std::string other;
    if (!splitter.Find(name, &of_delta, &own)) return splitter.Unknown(name);
    if (!splitter.Find(to, &to_delta, &other)) return splitter.Unknown(to);
    if (of_delta != to_delta) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", request.name, "' cannot be fitted in stages: '", name, "' is tied to '",
                       to, "' of the other stage; fit both at once"));
    }
    (of_delta ? delta : base).tied[own] = other;
  }
  return split;
}

std::vector<std::string> SplitLaws(absl::string_view text) {
  std::vector<std::string> laws;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c != ',' || (depth > 0 && i < text.size())) continue;
    const absl::string_view part = absl::StripAsciiWhitespace(text.substr(begin, i - begin));
    if (!part.empty()) laws.emplace_back(part);
    begin = i + 1;
  }
  return laws;
}

}  // namespace qatlas::forms
