// qatlas store ls | gc, and qatlas export.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/runs/describe.h"
#include "framework/runs/gc.h"
#include "framework/runs/machine.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::cli {
namespace {

struct StoreArguments {
  std::string store = "store";
  std::string recipe;
  std::string run;
  std::string output;
  std::string device = "cpu";
  std::vector<std::string> overrides;
  runs::GcOptions gc;
  bool drop_finals = false;
  bool drop_forks = false;
  bool drop_plans = false;
};

absl::Status CheckStore(const runs::Store& store) {
  if (store.Exists()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("there is no store in ", store.root().string(),
                                          "; name its folder with --store"));
}

int List(const Session& session, const StoreArguments& arguments) {
  const runs::Store store(arguments.store);
  if (absl::Status status = CheckStore(store); !status.ok()) return session.Fail(kFailed, status);
  auto sizes = store.Sizes();
  if (!sizes.ok()) return session.Fail(kFailed, sizes.status());
  auto work = store.ListWork();
  if (!work.ok()) return session.Fail(kFailed, work.status());
  std::vector<std::string> damaged;
  if (auto segments = store.List(&damaged); !segments.ok()) {
    return session.Fail(kFailed, segments.status());
  }
  if (session.json) {
    nlohmann::json open = nlohmann::json::array();
    for (const runs::WorkRecord& record : *work) {
      open.push_back({{"id", record.id},
                      {"resumes", record.has_resume},
                      {"failure", record.failure ? nlohmann::json(record.failure->Show())
                                                 : nlohmann::json()}});
    }
    return Session::Answer({{"segments", sizes->segments},
                            {"checkpoints", sizes->checkpoints},
                            {"checkpoint_bytes", sizes->checkpoint_bytes},
                            {"other_bytes", sizes->other_bytes},
                            {"work_bytes", sizes->work_bytes},
                            {"data_bytes", sizes->data_bytes},
                            {"studies", sizes->studies},
                            {"damaged", damaged},
                            {"unfinished", open}});
  }
  std::printf("studies      %s\n",
              sizes->studies.empty() ? "none" : absl::StrJoin(sizes->studies, ", ").c_str());
  std::printf("segments     %lld finished, records %s\n", static_cast<long long>(sizes->segments),
              runs::ShowBytes(sizes->other_bytes).c_str());
  std::printf("checkpoints  %lld, %s\n", static_cast<long long>(sizes->checkpoints),
              runs::ShowBytes(sizes->checkpoint_bytes).c_str());
  std::printf("unfinished   %lld, %s\n", static_cast<long long>(sizes->work),
              runs::ShowBytes(sizes->work_bytes).c_str());
  std::printf("data         %s\n", runs::ShowBytes(sizes->data_bytes).c_str());
  for (const std::string& sentence : damaged) std::printf("damaged      %s\n", sentence.c_str());
  for (const runs::WorkRecord& record : *work) {
    if (record.failure)
      std::printf("failed       %s: %s\n", record.id.c_str(), record.failure->Show().c_str());
  }
  return kDone;
}

int Gc(const Session& session, StoreArguments& arguments) {
  const runs::Store store(arguments.store);
  if (absl::Status status = CheckStore(store); !status.ok()) return session.Fail(kFailed, status);
  arguments.gc.finals = !arguments.drop_finals;
  arguments.gc.forks = !arguments.drop_forks;
  arguments.gc.old_plans = !arguments.drop_plans;
  auto report = runs::Gc(store, arguments.gc);
  if (!report.ok()) return session.Fail(kFailed, report.status());
  if (session.json) {
    return Session::Answer({{"freed", report->freed},
                            {"removed_work", report->removed_work},
                            {"removed_plans", report->removed_plans},
                            {"bytes", report->bytes},
                            {"kept", report->kept},
                            {"damaged", report->damaged},
                            {"dry_run", arguments.gc.dry_run}});
  }
  for (const std::string& sentence : report->damaged)
    std::printf("damaged: %s\n", sentence.c_str());
  std::printf(
      "%s %s: %zu checkpoints, %zu unfinished folders and %zu old plans; %lld checkpoints kept\n",
      arguments.gc.dry_run ? "would free" : "freed", runs::ShowBytes(report->bytes).c_str(),
      report->freed.size(), report->removed_work.size(), report->removed_plans.size(),
      static_cast<long long>(report->kept));
  return kDone;
}

// The finished segment that has a run's results.
absl::StatusOr<std::string> SegmentOfRun(const runs::Plan& plan, const runs::Store& store,
                                         const std::string& name) {
  std::vector<std::string> near;
  for (const runs::PlannedRun& run : plan.runs) {
    if (run.name == name) {
      const std::string& id = plan.segments[static_cast<size_t>(run.segments.back())].spec.id;
      if (!store.Finished(id)) {
        return absl::FailedPreconditionError(
            absl::StrCat(name, " is not finished; see `qatlas status`"));
      }
      return id;
    }
    if (absl::StrContains(run.name, name)) near.push_back(run.name);
  }
  if (near.empty()) {
    for (const runs::PlannedRun& run : plan.runs) near.push_back(run.name);
  }
  return absl::NotFoundError(absl::StrCat("no run '", name, "' in the recipe; there are:\n  ",
                                          absl::StrJoin(near, "\n  ")));
}

// What is exported is a checkpoint, which `store gc` may have freed.
absl::Status CheckFinalState(const StoreArguments& arguments, const runs::Store& store,
                             const std::string& id) {
  const absl::Status checkpoint = store.CheckCheckpoint(id);
  if (checkpoint.ok()) return checkpoint;
  const bool freed = absl::IsNotFound(checkpoint);
  return absl::FailedPreconditionError(
      absl::StrCat("the final state of ", arguments.run,
                   freed ? " was freed, as `qatlas store gc --drop-finals` does"
                         : absl::StrCat(" is damaged (", checkpoint.message(), ")"),
                   "; `qatlas run ", arguments.recipe, " --restore ", arguments.run,
                   "` (with the overrides of its `run`, if any) trains it again"));
}

int Export(Session& session, const StoreArguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.recipe, arguments.overrides, &code);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  const runs::Store store(arguments.store);
  if (absl::Status status = CheckStore(store); !status.ok()) return session.Fail(kFailed, status);
  runs::PlanOptions options;
  options.describe = false;
  options.device = arguments.device;
  options.plugin_path = session.plugin_path;
  auto plan = runs::MakePlan(*recipe, store, options);
  if (!plan.ok()) return session.Fail(kBadInput, plan.status());
  auto id = SegmentOfRun(*plan, store, arguments.run);
  if (!id.ok()) return session.Fail(kBadInput, id.status());
  if (absl::Status state = CheckFinalState(arguments, store, *id); !state.ok()) {
    return session.Fail(kFailed, state);
  }
  auto worker = runs::FindWorker("");
  if (!worker.ok()) return session.Fail(kFailed, worker.status());
  const std::string folder = store.SegmentFolder(*id).string();
  const pid_t child = fork();
  if (child == 0) {
    // The layout goes to standard output, for programs; it lies in the folder too.
    if (!session.json && std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
    execl(worker->c_str(), worker->c_str(), "export", folder.c_str(), arguments.output.c_str(),
          nullptr);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
      WEXITSTATUS(status) != 0) {
    return session.Fail(kFailed,
                        absl::InternalError(absl::StrCat("the worker did not export ", folder)));
  }
  if (!session.json) {
    std::printf(
        "%s: quantized.safetensors (codes and scales), merged.safetensors (weights to compute "
        "with), layout.json\n",
        arguments.output.c_str());
  }
  return kDone;
}

}  // namespace

void AddStoreVerbs(CLI::App& app, Session& session) {
  static StoreArguments arguments;
  CLI::App* store = app.add_subcommand("store", "What the store holds, and freeing it");
  store->require_subcommand(1);
  CLI::App* ls =
      store->add_subcommand("ls", "Studies, segments, checkpoints, and what is unfinished");
  CLI::App* gc = store->add_subcommand("gc",
                                       "Free checkpoints that nothing needs: kept are those that a "
                                       "study's segments still start from,\n"
                                       "fork points, and final states. Results are never touched");
  gc->add_flag("--dry-run", arguments.gc.dry_run, "Only say what would be freed");
  gc->add_flag("--drop-finals", arguments.drop_finals,
               "Free final states too (no export before `qatlas run --restore`)");
  gc->add_flag("--drop-forks", arguments.drop_forks,
               "Free fork points too (a scheme added later trains its trunk again)");
  gc->add_flag(
      "--drop-plans", arguments.drop_plans,
      "Forget the plans that a study's last one took the place of, and free what only they "
      "need");
  CLI::App* exporter = app.add_subcommand(
      "export", "Write codes, scales and merged weights of a finished run as safetensors");
  exporter->add_option("RECIPE", arguments.recipe, "File, or name of an installed recipe")
      ->required();
  exporter->add_option("RUN", arguments.run, "Name of a run, as `qatlas status` lists it")
      ->required();
  exporter->add_option("OUTPUT", arguments.output, "Folder to write to")->required();
  exporter
      ->add_option("--device", arguments.device,
                   "Device that the run was trained on: cpu, cuda or auto")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
  exporter->add_option("OVERRIDES", arguments.overrides, "key.path=value, as for `run`");
  for (CLI::App* verb : {ls, gc, exporter}) {
    verb->add_option("--store", arguments.store, "Folder of the store")
        ->type_name("FOLDER")
        ->capture_default_str();
  }
  ls->callback([&session] { session.verb = [&session] { return List(session, arguments); }; });
  gc->callback([&session] { session.verb = [&session] { return Gc(session, arguments); }; });
  exporter->callback(
      [&session] { session.verb = [&session] { return Export(session, arguments); }; });
}

}  // namespace qatlas::cli
