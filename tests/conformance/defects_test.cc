// Every check of libraries, components, laws and schemes finds the defect that it is for, and finds
// none in a sound plugin.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "qatlas/conformance/check.h"
#include "qatlas/conformance/suite.h"

namespace qatlas::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kFolder = QATLAS_TEST_DEFECTIVE;
const std::vector<std::string> kQuantizers = {"int", "lsq"};
const Host kHost = {PlainKind, "", &kQuantizers};

// The one case of this library, "law/jacobian/jacobian".
Report RunOne(const std::string& library, const std::string& id, double seconds = 600) {
  std::vector<Case> cases = ListCases(absl::StrCat(kFolder, "/", library, ".so"), kHost);
  EXPECT_TRUE(Select(absl::StrCat("^", id, "$"), &cases).ok());
  EXPECT_EQ(cases.size(), 1) << library << " has no " << id;
  if (cases.empty()) return {};
  RunSettings settings;
  settings.seconds = seconds;
  return RunCase(cases[0], kHost, settings);
}

struct Defect {
  const char* library;
  const char* id;
  Outcome outcome;
  const char* message;
  const char* input;
};

void PrintTo(const Defect& defect, std::ostream* out) { *out << defect.id; }

class Defects : public ::testing::TestWithParam<Defect> {};

TEST_P(Defects, IsFound) {
  const Defect& defect = GetParam();
  const Report report = RunOne(defect.library, defect.id);
  EXPECT_EQ(report.finding.outcome, defect.outcome)
      << OutcomeName(report.finding.outcome) << ": " << report.finding.message << "\n"
      << report.output;
  EXPECT_THAT(report.finding.message, HasSubstr(defect.message));
  EXPECT_THAT(report.finding.input, HasSubstr(defect.input));
  EXPECT_THAT(report.prose, Not(IsEmpty()));
}

constexpr Outcome kFailed = Outcome::kFailed, kWarning = Outcome::kWarning,
                  kCrashed = Outcome::kCrashed;

const Defect kDefects[] = {
    {"descriptor", "plugin/descriptor/descriptor", kFailed, "'1.0' is not semantic", ""},
    {"symbols", "plugin/symbols/symbols", kFailed, "exports 1 names", "compute_scale"},
    {"slow", "plugin/slow/load-time", kWarning, "opening takes", "dlopen"},
    {"crash", "plugin/crash/opens", kCrashed, "no tables to load", "crash.so"},
    {"symbols", "plugin/symbols/manifest", kFailed, "qatlas-manifest ", "symbols.toml"},
    {"scheme-defective", "scheme/described/described", kFailed, "more than a line", ""},
    {"scheme-defective", "scheme/options-declared/options-declared", kFailed, "must be at most 8",
     "'bits'"},
    {"scheme-defective", "scheme/options-refused/options-refused", kCrashed, "bits below 0",
     "bits = -1"},
    {"scheme-defective", "scheme/takes-nan/options-refused", kWarning, "refuses NaN", "nan"},
    {"scheme-defective", "scheme/silent/factory-answers", kFailed, "without a message", "bits = 3"},
    {"scheme-defective", "scheme/throws/factory-answers", kFailed, "no table for 8 bits",
     "bits = 8"},
    {"scheme-defective", "scheme/nothing/factory-answers", kFailed, "no component", "bits = 2"},
    {"scheme-defective", "scheme/rules-read/rules-read", kFailed, "closing brace", "fc1"},
    {"scheme-defective", "scheme/quantizers-known/quantizers-known", kFailed,
     "offers the quantizer 'imt'", "imt"},
    {"scheme-defective", "scheme/patterns-match/patterns-match", kFailed, "matches no site",
     "inputs"},
    {"scheme-defective", "scheme/overridden/patterns-match", kWarning, "later rules override", ""},
    {"scheme-defective", "scheme/deterministic/deterministic", kFailed, "asked twice", "options"},
    {"scheme-defective", "scheme/options-matter/options-matter", kFailed,
     "'bits' never changes the rules", "bits"},
    {"law-defective", "law/declared/declared", kFailed, "starts at 7", "'alpha'"},
    {"law-defective", "law/finite-at-bounds/finite-at-bounds", kFailed, "the value is",
     "alpha = 2;"},
    {"law-defective", "law/covariate-ranges/covariate-ranges", kFailed, "the value is inf",
     "N = 1"},
    {"law-defective", "law/jacobian/jacobian", kFailed, "the derivative by 'alpha'", "N = "},
    {"law-defective", "law/idle/jacobian", kFailed, "'idle' changes the value nowhere", ""},
    {"law-defective", "law/linear-parameters/linear-parameters", kFailed, "not affine in",
     "alpha = "},
    {"law-defective", "law/only-with/only-with", kFailed, "'A' is declared to matter only",
     "weight_bits = 1000000"},
    {"law-defective", "law/batch-independent/batch-independent", kFailed, "among", "N = "},
    {"law-defective", "law/writes-outside/batch-independent", kFailed, "outside of the batch",
     "stride"},
    {"law-defective", "law/stateless/stateless", kFailed, "another result than before", "after 1"},
    {"law-defective", "law/thread-safe/thread-safe", kFailed, "differ from those of a single",
     "two threads"},
    {"law-defective", "law/recovers-exactly/recovers-exactly", kFailed, "", "E = 1.7"},
    {"law-defective", "law/confounded/recovers-exactly", kWarning, "A, B", "points"},
    {"law-defective", "law/recovers-noisy/recovers-noisy", kFailed, "times the noise", "seed 1"},
    {"law-defective", "law/published-values/published-values", kFailed, "published: 2.1481",
     "N = 1000000000"},
    {"law-defective", "law/aborts/finite-at-bounds", kCrashed, "too large for the table",
     "alpha = 2"},
    {"law-defective", "law/crashes/jacobian", kCrashed, "SIGSEGV", "theta"},
};
INSTANTIATE_TEST_SUITE_P(All, Defects, ::testing::ValuesIn(kDefects), [](const auto& info) {
  std::string name = info.param.id;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(Defects, WhatNeverEndsIsATimeOut) {
  const Report report = RunOne("law-defective", "law/hangs/jacobian", .2);
  EXPECT_EQ(report.finding.outcome, kCrashed);
  EXPECT_EQ(report.finding.message, "no end within 0.2 s");
  EXPECT_THAT(report.finding.input, HasSubstr("theta: E = "));
}

TEST(Defects, AManifestThatLiesIsToldLineByLine) {
  const std::filesystem::path copy = std::filesystem::path(::testing::TempDir()) / "lying";
  std::filesystem::create_directories(copy);
  std::filesystem::copy_file(kFolder + "/scheme-defective.so", copy / "scheme-defective.so",
                             std::filesystem::copy_options::overwrite_existing);
  std::ifstream in(kFolder + "/scheme-defective.toml");
  std::string text(std::istreambuf_iterator<char>(in), {});
  text.replace(text.find("maximum = 8"), 11, "maximum = 9");
  std::ofstream(copy / "scheme-defective.toml") << text;
  std::vector<Case> cases = ListCases((copy / "scheme-defective.so").string(), kHost);
  ASSERT_TRUE(Select("^plugin/scheme-defective/manifest$", &cases).ok());
  ASSERT_EQ(cases.size(), 1);
  const Report report = RunCase(cases[0], kHost, {});
  EXPECT_EQ(report.finding.outcome, kFailed);
  EXPECT_THAT(report.finding.message, HasSubstr("the manifest says: maximum = 9"));
  EXPECT_THAT(report.finding.message, HasSubstr("the library says:  maximum = 8"));
  // A file of anything is shown as text, not sent to the terminal.
  std::ofstream(copy / "scheme-defective.toml") << "\x1b[2Jgone";
  EXPECT_THAT(RunCase(cases[0], kHost, {}).finding.message,
              HasSubstr("the manifest says: \\x1b[2Jgone"));
}

TEST(Defects, TheLeakIsFoundUnderAddressSanitizer) {
  const Report report = RunOne("scheme-defective", "scheme/sanitizer-clean/sanitizer-clean");
#ifdef __SANITIZE_ADDRESS__
  EXPECT_EQ(report.finding.outcome, kFailed) << report.finding.message << report.output;
#else
  EXPECT_EQ(report.finding.outcome, Outcome::kSkipped);
  EXPECT_THAT(report.finding.message, HasSubstr("without AddressSanitizer"));
#endif
}

TEST(Defects, OneForEveryCheck) {
  std::set<std::string> checked = {"sanitizer-clean"};
  for (const Defect& defect : kDefects) {
    const std::string id = defect.id;
    checked.insert(id.substr(id.rfind('/') + 1));
  }
  for (auto checks : {LibraryChecks(), ComponentChecks(), LawChecks(), SchemeChecks()}) {
    for (const Check& check : checks) {
      EXPECT_TRUE(checked.count(check.name)) << check.name << " has no defective plugin";
    }
  }
}

TEST(Sound, PassesEverything) {
  int passed = 0;
  for (const auto& [library, component] : {std::pair{"law-defective", "law/sound/"},
                                           {"scheme-defective", "scheme/sound-scheme/"},
                                           {"law-defective", "plugin/"},
                                           {"scheme-defective", "plugin/"}}) {
    std::vector<Case> cases = ListCases(absl::StrCat(kFolder, "/", library, ".so"), kHost);
    ASSERT_TRUE(Select(absl::StrCat("^", component), &cases).ok());
    for (const Case& one : cases) {
      const Report report = RunCase(one, kHost, {});
      const Outcome outcome = report.finding.outcome;
      EXPECT_TRUE(outcome == Outcome::kPassed || outcome == Outcome::kSkipped)
          << one.Id() << " " << OutcomeName(outcome) << ": " << report.finding.message;
      passed += outcome == Outcome::kPassed;
    }
  }
  EXPECT_GT(passed, 25);
}

TEST(Sound, TheSameSeedGivesTheSameReport) {
  const Report a = RunOne("law-defective", "law/recovers-exactly/recovers-exactly");
  const Report b = RunOne("law-defective", "law/recovers-exactly/recovers-exactly");
  EXPECT_EQ(a.finding.message, b.finding.message);
  EXPECT_EQ(a.finding.input, b.finding.input);
}

TEST(Report, GoesThroughJson) {
  Report report = RunOne("law-defective", "law/aborts/finite-at-bounds");
  report.finding.figures.push_back({"cost", 1.5, "ms"});
  const auto back = ReportFromJson(ToJson(report));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ToJson(*back), ToJson(report));
  EXPECT_FALSE(ReportFromJson("{\"id\": 3}").ok());
  EXPECT_FALSE(ReportFromJson("SIGSEGV").ok());
}

TEST(Select, ReadsAnExpression) {
  std::vector<Case> cases = ListCases(kFolder + "/law-defective.so", kHost);
  ASSERT_TRUE(Select("/jacobian$", &cases).ok());
  EXPECT_GT(cases.size(), 15);
  EXPECT_THAT(std::string(Select("(", &cases).message()), HasSubstr("no regular expression"));
}

TEST(UsesLibTorch, ReadsTheFileAlone) {
  EXPECT_FALSE(*UsesLibTorch(kFolder + "/law-defective.so"));
  EXPECT_FALSE(UsesLibTorch(kFolder + "/law-defective.toml").ok());
  EXPECT_FALSE(UsesLibTorch(kFolder + "/nowhere.so").ok());
}

}  // namespace
}  // namespace qatlas::conformance
