// qatlas predict and score: predictions before the runs, and how they fared.
#include <cstdio>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "framework/cli/lab.h"
#include "framework/cli/lab_rows.h"
#include "framework/cli/plan_inputs.h"
#include "framework/cli/session.h"
#include "framework/fit/json.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/plan/freeze.h"
#include "framework/plan/score.h"
#include "framework/report/figure.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

struct PredictArguments : PlanArguments {
  std::string points, freeze, output, target;
};

// Points from a table: the columns that the laws read.
absl::StatusOr<std::vector<plan::Point>> PointsOfFile(const std::string& file,
                                                      const std::vector<const plan::Law*>& laws) {
  auto table = observe::ReadTable(file);
  if (!table.ok()) return table.status();
  std::set<std::string> names;
  for (const plan::Law* law : laws) {
    for (const LawCovariate& covariate : law->form->Spec().covariates) names.insert(covariate.name);
    for (const plan::LawValue& parameter : law->parameters) {
      names.insert(parameter.split_by.begin(), parameter.split_by.end());
    }
  }
  std::vector<plan::Point> points(table->rows());
  for (const std::string& name : names) {
    for (size_t row = 0; row < table->rows(); ++row) {
      if (table->FindNumbers(name) != nullptr) {
        const double value = table->NumberAt(row, name);
        if (value == value) points[row].numbers[name] = value;
      } else if (table->FindTexts(name) != nullptr) {
        points[row].texts[name] = std::string(table->TextAt(row, name));
      }
    }
  }
  return points;
}

absl::Status WriteForecasts(const std::string& path, const std::vector<plan::Point>& points,
                            const plan::Law& law, const plan::Forecast& forecast) {
  observe::Table table;
  for (size_t i = 0; i < points.size(); ++i) {
    observe::Table::Row row;
    for (const auto& [name, value] : points[i].numbers) row.emplace_back(name, value);
    for (const auto& [name, text] : points[i].texts) row.emplace_back(name, text);
    row.emplace_back(law.target + "_predicted", forecast.value[i]);
    if (!forecast.law.empty()) {
      row.emplace_back("law_low", forecast.law[i].low);
      row.emplace_back("law_high", forecast.law[i].high);
    }
    if (!forecast.run.empty()) {
      row.emplace_back("run_low", forecast.run[i].low);
      row.emplace_back("run_high", forecast.run[i].high);
    }
    if (absl::Status status = table.Append(row); !status.ok()) return status;
  }
  return observe::WriteCsv(path, table);
}

void PrintForecast(const PredictArguments& a, const std::vector<plan::Point>& points,
                   const plan::Law& law, const plan::Forecast& forecast) {
  const auto interval = [](const std::vector<fit::Interval>& list, size_t i) -> std::string {
    if (list.empty()) return "none";
    return absl::StrCat(report::ShortNumber(list[i].low), " to ",
                        report::ShortNumber(list[i].high));
  };
  std::printf("%s by %s, %s%% intervals\n\n%-48s %10s  %-22s %-22s\n", law.target.c_str(),
              law.name.c_str(), report::ShortNumber(100 * a.level).c_str(), "point", "value",
              "of the law", "of a run");
  for (size_t i = 0; i < points.size(); ++i) {
    std::printf("%-48s %10s  %-22s %-22s\n", plan::Show(points[i]).c_str(),
                report::ShortNumber(forecast.value[i]).c_str(), interval(forecast.law, i).c_str(),
                interval(forecast.run, i).c_str());
  }
}

absl::StatusOr<int> Predict(Session& session, PredictArguments& a) {
  auto laws = ReadPlanLaws(session, a, true);
  if (!laws.ok()) return laws.status();
  const std::string target = !a.target.empty()                ? a.target
                             : laws->Of(kTargetDelta).empty() ? laws->laws[0].target
                                                              : std::string(kTargetDelta);
  const std::vector<const plan::Law*> chosen = laws->Of(target);
  if (chosen.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("none of the laws predicts ", target));
  }
  std::vector<plan::Point> points;
  if (!a.points.empty()) {
    if (!a.items.empty()) {
      return absl::InvalidArgumentError("give points either as NAME=VALUES or as --points FILE");
    }
    auto read = PointsOfFile(a.points, chosen);
    if (!read.ok()) return read.status();
    points = *std::move(read);
  } else {
    auto axes = ReadAxes(a.items);
    if (!axes.ok()) return axes.status();
    points = axes->Points();
  }
  std::vector<std::string> warnings;
  if (absl::Status status = plan::RequireIdentifiable({chosen[0]}, a.allow_unidentified, &warnings);
      !status.ok()) {
    return status;
  }
  auto forecast = plan::Predict(*chosen[0], points, a.level);
  if (!forecast.ok()) return forecast.status();
  for (const plan::Point& point : points) {
    plan::WarnOutside({nullptr, chosen[0], {}}, point, &warnings);
  }
  nlohmann::json frozen;
  if (!a.freeze.empty()) {
    plan::FreezeInputs inputs;
    for (const plan::Law* law : chosen) inputs.laws.push_back(*law);
    inputs.points = points;
    if (const auto rows = laws->rows.find(target); rows != laws->rows.end()) {
      inputs.rows = rows->second;
    }
    inputs.provenance = laws->provenance;
    inputs.provenance["qatlas"] = QATLAS_VERSION;
    inputs.provenance["mapping"] = a.mapping;
    inputs.created = Now();
    inputs.level = a.level;
    inputs.allow_unidentified = a.allow_unidentified;
    auto made = plan::Freeze(inputs);
    if (!made.ok()) return made.status();
    frozen = *std::move(made);
    if (absl::Status status = plan::WriteFrozen(a.freeze, frozen); !status.ok()) return status;
  }
  if (!a.output.empty()) {
    if (absl::Status status = WriteForecasts(a.output, points, *chosen[0], *forecast);
        !status.ok()) {
      return status;
    }
  }
  if (session.json) {
    nlohmann::json list = nlohmann::json::array();
    for (size_t i = 0; i < points.size(); ++i) {
      nlohmann::json entry = {{"value", forecast->value[i]}};
      for (const auto& [name, value] : points[i].numbers) entry["point"][name] = value;
      for (const auto& [name, text] : points[i].texts) entry["point"][name] = text;
      if (!forecast->law.empty()) entry["law_interval"] = fit::ToJson(forecast->law[i]);
      if (!forecast->run.empty()) entry["run_interval"] = fit::ToJson(forecast->run[i]);
      list.push_back(std::move(entry));
    }
    return Session::Answer(
        {{"law", chosen[0]->name},
         {"target", target},
         {"level", a.level},
         {"predictions", list},
         {"frozen", a.freeze.empty()
                        ? nlohmann::json()
                        : nlohmann::json{{"file", a.freeze}, {"sha256", frozen["sha256"]}}},
         {"warnings", warnings},
         {"notes", laws->notes}});
  }
  PrintForecast(a, points, *chosen[0], *forecast);
  if (!a.freeze.empty()) {
    std::printf(
        "\nfrozen in %s\nsha256 %s\nKeep the hash elsewhere: with it, `qatlas score --hash` "
        "shows that the file is this one.\n",
        a.freeze.c_str(), frozen["sha256"].get<std::string>().c_str());
  }
  for (const std::string& warning : warnings) std::printf("warning: %s\n", warning.c_str());
  for (const std::string& note : laws->notes) std::printf("note: %s\n", note.c_str());
  return kDone;
}

struct ScoreArguments {
  std::string frozen, table, where, hash, output;
  std::vector<std::string> mapping;
  double tolerance = 1e-6;
};

void PrintScore(const plan::Score& score) {
  std::printf("%s\nfrozen %s, sha256 %s\n\n", score.sentence.c_str(), score.created.c_str(),
              score.sha256.c_str());
  std::printf("%-26s %10s %10s %12s %10s\n", "law", "RMSE", "bias", "rel. error", "covered");
  for (const plan::ScoredLaw& law : score.laws) {
    std::printf("%-26s %10s %10s %12s %10s\n", law.name.c_str(),
                report::ShortNumber(law.rmse, 3).c_str(), report::ShortNumber(law.bias, 3).c_str(),
                report::ShortNumber(law.mean_relative_error, 3).c_str(),
                law.with_interval == 0
                    ? "no interval"
                    : absl::StrCat(law.covered, " of ", law.with_interval).c_str());
  }
  const plan::ScoredLaw& chosen = score.laws[0];
  if (chosen.with_interval > 0) {
    std::printf(
        "\nshare covered, with 95%% limits: %s (%s to %s); stated %s\n",
        report::ShortNumber(
            static_cast<double>(chosen.covered) / static_cast<double>(chosen.with_interval), 3)
            .c_str(),
        report::ShortNumber(chosen.coverage.low, 3).c_str(),
        report::ShortNumber(chosen.coverage.high, 3).c_str(),
        report::ShortNumber(score.level).c_str());
  }
  if (score.refit) std::printf("refit: %s\n", score.refit->sentence.c_str());
  for (const std::string& point : score.not_found) std::printf("no run at %s\n", point.c_str());
  if (score.unmatched > 0) std::printf("%zu rows are at no frozen point\n", score.unmatched);
  if (score.already_fitted > 0) {
    std::printf("%zu rows were in the fit and are not scored\n", score.already_fitted);
  }
  for (const std::string& note : score.notes) std::printf("note: %s\n", note.c_str());
}

absl::StatusOr<int> Score(Session& session, const ScoreArguments& a) {
  auto frozen = plan::ReadFrozen(a.frozen, a.hash);
  if (!frozen.ok()) return frozen.status();
  const nlohmann::json& provenance = (*frozen)["provenance"];
  const auto text = [&](const char* key) {
    const auto found = provenance.find(key);
    return found != provenance.end() && found->is_string() ? found->get<std::string>() : "";
  };
  std::vector<std::string> notes;
  auto table = ReadObservations(a.table, a.mapping, &notes);
  if (!table.ok()) return table.status();
  // Rows are chosen as they were for the fit.
  auto rows = ChooseRows(*table, (*frozen)["target"].get<std::string>(),
                         a.where.empty() ? text("where") : a.where, &notes);
  if (!rows.ok()) return rows.status();
  plan::ScoreOptions options;
  options.tolerance = a.tolerance;
  LabSettings settings;
  if (!text("loss").empty()) settings.loss = text("loss");
  if (!text("non_positive").empty()) settings.non_positive = text("non_positive");
  settings.noise = text("noise");
  auto problem = ProblemOptionsOf(settings);
  if (!problem.ok()) return problem.status();
  options.problem = *std::move(problem);
  auto search = FitOptionsOf(settings);
  if (!search.ok()) return search.status();
  options.compare.fit = *search;
  options.compare.bootstrap = false;
  auto score = plan::ScoreFrozen(*frozen, *rows, MakeLawsOf(session), options);
  if (!score.ok()) return score.status();
  score->notes.insert(score->notes.end(), notes.begin(), notes.end());
  const nlohmann::json json = plan::ToJson(*score);
  if (!a.output.empty()) {
    if (absl::Status status = observe::WriteFileAtomically(a.output, json.dump(2) + "\n");
        !status.ok()) {
      return status;
    }
  }
  if (session.json) return Session::Answer(json);
  PrintScore(*score);
  return kDone;
}

// A tampered file or a name that is taken is no mistake of the command line.
template <typename Arguments>
std::function<int()> Verb(Session& session, absl::StatusOr<int> (*run)(Session&, Arguments&),
                          Arguments& arguments) {
  return [&session, run, &arguments] {
    auto code = run(session, arguments);
    return code.ok() ? *code
                     : static_cast<int>(session.Fail(CodeOfPlan(code.status()), code.status()));
  };
}

absl::StatusOr<int> ScoreVerb(Session& session, ScoreArguments& a) { return Score(session, a); }

}  // namespace

void AddPredictVerbs(CLI::App& app, Session& session) {
  static PredictArguments predict;
  CLI::App* verb =
      app.add_subcommand("predict", "Predict runs with intervals, and freeze the predictions");
  AddPlanOptions(verb, predict, "Points: N=1B,3B D=100B,200B G=32,128");
  verb->add_option("--points", predict.points, "Table of points")->check(CLI::ExistingFile);
  verb->add_option("--target", predict.target, "What to predict, where laws predict several");
  verb->add_option("--freeze", predict.freeze,
                   "Write the predictions into a file that is never rewritten, with its hash")
      ->type_name("FILE");
  verb->add_option("--output,-o", predict.output, "Also write them as CSV")->type_name("FILE");
  verb->callback([&session] { session.verb = Verb(session, Predict, predict); });

  static ScoreArguments score;
  CLI::App* scoring =
      app.add_subcommand("score",
                         "Hold later runs against frozen predictions: error, coverage, "
                         "and whether the law still ranks first");
  scoring->add_option("FROZEN", score.frozen, "What `qatlas predict --freeze` wrote")
      ->required()
      ->check(CLI::ExistingFile);
  scoring->add_option("TABLE", score.table, "Table with the later runs")
      ->required()
      ->check(CLI::ExistingFile);
  scoring->add_option("--map", score.mapping, "column=expression, as for `qatlas fit`");
  scoring->add_option("--where", score.where, "Condition on the rows; default: that of the fit");
  scoring->add_option("--hash", score.hash, "The hash (or 8 digits of it) told when freezing");
  scoring
      ->add_option("--tolerance", score.tolerance,
                   "Relative difference within which a run is at a point")
      ->capture_default_str();
  scoring->add_option("--output,-o", score.output, "Also write the score as JSON")
      ->type_name("FILE");
  scoring->callback([&session] { session.verb = Verb(session, ScoreVerb, score); });
}

}  // namespace qatlas::cli
