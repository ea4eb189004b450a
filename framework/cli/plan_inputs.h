// What the verbs plan, design, predict and score share: laws from presets, files and tables, points
// from the command line, and how answers are printed.
#ifndef QATLAS_FRAMEWORK_CLI_PLAN_INPUTS_H_
#define QATLAS_FRAMEWORK_CLI_PLAN_INPUTS_H_

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "framework/cli/lab_options.h"
#include "framework/cli/session.h"
#include "framework/observe/table.h"
#include "framework/plan/allocate.h"
#include "framework/plan/sources.h"
#include "nlohmann/json.hpp"

namespace qatlas::cli {

struct PlanArguments {
  std::vector<std::string> items;  // "N=7e9,13B", "precision=W4A4"
  std::vector<std::string> presets, fits, laws, mapping, ranges;
  ParameterItems parameters;
  std::string table;
  LabSettings settings;  // of fits to the table: loss, where, noise, stages, search
  std::string intervals = "auto";
  double relative_error = 0;
  double level = .95;
  bool allow_unidentified = false;
  uint64_t seed = 1;

  plan::AskOptions Ask() const { return {level, allow_unidentified}; }
};

// Adds the options that name laws; `items` as the positional list.
void AddPlanOptions(CLI::App* verb, PlanArguments& arguments, const std::string& items);

// Laws that were named, in the order of their options; of a file or table the best ranked, or all.
struct PlanLaws {
  std::deque<plan::Law> laws;  // addresses stay
  std::vector<std::string> notes;
  std::map<std::string, observe::Table> rows;  // by target: what laws of a table were fitted to
  nlohmann::json provenance = nlohmann::json::object();

  std::vector<const plan::Law*> Of(const std::string& target) const;
  // The law of the loss (the first), and the first of δ; nullptr where there is none.
  plan::World World() const;
};
absl::StatusOr<PlanLaws> ReadPlanLaws(Session& session, const PlanArguments& arguments,
                                      bool all_ranked);
// Laws by their text, for files and names.
plan::LawFactory MakeLawsOf(Session& session);

// Values by name; texts keep their order too.
struct PlanAxes {
  std::map<std::string, std::vector<double>> numbers;
  std::map<std::string, std::vector<std::string>> texts;

  // Every combination, the last name fastest.
  std::vector<plan::Point> Points() const;
  // The only point; InvalidArgument where a name has several values.
  absl::StatusOr<plan::Point> One() const;
};
// "N=7B" (k, M, B and T are thousands to millions of millions), "G=32,64", "precision=W4A4".
absl::StatusOr<PlanAxes> ReadAxes(const std::vector<std::string>& items);
absl::StatusOr<double> ReadCount(const std::string& text);
// "D=1e9:1e15" → D and its range.
absl::StatusOr<std::pair<std::string, plan::Range>> ReadRange(const std::string& text);

ExitCode CodeOfPlan(const absl::Status& status);
int Show(const Session& session, const plan::Answer& answer, const std::vector<std::string>& notes,
         double level);
// "now" in UTC, ISO 8601.
std::string Now();

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_PLAN_INPUTS_H_
