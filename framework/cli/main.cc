// qatlas: everything a person types. It links no LibTorch; training happens in qatlas-train.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_join.h"
#include "framework/cli/session.h"
#include "framework/cli/shell.h"
#include "framework/plugin/nearest.h"

namespace {

// The subcommand that was named last, and how to it: " recipe ls".
const CLI::App* Asked(const CLI::App& app, std::string* path) {
  const CLI::App* asked = &app;
  while (!asked->get_subcommands().empty()) {
    asked = asked->get_subcommands().front();
    *path += " " + asked->get_name();
  }
  return asked;
}

// What is wrong with the subcommand, "" where something else is: CLI11 would only say that one is
// required.
std::string NoSubcommand(const CLI::App& app) {
  std::string path;
  const CLI::App* asked = Asked(app, &path);
  std::vector<std::string> verbs;
  for (const CLI::App* verb : asked->get_subcommands({})) verbs.push_back(verb->get_name());
  if (asked->get_require_subcommand_min() == 0 || verbs.empty()) return "";
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word.rfind('-', 0) == 0) continue;
    return "no subcommand '" + (path.empty() ? word : path.substr(1) + " " + word) + "'" +
           qatlas::plugin::NearestHint(word, verbs);
  }
  return "qatlas" + path + " needs a subcommand: " + absl::StrJoin(verbs, ", ");
}

// An option or word that nothing takes, with the nearest option; "" where there is none.
std::string NotExpected(const CLI::App& app, const CLI::App& asked) {
  std::vector<std::string> options;
  for (const CLI::App* of : {&asked, &app}) {
    for (const CLI::Option* option : of->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    }
  }
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word.rfind("--", 0) != 0) continue;
    const std::string name = word.substr(0, word.find('='));
    return "no option '" + name + "'" + qatlas::plugin::NearestHint(name, options);
  }
  return "";
}

// One line that names the subcommand, as all errors do.
void SayUsage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
    if (const std::string said = NoSubcommand(app); !said.empty()) {
      std::fprintf(stderr, "error: %s\n", said.c_str());
      return;
    }
  }
  std::string path;
  const CLI::App* asked = Asked(app, &path);
  std::string what = NotExpected(app, *asked);
  if (what.empty()) what = error.what();
  std::fprintf(stderr, "error: qatlas%s: %s; `qatlas%s --help` says what it takes\n", path.c_str(),
               what.c_str(), path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  using qatlas::cli::Session;
  // A pager that is closed early must not end the program half-way through a file.
  std::signal(SIGPIPE, SIG_IGN);
  // Where both streams go to one file, notes stand between lines and not inside them.
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);

  CLI::App app{
      "qatlas measures how quantization-aware training scales: it trains small language models "
      "with and\n"
      "without fake quantization, splits the loss gap into its causes, fits scaling laws to it, "
      "and says\n"
      "which law form the runs support.\n\n"
      "  qatlas run quickstart --dry-run       what would be trained, and what it costs\n"
      "  qatlas run quickstart                 train, decompose, fit, compare, report\n"
      "  qatlas compare runs.csv --target loss --laws chinchilla,chinchilla-tied\n"
      "                                        compare law forms on a table from elsewhere"};
  app.name("qatlas");
  app.set_version_flag("--version", QATLAS_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.get_formatter()->column_width(34);

  Session session;
  app.add_option("--plugin-path", session.plugin_path,
                 "Folder searched for plugins before QATLAS_PLUGIN_PATH and the installed ones "
                 "(repeatable)")
      ->type_name("FOLDER")
      ->allow_extra_args(false)  // a word after it is a subcommand, even a mistyped one
      ->take_all();
#ifdef QATLAS_HAS_TRAINING
  app.add_option_function<std::string>(
         "--libtorch",
         [](const std::string& folder) { ::setenv("QATLAS_LIBTORCH", folder.c_str(), 1); },
         "Folder with lib/libtorch_cpu.so for the training worker; default: QATLAS_LIBTORCH, or "
         "the torch of the active Python environment")
      ->type_name("FOLDER");
#endif
  app.add_flag("--json", session.json, "Answer in JSON, for programs");
  app.fallthrough();
  app.footer(
      "With every subcommand: --json answers in JSON, --plugin-path FOLDER searches there first.\n"
      "Exit codes: 0 done; 1 files or disk; 2 wrong command line; 3 bad recipe or input; 4 plugin "
      "failure;\n"
      "5 a run failed; 75 stopped by a signal (the same command goes on).");

#ifdef QATLAS_HAS_TRAINING
  AddRunVerbs(app, session);
#endif
  AddLabVerbs(app, session);
  AddReportVerb(app, session);
  AddPlanVerb(app, session);
  AddDesignVerb(app, session);
  AddPredictVerbs(app, session);
  AddSimulateVerb(app, session);
  AddTableVerbs(app, session);
  AddRecipeVerbs(app, session);
  AddPluginVerbs(app, session);
#ifdef QATLAS_HAS_TRAINING
  AddDataVerbs(app, session);
  AddStoreVerbs(app, session);
#endif
  AddDoctorVerb(app, session);
  AddShellVerbs(app, session);

  const auto values = qatlas::cli::ShellValues(session, argc, argv);
  if (const auto code = qatlas::commandline::AnswerCompletion(app, argc, argv, values)) {
    return *code;
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // Help and version are "errors" of code 0.
    if (e.get_exit_code() == 0) return app.exit(e);
    SayUsage(app, e);
    return qatlas::cli::kUsage;
  }
  return session.verb ? session.verb() : qatlas::cli::kUsage;
}
