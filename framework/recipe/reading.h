// The steps of reading a recipe, one function each; reader.cc calls them in this order. Each adds
// its problems and goes on, so that all are reported at once.
#ifndef QATLAS_FRAMEWORK_RECIPE_READING_H_
#define QATLAS_FRAMEWORK_RECIPE_READING_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "framework/plugin/catalog.h"
#include "framework/plugin/document.h"
#include "framework/plugin/problems.h"
#include "framework/recipe/recipe.h"
#include "framework/recipe/section.h"

namespace qatlas::recipe {

// [scheme.<name>] as written, checked, before a grid's options and parts are applied.
struct SchemeSource {
  struct Rule {
    std::string sites;
    std::string where;
    const plugin::ComponentDeclaration* quantizer = nullptr;  // nullptr: "none"
    OptionTable options;                                      // complete
    std::set<std::string> given;                              // options that were written
  };
  std::string name;
  std::string where;
  std::string part;                                         // "" where it has none of its own
  const plugin::ComponentDeclaration* component = nullptr;  // nullptr: written as rules
  OptionTable options;                                      // complete, of the component
  std::vector<Rule> rules;
  std::string after;  // scheme that quantizes before this one takes over; "": none
  std::string after_where;
  std::vector<std::string> frozen;  // optimizer groups, sorted
  // Whether the component, or a quantizer of the rules, has an option of this name.
  bool Declares(const std::string& option) const;
  bool good = true;  // false: it had problems, and nothing follows from it
};

// An option that a grid varies, with one of its values.
using VariedOption = std::pair<std::string, plugin::Node>;

struct Reading {
  Reading(const plugin::Catalog& catalog_in, const plugin::Node& root_in)
      : catalog(catalog_in), root(root_in) {}

  const plugin::Catalog& catalog;
  const plugin::Node& root;
  plugin::Problems problems;
  ResolvedRecipe recipe;

  // As read, for the steps that follow and for the resolved text.
  std::optional<int64_t> vocabulary;       // of the data
  std::map<std::string, Values> sections;  // single tables by name
  std::vector<SchemeSource> schemes;
  std::vector<Values> grids;
  std::vector<Values> fits;
  // By index of a variant, the options of its quantizers that no label tells.
  std::map<int, std::map<std::string, std::string>> variant_options;
};

// Checks a name that becomes part of files, paths and labels: letters, digits, '-', '_', '+'.
void CheckName(const std::string& name, const std::string& what, const std::string& where,
               plugin::Problems* problems);

// settings.cc: [recipe], [data], [training] and what is below, [start], [report].
void ReadHead(Reading* reading);
void ReadData(Reading* reading);
void ReadTraining(Reading* reading);
void ReadStart(Reading* reading);
void ReadReport(Reading* reading);

// fits.cc: [[fit]].
void ReadFits(Reading* reading);

// models.cc: [model.<name>].
void ReadModels(Reading* reading);

// schemes.cc: [scheme.<name>] into Reading::schemes.
void ReadSchemes(Reading* reading);
// The rules of a scheme with varied options, resolved. nullopt after adding problems.
std::optional<std::vector<ResolvedRule>> ExpandScheme(const SchemeSource& source,
                                                      const std::vector<VariedOption>& varied,
                                                      Reading* reading);

// variant_options.cc: options of the quantizers in a scheme's rules, but for those that bits, group
// and granularity tell; values that rules differ in joined by '+'.
std::map<std::string, std::string> OptionsOfRules(const std::vector<ResolvedRule>& rules);
// Sets SchemeVariant::options from Reading::variant_options, once all grids are read.
void SetVariantOptions(Reading* reading);

// qat_start.cc: a grid's `qat`, with its `carry_optimizer`.
std::vector<QatStart> ReadQatStarts(const Values& values, Reading* reading);

// grid.cc: [[grid]] into variants and runs.
void ReadGrids(Reading* reading);

// text.cc: the recipe with every default written out; loading it gives the same recipe again.
std::string ResolvedText(const Reading& reading);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_READING_H_
