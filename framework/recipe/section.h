// Reads one table of a recipe as its section declares it.
#ifndef QATLAS_FRAMEWORK_RECIPE_SECTION_H_
#define QATLAS_FRAMEWORK_RECIPE_SECTION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/plugin/document.h"
#include "framework/plugin/problems.h"
#include "framework/recipe/schema.h"

namespace qatlas::recipe {

// The values of a section: checked, with defaults filled in. A key that was wrong or is missing
// (which are problems by then) has its default, or an empty value.
class Values {
 public:
  bool Has(const std::string& key) const { return values_.count(key) != 0; }
  bool Bool(const std::string& key) const { return Get(key).boolean; }
  int64_t Int(const std::string& key) const { return Get(key).integer; }
  double Float(const std::string& key) const { return Get(key).number; }
  const std::string& Text(const std::string& key) const { return Get(key).text; }
  // Lists; each element knows its place.
  const plugin::Array& List(const std::string& key) const { return Get(key).array; }
  std::vector<std::string> Texts(const std::string& key) const;
  // The value, for keys that another reader takes on, and for its place.
  const plugin::Node& Get(const std::string& key) const;
  // False where the default stands in for what was not written or wrong.
  bool Given(const std::string& key) const;
  const std::map<std::string, plugin::Node>& all() const { return values_; }

 private:
  friend Values ReadSection(const SectionSpec&, const plugin::Node*, const std::string&,
                            plugin::Problems*);
  std::map<std::string, plugin::Node> values_;
  std::map<std::string, bool> given_;
};

// Checks `table` against its section. nullptr: the section is absent, and all its keys are.
// Problems: unknown keys with the nearest valid name (unless the section is open), wrong types,
// values out of range or not among the choices, required keys that are missing, and an empty table.
// `title` names the section in messages ("[model.xs]").
Values ReadSection(const SectionSpec& section, const plugin::Node* table, const std::string& title,
                   plugin::Problems* problems);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_SECTION_H_
