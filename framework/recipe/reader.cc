#include "framework/recipe/reader.h"

#include <qatlas/check.h>
#include "absl/strings/str_cat.h"
#include "framework/plugin/nearest.h"
#include "framework/recipe/overrides.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

// What stands outside the sections that the schema knows.
void CheckTop(Reading* reading) {
  std::vector<std::string> known;
  for (const SectionSpec& section : Schema()) {
    const bool below = section.name.find('.') != std::string::npos;
    if (!below && (known.empty() || known.back() != section.name)) known.push_back(section.name);
  }
  for (const plugin::Entry& entry : reading->root.table) {
    bool found = false;
    for (const std::string& name : known) found = found || name == entry.key;
    if (found) continue;
    const bool section = entry.value.Is(Node::Type::kTable) || entry.value.Is(Node::Type::kArray);
    reading->problems.Add(entry.where,
                          absl::StrCat(section ? "unknown section [" : "key '", entry.key,
                                       section ? "]" : "' stands outside all sections",
                                       plugin::NearestHint(entry.key, known)));
  }
}

absl::StatusOr<ResolvedRecipe> Resolve(Node root, const std::string& file,
                                       const std::vector<std::string>& overrides,
                                       const plugin::Catalog& catalog) {
  plugin::Problems of_overrides;
  root.where = absl::StrCat(file, ":1:1");
  ApplyOverrides(overrides, &root, &of_overrides);
  Reading reading(catalog, root);
  reading.problems = std::move(of_overrides);
  reading.recipe.file = file;
  CheckTop(&reading);
  ReadHead(&reading);
  if (!ReadObservationsSection(&reading)) {
    ReadData(&reading);
    ReadTraining(&reading);
    ReadModels(&reading);
    ReadSchemes(&reading);
    ReadGrids(&reading);
    ReadStart(&reading);
  }
  ReadFits(&reading);
  ReadReport(&reading);
  QATLAS_RETURN_IF_ERROR(reading.problems.ToStatus());
  reading.recipe.text = ResolvedText(reading);
  return std::move(reading.recipe);
}

}  // namespace

void CheckName(const std::string& name, const std::string& what, const std::string& where,
               plugin::Problems* problems) {
  bool good = !name.empty();
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    good = good && (letter || c == '-' || c == '_' || c == '+');
  }
  if (!good) {
    problems->Add(where, absl::StrCat(what, " '", name,
                                      "' must consist of letters, digits, '-', '_' and '+'"));
  }
}

absl::StatusOr<ResolvedRecipe> Load(const std::string& file,
                                    const std::vector<std::string>& overrides,
                                    const plugin::Catalog& catalog) {
  QATLAS_ASSIGN_OR_RETURN(Node root, plugin::ParseTomlFile(file));
  return Resolve(std::move(root), file, overrides, catalog);
}

absl::StatusOr<DataSettings> LoadData(const std::string& file,
                                      const std::vector<std::string>& overrides,
                                      const plugin::Catalog& catalog) {
  QATLAS_ASSIGN_OR_RETURN(Node root, plugin::ParseTomlFile(file));
  plugin::Problems of_overrides;
  root.where = absl::StrCat(file, ":1:1");
  ApplyOverrides(overrides, &root, &of_overrides);
  Reading reading(catalog, root);
  reading.problems = std::move(of_overrides);
  reading.recipe.file = file;
  CheckTop(&reading);
  ReadData(&reading);
  QATLAS_RETURN_IF_ERROR(reading.problems.ToStatus());
  return std::move(reading.recipe.data);
}

absl::StatusOr<ResolvedRecipe> LoadText(absl::string_view text, const std::string& file,
                                        const std::vector<std::string>& overrides,
                                        const plugin::Catalog& catalog) {
  QATLAS_ASSIGN_OR_RETURN(Node root, plugin::ParseToml(text, file));
  return Resolve(std::move(root), file, overrides, catalog);
}

}  // namespace qatlas::recipe
