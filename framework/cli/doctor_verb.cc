// qatlas doctor: what is installed, what is missing, and what to do about it.
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "framework/cli/session.h"
#ifdef QATLAS_HAS_TRAINING
#include "framework/runs/describe.h"
#include "framework/runs/machine.h"
#endif

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct Finding {
  std::string what;
  bool good = true;
  std::string found;
  std::string advice;  // empty when good
};

struct CommandResult {
  int exit_code = -1;
  std::string output;
};

// Runs a program without a shell and takes its output, stderr included.
CommandResult Run(const std::vector<std::string>& command) {
  CommandResult result;
  int ends[2];
  if (pipe(ends) != 0) return result;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  char buffer[4096];
  ssize_t n;
  while ((n = read(ends[0], buffer, sizeof(buffer))) > 0)
    result.output.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    result.exit_code = WEXITSTATUS(status);
  }
  return result;
}

Finding Worker() {
  Finding finding{"training worker", true, "", ""};
#ifndef QATLAS_HAS_TRAINING
  finding.good = false;
  finding.found = "this build is the law laboratory alone";
  finding.advice = "to train, build with QATLAS_TRAINING=ON (script/build)";
  return finding;
#else
  auto worker = runs::FindWorker("");
  if (!worker.ok()) {
    finding.good = false;
    finding.found = std::string(worker.status().message());
    finding.advice =
        "to train, install the package qatlas-training, or build the target qatlas-train";
    return finding;
  }
  CommandResult version = Run({*worker, "--version"});
  finding.found = absl::StrCat(*worker, ": ", absl::StripAsciiWhitespace(version.output));
  if (version.exit_code != 0) {
    finding = {"training worker", false, *worker, "it does not start: see LibTorch"};
  }
  return finding;
#endif
}

#ifdef QATLAS_HAS_TRAINING
// An installed worker looks for its LibTorch when it starts; a built one has it from the build.
std::vector<Finding> LibTorch() {
  auto worker = runs::FindWorker("");
  if (!worker.ok()) return {};  // said already
  const CommandResult asked = Run({*worker, "libtorch"});
  const nlohmann::json answer = nlohmann::json::parse(asked.output, nullptr, false);
  if (!answer.is_object()) {
    return {{"LibTorch", false, std::string(absl::StripAsciiWhitespace(asked.output)),
             "if a library is missing, run script/bootstrap, which installs LibTorch"}};
  }
  if (answer.contains("error")) {
    // The part after the last colon but one says what to do.
    const std::string error = answer.value("error", "");
    const size_t advice = error.find(": install it");
    return {{"LibTorch", false, error.substr(0, advice),
             advice == std::string::npos ? "" : error.substr(advice + 2)}};
  }
  return {{"LibTorch", true,
           absl::StrCat(answer.value("version", "?"), " in ", answer.value("folder", "?"),
                        " (named by ", answer.value("source", "?"), ")"),
           ""}};
}
#endif

Finding Plugins(Session& session) {
  Finding finding{"plugins", true, "", ""};
  auto catalog = session.Catalog();
  if (!catalog.ok()) {
    return {"plugins", false, std::string(catalog.status().message()), "correct the search path"};
  }
  finding.found = absl::StrCat((*catalog)->Plugins().size(), " in ",
                               absl::StrJoin((*catalog)->folders(), ", "));
  if ((*catalog)->Plugins().empty()) {
    finding.good = false;
    finding.advice = "build the target plugins, or name their folder with --plugin-path";
  }
  for (const plugin::PassedOver& entry : (*catalog)->passed_over()) {
    finding.good = false;
    absl::StrAppend(&finding.advice, finding.advice.empty() ? "" : "\n", "passed over ", entry.path,
                    ": ", entry.reason);
  }
  return finding;
}

Finding Cpu() {
  Finding finding{"processor", true, "", ""};
  finding.found = absl::StrCat(std::thread::hardware_concurrency(), " cores");
#ifdef QATLAS_HAS_TRAINING
  auto machine = runs::ResolveMachine("cpu", "auto");
  if (!machine.ok()) return {"processor", false, std::string(machine.status().message()), ""};
  absl::StrAppend(&finding.found, ", kernels for ", machine->isa, ", computes in ",
                  machine->precision);
#endif
  return finding;
}

Finding Memory() {
  Finding finding{"memory", true, "", ""};
  std::ifstream in("/proc/meminfo");
  std::string key;
  double kib = 0;
  std::string unit;
  while (in >> key >> kib >> unit) {
    if (key == "MemAvailable:") break;
  }
  finding.found = absl::StrFormat("%.1f GiB available", kib / (1 << 20));
  if (kib < (1 << 20)) {
    finding.good = false;
    finding.advice = "a worker needs about 1 GiB";
  }
  return finding;
}

Finding Disk() {
  Finding finding{"disk", true, "", ""};
  struct statvfs info;
  if (statvfs(".", &info) != 0) return {"disk", false, "cannot be asked", ""};
  const double gib =
      static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize) / (1 << 30);
  finding.found = absl::StrFormat("%.1f GiB free here", gib);
  if (gib < 1) {
    finding.good = false;
    finding.advice = "name another place for the store with --store";
  }
  return finding;
}

Finding Gpu() {
  Finding finding{"GPU", true, "none; training runs on the CPU", ""};
  CommandResult result =
      Run({"nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"});
  if (result.exit_code == 0) finding.found = std::string(absl::StripAsciiWhitespace(result.output));
  return finding;
}

int Doctor(Session& session) {
  std::vector<Finding> findings = {Worker(), Plugins(session), Cpu(), Memory(), Disk(), Gpu()};
#ifdef QATLAS_HAS_TRAINING
  const std::vector<Finding> libtorch = LibTorch();
  findings.insert(findings.begin() + 1, libtorch.begin(), libtorch.end());
#endif
  bool good = true;
  nlohmann::json answer = nlohmann::json::array();
  for (const Finding& finding : findings) {
    good = good && finding.good;
    if (session.json) {
      answer.push_back({{"what", finding.what},
                        {"good", finding.good},
                        {"found", finding.found},
                        {"advice", finding.advice}});
      continue;
    }
    std::printf("%-8s %-16s %s\n", finding.good ? "ok" : "MISSING", finding.what.c_str(),
                finding.found.c_str());
    for (const auto line : absl::StrSplit(finding.advice, '\n', absl::SkipEmpty())) {
      std::printf("%-25s → %s\n", "", std::string(line).c_str());
    }
  }
  if (session.json) Session::Answer(answer);
  return good ? kDone : kFailed;
}

}  // namespace

void AddDoctorVerb(CLI::App& app, Session& session) {
  CLI::App* doctor = app.add_subcommand("doctor", "What is installed, what is missing, what to do");
  doctor->callback([&session] { session.verb = [&session] { return Doctor(session); }; });
}

}  // namespace qatlas::cli
