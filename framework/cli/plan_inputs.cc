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
  verb->add_option("--law,--laws", arguments.laws,
                   "Laws to fit to --table (names, sums, formulas, as for `qatlas fit`), or names "
                   "of those to\ntake from --fit")
      ->type_name("LAW");
  verb->add_option("--map", arguments.mapping, "column=expression, as for `qatlas fit`");
  verb->add_option("--where", arguments.settings.where, "Condition on the table's rows");
  AddFitOptions(verb, arguments.settings);
  AddParameterOptions(verb, arguments.parameters);
  verb->add_option("--intervals", arguments.intervals,
                   "Of fits to --table: covariance, bootstrap, or auto, the covariance where draws "
                   "from it\ncentre on the fit")
      ->check(CLI::IsMember({"auto", "covariance", "bootstrap"}))
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
