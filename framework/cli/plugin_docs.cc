#include "framework/cli/plugin_docs.h"

#include <cmath>
#include <memory>
#include <vector>

#include <qatlas/check.h>
#include <qatlas/law.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "framework/observe/number.h"
#include "framework/plugin/loader.h"

namespace qatlas::cli {
namespace {

struct Page {
  int kind;
  const char* file;
  const char* title;
  const char* about;
};
constexpr Page kPages[] = {
    {QATLAS_KIND_QUANTIZER, "quantizers.md", "Quantizers",
     "What a rule of a scheme names in `use`: it turns a linear layer into a quantized one."},
    {QATLAS_KIND_SCHEME, "schemes.md", "Schemes",
     "What `[scheme.<name>]` names in `use`: it writes the rules that assign quantizers to sites."},
    {QATLAS_KIND_MODEL, "models.md", "Models",
     "What `[model.<name>]` names in `use`: it builds the model that is trained."},
    {QATLAS_KIND_LAW, "laws.md", "Laws",
     "What `laws` of `[[fit]]` and `--law` name: a form that predicts a target from covariates and "
     "parameters."}};

// A cell of a table of Markdown.
std::string Cell(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}
std::string Code(const std::string& text) {
  return text.empty() ? "" : absl::StrCat("`", Cell(text), "`");
}

std::string RangeCell(const plugin::OptionDeclaration& option) {
  if (!option.choices.empty()) return Cell(absl::StrJoin(option.choices, ", "));
  std::string text;
  if (option.minimum) absl::StrAppend(&text, "≥ ", observe::FormatNumber(*option.minimum));
  if (option.maximum) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", "≤ ", observe::FormatNumber(*option.maximum));
  }
  return text;
}

std::string Options(const plugin::ComponentDeclaration& declaration) {
  if (declaration.options.empty()) return "It has no options.\n";
  std::string text = "| option | type | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const plugin::OptionDeclaration& option : declaration.options) {
    absl::StrAppend(
        &text, "| ", Code(option.name), " | ", plugin::OptionTypeName(option.type), " | ",
        !option.default_text ? "required"
                             : Code(option.default_text->empty() ? "\"\"" : *option.default_text),
        " | ", RangeCell(option), " | ", Cell(option.help), " |\n");
  }
  return text;
}

std::string Bound(double bound) {
  return std::isinf(bound) ? (bound < 0 ? "−∞" : "∞") : observe::FormatNumber(bound);
}

std::string Covariates(const LawSpec& spec) {
  std::string text =
      "| covariate | meaning | unit | range | where a row has none |\n|---|---|---|---|---|\n";
  for (const LawCovariate& covariate : spec.covariates) {
    std::string missing =
        std::isnan(covariate.missing)
            ? "an error"
            : absl::StrCat("counts as ", observe::FormatNumber(covariate.missing));
    if (!covariate.only_with.empty()) {
      absl::StrAppend(&missing, "; not needed without ", Code(covariate.only_with));
    }
    absl::StrAppend(&text, "| ", Code(covariate.name), " | ", Cell(covariate.meaning), " | ",
                    Cell(covariate.unit), " | ", Bound(covariate.minimum), " to ",
                    Bound(covariate.maximum), " | ", missing, " |\n");
  }
  return text;
}

std::string Parameters(const LawSpec& spec) {
  std::string text =
      "| parameter | meaning | unit | bounds | one value for each |\n|---|---|---|---|---|\n";
  for (const LawParameter& parameter : spec.parameters) {
    absl::StrAppend(&text, "| ", Code(parameter.name), " | ", Cell(parameter.meaning), " | ",
                    Cell(parameter.unit), " | ", Bound(parameter.lower), " to ",
                    Bound(parameter.upper), " | ", Cell(absl::StrJoin(parameter.per, ", ")),
                    " |\n");
  }
  return text;
}

std::string Presets(const LawSpec& spec) {
  if (spec.presets.empty()) return "No published constants are known.\n";
  std::string text = "| preset | constants | source | |\n|---|---|---|---|\n";
  for (const LawPreset& preset : spec.presets) {
    std::vector<std::string> values;
    for (const auto& [name, value] : preset.values) {
      values.push_back(absl::StrCat(name, " = ", observe::FormatNumber(value)));
    }
    absl::StrAppend(&text, "| ", Code(preset.name), " | ", Cell(absl::StrJoin(values, ", ")), " | ",
                    Cell(preset.citation),
                    preset.note.empty() ? "" : absl::StrCat(". ", Cell(preset.note)), " | ",
                    preset.verified ? "verified" : "second-hand", " |\n");
  }
  return text;
}

absl::StatusOr<std::string> Law(const plugin::Catalog& catalog,
                                const plugin::ComponentDeclaration& declaration) {
  QATLAS_ASSIGN_OR_RETURN(const auto form, plugin::Create<LawForm>(catalog, declaration.name, {}));
  const LawSpec& spec = form->Spec();
  return absl::StrCat("Predicts ", Code(spec.target), ": ", Code(spec.formula), "\n\n",
                      Covariates(spec), "\n", Parameters(spec), "\n", Presets(spec));
}

constexpr char kNotice[] =
    "<!-- Written by `script/docs plugins` from what the plugins declare; edit them instead. -->\n";

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> PluginPages(const plugin::Catalog& catalog) {
  std::map<std::string, std::string> pages;
  std::string& index = pages["README.md"];
  index = absl::StrCat(kNotice, "# Components\n\nWhat the plugins of this release offer. ",
                       "`qatlas plugin ls` and `qatlas plugin info NAME` say the same of what is "
                       "installed.\n");
  for (const Page& kind : kPages) {
    const std::vector<plugin::Component> components = catalog.Components(kind.kind);
    absl::StrAppend(&index, "\n## [", kind.title, "](", kind.file, ")\n\n");
    std::string& page = pages[kind.file];
    page = absl::StrCat(kNotice, "# ", kind.title, "\n\n", kind.about, "\n");
    for (const plugin::Component& component : components) {
      const plugin::ComponentDeclaration& declaration = *component.declaration;
      absl::StrAppend(&index, "- [`", declaration.name, "`](", kind.file, "#", declaration.name,
                      "): ", declaration.summary, "\n");
      absl::StrAppend(&page, "\n## ", declaration.name, "\n\n", declaration.summary, "\n\n");
      if (!declaration.citation.empty()) {
        absl::StrAppend(&page, "Source: ", declaration.citation, "\n\n");
      }
      if (!declaration.abilities.empty()) {
        absl::StrAppend(&page, "Abilities: `", absl::StrJoin(declaration.abilities, "`, `"),
                        "`\n\n");
      }
      absl::StrAppend(&page, Options(declaration));
      if (kind.kind == QATLAS_KIND_LAW) {
        QATLAS_ASSIGN_OR_RETURN(const std::string law, Law(catalog, declaration));
        absl::StrAppend(&page, "\n", law);
      }
    }
  }
  return pages;
}

}  // namespace qatlas::cli
