// The sections and keys of a recipe: the one source for validation and documentation.
#ifndef QATLAS_FRAMEWORK_RECIPE_SCHEMA_H_
#define QATLAS_FRAMEWORK_RECIPE_SCHEMA_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace qatlas::recipe {

enum class KeyType {
  kBool,
  kInt,
  kFloat,  // a whole number is taken too
  kText,
  kTexts,    // a list of texts, or one text
  kInts,     // a list of whole numbers, or one
  kRules,    // a list of tables, read by schemes.h
  kOptions,  // a table of lists, or a list of such tables, read by grid.h
  kStart,    // where quantization starts, or a list, read by grid.h
  kLaws,     // a list of texts and tables, or one of them, read by fits.cc
  kExpressions,  // a table of expressions, read by observations_section.h
};

struct KeySpec {
  std::string name;
  KeyType type = KeyType::kText;
  std::optional<std::string> fallback;  // as TOML writes it; none: the key may be absent
  bool required = false;
  std::optional<double> minimum;  // of a number, or of each number of a list
  std::optional<double> maximum;
  bool above = false;  // the minimum itself is not allowed
  bool below = false;  // the maximum itself is not allowed
  std::vector<std::string> choices;
  std::string pattern;  // of a text: ECMA 262, for editors; empty: any. The reader says more.
  std::string help;
};

struct SectionSpec {
  enum class Form {
    kTable,  // [name]
    kNamed,  // [name.<any>]: a table for each name
    kList,   // [[name]]
  };
  std::string name;     // "training.optimizer"
  std::string variant;  // of [data]: the value of `source` that it is for
  Form form = Form::kTable;
  bool open = false;  // other keys are options of the component that `use` names
  std::string help;
  std::vector<KeySpec> keys;

  // "[training.optimizer]", "[model.<name>]", "[[grid]]".
  std::string Title() const;
  const KeySpec* Find(absl::string_view key) const;
  std::vector<std::string> KeyNames() const;
};

// All sections in the order in which a recipe is best read.
const std::vector<SectionSpec>& Schema();
// Aborts when there is none such.
const SectionSpec& Section(absl::string_view name, absl::string_view variant = "");
// Values that `source` in [data] may have.
std::vector<std::string> DataSources();

// The keys of a section as a table of Markdown: docs/recipes.md holds these, and a test compares
// them.
std::string KeysAsMarkdown(const SectionSpec& section);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_SCHEMA_H_
