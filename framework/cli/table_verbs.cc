// qatlas observations | optima: what a table of runs holds, and the optima that it implies.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "framework/cli/session.h"
#include "framework/cli/tables.h"
#include "framework/fit/optima.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/observe/profile.h"
#include "framework/report/figure.h"

namespace qatlas::cli {
namespace {

struct ProfileArguments {
  std::string source;
  std::vector<std::string> mapping;
  std::string output;
};

int ShowProfile(Session& session, const ProfileArguments& arguments) {
  auto source = ReadSource(session, arguments.source, arguments.mapping);
  if (!source.ok()) return session.Fail(CodeOfTable(source.status()), source.status());
  const observe::Table& table = source->loaded.table;
  if (!arguments.output.empty()) {
    if (absl::Status status = observe::WriteCsv(arguments.output, table); !status.ok()) {
      return session.Fail(kFailed, status);
    }
  }
  const observe::Profile profile = observe::ProfileTable(source->loaded);
  if (session.json) {
    std::cout << observe::ProfileAsJson(profile, table)
                     .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << "\n";
    return kDone;
  }
  std::cout << observe::ProfileAsText(profile, table);
  // What loading says of pairs stands in the profile itself.
  for (const std::string& note : profile.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  return kDone;
}

struct OptimaArguments {
  std::string source;
  std::vector<std::string> mapping;
  std::string per = "N,D,weight_bits";
  bool isoflop = false, envelope = false;
  std::string output, json_output;
  fit::OptimaOptions options;
};

std::string Short(double value) { return report::ShortNumber(value, 4); }

// Writes the table and the JSON where they are asked for; else prints the table.
int Deliver(Session& session, const OptimaArguments& arguments, const observe::Table& table,
            const nlohmann::ordered_json& json) {
  absl::Status status;
  if (!arguments.output.empty()) status = observe::WriteCsv(arguments.output, table);
  if (status.ok() && !arguments.json_output.empty()) {
    status = observe::WriteFileAtomically(arguments.json_output, json.dump(2) + "\n");
  }
  if (!status.ok()) return session.Fail(kFailed, status);
  if (session.json) {
    std::cout << json.dump(2) << "\n";
  } else if (arguments.output.empty()) {
    std::cout << observe::FormatCsv(table);
  }
  return kDone;
}

void PrintLaw(const char* name, const fit::PowerLaw& law) {
  if (!law.found) {
    std::fprintf(stderr, "%s: no power law: %s\n", name, law.reason.c_str());
    return;
  }
  std::fprintf(stderr, "%s ∝ C^%s, 95%% %s to %s, from %d budgets\n", name,
               Short(law.exponent).c_str(), Short(law.interval.low).c_str(),
               Short(law.interval.high).c_str(), law.points);
}

int ShowBudgets(Session& session, const OptimaArguments& arguments, const observe::Table& table) {
  fit::BudgetOptions options;
  options.noise = arguments.options.noise;
  options.pool = arguments.options.pool || arguments.isoflop;
  options.window = arguments.options.window;
  options.degree = arguments.options.degree;
  options.replicates = arguments.options.replicates;
  options.seed = arguments.options.seed;
  auto optima = arguments.isoflop ? fit::IsoFlop(table, options) : fit::Envelope(table, options);
  if (!optima.ok()) return session.Fail(CodeOfTable(optima.status()), optima.status());
  const int code = Deliver(session, arguments, fit::BudgetTable(*optima),
                           fit::BudgetToJson(*optima, arguments.isoflop ? "isoflop" : "envelope"));
  if (code != kDone || session.json) return code;
  for (const std::string& note : optima->notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  PrintLaw("N_opt", optima->size);
  PrintLaw("D_opt", optima->tokens);
  return code;
}

int ShowOptima(Session& session, OptimaArguments& arguments) {
  if (arguments.isoflop && arguments.envelope) {
    return session.Fail(kUsage, absl::InvalidArgumentError("take --isoflop or --envelope"));
  }
  auto source = ReadSource(session, arguments.source, arguments.mapping);
  if (!source.ok()) return session.Fail(CodeOfTable(source.status()), source.status());
  const observe::Table& table = source->loaded.table;
  for (const std::string& note : source->loaded.notes) {
    if (!session.json) std::fprintf(stderr, "note: %s\n", note.c_str());
  }
  if (arguments.isoflop || arguments.envelope) return ShowBudgets(session, arguments, table);
  fit::OptimaOptions& options = arguments.options;
  options.per = absl::StrSplit(arguments.per, ',', absl::SkipEmpty());
  auto optima = fit::FindOptima(table, options);
  if (!optima.ok()) return session.Fail(CodeOfTable(optima.status()), optima.status());
  return Deliver(session, arguments, fit::OptimaTable(*optima, options),
                 fit::OptimaToJson(*optima, options));
}

constexpr char kSourceHelp[] = "CSV, TSV or JSON lines, or a recipe with [observations]";

void AddOptimaVerb(CLI::App& app, Session& session) {
  static OptimaArguments arguments;
  fit::OptimaOptions& options = arguments.options;
  CLI::App* optima = app.add_subcommand(
      "optima", "Find the best QAT fraction, or the best size, of each budget, with its interval");
  optima->add_option("SOURCE", arguments.source, kSourceHelp)->required();
  optima->add_option("--map", arguments.mapping, "As for `observations` (repeatable)")
      ->type_name("COLUMN=EXPRESSION");
  optima->add_option("--of", options.of, "Column whose best value is sought")
      ->type_name("COLUMN")
      ->capture_default_str();
  optima->add_option("--value", options.value, "Column that is lowest there")
      ->type_name("COLUMN")
      ->capture_default_str();
  optima->add_option("--per", arguments.per, "Columns in which the rows of one curve agree")
      ->type_name("COLUMNS")
      ->capture_default_str();
  optima->add_flag("--isoflop", arguments.isoflop,
                   "Best N at each budget of FLOPs from local fits, and N_opt ∝ C^a");
  optima->add_flag("--envelope", arguments.envelope,
                   "Best N along the lower envelope of training curves, and N_opt ∝ C^a");
  optima->add_option("--noise", options.noise, "Column of standard errors of the value")
      ->type_name("COLUMN");
  optima->add_flag("--pool", options.pool, "One residual variance for all curves");
  optima
      ->add_option("--window", options.window,
                   "Factor about the lowest point that is fitted; 0: all points")
      ->capture_default_str();
  optima
      ->add_option("--degree", options.degree,
                   "Of the local polynomial, 2 or 3; 0: 3 from five levels on, else 2")
      ->capture_default_str();
  optima->add_option("--bootstraps", options.replicates, "Resamples; 0: none")
      ->capture_default_str();
  optima->add_option("--seed", options.seed, "Of the resamples")->capture_default_str();
  optima->add_option("--output,-o", arguments.output, "Write the table of optima")
      ->type_name("FILE.csv");
  optima->add_option("--json-output", arguments.json_output, "Also write the result as JSON")
      ->type_name("FILE.json");
  optima->callback(
      [&session] { session.verb = [&session] { return ShowOptima(session, arguments); }; });
}

}  // namespace

void AddTableVerbs(CLI::App& app, Session& session) {
  AddOptimaVerb(app, session);
  static ProfileArguments profile;
  CLI::App* observations = app.add_subcommand(
      "observations", "Show what a table of runs holds and what can be fitted from it");
  observations->add_option("SOURCE", profile.source, kSourceHelp)->required();
  observations
      ->add_option("--map", profile.mapping,
                   "column=expression over the file's columns, such as N=params_nonembedding or\n"
                   "D='flop / (6*params)'; units.D=1e9 multiplies; where=condition keeps rows "
                   "(repeatable)")
      ->type_name("COLUMN=EXPRESSION");
  observations
      ->add_option("--output,-o", profile.output,
                   "Also write the table as it is fitted: mapped, filtered, paired")
      ->type_name("FILE.csv");
  observations->callback(
      [&session] { session.verb = [&session] { return ShowProfile(session, profile); }; });
}

}  // namespace qatlas::cli
