// What every verb of `qatlas` shares: global options, the catalog, output and exit codes.
#ifndef QATLAS_FRAMEWORK_CLI_SESSION_H_
#define QATLAS_FRAMEWORK_CLI_SESSION_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/plugin/catalog.h"
#include "nlohmann/json.hpp"
#include "qatlas/abi.h"

namespace qatlas::cli {

// Exit codes; part of the interface (docs/architecture.md).
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,         // files, disk, anything else
  kUsage = 2,          // wrong command line
  kBadInput = 3,       // bad recipe or bad input file
  kPluginFailure = 4,  // a plugin that does not load or refuses its options
  kRunFailure = 5,     // at least one run failed
  kStopped = 75,       // by a signal; the same command goes on
};

// Of a table or data that was not read, of laws that were not fitted, of results not written: what
// a person gave, or files and disk.
inline ExitCode CodeOfTable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
      return kBadInput;
    default:
      return kFailed;
  }
}

// Every kind of component, in the order in which they are listed.
inline constexpr int kKinds[] = {QATLAS_KIND_QUANTIZER, QATLAS_KIND_SCHEME, QATLAS_KIND_MODEL,
                                 QATLAS_KIND_LAW};

class Session {
 public:
  // Global options, filled by the command line.
  std::vector<std::string> plugin_path;
  bool json = false;
  // The verb that the command line named; run after parsing.
  std::function<int()> verb;

  // The plugins of the search path, scanned once, manifests only. Errors: a search path that cannot
  // be.
  absl::StatusOr<const plugin::Catalog*> Catalog();
  // The folder of this program, and of the install's recipes.
  static std::filesystem::path ProgramFolder();
  static std::vector<std::filesystem::path> RecipeFolders();

  // Prints "error: …" to stderr (as {"error": …} to stdout under --json) and returns the code.
  int Fail(ExitCode code, const absl::Status& status) const;
  // Prints a JSON answer.
  static int Answer(const nlohmann::json& answer);

 private:
  std::unique_ptr<plugin::Catalog> catalog_;
};

// Each adds its verbs to the command line.
void AddPluginVerbs(CLI::App& app, Session& session);
void AddNewVerb(CLI::App& plugin, Session& session);    // plugin new
void AddCheckVerb(CLI::App& plugin, Session& session);  // plugin check
void AddRecipeVerbs(CLI::App& app, Session& session);
void AddLabVerbs(CLI::App& app, Session& session);  // fit, compare
void AddReportVerb(CLI::App& app, Session& session);
void AddPlanVerb(CLI::App& app, Session& session);
void AddDesignVerb(CLI::App& app, Session& session);
void AddSimulateVerb(CLI::App& app, Session& session);
void AddPredictVerbs(CLI::App& app, Session& session);  // predict, score
void AddTableVerbs(CLI::App& app, Session& session);    // observations, optima
void AddDoctorVerb(CLI::App& app, Session& session);
void AddShellVerbs(CLI::App& app, Session& session);  // completion, man
#ifdef QATLAS_HAS_TRAINING
void AddRunVerbs(CLI::App& app, Session& session);    // run, status
void AddStoreVerbs(CLI::App& app, Session& session);  // store, export
void AddDataVerbs(CLI::App& app, Session& session);
#endif

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_SESSION_H_
