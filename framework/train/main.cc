// qatlas-train: the worker; every segment trains in a process of its own. Standard output is for
// programs (JSON), standard error for people.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "framework/commandline/completion.h"
#include "framework/commandline/verbs.h"
#include "framework/plugin/search_path.h"
#include "framework/train/atomic_file.h"
#include "framework/train/bench_step.h"
#include "framework/train/check.h"
#include "framework/train/components.h"
#include "framework/train/describe.h"
#include "framework/train/export.h"
#include "framework/train/open_data.h"
#include "framework/train/outcome.h"
#include "framework/train/platform.h"
#include "framework/train/segment_run.h"
#include "framework/train/serve.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"
#include "qatlas/kernels/torch/memory.h"

namespace qatlas::train {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set in a signal handler");

void RequestStop(int) { stop_requested.store(true, std::memory_order_relaxed); }

void HandleSignals() {
  struct sigaction action = {};
  action.sa_handler = RequestStop;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  // A reader that went away shows as an error of write().
  signal(SIGPIPE, SIG_IGN);
}

// One line in one write, so that a reader never sees half of one. Nobody reads any more: stop as
// after SIGTERM, since whoever started the worker is gone.
void PrintLine(const nlohmann::ordered_json& json) {
  const std::string line = absl::StrCat(
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), "\n");
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      stop_requested = true;
      return;
    }
    done += static_cast<size_t>(count);
  }
}

void Say(const std::string& message) {
  std::fprintf(stderr, "qatlas-train: %s\n", message.c_str());
}

int End(const absl::Status& status) {
  if (!status.ok()) Say(std::string(status.message()));
  return ExitCode(status);
}

struct Flags {
  std::string folder;
  std::string spec;
  std::string out;
  std::string device;
  std::vector<std::string> plugin_path;
  int64_t steps = 20;
  int socket = -1;
};

// Folders of --plugin-path, then those of the spec, then the environment's and the install's own.
absl::StatusOr<std::unique_ptr<PluginComponents>> OpenComponents(const Flags& flags,
                                                                 const recipe::SegmentSpec& spec) {
  std::vector<std::string> first = flags.plugin_path;
  first.insert(first.end(), spec.plugin_path.begin(), spec.plugin_path.end());
  QATLAS_ASSIGN_OR_RETURN(std::vector<std::string> folders, plugin::DefaultSearchPath(first));
  return std::make_unique<PluginComponents>(folders);
}

absl::Status CheckDevice(const Flags& flags, const recipe::SegmentSpec& spec) {
  if (flags.device.empty() || flags.device == spec.trajectory.device) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--device is '", flags.device, "', but the segment was planned for '",
                   spec.trajectory.device, "', which is part of its identity"));
}

absl::Status Train(const std::filesystem::path& folder, const Flags& flags, int64_t* step) {
  QATLAS_ASSIGN_OR_RETURN(const recipe::SegmentSpec spec, ReadSpec(folder / "spec.json"));
  *step = spec.begin_step;
  QATLAS_RETURN_IF_ERROR(CheckDevice(flags, spec));
  QATLAS_RETURN_IF_ERROR(SetUpPlatform(spec.trajectory));
  QATLAS_ASSIGN_OR_RETURN(auto components, OpenComponents(flags, spec));
  SegmentInputs inputs;
  inputs.spec = spec;
  QATLAS_ASSIGN_OR_RETURN(OpenedData data, OpenData(spec.data_folder, spec.trajectory.data));
  inputs.train = std::move(data.train);
  inputs.validation = std::move(data.validation);
  inputs.vocabulary = data.info.vocabulary;
  SegmentHooks hooks;
  hooks.stop = [] { return stop_requested.load(std::memory_order_relaxed); };
  hooks.events = PrintLine;
  hooks.message = Say;
  return RunSegment(folder, inputs, *components, hooks, step);
}

int Run(const Flags& flags) {
  HandleSignals();
  int64_t step = 0;
  absl::Status status;
  const absl::Status caught = CatchTorch([&] {
    status = Train(flags.folder, flags, &step);
    return status;
  });
  status.Update(caught);
  if (status.ok() || absl::IsCancelled(status)) {
    if (!status.ok()) Say(absl::StrCat("stopped at step ", step, "; run again to go on"));
    return ExitCode(status);
  }
  // Another worker has the folder: its files are not ours to write.
  if (!absl::IsUnavailable(status)) {
    const absl::Status written = WriteFailure(flags.folder, status, step);
    if (!written.ok()) Say(std::string(written.message()));
  }
  PrintLine({{"event", "failed"},
             {"step", step},
             {"kind", FailureKind(status)},
             {"message", std::string(status.message())}});
  return End(status);
}

int ServeMain(const Flags& flags) {
  return Serve(flags.socket, [&flags](const std::string& folder) {
    Flags of_segment = flags;
    of_segment.folder = folder;
    return Run(of_segment);
  });
}

int DescribeMain(const Flags& flags) {
  std::vector<SegmentProblem> problems;
  const absl::Status status = CatchTorch([&]() -> absl::Status {
    QATLAS_ASSIGN_OR_RETURN(const std::string text, ReadFile(flags.spec));
    std::unique_ptr<PluginComponents> components;
    std::optional<std::vector<std::string>> path;
    absl::Status failed;
    const auto open = [&](const recipe::SegmentSpec& spec) -> Components& {
      if (components == nullptr || path != spec.plugin_path) {
        auto opened = OpenComponents(flags, spec);
        failed.Update(opened.status());
        components = opened.ok() ? *std::move(opened)
                                 : std::make_unique<PluginComponents>(std::vector<std::string>());
        path = spec.plugin_path;
      }
      return *components;
    };
    absl::StatusOr<nlohmann::ordered_json> answer = DescribeText(text, open, &problems);
    QATLAS_RETURN_IF_ERROR(failed);
    if (!answer.ok()) return answer.status();
    const nlohmann::ordered_json told = problems.empty() ? *std::move(answer) : ToJson(problems);
    std::printf("%s\n", told.dump(1).c_str());
    return absl::OkStatus();
  });
  if (!status.ok()) return End(status);
  for (const auto& [segment, problem] : problems) {
    Say(absl::StrCat("segment ", segment, ": ", problem.Show()));
  }
  return problems.empty() ? kExitDone : kExitUserError;
}

int ExportMain(const Flags& flags) {
  return End(CatchTorch([&]() -> absl::Status {
    const std::filesystem::path folder = flags.folder;
    QATLAS_ASSIGN_OR_RETURN(const recipe::SegmentSpec spec, ReadSpec(folder / "spec.json"));
    QATLAS_RETURN_IF_ERROR(SetUpPlatform(spec.trajectory));
    QATLAS_ASSIGN_OR_RETURN(auto components, OpenComponents(flags, spec));
    QATLAS_ASSIGN_OR_RETURN(const nlohmann::ordered_json layout,
                            Export(folder, flags.out, spec, *components));
    std::printf("%s\n", layout.dump(1).c_str());
    return absl::OkStatus();
  }));
}

int BenchMain(const Flags& flags) {
  return End(CatchTorch([&]() -> absl::Status {
    QATLAS_ASSIGN_OR_RETURN(recipe::SegmentSpec spec, ReadSpec(flags.spec));
    if (!flags.device.empty()) spec.trajectory.device = flags.device;
    QATLAS_RETURN_IF_ERROR(SetUpPlatform(spec.trajectory));
    QATLAS_ASSIGN_OR_RETURN(auto components, OpenComponents(flags, spec));
    std::optional<OpenedData> data;
    if (!spec.data_folder.empty()) {
      QATLAS_ASSIGN_OR_RETURN(data, OpenData(spec.data_folder, spec.trajectory.data));
    }
    QATLAS_ASSIGN_OR_RETURN(
        const nlohmann::ordered_json answer,
        BenchSteps(spec, *components, data ? &data->train : nullptr, flags.steps));
    std::printf("%s\n", answer.dump(1).c_str());
    return absl::OkStatus();
  }));
}

// A LibTorch that was named must be the one that was loaded: the launcher of an install sees to
// that, a build tree has the one that it was built with.
absl::Status CheckLibTorch() {
  const char* named = std::getenv("QATLAS_LIBTORCH");
  if (named == nullptr || *named == '\0') return absl::OkStatus();
  std::error_code error;
  const std::string loaded = LibTorchFolder();
  if (std::filesystem::equivalent(named, loaded, error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "QATLAS_LIBTORCH (or --libtorch) names ", named, ", but this worker runs with ", loaded,
      ", which it was built with; configure the build again with "
      "-DQATLAS_LIBTORCH=",
      named, ", or unset the variable"));
}

int PrintLibTorch() {
  const nlohmann::ordered_json answer = {{"needed", QATLAS_TORCH_VERSION},
                                         {"folder", LibTorchFolder()},
                                         {"version", QATLAS_TORCH_VERSION},
                                         {"source", "the build"}};
  std::printf("%s\n", answer.dump().c_str());
  return kExitDone;
}

int CheckMain(const CheckRequest& request) {
  // Not PrintLine(): whoever reads must get every line whole, and a reader that went away ends us.
  return End(CheckPlugins(request, [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }));
}

int Main(int argc, char** argv) {
  kernels::KeepFreedMemory();
  if (absl::Status status = CheckLibTorch(); !status.ok()) {
    Say(std::string(status.message()));
    return kExitIo;
  }
  Flags flags;
  CLI::App app(
      "qatlas-train trains one segment of a run. `qatlas run` starts it; call it yourself to "
      "repeat, describe or export a single segment.\n\nExit codes: 0 done, 3 bad segment, 4 "
      "training failed (NaN, divergence, out of memory), 5 input or output failed, 6 a plugin is "
      "missing or cannot be used, 75 stopped by a signal with its state saved.");
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       "qatlas-train " QATLAS_VERSION ", LibTorch " QATLAS_TORCH_VERSION,
                       "Print the versions of the program and of its LibTorch");
  app.add_option("--plugin-path", flags.plugin_path, "Folders searched for plugins first");
  CLI::App* run = app.add_subcommand(
      "run", "Train the segment in FOLDER/spec.json, going on where an earlier attempt stopped");
  run->add_option("FOLDER", flags.folder, "Folder with spec.json; everything is written here")
      ->required();
  run->add_option("--device", flags.device, "Must be the segment's: 'cpu' or 'cuda'");
  CLI::App* serve = app.add_subcommand(
      "serve", "Fork a process for every segment asked for over a socket; `qatlas run` does so");
  serve->add_option("--socket", flags.socket, "Descriptor of a SOCK_SEQPACKET socket")->required();
  CLI::App* describe = app.add_subcommand(
      "describe",
      "Print counts, FLOPs, sites, bits and memory of a segment, or an array of them, as JSON");
  describe->add_option("SPEC", flags.spec, "File with a segment, or an array of segments")
      ->required();
  CLI::App* export_ = app.add_subcommand(
      "export", "Write codes, scales and merged weights of a finished segment into a folder");
  export_->add_option("FOLDER", flags.folder, "Folder of the finished segment")->required();
  export_->add_option("OUT", flags.out, "Folder to write into")->required();
  CLI::App* bench =
      app.add_subcommand("bench-step", "Time training steps of a segment; nothing is written");
  bench->add_option("SPEC", flags.spec, "File with a segment; without data_folder on random tokens")
      ->required();
  bench->add_option("--steps", flags.steps, "Steps to time")->check(CLI::Range(1, 1000000));
  bench->add_option("--device", flags.device, "'cpu' or 'cuda' in place of the segment's");
  CLI::App* libtorch =
      app.add_subcommand("libtorch", "Print which LibTorch is used, and who named it, as JSON");
  CheckRequest request;
  CLI::App* check = app.add_subcommand(
      "check",
      "Run the conformance checks of plugins, a line of JSON each; `qatlas plugin check` does so");
  check->add_option("LIBRARY", request.libraries, "Shared libraries of plugins")->required();
  check->add_option("--include", request.include, "Only checks whose name this expression finds");
  check->add_option("--seed", request.settings.seed, "Decides the random inputs");
  check->add_option("--time-limit", request.settings.seconds, "Seconds for each check");
  check->add_flag("--list", request.list, "Name the checks instead of running them");
  app.name("qatlas-train");
  std::function<int()> chosen;
  commandline::ManOptions man;
  man.version = QATLAS_VERSION;
  man.date = commandline::ManDate();
  commandline::AddVerbs(app, man, &chosen);
  const commandline::ValueKinds values = {{"SPEC", {nullptr, true, false}},
                                          {"run FOLDER", {nullptr, false, true}},
                                          {"export FOLDER", {nullptr, false, true}},
                                          {"export OUT", {nullptr, false, true}},
                                          {"--plugin-path", {nullptr, false, true}},
                                          {"completion SHELL", {[] {
                                             std::vector<commandline::Candidate> shells;
                                             for (const std::string& shell : commandline::Shells())
                                               shells.push_back({shell, ""});
                                             return shells;
                                           }}}};
  if (const auto code = commandline::AnswerCompletion(app, argc, argv, values)) return *code;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitDone : kExitUserError;
  }
  if (libtorch->parsed()) return PrintLibTorch();
  if (chosen) return chosen();
  if (run->parsed()) return Run(flags);
  if (serve->parsed()) return ServeMain(flags);
  if (describe->parsed()) return DescribeMain(flags);
  if (check->parsed()) return CheckMain(request);
  if (export_->parsed()) return ExportMain(flags);
  return BenchMain(flags);
}

}  // namespace
}  // namespace qatlas::train

int main(int argc, char** argv) { return qatlas::train::Main(argc, argv); }
