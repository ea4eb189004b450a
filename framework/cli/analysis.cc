#include "framework/cli/analysis.h"

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "framework/cli/lab_stages.h"
#include "framework/decompose/decompose.h"
#include "framework/decompose/json.h"
#include "framework/decompose/sites.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/report/report.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

absl::Status WriteJson(const fs::path& path, const nlohmann::ordered_json& json) {
  return observe::WriteFileAtomically(
      path.string(),
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

// Runs that gave no observation, by reason: a reader must know what is missing before reading on.
void AppendFailures(const observe::Table& observations, std::vector<std::string>* notes) {
  std::map<std::string, int> reasons;
  for (size_t row = 0; row < observations.rows(); ++row) {
    const std::string status(observations.TextAt(row, "status"));
    if (!status.empty() && status != "done") ++reasons[status];
  }
  for (const auto& [reason, count] : reasons) {
    notes->push_back(
        absl::StrCat(count, count == 1 ? " run has" : " runs have", " no result: ", reason, "."));
  }
}

absl::StatusOr<observe::Table> SiteTable(const nlohmann::ordered_json& sites) {
  observe::Table table;
  if (!sites.is_object()) return table;
  for (const auto& [run, statistics] : sites.items()) {
    if (absl::Status status = decompose::AppendSites(statistics.dump(), "sites.json", run, table);
        !status.ok()) {
      return status;
    }
  }
  return table;
}

}  // namespace

std::vector<LabSettings> FitsOf(const recipe::ResolvedRecipe& recipe) {
  std::vector<LabSettings> fits;
  for (const recipe::FitSettings& fit : recipe.fits) {
    LabSettings settings;
    settings.name = fit.extra.value("name", settings.name);
    settings.target = fit.target;
    settings.laws = fit.laws;
    settings.requests = fit.requests;
    settings.loss = fit.loss;
    settings.huber_delta = fit.extra.value("huber_delta", settings.huber_delta);
    settings.where = fit.extra.value("where", settings.where);
    settings.full_precision = fit.extra.value("full_precision", settings.full_precision);
    settings.non_positive = fit.extra.value("non_positive", settings.non_positive);
    settings.likelihood = fit.extra.value("likelihood", settings.likelihood);
    settings.search = fit.extra.value("search", settings.search);
    settings.intervals = fit.extra.value("intervals", settings.intervals);
    settings.sandwich = fit.extra.value("sandwich", settings.sandwich);
    settings.resample = fit.extra.value("resample", settings.resample);
    settings.noise_exact = fit.extra.value("exact_noise", settings.noise_exact);
    settings.stages = fit.extra.value("stages", settings.stages);
    settings.bootstraps = fit.bootstraps;
    settings.seed = fit.extra.value("seed", settings.seed);
    fits.push_back(std::move(settings));
  }
  return fits;
}

absl::StatusOr<AnalysisInputs> InputsOfStudy(const recipe::ResolvedRecipe& recipe,
                                             const fs::path& folder) {
  AnalysisInputs inputs;
  inputs.title = recipe.report_title.empty() ? recipe.name : recipe.report_title;
  inputs.description = recipe.description;
  auto table = observe::ReadCsv((folder / "observations.csv").string());
  if (!table.ok()) return table.status();
  inputs.observations = *std::move(table);
  inputs.fits = FitsOf(recipe);
  if (const fs::path file = folder / "site_history.csv"; fs::exists(file)) {
    auto history = observe::ReadCsv(file.string());
    if (!history.ok()) return history.status();
    inputs.site_history = *std::move(history);
  }
  for (const char* name : {"sites.json", "provenance.json"}) {
    const fs::path file = folder / name;
    if (!fs::exists(file)) continue;
    auto text = observe::ReadWholeFile(file.string());
    if (!text.ok()) return text.status();
    auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
    if (json.is_discarded()) return absl::DataLossError(absl::StrCat(file.string(), " is no JSON"));
    if (file.filename() == "sites.json") {
      inputs.sites = std::move(json);
    } else {
      inputs.provenance = nlohmann::json(json);
    }
  }
  return inputs;
}

absl::StatusOr<fs::path> Analyze(Session& session, AnalysisInputs inputs, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return absl::UnavailableError(absl::StrCat(folder.string(), ": ", error.message()));

  report::Inputs page;
  page.title = inputs.title;
  page.description = inputs.description;
  page.provenance = std::move(inputs.provenance);
  page.notes = std::move(inputs.notes);
  AppendFailures(inputs.observations, &page.notes);
  auto sites = SiteTable(inputs.sites);
  if (!sites.ok()) return sites.status();
  page.sites = *std::move(sites);
  page.site_history = std::move(inputs.site_history);

  std::optional<decompose::Decomposition> decomposition;
  if (inputs.observations.Has("delta")) {
    auto split = decompose::Decompose(inputs.observations);
    if (split.ok()) {
      decomposition = *std::move(split);
      page.decomposition = &*decomposition;
      if (absl::Status status =
              WriteJson(folder / "decomposition.json", decompose::ToJson(*decomposition));
          !status.ok()) {
        return status;
      }
    } else {
      // Of many rows that collide the first says what is wrong.
      const std::vector<std::string> problems =
          absl::StrSplit(split.status().message(), '\n', absl::SkipEmpty());
      page.notes.push_back(absl::StrCat(
          "No decomposition: ", problems.empty() ? "" : problems.front(),
          problems.size() > 1
              ? absl::StrCat(" (the first of at least ", problems.size(), " such problems).")
              : "."));
    }
  }
  auto fits = StagesApart(session, inputs.fits, inputs.observations);
  if (!fits.ok()) {
    page.notes.push_back(absl::StrCat("Not fitted: ", std::string(fits.status().message())));
    fits = std::vector<LabSettings>();
  }
  for (const LabSettings& settings : *fits) {
    auto result = RunLab(session, inputs.observations, settings);
    if (!result.ok()) {
      page.notes.push_back(absl::StrCat("Fit '", settings.name, "' of the ", settings.target,
                                        " was not made: ", std::string(result.status().message())));
      continue;
    }
    if (absl::Status status = WriteJson(folder / (settings.name + ".json"), ToJson(*result));
        !status.ok()) {
      return status;
    }
    for (const std::string& note : result->notes) page.notes.push_back(note);
    // Several fits of one target are told apart by their names.
    const auto same = [&settings](const LabSettings& other) {
      return other.target == settings.target;
    };
    std::string title = TitleOfTarget(settings.target);
    if (std::count_if(fits->begin(), fits->end(), same) > 1) {
      absl::StrAppend(&title, " (", settings.name, ")");
    }
    page.laws.push_back({absl::StrCat("laws-", settings.name), title, std::move(result->rows),
                         std::move(result->comparison)});
  }
  page.observations = std::move(inputs.observations);
  if (absl::Status status =
          report::WriteReport(report::MakePage(page), (folder / "report").string());
      !status.ok()) {
    return status;
  }
  return fs::absolute(folder / "report" / "report.html");
}

}  // namespace qatlas::cli
