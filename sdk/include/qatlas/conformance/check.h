// Conformance checks: what every component of a kind must hold, as named checks that anybody can
// run.
//
// A check is a plain function over a component's descriptor, so the same code serves `qatlas plugin
// check` (every check in a process of its own, with a time limit) and the GoogleTest suite that a
// plugin's own tests join (gtest.h). It needs the SDK and nothing of the framework.
#ifndef QATLAS_CONFORMANCE_CHECK_H_
#define QATLAS_CONFORMANCE_CHECK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "qatlas/abi.h"
#include "qatlas/options.h"

namespace qatlas::conformance {

// How a check ended. A crash and a time-out are seen from outside, by whoever started the process.
enum class Outcome { kPassed, kWarning, kFailed, kSkipped, kCrashed };

// "passed", "warning", "failed", "skipped", "crashed".
inline const char* OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kWarning:
      return "warning";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      return "skipped";
    case Outcome::kCrashed:
      return "crashed";
  }
  return "unknown";
}

// A measured figure that a check reports beside its outcome.
struct Figure {
  std::string name;  // what was measured
  double value = 0;  // in the unit
  std::string unit;  // "ms", "bits", ...
};

// What a check found. `input` is the very input of the first failure, or what was being tried when
// the process died.
struct Finding {
  Outcome outcome = Outcome::kPassed;  // the worst so far
  std::string message;  // of the first failure, else warning
  std::string input;  // that failed; "" where none did
  int failures = 0;  // how many
  std::vector<Figure> figures;  // in order of measurement
};

// What is checked: a component's descriptor, and the library it came from ("" where it is linked
// into the program that checks). Checks of a library open it themselves: there `component` is null.
struct Subject {
  const qatlas_component* component = nullptr;  // null in checks of a library
  std::string library;                          // its file
  std::string libtorch;  // version of the LibTorch that this program has loaded; "" where none
  // Makes the component and destroys it again (TryFactory<Kind> of create.h).
  absl::Status (*make)(const qatlas_component& component, const Options& options) = nullptr;
  // Names of the quantizers that there are, for the rules of schemes; null: not known.
  const std::vector<std::string>* quantizers = nullptr;
};

// What a running check talks to. Only the first failure's message and input are kept; later ones
// are counted.
class Probe {
 public:
  // `trying` is called with every input before it is used, so that a process that dies has said
  // what with.
  explicit Probe(uint64_t seed, std::function<void(const std::string&)> trying = {})
      : seed_(seed), trying_(std::move(trying)) {}

  // Decides everything random of the check: the same seed repeats a failure.
  uint64_t seed() const { return seed_; }

  // States the input that is used from here on, in words that let a person make it again: shape,
  // dtype, options, values or the rule that made them.
  void Trying(std::string input) {
    input_ = std::move(input);
    if (trying_) trying_(input_);
  }
  void Fail(std::string message) { Record(Outcome::kFailed, std::move(message)); }
  void Warn(std::string message) {
    if (finding_.outcome == Outcome::kPassed) Record(Outcome::kWarning, std::move(message));
  }
  // The check does not apply: says which declared ability or machine part is missing.
  void Skip(std::string why) {
    if (finding_.outcome == Outcome::kPassed) Record(Outcome::kSkipped, std::move(why));
  }
  // Of several under one name the largest is kept.
  void Measured(std::string name, double value, std::string unit) {
    for (Figure& figure : finding_.figures) {
      if (figure.name != name) continue;
      if (value > figure.value) figure.value = value;
      return;
    }
    finding_.figures.push_back({std::move(name), value, std::move(unit)});
  }
  bool failed() const { return finding_.outcome == Outcome::kFailed; }
  const Finding& finding() const { return finding_; }

 private:
  void Record(Outcome outcome, std::string message) {
    if (outcome == Outcome::kFailed && ++finding_.failures > 1) return;
    finding_.outcome = outcome;
    finding_.message = std::move(message);
    finding_.input = input_;
  }

  uint64_t seed_;
  std::function<void(const std::string&)> trying_;
  std::string input_;
  Finding finding_;
};

struct Check {  // A check of the kit.
  const char* name;   // kebab-case, unique within its kind
  const char* prose;  // one sentence: what must hold
  void (*run)(const Subject&, Probe&);  // performs it
  double seconds = 60;  // time limit, on a slow machine
};

// The checks of each kind, in the order in which they are worth reading. Those of laws, schemes and
// of any library and component need no LibTorch; those of quantizers and models stand in
// qatlas::conformance_torch.
absl::Span<const Check> LibraryChecks();
absl::Span<const Check> ComponentChecks();
absl::Span<const Check> LawChecks();
absl::Span<const Check> SchemeChecks();
absl::Span<const Check> QuantizerChecks();
absl::Span<const Check> ModelChecks();

}  // namespace qatlas::conformance

#endif  // QATLAS_CONFORMANCE_CHECK_H_
