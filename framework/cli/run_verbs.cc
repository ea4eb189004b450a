// qatlas run | status.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/analysis.h"
#include "framework/cli/progress.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/cli/study.h"
#include "framework/runs/execute.h"
#include "framework/runs/observations.h"
#include "framework/runs/plan.h"
#include "framework/runs/source.h"
#include "framework/runs/status.h"
#include "framework/runs/study.h"

namespace qatlas::cli {
namespace {

struct RunArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  std::string store = "store";
  std::string jobs = "auto";
  std::string device = "cpu";
  bool dry_run = false;
  bool retry_failed = false;
  bool no_report = false;
  std::vector<std::string> restore;
};

// A bad recipe is told apart from a failing disk.
ExitCode CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kNotFound:
      return kBadInput;
    default:
      return kFailed;
  }
}

// Planning asks the worker, which says so when a plugin does not load.
ExitCode CodeOfPlan(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition ? kPluginFailure : CodeOf(status);
}

runs::PlanOptions OptionsOfPlan(const Session& session, const RunArguments& arguments, bool keep) {
  runs::PlanOptions options;
  options.device = arguments.device;
  options.plugin_path = session.plugin_path;
  options.retry_failed = arguments.retry_failed;
  options.restore = arguments.restore;
  options.describe_options.keep = keep;
  return options;
}

int DryRun(Session& session, const RunArguments& arguments, const recipe::ResolvedRecipe& recipe,
           int jobs) {
  const runs::Store store(arguments.store);
  runs::PlanOptions options = OptionsOfPlan(session, arguments, false);
  // What a study would cost can be said before its texts are there.
  auto facts = runs::LookUpData(recipe.data, store);
  if (absl::IsNotFound(facts.status())) {
    options.data = runs::DataFacts{"absent", store.DataFolder() / "absent", std::nullopt};
  } else if (!facts.ok()) {
    return session.Fail(CodeOf(facts.status()), facts.status());
  } else {
    options.data = *facts;
  }
  auto plan = runs::MakePlan(recipe, store, options);
  if (!plan.ok()) return session.Fail(CodeOfPlan(plan.status()), plan.status());
  if (!facts.ok()) {
    plan->notes.push_back(
        absl::StrCat("the data is absent, and `run` will want it: ", facts.status().message(),
                     "; which segments the store has cannot be told without it, so all count as "
                     "missing"));
  }
  if (session.json) return Session::Answer(runs::PlanToJson(*plan, jobs));
  std::cout << runs::ShowPlan(*plan, jobs);
  return kDone;
}

// Finished runs that no fit should be about: a person must look at them.
absl::Status NoteWithoutLearning(const runs::Plan& plan, const runs::Store& store,
                                 nlohmann::json* answer) {
  const auto names = runs::RunsWithoutLearning(plan, store);
  if (!names.ok()) return names.status();
  (*answer)["without_learning"] = *names;
  if (names->empty()) return absl::OkStatus();
  constexpr size_t kShown = 8;
  const auto shown = names->begin() + static_cast<int64_t>(std::min(names->size(), kShown));
  std::fprintf(stderr,
               "note: %zu of the finished runs end no better than the frequencies of single tokens "
               "(%.3f nats); is their learning rate right? %s%s\n",
               names->size(), plan.data.info->unigram_entropy,
               absl::StrJoin(names->begin(), shown, ", ").c_str(),
               names->size() > kShown ? ", ..." : "");
  return absl::OkStatus();
}

int Run(Session& session, const RunArguments& arguments) {
  int jobs = 0;
  if (arguments.jobs != "auto" && (!absl::SimpleAtoi(arguments.jobs, &jobs) || jobs < 1)) {
    return session.Fail(
        kUsage, absl::InvalidArgumentError(absl::StrCat("--jobs ", arguments.jobs,
                                                        ": must be 'auto' or a number from 1")));
  }
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.recipe, arguments.overrides, &code);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  if (arguments.dry_run) return DryRun(session, arguments, *recipe, jobs);

  const runs::Store store(arguments.store);
  if (absl::Status status = store.Create(); !status.ok()) return session.Fail(kFailed, status);
  std::optional<ProgressView> progress(std::in_place, isatty(STDERR_FILENO) != 0);
  // The plan is checked (components, sites, memory, disk) before minutes go into tokens.
  auto plan = runs::MakePlan(*recipe, store, OptionsOfPlan(session, arguments, true));
  if (!plan.ok()) return session.Fail(CodeOfPlan(plan.status()), plan.status());
  for (const std::string& sentence : plan->damaged) {
    std::fprintf(stderr, "note: %s\n", sentence.c_str());
  }
  runs::ExecuteOptions execute;
  execute.jobs = jobs;
  execute.plugin_path = session.plugin_path;
  if (absl::Status status = runs::CheckDisk(*plan, store, execute); !status.ok()) {
    return session.Fail(kFailed, status);
  }
  if (auto workers = runs::Workers(*plan, execute); !workers.ok()) {
    return session.Fail(kFailed, workers.status());
  }
  auto report = runs::Execute(*plan, store, execute, &*progress);
  progress.reset();  // its line ends before anything else is said
  if (!report.ok()) return session.Fail(CodeOf(report.status()), report.status());
  auto facts = runs::LookUpData(recipe->data, store);
  if (!facts.ok()) return session.Fail(CodeOf(facts.status()), facts.status());
  plan->data = *facts;

  // What is finished is worth showing, also when the rest is not.
  absl::Status written = runs::WriteStudyResults(*plan, store);
  written.Update(WriteProvenance(session, *plan, store));
  if (!written.ok()) return session.Fail(kFailed, written);
  nlohmann::json answer = {
      {"recipe", recipe->name},     {"trained", report->trained},
      {"failed", report->failed},   {"blocked", report->blocked},
      {"stopped", report->stopped}, {"study", store.StudyFolder(recipe->name).string()}};
  if (absl::Status noted = NoteWithoutLearning(*plan, store, &answer); !noted.ok()) {
    return session.Fail(CodeOf(noted), noted);
  }
  std::string shown;
  std::vector<std::string> failures;
  if (report->signal == 0 && !arguments.no_report) {
    auto analysis = AnalyzeStudy(session, *plan, store);
    if (!analysis.ok()) return session.Fail(CodeOf(analysis.status()), analysis.status());
    answer["report"] = analysis->page.string();
    shown = absl::StrCat("report: ", analysis->page.string());
    failures = std::move(analysis->failures);
  }
  int exit_code = report->ExitCode();
  // A failed run says more than the fit that misses it.
  if (exit_code == kDone && !failures.empty()) exit_code = kBadInput;
  if (session.json) {
    answer["failures"] = failures;
    answer["exit_code"] = exit_code;
    Session::Answer(answer);
    return exit_code;
  }
  std::printf("%s: %lld segments trained, %lld failed, %lld left out because of these; %zu runs\n",
              recipe->name.c_str(), static_cast<long long>(report->trained),
              static_cast<long long>(report->failed), static_cast<long long>(report->blocked),
              plan->runs.size());
  if (report->signal != 0) {
    std::printf("stopped by a signal; the same command goes on from the checkpoints\n");
  }
  if (!shown.empty()) std::printf("%s\n", shown.c_str());
  SayFailures(failures);
  return exit_code;
}

int Status(Session& session, const RunArguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.recipe, arguments.overrides, &code);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  const runs::Store store(arguments.store);
  runs::PlanOptions options = OptionsOfPlan(session, arguments, false);
  options.describe = false;
  auto plan = runs::MakePlan(*recipe, store, options);
  if (!plan.ok()) return session.Fail(CodeOfPlan(plan.status()), plan.status());
  auto status = runs::GetStatus(*plan, store);
  if (!status.ok()) return session.Fail(CodeOf(status.status()), status.status());
  if (session.json) return Session::Answer(runs::StatusToJson(*status, *plan));
  std::cout << runs::ShowStatus(*status, *plan);
  return kDone;
}

}  // namespace

void AddRunVerbs(CLI::App& app, Session& session) {
  static RunArguments arguments;
  CLI::App* run = app.add_subcommand(
      "run", "Train a recipe's missing segments, then decompose, fit, compare and report");
  CLI::App* status = app.add_subcommand("status", "Where the runs of a recipe stand right now");
  for (CLI::App* verb : {run, status}) {
    verb->add_option("RECIPE", arguments.recipe, "File, or name of an installed recipe")
        ->required();
    verb->add_option("OVERRIDES", arguments.overrides, "key.path=value, as TOML writes values");
    verb->add_option("--store", arguments.store,
                     "Folder of finished segments, shared by all recipes")
        ->type_name("FOLDER")
        ->capture_default_str();
    verb->add_option("--device", arguments.device, "cpu, cuda or auto")
        ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
        ->capture_default_str();
  }
  run->add_option(
         "--jobs", arguments.jobs,
         "Workers side by side; auto: as many as cores and memory allow. Changes how many run at\n"
         "once, never the threads of each")
      ->capture_default_str();
  run->add_flag(
      "--dry-run", arguments.dry_run,
      "Only say what would be trained and why, what is shared, and what it costs; writes nothing");
  run->add_flag("--retry-failed", arguments.retry_failed,
                "Try again also what failed in a way that should repeat itself (NaN, divergence)");
  run->add_option("--restore", arguments.restore,
                  "Train again what is missing of the final state of a run, for export after\n"
                  "`store gc --drop-finals`")
      ->type_name("RUN");
  run->add_flag("--no-report", arguments.no_report, "Stop after training");
  run->callback([&session] { session.verb = [&session] { return Run(session, arguments); }; });
  status->callback(
      [&session] { session.verb = [&session] { return Status(session, arguments); }; });
}

}  // namespace qatlas::cli
