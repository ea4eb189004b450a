#include "framework/cli/analysis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
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

// An analysis under way.
struct Work {
  fs::path folder;
  std::vector<std::string> written;   // files, relative to the folder
  std::vector<std::string> failures;  // also notes of the page
  report::Inputs* page;

  void Fail(std::string what) {
    page->notes.push_back(what);
    failures.push_back(std::move(what));
  }
  absl::Status Write(const std::string& file, const nlohmann::ordered_json& json) {
    written.push_back(file);
    return WriteJson(folder / file, json);
  }
};

bool HasDelta(const observe::Table& table) {
  for (size_t row = 0; row < table.rows(); ++row) {
    if (std::isfinite(table.NumberAt(row, "delta"))) return true;
  }
  return false;
}

// Without a δ there is nothing to split, which is no failure.
absl::Status Split(const observe::Table& observations, Work* work,
                   std::optional<decompose::Decomposition>* decomposition) {
  if (!observations.Has("delta")) return absl::OkStatus();
  auto split = decompose::Decompose(observations);
  if (split.ok()) {
    *decomposition = *std::move(split);
    work->page->decomposition = &**decomposition;
    return work->Write("decomposition.json", decompose::ToJson(**decomposition));
  }
  // Of many rows the first says what is wrong.
  const std::vector<std::string> problems =
      absl::StrSplit(split.status().message(), '\n', absl::SkipEmpty());
  std::string what = absl::StrCat(
      "No decomposition: ", problems.empty() ? "" : problems.front(),
      problems.size() > 1
          ? absl::StrCat(" (the first of at least ", problems.size(), " such problems).")
          : ".");
  if (HasDelta(observations) && !absl::IsNotFound(split.status())) {
    work->Fail(std::move(what));
  } else {
    work->page->notes.push_back(std::move(what));
  }
  return absl::OkStatus();
}

// One comparison, its file and its section of the page.
absl::Status MakeFit(Session& session, const observe::Table& observations,
                     const LabSettings& settings, bool alone, Work* work) {
  auto result = RunLab(session, observations, settings);
  if (!result.ok()) {
    work->Fail(absl::StrCat("Fit '", settings.name, "' of the ", settings.target,
                            " was not made: ", std::string(result.status().message())));
    return absl::OkStatus();
  }
  if (absl::Status status = work->Write("fits/" + settings.name + ".json", ToJson(*result));
      !status.ok()) {
    return status;
  }
  if (result->comparison.ranking.empty()) {
    std::string why;
    for (const auto& [law, reason] : result->comparison.refused) {
      absl::StrAppend(&why, why.empty() ? "" : "; ", law, ": ", reason);
    }
    work->Fail(absl::StrCat("Fit '", settings.name, "': no law could be fitted: ", why));
  }
  for (const std::string& note : result->notes) {
    work->page->notes.push_back(absl::StrCat("Fit '", settings.name, "': ", note));
  }
  // Several fits of one target are told apart by their names.
  std::string title = TitleOfTarget(settings.target);
  if (!alone) absl::StrAppend(&title, " (", settings.name, ")");
  work->page->laws.push_back({absl::StrCat("laws-", settings.name), title, std::move(result->rows),
                              std::move(result->comparison)});
  return absl::OkStatus();
}

absl::Status MakeFits(Session& session, const AnalysisInputs& inputs, Work* work) {
  std::vector<LabSettings> fits;
  for (const LabSettings& settings : inputs.fits) {
    auto apart = StagesApart(session, {settings}, inputs.observations);
    if (!apart.ok()) {
      work->Fail(absl::StrCat("Fit '", settings.name,
                              "' was not made: ", std::string(apart.status().message())));
      continue;
    }
    for (LabSettings& stage : *apart) fits.push_back(std::move(stage));
  }
  std::error_code error;
  if (!fits.empty()) fs::create_directories(work->folder / "fits", error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat((work->folder / "fits").string(), ": ", error.message()));
  }
  for (const LabSettings& settings : fits) {
    const auto same = [&settings](const LabSettings& other) {
      return other.target == settings.target;
    };
    const bool alone = std::count_if(fits.begin(), fits.end(), same) == 1;
    if (absl::Status status = MakeFit(session, inputs.observations, settings, alone, work);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// Removes what the folder's earlier analysis wrote and this one did not, so that no result of other
// runs stays beside the new ones.
absl::Status RemoveStale(const Work& work) {
  const fs::path list = work.folder / "analysis.json";
  if (auto text = observe::ReadWholeFile(list.string()); text.ok()) {
    const auto earlier = nlohmann::json::parse(*text, nullptr, false);
    const auto files = earlier.is_object() ? earlier.value("files", nlohmann::json()) : earlier;
    for (const nlohmann::json& file : files.is_array() ? files : nlohmann::json::array()) {
      if (!file.is_string()) continue;
      const std::string name = file.get<std::string>();
      const bool inside = !absl::StrContains(name, "..") && !absl::StartsWith(name, "/");
      if (!inside || absl::c_linear_search(work.written, name)) continue;
      std::error_code error;
      fs::remove(work.folder / name, error);
      if (error) {
        return absl::UnavailableError(
            absl::StrCat((work.folder / name).string(), ": ", error.message()));
      }
    }
  }
  return WriteJson(list, {{"files", work.written}});
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

absl::StatusOr<Analysis> Analyze(Session& session, AnalysisInputs inputs, const fs::path& folder) {
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

  Work work{folder, {}, {}, &page};
  std::optional<decompose::Decomposition> decomposition;
  if (absl::Status status = Split(inputs.observations, &work, &decomposition); !status.ok()) {
    return status;
  }
  if (absl::Status status = MakeFits(session, inputs, &work); !status.ok()) return status;
  page.observations = std::move(inputs.observations);
  const report::Page made = report::MakePage(page);
  if (absl::Status status = report::WriteReport(made, (folder / "report").string()); !status.ok()) {
    return status;
  }
  for (const std::string& file : report::FilesOf(made)) work.written.push_back("report/" + file);
  if (absl::Status status = RemoveStale(work); !status.ok()) return status;
  return Analysis{fs::absolute(folder / "report" / "report.html"), std::move(work.failures)};
}

ExitCode SayFailures(const std::vector<std::string>& failures) {
  for (const std::string& failure : failures) {
    std::fprintf(stderr, "warning: %s\n", failure.c_str());
  }
  return failures.empty() ? kDone : kBadInput;
}

}  // namespace qatlas::cli
