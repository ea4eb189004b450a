// qatlas design: the next runs.
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "framework/cli/plan_inputs.h"
#include "framework/cli/session.h"
#include "framework/fit/json.h"
#include "framework/observe/csv.h"
#include "framework/observe/number.h"
#include "framework/plan/design.h"
#include "framework/plan/naming.h"
#include "framework/report/figure.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

struct DesignArguments : PlanArguments {
  std::vector<std::string> rivals;
  std::string budget, wanted, output;
  std::vector<std::string> wanted_at;
  int runs = 0, simulate = 0;
  double until = 0, error = .05, absolute = 0, overhead = 0, vague = .1;
  bool unpaired = false;
};

nlohmann::json PointJson(const plan::Point& point) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : point.numbers) json[name] = value;
  for (const auto& [name, text] : point.texts) json[name] = text;
  return json;
}

std::vector<plan::Point> PointsOf(const plan::Design& design,
                                  const std::vector<plan::Candidate>& candidates) {
  std::vector<plan::Point> points;
  for (const plan::Chosen& run : design.runs) points.push_back(candidates[run.candidate].point);
  return points;
}

// The runs as a table that people and programs can fill in.
absl::Status WriteRuns(const std::string& path, const plan::Design& design,
                       const std::vector<plan::Candidate>& candidates) {
  observe::Table table;
  for (const plan::Chosen& run : design.runs) {
    observe::Table::Row row;
    for (const auto& [name, value] : candidates[run.candidate].point.numbers) {
      row.emplace_back(name, value);
    }
    for (const auto& [name, text] : candidates[run.candidate].point.texts) {
      row.emplace_back(name, text);
    }
    row.emplace_back("planned_flops", run.cost);
    if (absl::Status status = table.Append(row); !status.ok()) return status;
  }
  return observe::WriteCsv(path, table);
}

int Print(const Session& session, const DesignArguments& arguments, const plan::Design& design,
          const std::vector<plan::Candidate>& candidates, bool naming,
          const std::vector<std::string>& notes, const nlohmann::json& simulated) {
  if (session.json) {
    nlohmann::json runs = nlohmann::json::array();
    for (const plan::Chosen& run : design.runs) {
      runs.push_back({{"point", PointJson(candidates[run.candidate].point)},
                      {"flops", run.cost},
                      {"criterion_after", fit::Number(run.criterion)},
                      {"named_after", naming ? fit::Number(run.named) : nlohmann::json()}});
    }
    return Session::Answer(
        {{"runs", runs},
         {"flops", design.cost},
         {"criterion", fit::Number(design.criterion)},
         {"criterion_before", fit::Number(design.before)},
         {"named", naming ? fit::Number(design.named) : nlohmann::json()},
         {"named_before", naming ? fit::Number(design.named_before) : nlohmann::json()},
         {"all_candidates",
          {{"runs", candidates.size()},
           {"flops", design.full_cost},
           {"criterion", fit::Number(design.full_criterion)},
           {"named", naming ? fit::Number(design.full_named) : nlohmann::json()}}},
         {"simulated", simulated},
         {"notes", notes}});
  }
  const auto number = [](double value) { return report::ShortNumber(value, 3); };
  std::printf("%zu of %zu candidates, %s FLOPs (all of them: %s)\n\n", design.runs.size(),
              candidates.size(), number(design.cost).c_str(), number(design.full_cost).c_str());
  std::printf("%-48s %12s %16s\n", "run", "FLOPs", naming ? "law named with" : "standard error");
  for (const plan::Chosen& run : design.runs) {
    std::printf("%-48s %12s %16s\n", plan::Show(candidates[run.candidate].point).c_str(),
                number(run.cost).c_str(), number(naming ? run.named : run.criterion).c_str());
  }
  if (naming) {
    std::printf(
        "\nexpected probability of naming the right law: %s (now %s; with all candidates "
        "%s)\n",
        number(design.named).c_str(), number(design.named_before).c_str(),
        number(design.full_named).c_str());
  } else {
    std::printf("\nexpected standard error of %s: %s (now %s; with all candidates %s)\n",
                !arguments.wanted.empty()      ? arguments.wanted.c_str()
                : !arguments.wanted_at.empty() ? "the law at that point, relative"
                                               : "all parameters together",
                number(design.criterion).c_str(), number(design.before).c_str(),
                number(design.full_criterion).c_str());
  }
  for (const auto& [name, result] : simulated.items()) {
    std::printf("simulated from %s: named right in %d of %d sets, wrong in %d\n", name.c_str(),
                result["right"].get<int>(), result["sets"].get<int>(), result["wrong"].get<int>());
  }
  for (const std::string& note : notes) std::printf("note: %s\n", note.c_str());
  return kDone;
}

absl::StatusOr<int> Run(Session& session, DesignArguments& a) {
  auto laws = ReadPlanLaws(session, a, true);
  if (!laws.ok()) return laws.status();
  auto axes = ReadAxes(a.items);
  if (!axes.ok()) return axes.status();
  const bool naming = a.wanted.empty() && a.wanted_at.empty();
  // Of a study the law of the loss comes along; what is designed for is δ where there is a law of
  // it.
  const std::string target =
      laws->Of(kTargetDelta).empty() ? laws->laws[0].target : std::string(kTargetDelta);
  std::vector<const plan::Law*> rivals = laws->Of(target);
  std::vector<std::string> notes = laws->notes;
  std::vector<std::string> warnings;
  if (absl::Status status = plan::RequireIdentifiable({rivals[0]}, a.allow_unidentified, &warnings);
      !status.ok()) {
    return status;
  }
  for (const plan::Law* law : rivals) {
    if (!law->identifiable) {
      notes.push_back(
          absl::StrCat(law->name, " is not identifiable on the runs there are: ", law->reason));
    }
  }
  auto candidates =
      plan::CandidateGrid(axes->numbers, {6, a.overhead}, target == kTargetDelta && !a.unpaired);
  if (!candidates.ok()) return candidates.status();
  for (plan::Candidate& candidate : *candidates) {
    for (const auto& [name, texts] : axes->texts) {
      if (texts.size() != 1) {
        return absl::InvalidArgumentError(absl::StrCat(name, ": a design takes one ", name));
      }
      candidate.point.texts[name] = texts[0];
    }
  }
  for (const std::string& name : LawsOf(a.rivals)) {
    auto made = MakeLawsOf(session)(name);
    if (!made.ok()) return made.status();
    auto near = plan::LawNear(made->form, made->name, *rivals[0], *candidates);
    if (!near.ok()) return near.status();
    near->text = name;
    notes.push_back(absl::StrCat(name, ": ", near->source));
    laws->laws.push_back(*std::move(near));
    rivals.push_back(&laws->laws.back());
  }
  plan::DesignOptions options;
  auto budget = a.budget.empty() ? absl::StatusOr<double>(0.0) : ReadCount(a.budget);
  if (!budget.ok()) return budget.status();
  options.budget = *budget;
  options.runs = a.runs;
  options.until = a.until;
  options.error = {a.error, a.absolute};
  options.vague = a.vague;
  options.seed = a.seed;
  if (const auto rows = laws->rows.find(target); rows != laws->rows.end()) {
    for (size_t row = 0; row < rows->second.rows(); ++row) {
      options.have.push_back(absl::StrCat(observe::FormatNumber(rows->second.NumberAt(row, "N")),
                                          "/",
                                          observe::FormatNumber(rows->second.NumberAt(row, "D"))));
    }
  }
  absl::StatusOr<plan::Design> design = absl::UnknownError("");
  if (naming) {
    design = plan::Discriminate(rivals, *candidates, options);
  } else {
    plan::Wanted wanted;
    if (a.wanted != "all") wanted.parameter = a.wanted;
    if (!a.wanted_at.empty()) {
      auto at = ReadAxes(a.wanted_at);
      if (!at.ok()) return at.status();
      auto point = at->One();
      if (!point.ok()) return point.status();
      wanted.at = *point;
    }
    design = plan::Shrink(*rivals[0], wanted, *candidates, options);
  }
  if (!design.ok()) return design.status();
  notes.insert(notes.end(), design->notes.begin(), design->notes.end());
  notes.insert(notes.end(), warnings.begin(), warnings.end());
  nlohmann::json simulated = nlohmann::json::object();
  if (a.simulate > 0 && naming) {
    for (size_t truth = 0; truth < rivals.size(); ++truth) {
      auto result = plan::SimulateNaming(rivals, truth, PointsOf(*design, *candidates),
                                         options.error, options.evidence, a.simulate, a.seed);
      if (!result.ok()) return result.status();
      simulated[rivals[truth]->name] = {{"sets", result->sets},
                                        {"right", result->right},
                                        {"wrong", result->wrong},
                                        {"undecided", result->undecided}};
    }
  }
  if (!a.output.empty()) {
    if (absl::Status status = WriteRuns(a.output, *design, *candidates); !status.ok()) {
      return status;
    }
  }
  return Print(session, a, *design, *candidates, naming, notes, simulated);
}

}  // namespace

void AddDesignVerb(CLI::App& app, Session& session) {
  static DesignArguments arguments;
  CLI::App* verb = app.add_subcommand(
      "design", "Propose the next runs: those that tell rival laws apart, or make a law surer");
  AddPlanOptions(verb, arguments, "Candidates: N=30M,100M,300M D=1B,10B G=32,64,128");
  verb->add_option("--rival", arguments.rivals,
                   "A law without constants of its own, brought near to the first law "
                   "(repeatable)");
  verb->add_option("--budget", arguments.budget, "FLOPs that the runs may cost together");
  verb->add_option("--runs", arguments.runs, "How many runs at most");
  verb->add_option("--until", arguments.until,
                   "Stop when the right law is named with this probability (.9)");
  verb->add_option("--wanted", arguments.wanted,
                   "Parameter of the first law to make surer, or all; in place of telling apart");
  verb->add_option("--wanted-at", arguments.wanted_at,
                   "Point at which the first law is to become surer: N=10B D=1T G=128");
  verb->add_option("--error", arguments.error, "Standard deviation of a run's target, relative")
      ->capture_default_str();
  verb->add_option("--absolute-error", arguments.absolute, "And absolute, nats/token")
      ->capture_default_str();
  verb->add_option("--overhead", arguments.overhead, "What QAT costs more, as a share")
      ->capture_default_str();
  verb->add_option("--vague", arguments.vague,
                   "How unsure published constants are, in their logarithms")
      ->capture_default_str();
  verb->add_flag("--unpaired", arguments.unpaired, "No full-precision run for each N and D");
  verb->add_option("--simulate", arguments.simulate,
                   "Also simulate so many sets of these runs, and count how often the law is named")
      ->capture_default_str();
  verb->add_option("--output,-o", arguments.output, "Also write the runs as CSV")
      ->type_name("FILE");
  verb->callback([&session] {
    session.verb = [&session] {
      auto code = Run(session, arguments);
      return code.ok() ? *code
                       : static_cast<int>(session.Fail(CodeOfPlan(code.status()), code.status()));
    };
  });
}

}  // namespace qatlas::cli
