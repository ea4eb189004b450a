#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

std::string Shown(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    return absl::StrJoin(value, ", ", [](std::string* out, const nlohmann::json& item) {
      absl::StrAppend(out, Shown(item));
    });
  }
  return value.dump();
}

void AppendRows(const std::string& prefix, const nlohmann::json& object, observe::Table* table) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      AppendRows(absl::StrCat(prefix, key, " · "), value, table);
    } else {
      (void)table->Append({{"what", absl::StrCat(prefix, key)}, {"value", Shown(value)}});
    }
  }
}

}  // namespace

Section ProvenanceSection(const nlohmann::json& provenance) {
  Section section;
  section.id = "provenance";
  section.title = "Provenance";
  ShownTable table;
  table.id = "provenance";
  table.title = "What these numbers come from";
  table.reading = provenance.contains("table") ? "The table as it was read, and what read it."
                                               : "Enough to train the same runs again.";
  AppendRows("", provenance, &table.data);
  if (table.data.rows() == 0) return section;
  section.tables.push_back(std::move(table));
  return section;
}

}  // namespace qatlas::report
