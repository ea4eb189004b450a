// qatlas plugin check: conformance checks. Those of laws and schemes run here, those of plugins
// with LibTorch in qatlas-train, which prints what is shown here.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/check_view.h"
#include "framework/cli/session.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/manifest.h"
#include "framework/plugin/nearest.h"
#include "qatlas/conformance/suite.h"
#ifdef QATLAS_HAS_TRAINING
#include "framework/runs/describe.h"
#include "framework/runs/process.h"
#endif

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct CheckArguments {
  std::string subject;
  std::string include;
  bool only_failed = false;
  bool list = false;
  conformance::RunSettings settings;
  std::vector<std::string> quantizers;  // of the search path; not from the command line
};

// What is to be checked: libraries, and of those found by a component's name that component alone.
struct Target {
  std::vector<std::string> libraries;
  std::string component;  // "": all
};

bool IsLibrary(const fs::path& path) { return path.extension() == ".so"; }

// The library of a manifest as it names it, even where the manifest has something else wrong: what
// that is, a check tells.
std::string LibraryOf(const fs::path& manifest) {
  auto read = plugin::ReadManifest(manifest);
  return read.ok() ? read->library : fs::path(manifest).replace_extension(".so").string();
}

absl::StatusOr<Target> AtPath(const std::string& subject) {
  Target target;
  const fs::path path = fs::absolute(subject).lexically_normal();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (IsLibrary(entry.path())) target.libraries.push_back(entry.path());
      if (entry.path().extension() != ".toml") continue;
      if (auto read = plugin::ReadManifest(entry.path()); read.ok()) {
        target.libraries.push_back(read->library);
      }
    }
    std::sort(target.libraries.begin(), target.libraries.end());
    target.libraries.erase(std::unique(target.libraries.begin(), target.libraries.end()),
                           target.libraries.end());
    if (target.libraries.empty()) {
      return absl::NotFoundError(
          absl::StrCat(path.string(), ": no plugin in this folder (no *.so, no manifest)"));
    }
  } else if (!fs::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(path.string(), ": no such file or folder"));
  } else if (path.extension() == ".toml") {
    target.libraries = {LibraryOf(path)};
  } else {
    target.libraries = {path};
  }
  return target;
}

absl::StatusOr<Target> FindTarget(Session& session, const std::string& subject) {
  std::error_code error;
  if (subject.find('/') != std::string::npos || IsLibrary(subject) ||
      fs::path(subject).extension() == ".toml") {
    return AtPath(subject);
  }
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  Target target;
  std::vector<std::string> names;
  for (int kind : kKinds) {
    for (const plugin::Component& component : (*catalog)->Components(kind)) {
      names.push_back(component.declaration->name);
      if (component.declaration->name != subject) continue;
      target.libraries.push_back(component.plugin->library);
      target.component = subject;
    }
  }
  if (!target.libraries.empty()) return target;
  for (const plugin::Manifest* plugin : (*catalog)->Plugins()) {
    names.push_back(plugin->name);
    if (plugin->name == subject) target.libraries.push_back(plugin->library);
  }
  if (!target.libraries.empty()) return target;
  if (fs::exists(subject, error)) return AtPath(subject);
  std::string message = absl::StrCat("no component, plugin, file or folder '", subject, "'",
                                     plugin::NearestHint(subject, names), "; searched ",
                                     absl::StrJoin((*catalog)->folders(), ", "));
  for (const plugin::PassedOver& entry : (*catalog)->passed_over()) {
    absl::StrAppend(&message, "\n  passed over ", entry.path, ": ", entry.reason);
  }
  return absl::NotFoundError(message);
}

// Of a component found by its name: its own checks, and those of its library.
std::string Include(const Target& target, const std::string& include) {
  if (target.component.empty()) return include;
  // A name has no character that means something in an expression but '.', which finds itself.
  const std::string own = absl::StrCat("^(plugin/|[a-z]+/", target.component, "/)");
  return include.empty() ? own : absl::StrCat("(?=", own, ").*(", include, ")");
}

absl::Status CheckHere(const std::string& library, const std::string& include,
                       const CheckArguments& arguments, CheckView& view) {
  conformance::Host host;
  const std::vector<std::string>& quantizers = arguments.quantizers;
  if (!quantizers.empty()) host.quantizers = &quantizers;
  std::vector<conformance::Case> cases = conformance::ListCases(library, host);
  if (absl::Status status = conformance::Select(include, &cases); !status.ok()) return status;
  for (const conformance::Case& one : cases) {
    view.Add(arguments.list ? conformance::Announce(one)
                            : conformance::RunCase(one, host, arguments.settings));
  }
  return absl::OkStatus();
}

#ifdef QATLAS_HAS_TRAINING
absl::Status AddLines(std::string* text, CheckView& view) {
  for (size_t end; (end = text->find('\n')) != std::string::npos; text->erase(0, end + 1)) {
    auto report = conformance::ReportFromJson(text->substr(0, end));
    if (!report.ok()) return report.status();
    view.Add(*report);
  }
  return absl::OkStatus();
}

absl::Status CheckInWorker(const std::vector<std::string>& libraries, const std::string& include,
                           const CheckArguments& arguments, CheckView& view) {
  auto worker = runs::FindWorker("");
  if (!worker.ok()) return worker.status();
  runs::SpawnOptions options;
  options.command = {*worker, "check", "--seed", absl::StrCat(arguments.settings.seed)};
  if (!include.empty()) options.command.push_back(absl::StrCat("--include=", include));
  if (arguments.settings.seconds > 0) {
    options.command.push_back(absl::StrCat("--time-limit=", arguments.settings.seconds));
  }
  if (arguments.list) options.command.push_back("--list");
  options.command.push_back("--");
  options.command.insert(options.command.end(), libraries.begin(), libraries.end());
  auto child = runs::Spawn(options);
  if (!child.ok()) return child.status();
  std::string text;
  absl::Status status;
  while (status.ok()) {
    pollfd file = {child->output, POLLIN, 0};
    poll(&file, 1, -1);
    char buffer[1 << 14];
    const ssize_t count = read(child->output, buffer, sizeof(buffer));
    if (count == 0) break;
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
    status = AddLines(&text, view);
  }
  close(child->output);
  if (child->handle >= 0) close(child->handle);
  int ended = 0;
  while (waitpid(child->pid, &ended, 0) < 0 && errno == EINTR) {
  }
  if (!status.ok()) return status;
  if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
    return absl::InternalError(absl::StrCat(*worker, " ended early; what it said stands above"));
  }
  return absl::OkStatus();
}
#endif

absl::Status CheckAll(const Target& target, const CheckArguments& arguments, CheckView& view) {
  const std::string include = Include(target, arguments.include);
  std::vector<std::string> of_worker;
  for (const std::string& library : target.libraries) {
    // A file that is no library is told by the check of opening it.
    auto torch = conformance::UsesLibTorch(library);
    if (torch.ok() && *torch) {
      of_worker.push_back(library);
    } else if (absl::Status status = CheckHere(library, include, arguments, view); !status.ok()) {
      return status;
    }
  }
  if (of_worker.empty()) return absl::OkStatus();
#ifdef QATLAS_HAS_TRAINING
  return CheckInWorker(of_worker, include, arguments, view);
#else
  return absl::FailedPreconditionError(
      absl::StrCat(of_worker.front(),
                   " uses LibTorch, and this is the law laboratory alone; check it with a Qatlas "
                   "that was built with -DQATLAS_TRAINING=ON"));
#endif
}

int Check(Session& session, const CheckArguments& given) {
  CheckArguments arguments = given;
  if (auto catalog = session.Catalog(); catalog.ok()) {
    arguments.quantizers = (*catalog)->Names(QATLAS_KIND_QUANTIZER);
  }
  auto target = FindTarget(session, arguments.subject);
  if (!target.ok()) return session.Fail(kPluginFailure, target.status());
  CheckView::Look look;
  look.only_failed = arguments.only_failed;
  look.list = arguments.list;
  look.json = session.json;
  look.color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  look.time_limit = arguments.settings.seconds;
  CheckView view(look);
  std::vector<conformance::Case> none;
  if (absl::Status status = conformance::Select(arguments.include, &none); !status.ok()) {
    return session.Fail(kUsage,
                        absl::InvalidArgumentError(absl::StrCat("--include: ", status.message())));
  }
  if (absl::Status status = CheckAll(*target, arguments, view); !status.ok()) {
    return session.Fail(kPluginFailure, status);
  }
  if (view.empty()) {
    return session.Fail(kUsage,
                        absl::NotFoundError(absl::StrCat("no check is called '", arguments.include,
                                                         "'; --list names them")));
  }
  view.End();
  return view.bad() ? kPluginFailure : kDone;
}

}  // namespace

void AddCheckVerb(CLI::App& plugin, Session& session) {
  static CheckArguments arguments;
  CLI::App* check = plugin.add_subcommand(
      "check",
      "Run the conformance checks of a plugin or a component: each in a process of its own, with a "
      "time limit.\nA check passes, warns, fails, crashes or is skipped, where the component does "
      "not declare what it is about.\nA failure prints the input that did it and the command that "
      "repeats it. docs/conformance.md describes the checks.");
  check
      ->add_option("NAME|PATH", arguments.subject,
                   "A component or plugin of the search path, or a library, a manifest or a "
                   "folder of them")
      ->required();
  check
      ->add_option("--include", arguments.include,
                   "Only checks whose name this regular expression finds, such as 'jacobian' or "
                   "'^law/qat-unified/'")
      ->type_name("RE");
  check->add_flag("--only-failed", arguments.only_failed, "Show failures and crashes alone");
  check->add_option("--seed", arguments.settings.seed, "Decides the random inputs")
      ->capture_default_str();
  check
      ->add_option("--time-limit", arguments.settings.seconds,
                   "Seconds that a check may take, in place of its own limit")
      ->check(CLI::PositiveNumber);
  check->add_flag("--list", arguments.list, "Name the checks, with what must hold, and run none");
  check->footer(
      "Exit codes: 0 nothing failed or crashed; 2 wrong command line; 4 a check failed or "
      "crashed, or there is no such plugin.");
  check->callback([&session] { session.verb = [&session] { return Check(session, arguments); }; });
}

}  // namespace qatlas::cli
