// qatlas fit | compare | report: the laboratory on a table of observations.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/analysis.h"
#include "framework/cli/lab.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/lab_options.h"
#include "framework/cli/lab_stages.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/cli/study_check.h"
#include "framework/cli/tables.h"
#include "framework/compare/summary.h"
#include "framework/fit/json.h"
#include "framework/observe/atomic_file.h"
#include "framework/report/figure.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct LabArguments {
  std::string table;
  std::vector<std::string> laws;
  std::vector<std::string> mapping;
  ParameterItems parameters;
  std::vector<std::string> overrides;
  LabSettings settings;
  std::string output;
  std::string store = "store";
  bool path_only = false;
  std::vector<std::string> given;  // options of AddLabOptions on the command line, in its order
};

void PrintMisfit(const std::string& name, const fit::FitResult& fit) {
  std::printf("%s: %lld rows, R² %s, mean relative error %s, RMSE %s\n", name.c_str(),
              static_cast<long long>(fit.problem->rows()),
              report::ShortNumber(fit.r_squared).c_str(),
              report::ShortNumber(fit.mean_relative_error, 3).c_str(),
              report::ShortNumber(fit.rmse, 3).c_str());
}

void PrintFit(const std::string& name, const fit::FitResult& fit) {
  PrintMisfit(name, fit);
  const bool identifiable = fit.identifiability.identifiable;
  if (!identifiable) {
    std::printf("  NOT IDENTIFIABLE: %s.\n  One of many sets of values that fit as well:\n",
                fit.identifiability.reason.c_str());
  }
  for (const fit::Estimate& estimate : fit.estimates) {
    std::string interval;
    if (estimate.fixed) {
      interval = "held";
    } else if (identifiable) {
      interval = absl::StrCat("95% ", report::ShortNumber(estimate.interval.low), " to ",
                              report::ShortNumber(estimate.interval.high));
    }
    std::printf("  %-14s %-12s %-28s %s\n", estimate.name.c_str(),
                report::ShortNumber(estimate.value, 6).c_str(), interval.c_str(),
                estimate.at_bound ? "at its bound" : "");
  }
  std::printf("  %d of %d starts reached this optimum; condition number %s\n", fit.agreeing,
              fit.searched, report::ShortNumber(fit.identifiability.condition, 3).c_str());
  for (const std::string& note : fit.notes) {
    // Said above.
    if (!absl::StartsWith(note, "Not identifiable")) std::printf("  note: %s\n", note.c_str());
  }
}

// What is fitted: the laws of the command line, or the fits of a recipe where it names none.
absl::StatusOr<std::vector<LabSettings>> FitsAsked(const TableSource& source,
                                                   LabArguments& arguments) {
  if (absl::Status status = ReadParameterItems(arguments.parameters, &arguments.settings);
      !status.ok()) {
    return status;
  }
  arguments.settings.laws = LawsOf(arguments.laws);
  std::vector<LabSettings> fits;
  if (!arguments.settings.laws.empty()) {
    fits.push_back(arguments.settings);
  } else if (source.recipe) {
    fits = FitsOf(*source.recipe);
  }
  if (fits.empty()) {
    return absl::InvalidArgumentError("name the laws that are fitted with --law");
  }
  for (LabSettings& fit : fits) {
    fit.evidence = arguments.settings.evidence;
    fit.fixed = arguments.settings.fixed;
    fit.tied = arguments.settings.tied;
    fit.per = arguments.settings.per;
    fit.overrides = arguments.settings.overrides;
    if (!source.recipe || !source.recipe->observations) continue;
    const recipe::ObservationsSettings& observations = *source.recipe->observations;
    if (fit.weight.empty() && !observations.weight.text.empty()) fit.weight = "weight";
    if (fit.noise.empty() && !observations.noise.text.empty()) {
      if (fit.target == kTargetLoss) fit.noise = observations.pair.loss_se;
      if (fit.target == kTargetDelta) fit.noise = "delta_se";
    }
  }
  return fits;
}

void PrintNotes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
}

void PrintFits(const compare::Comparison& comparison) {
  for (const compare::Ranked& ranked : comparison.ranking) PrintFit(ranked.name, ranked.fit);
}

void PrintStages(const StagedLaw& law) {
  PrintNotes(law.notes);
  std::printf("%s in two stages\n\n", law.name.c_str());
  PrintFit("the loss in full precision", law.fit.base);
  PrintFit("δ on pairs", law.fit.delta);
  PrintMisfit("the loss of both", law.fit.combined);
}

// In the shape of one fit, with its stages besides.
nlohmann::ordered_json ToJson(const StagedLaw& law) {
  nlohmann::ordered_json json = fit::ToJson(law.fit.combined);
  json["law"] = law.text;
  json["stages"] = {{"base", fit::ToJson(law.fit.base)}, {"delta", fit::ToJson(law.fit.delta)}};
  json["input_notes"] = law.notes;
  return json;
}

void PrintRanking(const compare::Comparison& comparison) {
  std::printf("%s\n\n%-22s %10s %8s %10s %10s %10s %10s\n", comparison.sentence.c_str(), "form",
              "parameters", "dAICc", "weight", "rel. error", "RMSE", "held out");
  for (const compare::Ranked& ranked : comparison.ranking) {
    std::printf("%-22s %10d %8s %10s %10s %10s %10s%s\n", ranked.name.c_str(), ranked.parameters,
                report::ShortNumber(ranked.delta_aicc, 3).c_str(),
                report::ShortNumber(ranked.weight_aicc, 3).c_str(),
                report::ShortNumber(ranked.fit.mean_relative_error, 3).c_str(),
                report::ShortNumber(ranked.fit.rmse, 3).c_str(),
                report::ShortNumber(ranked.cross_validation.rmse, 3).c_str(),
                ranked.fit.identifiability.identifiable ? "" : "  not identifiable");
  }
  if (!comparison.ranking.empty()) {
    std::printf(
        "(parameters: those of the form that are free, and of the noise where it has any)\n");
  }
}

void Print(const LabResult& result, bool ranking) {
  const compare::Comparison& comparison = result.comparison;
  PrintNotes(result.notes);
  for (const std::string& note : comparison.notes) {
    // A fit alone claims no evidence.
    if (ranking || !absl::EndsWith(note, "overstate the evidence.")) PrintNotes({note});
  }
  ranking ? PrintRanking(comparison) : PrintFits(comparison);
  for (const auto& [form, why] : comparison.refused) {
    std::printf("%s: not fitted: %s\n", form.c_str(), why.c_str());
  }
  if (const std::string evidence = compare::Evidence(comparison); ranking && !evidence.empty()) {
    std::printf("\n%s", evidence.c_str());
  }
  if (ranking && !comparison.rule.empty()) std::printf("\n%s\n", comparison.rule.c_str());
}

// `fit` and `compare` differ in what they print.
int FitOrCompare(Session& session, LabArguments& arguments, bool ranking) {
  arguments.settings.evidence = arguments.settings.evidence && ranking;
  auto source = ReadSource(session, arguments.table, arguments.mapping);
  if (!source.ok()) return session.Fail(CodeOfTable(source.status()), source.status());
  auto fits = FitsAsked(*source, arguments);
  if (!fits.ok()) return session.Fail(kUsage, fits.status());
  if (ranking) {
    fits = StagesApart(session, *fits, source->loaded.table);
    if (!fits.ok()) return session.Fail(kBadInput, fits.status());
  }
  std::vector<LabResult> results;
  std::vector<StagedLaw> staged;
  // Of a million rows the answer takes a gigabyte: it is made where somebody reads it.
  const bool answered = session.json || !arguments.output.empty();
  nlohmann::ordered_json answers = nlohmann::ordered_json::array();
  bool any = false;
  for (const LabSettings& settings : *fits) {
    if (settings.stages) {
      auto laws = RunStages(session, source->loaded.table, settings);
      if (!laws.ok()) return session.Fail(CodeOfTable(laws.status()), laws.status());
      for (StagedLaw& law : *laws) {
        if (answered) answers.push_back(ToJson(law));
        staged.push_back(std::move(law));
      }
      any = true;
      continue;
    }
    auto result = RunLab(session, source->loaded.table, settings);
    if (!result.ok()) {
      // Rows that were left out may be why.
      if (!session.json) PrintNotes(source->loaded.notes);
      return session.Fail(CodeOfTable(result.status()), result.status());
    }
    if (answered) {
      nlohmann::ordered_json answer = ToJson(*result);
      // What was read, left out and assumed.
      std::vector<std::string> notes = source->loaded.notes;
      notes.insert(notes.end(), result->notes.begin(), result->notes.end());
      answer["input_notes"] = notes;
      if (fits->size() > 1) answer["name"] = settings.name;
      answers.push_back(std::move(answer));
    }
    any = any || !result->comparison.ranking.empty();
    results.push_back(*std::move(result));
  }
  if (answered) {
    // One fit is answered by itself, several by a list.
    const nlohmann::ordered_json& answer = answers.size() == 1 ? answers[0] : answers;
    const std::string json =
        answer.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    if (!arguments.output.empty()) {
      if (absl::Status status = observe::WriteFileAtomically(arguments.output, json + "\n");
          !status.ok()) {
        return session.Fail(kFailed, status);
      }
    }
    if (session.json) {
      std::cout << json << "\n";
      return any ? kDone : kBadInput;
    }
  }
  PrintNotes(source->loaded.notes);
  for (const StagedLaw& law : staged) PrintStages(law);
  for (const LabResult& result : results) {
    if (results.size() > 1) std::printf("== %s\n", result.settings.name.c_str());
    Print(result, ranking);
  }
  return any ? kDone : kBadInput;
}

int AnswerReport(const Session& session, const Analysis& analysis) {
  const std::string page = analysis.page.string();
  if (session.json) {
    Session::Answer({{"report", page}, {"failures", analysis.failures}});
    return analysis.failures.empty() ? kDone : kBadInput;
  }
  std::printf("%s\n", page.c_str());
  return SayFailures(analysis.failures);
}

int ReportOfTable(Session& session, LabArguments& arguments) {
  AnalysisInputs inputs;
  auto source = ReadSource(session, arguments.table, arguments.mapping, arguments.overrides);
  if (!source.ok()) return session.Fail(CodeOfTable(source.status()), source.status());
  observe::Table* table = &source->loaded.table;
  inputs.notes = source->loaded.notes;
  inputs.title = fs::path(arguments.table).filename().string();
  inputs.description = absl::StrCat(table->rows(), " observations from ", inputs.title, ".");
  inputs.observations = std::move(*table);
  inputs.provenance = {{"table", inputs.title}, {"qatlas", QATLAS_VERSION}};
  if (!arguments.laws.empty() || source->recipe) {
    auto fits = FitsAsked(*source, arguments);
    if (!fits.ok()) return session.Fail(kUsage, fits.status());
    inputs.fits = *std::move(fits);
  }
  const fs::path folder = arguments.output.empty()
                              ? fs::path(arguments.table).stem().string() + "-report"
                              : arguments.output;
  auto analysis = Analyze(session, std::move(inputs), folder);
  if (!analysis.ok()) return session.Fail(CodeOfTable(analysis.status()), analysis.status());
  return AnswerReport(session, *analysis);
}

// Options that have no effect on the report of a recipe's runs.
absl::Status CheckOptionsOfRecipe(const LabArguments& arguments,
                                  const recipe::ResolvedRecipe& recipe) {
  for (const std::string& option : arguments.given) {
    if (option == "--map") {
      return absl::InvalidArgumentError(absl::StrCat(
          "--map is for tables; a recipe's runs have the standard columns. To choose "
          "rows give their table: qatlas report ",
          arguments.store, "/studies/", recipe.name, "/observations.csv --map 'where=...'"));
    }
    if (!arguments.laws.empty() || option == "--no-evidence") continue;
    if (option == "--fix" || option == "--tie" || option == "--per" || option == "--start" ||
        option == "--bounds" || option == "--positive") {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(option,
                     " goes with --law; the recipe's fits have settings of their own, "
                     "which overrides change: fit.<name>.<key>=value"));
  }
  return absl::OkStatus();
}

int ReportOfStudy(Session& session, LabArguments& arguments, recipe::ResolvedRecipe recipe) {
  if (absl::Status status = CheckOptionsOfRecipe(arguments, recipe); !status.ok()) {
    return session.Fail(kUsage, status);
  }
  const fs::path study = fs::path(arguments.store) / "studies" / recipe.name;
  std::string run = absl::StrCat("qatlas run ", arguments.table);
  for (const std::string& item : arguments.overrides) absl::StrAppend(&run, " '", item, "'");
  if (arguments.store != "store") absl::StrAppend(&run, " --store ", arguments.store);
  if (!fs::exists(study / "observations.csv")) {
    return session.Fail(
        kBadInput, absl::NotFoundError(absl::StrCat("nothing of ", recipe.name, " is finished in ",
                                                    arguments.store, "; run `", run, "` first")));
  }
  Analysis analysis{fs::absolute(study / "report" / "report.html"), {}};
  if (!arguments.path_only || !fs::exists(analysis.page)) {
    if (absl::Status status = CheckStudyIsOf(recipe.text, study); !status.ok()) {
      return session.Fail(
          kBadInput, absl::FailedPreconditionError(
                         absl::StrCat(status.message(), "; `", run,
                                      "` gathers this recipe's, and trains only what is missing")));
    }
    auto inputs = InputsOfStudy(recipe, study);
    if (!inputs.ok()) return session.Fail(CodeOfTable(inputs.status()), inputs.status());
    TableSource source;
    source.recipe = std::move(recipe);
    if (!arguments.laws.empty() || !inputs->fits.empty()) {
      auto fits = FitsAsked(source, arguments);
      if (!fits.ok()) return session.Fail(kUsage, fits.status());
      inputs->fits = *std::move(fits);
    }
    auto made = Analyze(session, *std::move(inputs),
                        arguments.output.empty() ? study : fs::path(arguments.output));
    if (!made.ok()) return session.Fail(CodeOfTable(made.status()), made.status());
    analysis = *std::move(made);
  }
  return AnswerReport(session, analysis);
}

int ReportOfRecipe(Session& session, LabArguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.table, arguments.overrides, &code, RecipeUse::kAny);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  if (recipe->observations) return ReportOfTable(session, arguments);
  return ReportOfStudy(session, arguments, *std::move(recipe));
}

}  // namespace

void AddLabVerbs(CLI::App& app, Session& session) {
  static LabArguments arguments;
  CLI::App* fit = app.add_subcommand("fit", "Fit law forms to a table of runs");
  CLI::App* compare =
      app.add_subcommand("compare", "Rank law forms on a table of runs, and say how sure that is");
  for (CLI::App* verb : {fit, compare}) {
    verb->add_option("TABLE", arguments.table,
                     "CSV, TSV or JSON lines, columns as in docs/observations.md; or a recipe with "
                     "[observations],\nwhose fits are made, with their own "
                     "settings, where no --law is given")
        ->required();
    verb->add_option("--law,--laws", arguments.laws, kLawHelp)->type_name("LAW");
    verb->footer(kLawExamples);
    verb->add_option("--output,-o", arguments.output, "Also write the result as JSON")
        ->type_name("FILE");
    AddLabOptions(verb, arguments.mapping, arguments.settings, arguments.parameters);
  }
  fit->callback([&session] {
    session.verb = [&session] { return FitOrCompare(session, arguments, false); };
  });
  compare->callback(
      [&session] { session.verb = [&session] { return FitOrCompare(session, arguments, true); }; });
}

void AddReportVerb(CLI::App& app, Session& session) {
  static LabArguments arguments;
  CLI::App* report =
      app.add_subcommand("report", "Write the report of a recipe's finished runs, or of a table");
  report->add_option("SOURCE", arguments.table, "A recipe, or a table (.csv, .tsv, .jsonl)")
      ->required();
  report->add_option("OVERRIDES", arguments.overrides, "key.path=value, as for `run`");
  report->add_option("--store", arguments.store, "Folder of the store, for a recipe")
      ->type_name("FOLDER")
      ->capture_default_str();
  report->add_flag("--path", arguments.path_only, "Only print where a recipe's report lies");
  report
      ->add_option("--law,--laws", arguments.laws,
                   absl::StrCat(kLawHelp, ".\nOf a recipe: in place of its own fits"))
      ->type_name("LAW");
  report
      ->add_option(
          "--output,-o", arguments.output,
          "Folder to write to; default: the study's, or, in the current folder, the table's "
          "name with -report")
      ->type_name("FOLDER");
  const size_t before = report->get_options().size();
  AddLabOptions(report, arguments.mapping, arguments.settings, arguments.parameters);
  report->callback([&session, report, before] {
    const std::vector<CLI::Option*> options = report->get_options();
    for (size_t i = before; i < options.size(); ++i) {
      if (options[i]->count() > 0) arguments.given.push_back(options[i]->get_name());
    }
    session.verb = [&session] {
      return IsTable(arguments.table) ? ReportOfTable(session, arguments)
                                      : ReportOfRecipe(session, arguments);
    };
  });
}

}  // namespace qatlas::cli
