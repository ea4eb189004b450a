// qatlas fit | compare | report: the laboratory on a table of observations.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "framework/cli/analysis.h"
#include "framework/cli/lab.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/compare/json.h"
#include "framework/observe/atomic_file.h"
#include "framework/report/figure.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string table;
  std::vector<std::string> laws;
  std::vector<std::string> mapping;
  std::vector<std::string> fixed;
  std::vector<std::string> overrides;
  LabSettings settings;
  std::string output;
  std::string store = "store";
  bool path_only = false;
};

ExitCode CodeOf(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ? kFailed : kBadInput;
}

bool IsTable(const std::string& name) {
  for (const char* ending : {".csv", ".tsv", ".jsonl", ".ndjson"}) {
    if (absl::EndsWith(name, ending)) return true;
  }
  return false;
}

// Takes "name=value" items of --fix.
absl::Status ReadFixed(const std::vector<std::string>& items, LabSettings* settings) {
  for (const std::string& item : items) {
    const std::vector<std::string> sides = absl::StrSplit(item, absl::MaxSplits('=', 1));
    double value = 0;
    if (sides.size() != 2 || !absl::SimpleAtod(sides[1], &value)) {
      return absl::InvalidArgumentError(absl::StrCat("--fix ", item, ": must be parameter=number"));
    }
    settings->fixed[sides[0]] = value;
  }
  return absl::OkStatus();
}

void PrintFit(const fit::FitResult& fit) {
  std::printf("%s: %lld rows, R² %s, mean relative error %s, RMSE %s\n", fit.form.c_str(),
              static_cast<long long>(fit.problem->rows()),
              report::ShortNumber(fit.r_squared).c_str(),
              report::ShortNumber(fit.mean_relative_error, 3).c_str(),
              report::ShortNumber(fit.rmse, 3).c_str());
  for (const fit::Estimate& estimate : fit.estimates) {
    std::string interval;
    if (estimate.fixed) {
      interval = "held";
    } else if (fit.identifiability.identifiable) {
      interval = absl::StrCat("95% ", report::ShortNumber(estimate.interval.low), " to ",
                              report::ShortNumber(estimate.interval.high));
    }
    std::printf("  %-14s %-12s %-28s %s\n", estimate.name.c_str(),
                report::ShortNumber(estimate.value, 6).c_str(), interval.c_str(),
                estimate.at_bound ? "at its bound" : "");
  }
  std::printf("  %d of %d starts reached this optimum; condition number %s\n", fit.agreeing,
              fit.searched, report::ShortNumber(fit.identifiability.condition, 3).c_str());
  if (!fit.identifiability.identifiable) {
    std::printf("  not identifiable: %s\n", fit.identifiability.reason.c_str());
  }
  for (const std::string& note : fit.notes) std::printf("  note: %s\n", note.c_str());
}

absl::StatusOr<LabResult> Lab(Session& session, Arguments& arguments,
                              std::vector<std::string>* notes) {
  if (absl::Status status = ReadFixed(arguments.fixed, &arguments.settings); !status.ok())
    return status;
  auto table = ReadObservations(arguments.table, arguments.mapping, notes);
  if (!table.ok()) return table.status();
  arguments.settings.laws = arguments.laws;
  return RunLab(session, *table, arguments.settings);
}

void PrintNotes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
}

void PrintFits(const compare::Comparison& comparison) {
  for (const compare::Ranked& ranked : comparison.ranking) PrintFit(ranked.fit);
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
}

// `fit` and `compare` differ in what they print.
int FitOrCompare(Session& session, Arguments& arguments, bool ranking) {
  std::vector<std::string> notes;
  auto result = Lab(session, arguments, &notes);
  if (!result.ok()) return session.Fail(CodeOf(result.status()), result.status());
  const compare::Comparison& comparison = result->comparison;
  const nlohmann::ordered_json json = compare::ToJson(comparison);
  if (!arguments.output.empty()) {
    if (absl::Status status = observe::WriteFileAtomically(arguments.output, json.dump(2) + "\n");
        !status.ok()) {
      return session.Fail(kFailed, status);
    }
  }
  const int exit_code = comparison.ranking.empty() ? kBadInput : kDone;
  if (session.json) {
    std::cout << json.dump(2) << "\n";
    return exit_code;
  }
  PrintNotes(notes);
  PrintNotes(result->notes);
  PrintNotes(comparison.notes);
  ranking ? PrintRanking(comparison) : PrintFits(comparison);
  for (const auto& [form, why] : comparison.refused) {
    std::printf("%s: not fitted: %s\n", form.c_str(), why.c_str());
  }
  if (ranking && !comparison.rule.empty()) std::printf("\n%s\n", comparison.rule.c_str());
  return exit_code;
}

int ReportOfTable(Session& session, Arguments& arguments) {
  AnalysisInputs inputs;
  auto table = ReadObservations(arguments.table, arguments.mapping, &inputs.notes);
  if (!table.ok()) return session.Fail(CodeOf(table.status()), table.status());
  if (absl::Status status = ReadFixed(arguments.fixed, &arguments.settings); !status.ok()) {
    return session.Fail(kUsage, status);
  }
  inputs.title = fs::path(arguments.table).filename().string();
  inputs.description = absl::StrCat(table->rows(), " observations from ", inputs.title, ".");
  inputs.observations = *std::move(table);
  inputs.provenance = {{"table", inputs.title}, {"qatlas", QATLAS_VERSION}};
  if (!arguments.laws.empty()) {
    arguments.settings.laws = arguments.laws;
    inputs.fits.push_back(arguments.settings);
  }
  const fs::path folder = arguments.output.empty()
                              ? fs::path(arguments.table).stem().string() + "-report"
                              : arguments.output;
  auto page = Analyze(session, std::move(inputs), folder);
  if (!page.ok()) return session.Fail(CodeOf(page.status()), page.status());
  if (session.json) return Session::Answer({{"report", page->string()}});
  std::printf("%s\n", page->c_str());
  return kDone;
}

int ReportOfRecipe(Session& session, Arguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.table, arguments.overrides, &code);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  const fs::path study = fs::path(arguments.store) / "studies" / recipe->name;
  if (!fs::exists(study / "observations.csv")) {
    return session.Fail(
        kBadInput, absl::NotFoundError(absl::StrCat("nothing of ", recipe->name, " is finished in ",
                                                    arguments.store, "; run `qatlas run ",
                                                    arguments.table, "` first")));
  }
  fs::path page = fs::absolute(study / "report" / "report.html");
  if (!arguments.path_only || !fs::exists(page)) {
    auto inputs = InputsOfStudy(*recipe, study);
    if (!inputs.ok()) return session.Fail(CodeOf(inputs.status()), inputs.status());
    auto written = Analyze(session, *std::move(inputs),
                           arguments.output.empty() ? study : fs::path(arguments.output));
    if (!written.ok()) return session.Fail(CodeOf(written.status()), written.status());
    page = *written;
  }
  if (session.json) return Session::Answer({{"report", page.string()}});
  std::printf("%s\n", page.c_str());
  return kDone;
}

void AddLabOptions(CLI::App* verb, Arguments& arguments) {
  verb->add_option(
          "--map", arguments.mapping,
          "column=expression over the file's columns, such as N=params_nonembedding or\n"
          "D='flop / (6*params)'; where=condition keeps rows (repeatable).\n"
          "Of these, delta takes rows whose part is both or missing, the loss those in full "
          "precision")
      ->type_name("COLUMN=EXPRESSION");
  verb->add_option("--target", arguments.settings.target, "What the laws predict: delta or loss")
      ->capture_default_str();
  verb->add_option("--full-precision", arguments.settings.full_precision,
                   "Law that is fitted to the full-precision rows and taken off, so that forms for "
                   "the loss\n"
                   "can be compared for delta")
      ->type_name("LAW");
  verb->add_option("--loss", arguments.settings.loss,
                   "log-huber, log-least-squares, huber or least-squares")
      ->capture_default_str();
  verb->add_option("--huber-delta", arguments.settings.huber_delta,
                   "Where Huber turns linear; 0: the loss's own")
      ->capture_default_str();
  verb->add_option("--non-positive", arguments.settings.non_positive,
                   "Rows whose target is 0 or less, where its logarithm is taken: refuse, drop, or "
                   "fit all rows\n"
                   "in linear space")
      ->capture_default_str();
  verb->add_option("--likelihood", arguments.settings.likelihood, "student-t, gaussian or huber")
      ->capture_default_str();
  verb->add_option("--noise", arguments.settings.noise, "Column of standard errors of the target")
      ->type_name("COLUMN");
  verb->add_option("--fix", arguments.fixed, "parameter=value, held (repeatable)")
      ->type_name("NAME=VALUE");
  verb->add_option("--bootstraps", arguments.settings.bootstraps, "Resamples; 0: none")
      ->capture_default_str();
  verb->add_option("--seed", arguments.settings.seed, "Of resamples and folds")
      ->capture_default_str();
}

}  // namespace

void AddLabVerbs(CLI::App& app, Session& session) {
  static Arguments arguments;
  CLI::App* fit = app.add_subcommand("fit", "Fit law forms to a table of runs");
  CLI::App* compare =
      app.add_subcommand("compare", "Rank law forms on a table of runs, and say how sure that is");
  for (CLI::App* verb : {fit, compare}) {
    verb->add_option("TABLE", arguments.table,
                     "CSV, TSV or JSON lines; columns as in docs/observations.md")
        ->required()
        ->check(CLI::ExistingFile);
    verb->add_option("--law,--laws", arguments.laws, "Law forms, as `qatlas plugin ls` lists them")
        ->required()
        ->delimiter(',');
    verb->add_option("--output,-o", arguments.output, "Also write the result as JSON")
        ->type_name("FILE");
    AddLabOptions(verb, arguments);
  }
  fit->callback([&session] {
    session.verb = [&session] { return FitOrCompare(session, arguments, false); };
  });
  compare->callback(
      [&session] { session.verb = [&session] { return FitOrCompare(session, arguments, true); }; });
}

void AddReportVerb(CLI::App& app, Session& session) {
  static Arguments arguments;
  CLI::App* report =
      app.add_subcommand("report", "Write the report of a recipe's finished runs, or of a table");
  report->add_option("SOURCE", arguments.table, "A recipe, or a table (.csv, .tsv, .jsonl)")
      ->required();
  report->add_option("OVERRIDES", arguments.overrides, "key.path=value, as for `run`");
  report->add_option("--store", arguments.store, "Folder of the store, for a recipe")
      ->type_name("FOLDER")
      ->capture_default_str();
  report->add_flag("--path", arguments.path_only, "Only print where a recipe's report lies");
  report->add_option("--law,--laws", arguments.laws, "Law forms to compare, for a table")
      ->delimiter(',');
  report
      ->add_option("--output,-o", arguments.output,
                   "Folder to write to; default: the study's, or <table>-report")
      ->type_name("FOLDER");
  AddLabOptions(report, arguments);
  report->callback([&session] {
    session.verb = [&session] {
      return IsTable(arguments.table) ? ReportOfTable(session, arguments)
                                      : ReportOfRecipe(session, arguments);
    };
  });
}

}  // namespace qatlas::cli
