// [observations] of a recipe: tables of runs that are there already, and how they are read.
#ifndef QATLAS_FRAMEWORK_RECIPE_OBSERVATIONS_SECTION_H_
#define QATLAS_FRAMEWORK_RECIPE_OBSERVATIONS_SECTION_H_

#include <string>
#include <vector>

namespace qatlas::recipe {

struct Reading;
struct SectionSpec;

// An expression with where it was written ("lab.toml:7:14"); the laboratory parses it.
struct PlacedText {
  std::string name;  // our column, where it is of one
  std::string text;
  std::string where;
};

// What framework/observe/load.h reads; a recipe with it trains nothing.
struct ObservationsSettings {
  std::vector<std::string> files;
  std::string files_where;
  std::vector<PlacedText> columns, units;
  PlacedText filter, weight, noise;  // empty text: none
  bool keep_others = false;
  std::string duplicates = "merge";  // "keep", "refuse"

  struct Pair {
    std::string when = "auto";  // "always", "never"
    std::vector<std::string> match;
    std::string full_precision;
    std::string loss = "loss", loss_se = "loss_se";
    bool recompute = false;
    std::string where;  // of the table; empty where it is absent
  } pair;
};

// The sections [observations] and [observations.pair], for the schema.
std::vector<SectionSpec> ObservationsSections();

// Reads the section into the recipe; false where it has none. Sections that only training reads are
// problems beside it.
bool ReadObservationsSection(Reading* reading);

// The section as TOML with every default, for the resolved text.
std::string ObservationsText(const Reading& reading);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_OBSERVATIONS_SECTION_H_
