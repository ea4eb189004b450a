#include "framework/forms/request.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "framework/forms/compose.h"
#include "framework/plugin/loader.h"
#include "framework/plugin/nearest.h"
#include "framework/plugin/options.h"

namespace qatlas::forms {
namespace {

using plugin::Node;

bool Number(const Node& node, double* value) {
  if (node.Is(Node::Type::kInt)) *value = static_cast<double>(node.integer);
  if (node.Is(Node::Type::kFloat)) *value = node.number;
  return (node.Is(Node::Type::kInt) || node.Is(Node::Type::kFloat)) && !std::isnan(*value);
}

// A list of texts, or one text; false where it is neither.
bool Texts(const Node& node, std::vector<std::string>* texts) {
  if (node.Is(Node::Type::kString)) texts->push_back(node.text);
  if (!node.Is(Node::Type::kArray)) return node.Is(Node::Type::kString);
  for (const Node& one : node.array) {
    if (!one.Is(Node::Type::kString)) return false;
    texts->push_back(one.text);
  }
  return true;
}

std::string Shown(const Node& node) {
  return node.Is(Node::Type::kTable) || node.Is(Node::Type::kArray) ? plugin::TypeName(node.type)
                                                                    : ToToml(node);
}

class Reader {
 public:
  Reader(const plugin::Catalog& catalog, const std::string& target, plugin::Problems* problems)
      : catalog_(catalog), target_(target), problems_(*problems) {}

  LawRequest Read(const Node& node) {
    const size_t before = problems_.size();
    if (node.Is(Node::Type::kString)) {
      ReadText(node);
    } else if (node.Is(Node::Type::kTable)) {
      ReadTable(node);
    } else {
      problems_.Add(node.where, absl::StrCat("a law must be text or a table, not ", Shown(node)));
    }
    if (problems_.size() == before) TryFormula(node.where);
    return std::move(request_);
  }

 private:
  void ReadText(const Node& node) {
    absl::string_view text = absl::StripAsciiWhitespace(node.text);
    if (text.find('=') == absl::string_view::npos) return ReadUse(node, text);
    const size_t colon = text.find(':');
    if (colon != absl::string_view::npos && colon < text.find('=')) {
      request_.name = std::string(absl::StripAsciiWhitespace(text.substr(0, colon)));
      text = absl::StripAsciiWhitespace(text.substr(colon + 1));
    }
    ReadFormula(node.where, text);
    if (request_.name.empty()) request_.name = std::string(text);
  }

  void ReadUse(const Node& node, absl::string_view text) {
    for (absl::string_view part : absl::StrSplit(text, '+')) {
      request_.use.emplace_back(absl::StripAsciiWhitespace(part));
    }
    if (request_.name.empty()) request_.name = absl::StrJoin(request_.use, " + ");
    if (request_.use.size() > 2) {
      problems_.Add(node.where, absl::StrCat("'", text,
                                             "': a sum is of two laws, one for the loss "
                                             "and one for delta"));
      return;
    }
    for (const std::string& name : request_.use) {
      if (const auto found = catalog_.Find(QATLAS_KIND_LAW, name); !found.ok()) {
        problems_.Add(node.where, std::string(found.status().message()));
      }
    }
  }

  // Parses and parts the symbols; all else is checked when the form is made.
  void ReadFormula(const std::string& where, absl::string_view text) {
    request_.formula = std::string(text);
    auto parsed = ParseFormulaText(text);
    if (!parsed.ok()) {
      problems_.Add(where, std::string(parsed.status().message()));
      return;
    }
    formula_ = *std::move(parsed);
    parsed_ = true;
  }

  void ReadTable(const Node& table) {
    std::vector<std::string> keys;
    for (const LawKey& key : LawTableKeys()) keys.push_back(key.name);
    for (const plugin::Entry& entry : table.table) {
      if (std::find(keys.begin(), keys.end(), entry.key) == keys.end()) {
        problems_.Add(entry.where, absl::StrCat("unknown key '", entry.key, "' in a law",
                                                plugin::NearestHint(entry.key, keys)));
      }
    }
    const Node* name = Text(table, "name");
    if (name != nullptr) request_.name = name->text;
    const Node* use = Text(table, "use");
    const Node* formula = Text(table, "formula");
    if ((use != nullptr) == (formula != nullptr) && !wrong_text_) {
      problems_.Add(table.where, use != nullptr ? "a law has 'use' or 'formula', not both"
                                                : "a law needs 'use' or 'formula'");
    }
    if (use != nullptr) ReadUse(*use, absl::StripAsciiWhitespace(use->text));
    if (formula != nullptr) {
      ReadFormula(formula->where, absl::StripAsciiWhitespace(formula->text));
      if (request_.name.empty()) request_.name = request_.formula;
    }
    ReadOptions(table);
    ReadParameters(table);
    if (parsed_) CheckNames();
  }

  // A key that must be text; nullptr where it is absent or wrong.
  const Node* Text(const Node& table, const char* key) {
    const Node* node = table.Find(key);
    if (node == nullptr) return nullptr;
    if (node->Is(Node::Type::kString) && !absl::StripAsciiWhitespace(node->text).empty())
      return node;
    problems_.Add(node->where, absl::StrCat("'", key, "' must be text, not ", Shown(*node)));
    wrong_text_ = true;
    return nullptr;
  }

  void ReadOptions(const Node& table) {
    const Node* options = table.Find("options");
    if (options == nullptr) return;
    if (!options->Is(Node::Type::kTable)) {
      problems_.Add(options->where,
                    absl::StrCat("'options' must be a table, not ", Shown(*options)));
      return;
    }
    if (request_.use.size() != 1) {
      problems_.Add(options->where, "'options' belong to a law with one component in 'use'");
      return;
    }
    const plugin::ComponentDeclaration* declaration =
        catalog_.FindDeclaration(QATLAS_KIND_LAW, request_.use[0]);
    if (declaration == nullptr) return;
    request_.options = plugin::ReadOptions(*declaration, *options, {}, &problems_);
  }

  // Calls read(name, value) for every entry of a table by parameter.
  template <typename Function>
  void Each(const Node& table, const char* key, const char* wanted, Function&& read) {
    const Node* node = table.Find(key);
    if (node == nullptr) return;
    if (!node->Is(Node::Type::kTable)) {
      problems_.Add(node->where,
                    absl::StrCat("'", key, "' must be a table by parameter, not ", Shown(*node)));
      return;
    }
    for (const plugin::Entry& entry : node->table) {
      Named(key, entry.key, entry.where);
      if (read(entry.key, entry.value)) continue;
      problems_.Add(entry.value.where, absl::StrCat("'", key, "' of '", entry.key, "' must be ",
                                                    wanted, ", not ", Shown(entry.value)));
    }
  }

  void ReadParameters(const Node& table) {
    Each(table, "fixed", "a number", [&](const std::string& name, const Node& value) {
      return Number(value, &request_.fixed[name]);
    });
    Each(table, "tied", "the name of a parameter", [&](const std::string& name, const Node& value) {
      request_.tied[name] = value.text;
      if (value.Is(Node::Type::kString)) Named("tied", value.text, value.where);
      return value.Is(Node::Type::kString);
    });
    Each(table, "per", "a list of columns", [&](const std::string& name, const Node& value) {
      return Texts(value, &request_.per[name]);
    });
    Each(table, "start", "a number, a list of numbers, or a range such as \"0.1..10\"",
         [&](const std::string& name, const Node& value) {
           auto values = StartValues(value);
           if (values.ok()) request_.start[name] = *std::move(values);
           return values.ok();
         });
    Each(table, "bounds", "[low, high]", [&](const std::string& name, const Node& value) {
      auto& [low, high] = request_.bounds[name];
      return value.Is(Node::Type::kArray) && value.array.size() == 2 &&
             Number(value.array[0], &low) && Number(value.array[1], &high) && low < high;
    });
    Each(table, "units", "text", [&](const std::string& name, const Node& value) {
      request_.units[name] = value.text;
      return value.Is(Node::Type::kString);
    });
    for (const auto& [key, list] :
         {std::pair{"positive", &request_.positive}, {"parameters", &request_.parameters}}) {
      const Node* node = table.Find(key);
      if (node == nullptr) continue;
      if (!Texts(*node, list)) {
        problems_.Add(node->where,
                      absl::StrCat("'", key, "' must be a list of parameters, not ", Shown(*node)));
        continue;
      }
      const std::vector<Node> one = {*node};
      for (const Node& name : node->Is(Node::Type::kArray) ? node->array : one) {
        Named(key, name.text, name.where);
      }
    }
    if (!request_.parameters.empty() && request_.formula.empty()) {
      problems_.Add(table.Find("parameters")->where, "'parameters' belong to a law with a formula");
    }
  }

  // Remembers where a parameter is named.
  void Named(const char* key, const std::string& name, const std::string& where) {
    named_.push_back({key, name.substr(0, name.find('[')), where});
  }

  void CheckNames() {
    FormulaOptions options;
    options.parameters = request_.parameters;
    const std::vector<std::string> symbols = formula_.Symbols();
    const std::vector<std::string> parameters = PartSymbols(formula_, options).parameters;
    for (const auto& [key, name, where] : named_) {
      const std::vector<std::string>& among = key == "parameters" ? symbols : parameters;
      if (std::find(among.begin(), among.end(), name) != among.end()) continue;
      problems_.Add(where, absl::StrCat(key, ": the formula has no parameter '", name, "'",
                                        plugin::NearestHint(name, among)));
    }
  }

  // All that can be wrong with a formula before there is a table. Names that we do not know may be
  // its columns.
  void TryFormula(const std::string& where) {
    if (!parsed_) return;
    FormulaOptions options;
    static_cast<ParameterOverrides&>(options) = request_;
    options.parameters = request_.parameters;
    options.target = target_;
    if (PartSymbols(formula_, options).covariates.empty()) return;
    if (const auto law = MakeFormulaLaw(request_.formula, options); !law.ok()) {
      problems_.Add(where, std::string(law.status().message()));
    }
  }

  struct NamedParameter {
    std::string key, name, where;
  };

  const plugin::Catalog& catalog_;
  const std::string& target_;
  plugin::Problems& problems_;
  LawRequest request_;
  FormulaText formula_;
  bool parsed_ = false;
  bool wrong_text_ = false;
  std::vector<NamedParameter> named_;
};

}  // namespace

const std::vector<LawKey>& LawTableKeys() {
  using Kind = LawKey::Kind;
  static const auto* keys = new std::vector<LawKey>{
      {"name", Kind::kText, "Names the law in results; default: what `use` or `formula` says."},
      {"use", Kind::kText, "A law form, or the sum of one for the loss and one for delta."},
      {"formula", Kind::kText, "In place of `use`: the law as text."},
      {"options", Kind::kOptions, "Options of the law form."},
      {"fixed", Kind::kNumbers, "Parameters held at a value; \"eff[W4A4]\" for one category."},
      {"tied", Kind::kNames, "Parameters that take the value of another."},
      {"per", Kind::kColumns,
       "Columns of which every combination gives a parameter a value of its own; [] one for "
       "all."},
      {"start", Kind::kStarts, "Start values: a number, a list, or a range such as \"0.1..10\"."},
      {"bounds", Kind::kBounds, "[low, high] of parameters."},
      {"positive", Kind::kList, "Parameters above 0, searched as logarithms."},
      {"parameters", Kind::kList, "Of a formula: its parameters; all other names are columns."},
      {"units", Kind::kUnits, "Units of parameters, for reports."}};
  return *keys;
}

LawRequest ReadLaw(const plugin::Node& node, const plugin::Catalog& catalog,
                   const std::string& target, plugin::Problems* problems) {
  return Reader(catalog, target, problems).Read(node);
}

absl::StatusOr<std::vector<double>> StartValues(const plugin::Node& node) {
  const absl::Status wrong = absl::InvalidArgumentError(
      "must be a number, a list of numbers, or a range such as \"0.1..10\"");
  std::vector<double> values;
  double value = 0;
  if (Number(node, &value)) return std::vector<double>{value};
  if (node.Is(Node::Type::kArray)) {
    for (const Node& one : node.array) {
      if (!Number(one, &value) || !std::isfinite(value)) return wrong;
      values.push_back(value);
    }
    if (values.empty()) return wrong;
    return values;
  }
  const std::pair<std::string, std::string> ends =
      absl::StrSplit(node.text, absl::MaxSplits("..", 1));
  double low = 0;
  double high = 0;
  if (!node.Is(Node::Type::kString) || !absl::SimpleAtod(ends.first, &low) ||
      !absl::SimpleAtod(ends.second, &high) || !(low < high) || !std::isfinite(high - low)) {
    return wrong;
  }
  constexpr int kValues = 5;
  for (int i = 0; i < kValues; ++i) {
    const double share = static_cast<double>(i) / (kValues - 1);
    values.push_back(low > 0 ? low * std::pow(high / low, share) : low + (high - low) * share);
  }
  // Rounding must not leave the range.
  values.back() = high;
  return values;
}

}  // namespace qatlas::forms
