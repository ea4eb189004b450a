#include "framework/cli/plan_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "framework/cli/lab.h"
#include "framework/cli/lab_rows.h"
#include "framework/observe/atomic_file.h"
#include "framework/plan/freeze.h"
#include "framework/plugin/loader.h"
#include "framework/report/figure.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

// Draws of several laws must not move together: each has a seed of its own.
plan::DrawOptions Draws(const PlanArguments& arguments, size_t index) {
  plan::DrawOptions options;
  options.seed = arguments.seed * 1000 + index;
  options.kind = arguments.intervals == "bootstrap" ? plan::IntervalKind::kBootstrap
                                                    : plan::IntervalKind::kCovariance;
  if (options.kind == plan::IntervalKind::kBootstrap) options.count = 500;
  return options;
}

void Add(plan::Law law, PlanLaws* laws) {
  // Several variants of one study bring the same law of the loss.
  for (const plan::Law& other : laws->laws) {
    if (other.name == law.name && other.source == law.source) return;
  }
  laws->laws.push_back(std::move(law));
}

absl::Status AddFile(Session& session, const PlanArguments& arguments, const std::string& file,
                     bool all_ranked, PlanLaws* laws) {
  auto text = observe::ReadWholeFile(file);
  if (!text.ok()) return text.status();
  auto read =
      plan::LawsFromJson(*text, file, MakeForms(session), Draws(arguments, laws->laws.size()));
  if (!read.ok()) return read.status();
  laws->provenance["files"].push_back({{"file", file}, {"sha256", plan::Sha256(*text)}});
  size_t taken = 0;
  for (plan::Law& law : read->laws) {
    const bool named =
        std::find(arguments.laws.begin(), arguments.laws.end(), law.name) != arguments.laws.end();
    if (!arguments.laws.empty() && arguments.table.empty() && !named) continue;
    if (!all_ranked && taken > 0 && arguments.laws.empty()) break;
    laws->rows[law.target] = read->rows;
    Add(std::move(law), laws);
    ++taken;
  }
  if (taken == 0) {
    return absl::NotFoundError(
        absl::StrCat(file, " has no law named ", absl::StrJoin(arguments.laws, ", ")));
  }
  if (arguments.laws.empty()) {
    laws->notes.insert(laws->notes.end(), read->notes.begin(), read->notes.end());
  }
  return absl::OkStatus();
}

absl::Status AddTable(Session& session, const PlanArguments& arguments, bool all_ranked,
                      PlanLaws* laws) {
  if (arguments.laws.empty()) {
    return absl::InvalidArgumentError("--table needs --law, the forms to fit to it");
  }
  auto text = observe::ReadWholeFile(arguments.table);
  if (!text.ok()) return text.status();
  laws->provenance["table"] = {{"file", arguments.table}, {"sha256", plan::Sha256(*text)}};
  auto table = ReadObservations(arguments.table, arguments.mapping, &laws->notes);
  if (!table.ok()) return table.status();
  std::vector<std::string> targets;
  std::map<std::string, std::vector<std::string>> by_target;
  for (const std::string& name : arguments.laws) {
    auto form = MakeForms(session)(name);
    if (!form.ok()) return form.status();
    const std::string& target = (*form)->Spec().target;
    if (by_target.count(target) == 0) targets.push_back(target);
    by_target[target].push_back(name);
  }
  for (const std::string& target : targets) {
    LabSettings settings;
    settings.target = target;
    settings.laws = by_target[target];
    settings.loss = arguments.loss;
    settings.where = arguments.where;
    settings.noise = arguments.noise;
    settings.bootstraps = 0;
    settings.seed = arguments.seed;
    for (const std::string& item : arguments.fixed) {
      const std::vector<std::string> sides = absl::StrSplit(item, absl::MaxSplits('=', 1));
      double value = 0;
      if (sides.size() != 2 || !absl::SimpleAtod(sides[1], &value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--fix ", item, ": must be parameter=number"));
      }
      settings.fixed[sides[0]] = value;
    }
    auto result = RunLab(session, *table, settings);
    if (!result.ok()) return result.status();
    laws->notes.insert(laws->notes.end(), result->notes.begin(), result->notes.end());
    for (const auto& [form, why] : result->comparison.refused) {
      laws->notes.push_back(absl::StrCat(form, " was not fitted: ", why));
    }
    if (result->comparison.ranking.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "no law of ", target, " could be fitted to ", arguments.table, ": ",
          result->comparison.refused.empty() ? "" : result->comparison.refused.front().second));
    }
    const bool several = result->comparison.ranking.size() > 1;
    if (several && !all_ranked && result->comparison.verdict != compare::Verdict::kDecided) {
      laws->notes.push_back(absl::StrCat("The runs do not decide between the laws of ", target,
                                         "; ", result->comparison.ranking[0].name,
                                         " is taken because it ranks first. ",
                                         result->comparison.sentence));
    }
    std::vector<std::string> groups;
    const std::vector<std::string> columns = GroupColumns(result->rows);
    for (const compare::Ranked& ranked : result->comparison.ranking) {
      plan::DrawOptions draws = Draws(arguments, laws->laws.size());
      if (!columns.empty()) {
        const fit::Problem& problem = *ranked.fit.problem;
        for (int64_t i = 0; i < problem.rows(); ++i) {
          std::string key;
          for (const std::string& column : columns) {
            absl::StrAppend(&key, observe::ShowValue(result->rows.At(problem.row(i), column)), "|");
          }
          draws.groups.push_back(key);
        }
        std::vector<std::string> different = draws.groups;
        std::sort(different.begin(), different.end());
        different.erase(std::unique(different.begin(), different.end()), different.end());
        if (static_cast<int>(different.size()) < compare::kLeastGroups) draws.groups.clear();
      }
      auto law = plan::LawFromFit(ranked.fit, draws);
      if (!law.ok()) return law.status();
      law->name = ranked.name;
      law->source = absl::StrCat(arguments.table, ", ", ranked.fit.problem->rows(), " rows");
      Add(*std::move(law), laws);
      if (!all_ranked) break;
    }
    laws->rows[target] = std::move(result->rows);
  }
  laws->provenance["loss"] = arguments.loss;
  laws->provenance["where"] = arguments.where;
  laws->provenance["fixed"] = arguments.fixed;
  laws->provenance["noise"] = arguments.noise;
  return absl::OkStatus();
}

std::string Line(const plan::Quantity& quantity, double level) {
  const auto number = [&](double value) {
    return quantity.unit == "parameters" || quantity.unit == "tokens"
               ? report::ShortCount(value)
               : report::ShortNumber(value, 4);
  };
  if (!quantity.none.empty()) return quantity.none;
  std::string text = number(quantity.value);
  if (quantity.interval) {
    absl::StrAppend(&text, "  (", report::ShortNumber(100 * level),
                    "%: ", number(quantity.interval->low), " to ", number(quantity.interval->high),
                    ")");
  }
  if (!quantity.unit.empty()) absl::StrAppend(&text, " ", quantity.unit);
  if (quantity.undefined_share > 0) {
    absl::StrAppend(&text, "; in ", report::ShortNumber(100 * quantity.undefined_share, 2),
                    "% of draws there is none");
  }
  return text;
}

}  // namespace

plan::FormFactory MakeForms(Session& session) {
  return [&session](const std::string& name) -> absl::StatusOr<std::shared_ptr<const LawForm>> {
    auto catalog = session.Catalog();
    if (!catalog.ok()) return catalog.status();
    auto form = plugin::Create<LawForm>(**catalog, name);
    if (!form.ok()) return form.status();
    return std::shared_ptr<const LawForm>(*std::move(form));
  };
}

std::vector<const plan::Law*> PlanLaws::Of(const std::string& target) const {
  std::vector<const plan::Law*> found;
  for (const plan::Law& law : laws) {
    if (law.target == target) found.push_back(&law);
  }
  return found;
}

plan::World PlanLaws::World() const {
  const auto losses = Of(kTargetLoss), deltas = Of(kTargetDelta);
  return {losses.empty() ? nullptr : losses[0], deltas.empty() ? nullptr : deltas[0], {}};
}

absl::StatusOr<PlanLaws> ReadPlanLaws(Session& session, const PlanArguments& arguments,
                                      bool all_ranked) {
  PlanLaws laws;
  if (!(arguments.level > 0 && arguments.level < 1)) {
    return absl::InvalidArgumentError("--level must lie between 0 and 1");
  }
  for (const std::string& preset : arguments.presets) {
    auto catalog = session.Catalog();
    if (!catalog.ok()) return catalog.status();
    auto found =
        plan::LawsFromPreset(**catalog, MakeForms(session), preset, arguments.relative_error,
                             arguments.seed * 1000 + laws.laws.size());
    if (!found.ok()) return found.status();
    for (plan::Law& law : *found) Add(std::move(law), &laws);
    laws.provenance["presets"].push_back(preset);
  }
  for (const std::string& file : arguments.fits) {
    if (absl::Status status = AddFile(session, arguments, file, all_ranked, &laws); !status.ok()) {
      return status;
    }
  }
  if (!arguments.table.empty()) {
    if (absl::Status status = AddTable(session, arguments, all_ranked, &laws); !status.ok()) {
      return status;
    }
  }
  if (laws.laws.empty()) {
    return absl::InvalidArgumentError(
        "there is no law to answer from; give --preset study:variant (chen-2025:w4a4), --fit "
        "FILE.json of `qatlas fit -o`, or --table RUNS.csv with --law");
  }
  for (const std::string& item : arguments.ranges) {
    auto range = ReadRange(item);
    if (!range.ok()) return range.status();
    for (plan::Law& law : laws.laws) law.fitted.insert({range->first, range->second});
  }
  return laws;
}

void AddPlanOptions(CLI::App* verb, PlanArguments& arguments, const std::string& items) {
  verb->add_option("POINT", arguments.items, items)->type_name("NAME=VALUES");
  verb->add_option("--preset", arguments.presets,
                   "Published constants: law:preset (qat-unified:w4a4) or study:variant "
                   "(chen-2025:w4a4), which\nbrings the study's law of the loss too (repeatable)")
      ->type_name("NAME");
  verb->add_option("--fit", arguments.fits, "What `qatlas fit -o` wrote (repeatable)")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  verb->add_option("--table", arguments.table, "Table of runs, to fit --law to now")
      ->check(CLI::ExistingFile);
  verb->add_option("--law,--laws", arguments.laws, "Law forms to fit, or to take from --fit")
      ->delimiter(',');
  verb->add_option("--map", arguments.mapping, "column=expression, as for `qatlas fit`");
  verb->add_option("--where", arguments.where, "Condition on the table's rows");
  verb->add_option("--loss", arguments.loss, "Loss of the fits")->capture_default_str();
  verb->add_option("--noise", arguments.noise, "Column of standard errors of the target");
  verb->add_option("--fix", arguments.fixed, "parameter=value, held (repeatable)");
  verb->add_option("--intervals", arguments.intervals, "covariance or bootstrap")
      ->check(CLI::IsMember({"covariance", "bootstrap"}))
      ->capture_default_str();
  verb->add_option("--relative-error", arguments.relative_error,
                   "Standard error of published laws as a share of their values, which their paper "
                   "may report\n(.047); without it they have no interval")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--range", arguments.ranges,
                   "name=low:high, the range that published laws were fitted on (repeatable)");
  verb->add_option("--level", arguments.level, "Of the intervals")->capture_default_str();
  verb->add_option("--seed", arguments.seed, "Of draws")->capture_default_str();
  verb->add_flag("--allow-unidentified", arguments.allow_unidentified,
                 "Answer from fits that are not identifiable, and mark the answers");
}

absl::StatusOr<double> ReadCount(const std::string& text) {
  double value = 0;
  std::string digits = text;
  double factor = 1;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'k':
        factor = 1e3;
        break;
      case 'M':
        factor = 1e6;
        break;
      case 'B':
        factor = 1e9;
        break;
      case 'T':
        factor = 1e12;
        break;
      default:
        break;
    }
    if (factor > 1) digits.pop_back();
  }
  if (!absl::SimpleAtod(digits, &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no number (7e9 and 7B are)"));
  }
  return value * factor;
}

absl::StatusOr<std::pair<std::string, plan::Range>> ReadRange(const std::string& text) {
  const size_t equals = text.find('='), colon = text.find(':');
  if (equals == std::string::npos || colon == std::string::npos || colon < equals || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': must be name=low:high"));
  }
  auto low = ReadCount(text.substr(equals + 1, colon - equals - 1));
  auto high = ReadCount(text.substr(colon + 1));
  if (!low.ok()) return low.status();
  if (!high.ok()) return high.status();
  if (!(*high > *low)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': high must be above low"));
  }
  return std::pair(text.substr(0, equals), plan::Range{*low, *high});
}

absl::StatusOr<PlanAxes> ReadAxes(const std::vector<std::string>& items) {
  PlanAxes axes;
  for (const std::string& item : items) {
    const std::vector<std::string> sides = absl::StrSplit(item, absl::MaxSplits('=', 1));
    if (sides.size() != 2 || sides[0].empty() || sides[1].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", item, "': must be name=value[,value...]"));
    }
    if (axes.numbers.count(sides[0]) != 0 || axes.texts.count(sides[0]) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(sides[0], " is given twice; give its values as one list"));
    }
    const std::vector<std::string> parts = absl::StrSplit(sides[1], ',');
    const bool text = sides[0] == "precision" || sides[0] == "scheme" || sides[0] == "model" ||
                      sides[0] == "granularity" || sides[0] == "part";
    for (const std::string& part : parts) {
      if (text) {
        axes.texts[sides[0]].push_back(part);
        continue;
      }
      auto value = ReadCount(part);
      if (!value.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(sides[0], ": ", value.status().message()));
      }
      axes.numbers[sides[0]].push_back(*value);
    }
  }
  return axes;
}

std::vector<plan::Point> PlanAxes::Points() const {
  std::vector<plan::Point> points(1);
  for (const auto& [name, values] : numbers) {
    std::vector<plan::Point> next;
    for (const plan::Point& point : points) {
      for (const double value : values) {
        next.push_back(point);
        next.back().numbers[name] = value;
      }
    }
    points = std::move(next);
  }
  for (const auto& [name, values] : texts) {
    std::vector<plan::Point> next;
    for (const plan::Point& point : points) {
      for (const std::string& value : values) {
        next.push_back(point);
        next.back().texts[name] = value;
      }
    }
    points = std::move(next);
  }
  return points;
}

absl::StatusOr<plan::Point> PlanAxes::One() const {
  const std::vector<plan::Point> points = Points();
  if (points.size() == 1) return points[0];
  return absl::InvalidArgumentError("this question takes one value of each name");
}

ExitCode CodeOfPlan(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ? kFailed : kBadInput;
}

int Show(const Session& session, const plan::Answer& answer, const std::vector<std::string>& notes,
         double level) {
  plan::Answer full = answer;
  full.notes.insert(full.notes.end(), notes.begin(), notes.end());
  if (session.json) {
    nlohmann::json json = plan::ToJson(full);
    json["level"] = level;
    return Session::Answer(json);
  }
  std::printf("%s\n", full.question.c_str());
  for (const plan::Row& row : full.rows) {
    std::printf("\n%s\n", row.label.c_str());
    for (const plan::Quantity& quantity : row.quantities) {
      std::printf("  %-34s %s\n", quantity.name.c_str(), Line(quantity, level).c_str());
    }
    for (const auto& [name, text] : row.words) {
      std::printf("  %-34s %s\n", name.c_str(), text.c_str());
    }
  }
  if (!full.warnings.empty() || !full.notes.empty()) std::printf("\n");
  for (const std::string& warning : full.warnings) std::printf("warning: %s\n", warning.c_str());
  for (const std::string& note : full.notes) std::printf("note: %s\n", note.c_str());
  return kDone;
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace qatlas::cli
