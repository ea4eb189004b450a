#include "framework/report/report.h"

#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "framework/decompose/json.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/report/decomposition_section.h"
#include "framework/report/delta_section.h"
#include "framework/report/findings.h"
#include "framework/report/law_curve.h"
#include "framework/report/law_section.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

// A name that is safe as a file's and as an element's: ids hold labels of recipes.
std::string PlainId(const std::string& id) {
  std::string name;
  for (char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return name.substr(0, 80);
}

// Makes every id plain and different from all others, whatever the labels were.
void SettleIds(Page* page) {
  std::set<std::string> sections;
  std::set<std::string> parts;
  const auto settle = [](std::set<std::string>* taken, std::string* id) {
    const std::string plain = PlainId(*id);
    *id = plain;
    for (int i = 2; !taken->insert(*id).second; ++i) *id = absl::StrCat(plain, "-", i);
  };
  for (Section& section : page->sections) {
    settle(&sections, &section.id);
    for (Figure& figure : section.figures) settle(&parts, &figure.id);
    for (ShownTable& table : section.tables) settle(&parts, &table.id);
  }
}

std::vector<FittedLaw> LawsFor(const Inputs& inputs, const std::string& target) {
  std::vector<FittedLaw> laws;
  for (const ComparedLaws& compared : inputs.laws) {
    if (compared.comparison.target != target) continue;
    for (const compare::Ranked& ranked : compared.comparison.ranking) {
      laws.push_back({&ranked.fit, &compared.table, ranked.name});
    }
  }
  return laws;
}

// The best of each comparison of the target; where several comparisons share a best form, with the
// comparison's id, which holds the name of the fit.
std::vector<FittedLaw> BestLaws(const Inputs& inputs, const std::string& target) {
  std::vector<FittedLaw> laws;
  std::vector<std::string> ids;
  for (const ComparedLaws& compared : inputs.laws) {
    if (compared.comparison.target != target || compared.comparison.ranking.empty()) continue;
    const compare::Ranked& best = compared.comparison.ranking.front();
    laws.push_back({&best.fit, &compared.table, best.name});
    ids.push_back(compared.id);
  }
  for (size_t i = 0; laws.size() > 1 && i < laws.size(); ++i) {
    absl::StrAppend(&laws[i].name, " of fit '", absl::StripPrefix(ids[i], "laws-"), "'");
  }
  return laws;
}

template <typename Part>
nlohmann::ordered_json PartJson(const Part& part) {
  return {{"id", part.id},
          {"title", part.title},
          {"reading", part.reading},
          {"data", decompose::TableToJson(part.data)}};
}

nlohmann::ordered_json PageJson(const Page& page) {
  nlohmann::ordered_json sections = nlohmann::ordered_json::array();
  for (const Section& section : page.sections) {
    nlohmann::ordered_json figures = nlohmann::ordered_json::array();
    nlohmann::ordered_json tables = nlohmann::ordered_json::array();
    for (const Figure& figure : section.figures) figures.push_back(PartJson(figure));
    for (const ShownTable& table : section.tables) tables.push_back(PartJson(table));
    sections.push_back({{"id", section.id},
                        {"title", section.title},
                        {"paragraphs", section.paragraphs},
                        {"findings", section.findings},
                        {"figures", std::move(figures)},
                        {"tables", std::move(tables)}});
  }
  return {{"title", page.title}, {"summary", page.summary}, {"sections", std::move(sections)}};
}

namespace fs = std::filesystem;

constexpr char kJsonFile[] = "report.json";
constexpr char kPageFile[] = "report.html";

std::string DataFile(const std::string& id) { return absl::StrCat("data/", id, ".csv"); }

absl::Status WriteFiles(const Page& page, const fs::path& root) {
  const auto write_data = [&root](const std::string& id, const observe::Table& data) {
    return observe::WriteCsv((root / DataFile(id)).string(), data);
  };
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) {
      if (absl::Status status = write_data(figure.id, figure.data); !status.ok()) return status;
    }
    for (const ShownTable& table : section.tables) {
      if (absl::Status status = write_data(table.id, table.data); !status.ok()) return status;
    }
  }
  const std::string json =
      PageJson(page).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (absl::Status status = observe::WriteFileAtomically((root / kJsonFile).string(), json);
      !status.ok()) {
    return status;
  }
  return observe::WriteFileAtomically((root / kPageFile).string(), RenderHtml(page));
}

}  // namespace

Page MakePage(const Inputs& inputs) {
  Page page;
  page.title = inputs.title.empty() ? "Qatlas report" : inputs.title;
  page.summary = inputs.description;
  if (!page.summary.empty() && page.summary.back() != '.') page.summary += '.';
  for (const ComparedLaws& laws : inputs.laws) {
    absl::StrAppend(&page.summary, page.summary.empty() ? "" : " ", laws.title, ": ",
                    laws.comparison.sentence);
  }
  const auto add = [&page](Section section) {
    if (!section.empty()) page.sections.push_back(std::move(section));
  };
  Section notes;
  notes.id = "notes";
  notes.title = "Before you read on";
  notes.findings = inputs.notes;
  add(std::move(notes));
  if (inputs.decomposition != nullptr) {
    add(FindingsSection(*inputs.decomposition));
    add(DeltaSection(inputs.observations, *inputs.decomposition, BestLaws(inputs, kTargetDelta)));
    add(DecompositionSection(*inputs.decomposition));
  }
  add(SitesSection(inputs.observations, inputs.sites, inputs.site_history));
  for (const ComparedLaws& laws : inputs.laws) {
    add(LawSection(laws.id, laws.title, laws.comparison, laws.table));
  }
  add(LossSection(inputs.observations, LawsFor(inputs, kTargetLoss)));
  add(ObservationsSection(inputs.observations));
  if (inputs.provenance.is_object() && !inputs.provenance.empty()) {
    add(ProvenanceSection(inputs.provenance));
  }
  if (page.sections.empty()) {
    Section nothing;
    nothing.id = "nothing";
    nothing.title = "Nothing to show";
    nothing.paragraphs = {"The table of observations is empty: no run has finished yet."};
    add(std::move(nothing));
  }
  SettleIds(&page);
  return page;
}

std::vector<std::string> FilesOf(const Page& page) {
  std::vector<std::string> files;
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) files.push_back(DataFile(figure.id));
    for (const ShownTable& table : section.tables) files.push_back(DataFile(table.id));
  }
  files.emplace_back(kJsonFile);
  files.emplace_back(kPageFile);  // last, so that whoever finds the page finds everything
  return files;
}

absl::Status WriteReport(const Page& page, const std::string& folder) {
  const fs::path root(folder);
  std::error_code error;
  const bool fresh = !fs::exists(root, error);
  fs::create_directories(root / "data", error);
  // Written apart and moved file by file: a full disk leaves the earlier report as it was.
  const fs::path apart = root / ".partial";
  if (!error) fs::remove_all(apart, error);
  if (!error) fs::create_directories(apart / "data", error);
  if (error) return absl::UnavailableError(absl::StrCat(folder, ": ", error.message()));
  absl::Status status = WriteFiles(page, apart);
  for (const std::string& file : FilesOf(page)) {
    if (!status.ok()) break;
    fs::rename(apart / file, root / file, error);
    if (error) status = absl::UnavailableError(absl::StrCat(folder, ": ", error.message()));
  }
  fs::remove_all(!status.ok() && fresh ? root : apart, error);
  return status;
}

}  // namespace qatlas::report
