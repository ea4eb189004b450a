#include "framework/report/report.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/decompose/json.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/observe/schema.h"
#include "framework/report/decomposition_section.h"
#include "framework/report/delta_section.h"
#include "framework/report/law_section.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

// A name that is safe as a file's: ids hold labels of recipes.
std::string FileName(const std::string& id) {
  std::string name;
  for (char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    name += plain ? c : '_';
  }
  return name;
}

nlohmann::ordered_json FigureJson(const Figure& figure) {
  return {{"id", figure.id},
          {"title", figure.title},
          {"reading", figure.reading},
          {"data", decompose::TableToJson(figure.data)}};
}

// Runs whose site statistics are shown: full precision for the tensors' shapes, quantized ones for the noise.
void AppendSites(const Inputs& inputs, std::vector<Section>* sections) {
  if (inputs.sites.rows() == 0) return;
  std::vector<std::string> quantized;
  std::vector<std::string> full;
  for (size_t row = 0; row < inputs.observations.rows(); ++row) {
    const std::string run(inputs.observations.TextAt(row, "run"));
    const absl::string_view part = inputs.observations.TextAt(row, "part");
    if (part == observe::kPartBoth) quantized.push_back(run);
    if (part == observe::kPartNone) full.push_back(run);
  }
  if (!quantized.empty()) {
    sections->push_back(SitesSection(inputs.sites, quantized, "all runs with both operands quantized"));
  } else {
    sections->push_back(SitesSection(inputs.sites, full, "all full-precision runs"));
  }
}

}  // namespace

Page MakePage(const Inputs& inputs) {
  Page page;
  page.title = inputs.title;
  page.summary = inputs.description;
  for (const ComparedLaws& laws : inputs.laws) {
    absl::StrAppend(&page.summary, page.summary.empty() ? "" : " ", laws.comparison.sentence);
  }
  if (!inputs.notes.empty()) {
    Section notes;
    notes.id = "notes";
    notes.title = "Before you read on";
    notes.paragraphs = inputs.notes;
    page.sections.push_back(std::move(notes));
  }
  if (inputs.decomposition != nullptr) {
    const fit::FitResult* best = nullptr;
    for (const ComparedLaws& laws : inputs.laws) {
      if (best == nullptr && laws.comparison.target == kTargetDelta && !laws.comparison.ranking.empty()) {
        best = &laws.comparison.ranking.front().fit;
      }
    }
    page.sections.push_back(DeltaSection(inputs.observations, inputs.decomposition->parts, best));
    Section causes = DecompositionSection(*inputs.decomposition);
    if (!causes.figures.empty() || !causes.tables.empty()) page.sections.push_back(std::move(causes));
  }
  AppendSites(inputs, &page.sections);
  for (const ComparedLaws& laws : inputs.laws) {
    page.sections.push_back(LawSection(laws.id, laws.title, laws.comparison, laws.table));
  }
  page.sections.push_back(LossSection(inputs.observations));
  if (inputs.observations.rows() > 0 && inputs.observations.rows() <= 2000) {
    Section runs;
    runs.id = "runs";
    runs.title = "All observations";
    ShownTable table;
    table.id = "observations";
    table.title = absl::StrCat(inputs.observations.rows(), " rows");
    table.reading = "One row a run; columns as documented in observations.md.";
    table.data = inputs.observations;
    runs.tables.push_back(std::move(table));
    page.sections.push_back(std::move(runs));
  }
  if (!inputs.provenance.empty()) page.sections.push_back(ProvenanceSection(inputs.provenance));
  return page;
}

absl::Status WriteReport(const Page& page, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(fs::path(folder) / "data", error);
  if (error) return absl::UnavailableError(absl::StrCat(folder, ": ", error.message()));
  nlohmann::ordered_json json = {{"title", page.title}, {"summary", page.summary}};
  nlohmann::ordered_json sections = nlohmann::ordered_json::array();
  for (const Section& section : page.sections) {
    nlohmann::ordered_json entry = {
        {"id", section.id}, {"title", section.title}, {"paragraphs", section.paragraphs}};
    entry["figures"] = nlohmann::ordered_json::array();
    entry["tables"] = nlohmann::ordered_json::array();
    for (const Figure& figure : section.figures) {
      entry["figures"].push_back(FigureJson(figure));
      const std::string file = (fs::path(folder) / "data" / (FileName(figure.id) + ".csv")).string();
      if (absl::Status status = observe::WriteCsv(file, figure.data); !status.ok()) return status;
    }
    for (const ShownTable& table : section.tables) {
      entry["tables"].push_back({{"id", table.id},
                                 {"title", table.title},
                                 {"data", decompose::TableToJson(table.data)}});
      const std::string file = (fs::path(folder) / "data" / (FileName(table.id) + ".csv")).string();
      if (absl::Status status = observe::WriteCsv(file, table.data); !status.ok()) return status;
    }
    sections.push_back(std::move(entry));
  }
  json["sections"] = std::move(sections);
  const std::string text =
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (absl::Status status =
          observe::WriteFileAtomically((fs::path(folder) / "report.json").string(), text);
      !status.ok()) {
    return status;
  }
  return observe::WriteFileAtomically((fs::path(folder) / "report.html").string(), RenderHtml(page));
}

}  // namespace qatlas::report
