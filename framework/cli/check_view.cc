#include "framework/cli/check_view.h"

#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "framework/cli/session.h"

namespace qatlas::cli {
namespace {

using conformance::Outcome;
using conformance::Report;

constexpr Outcome kOutcomes[] = {Outcome::kPassed, Outcome::kWarning, Outcome::kFailed,
                                 Outcome::kCrashed, Outcome::kSkipped};
constexpr size_t kShownOutput = 12;  // lines

bool Bad(Outcome outcome) { return outcome == Outcome::kFailed || outcome == Outcome::kCrashed; }

std::string Quoted(const std::string& word) {
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

std::string Figures(const Report& report) {
  return absl::StrJoin(report.finding.figures, ", ",
                       [](std::string* out, const conformance::Figure& figure) {
                         absl::StrAppendFormat(out, "%s %.3g%s%s", figure.name, figure.value,
                                               figure.unit.empty() ? "" : " ", figure.unit);
                       });
}

// "   label   first line" with further lines below the first.
void Field(const char* label, const std::string& text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::printf("      %-8s %s\n", label, std::string(line).c_str());
    label = "";
  }
}

}  // namespace

int CheckView::count(Outcome outcome) const {
  const auto found = counts_.find(outcome);
  return found == counts_.end() ? 0 : found->second;
}

bool CheckView::bad() const { return count(Outcome::kFailed) + count(Outcome::kCrashed) > 0; }

std::string CheckView::Painted(Outcome outcome, const std::string& text) const {
  if (!look_.color) return text;
  const char* code = "2";  // dim
  if (outcome == Outcome::kPassed) code = "32";
  if (outcome == Outcome::kWarning) code = "33";
  if (Bad(outcome)) code = "31;1";
  return absl::StrCat("\033[", code, "m", text, "\033[0m");
}

std::string CheckView::Repeat(const Report& report) const {
  std::string command =
      absl::StrCat("qatlas plugin check ", Quoted(report.library), " --include ",
                   Quoted(absl::StrCat("^", report.id, "$")), " --seed ", report.seed);
  if (look_.time_limit > 0) absl::StrAppend(&command, " --time-limit ", look_.time_limit);
  return command;
}

void CheckView::Heading(const Report& report) {
  if (report.library != library_) {
    std::printf("%s%s\n", library_.empty() ? "" : "\n", report.library.c_str());
    library_ = report.library;
    subject_.clear();
  }
  const std::string subject = report.id.substr(0, report.id.rfind('/'));
  if (subject == subject_) return;
  subject_ = subject;
  std::printf("  %s\n", absl::StrReplaceAll(subject, {{"/", " "}}).c_str());
}

void CheckView::Line(const Report& report) {
  const std::string name = report.id.substr(report.id.rfind('/') + 1);
  if (look_.list) {
    std::printf("    %-26s %s\n", name.c_str(), report.prose.c_str());
    return;
  }
  const conformance::Finding& finding = report.finding;
  std::string more = Figures(report);
  if (finding.outcome == Outcome::kSkipped) more = finding.message;
  const std::string outcome = absl::StrFormat("%-8s", conformance::OutcomeName(finding.outcome));
  std::printf("    %s %s\n", Painted(finding.outcome, outcome).c_str(),
              more.empty() ? name.c_str() : absl::StrFormat("%-26s %s", name, more).c_str());
}

void CheckView::Details(const Report& report) {
  const conformance::Finding& finding = report.finding;
  Field("must", report.prose);
  Field("but", finding.failures > 1
                   ? absl::StrCat(finding.message, " (the first of ", finding.failures, ")")
                   : finding.message);
  if (!finding.input.empty()) Field("input", finding.input);
  if (Bad(finding.outcome) && !report.output.empty()) {
    std::vector<std::string> lines = absl::StrSplit(report.output, '\n');
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    if (lines.size() > kShownOutput) lines.erase(lines.begin(), lines.end() - kShownOutput);
    Field("it said", absl::StrJoin(lines, "\n"));
  }
  Field("again", Repeat(report));
}

void CheckView::Add(const Report& report) {
  const Outcome outcome = report.finding.outcome;
  ++counts_[outcome];
  seconds_ += report.seconds;
  if (look_.only_failed && !Bad(outcome)) return;
  if (look_.json) {
    auto json = nlohmann::ordered_json::parse(conformance::ToJson(report));
    if (look_.list) {
      json = {{"id", report.id}, {"library", report.library}, {"prose", report.prose}};
    } else {
      json["repeat"] = Repeat(report);
    }
    reports_.push_back(std::move(json));
    return;
  }
  Heading(report);
  Line(report);
  if (!look_.list && (Bad(outcome) || outcome == Outcome::kWarning)) Details(report);
  std::fflush(stdout);
}

void CheckView::End() {
  int all = 0;
  nlohmann::ordered_json summary;
  std::vector<std::string> parts;
  for (Outcome outcome : kOutcomes) {
    const int number = count(outcome);
    all += number;
    summary[conformance::OutcomeName(outcome)] = number;
    if (number == 0) continue;
    parts.push_back(Painted(outcome, absl::StrCat(number, " ", conformance::OutcomeName(outcome))));
  }
  if (look_.json) {
    nlohmann::ordered_json answer = {{"checks", reports_}};
    if (!look_.list) answer["summary"] = summary;
    std::printf(
        "%s\n",
        answer.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (look_.list) {
    std::printf("\n%d checks\n", all);
  } else {
    std::printf("%s%d checks in %.1f s: %s\n", library_.empty() ? "" : "\n", all, seconds_,
                absl::StrJoin(parts, ", ").c_str());
  }
}

}  // namespace qatlas::cli
