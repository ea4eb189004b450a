// The conformance checks as GoogleTest suites. A plugin's own tests join them with one line each:
//
//   #include "my_law.h"
//   #include "qatlas/conformance/gtest.h"
//   QATLAS_CONFORMANCE(MyLaw, my::MyLaw);                         // a class linked into the test
//   QATLAS_CONFORMANCE_PLUGIN(MyPlugin, qatlas::LawForm, PATH);   // a built library, all of it
//
// linked with qatlas::conformance (and qatlas::conformance_torch for quantizers and models) and
// GTest::gtest_main. Every check is a test of its own ("MyLaw/MyLawConformance.Holds/jacobian"),
// skipped where the component does not declare the ability. QATLAS_CONFORMANCE_SEED in the
// environment chooses the random inputs.
#ifndef QATLAS_CONFORMANCE_GTEST_H_
#define QATLAS_CONFORMANCE_GTEST_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "qatlas/component.h"
#include "qatlas/conformance/check.h"
#include "qatlas/conformance/create.h"
#include "qatlas/conformance/suite.h"

#ifndef QATLAS_TORCH_VERSION
#define QATLAS_TORCH_VERSION ""  // LibTorch that it was built with
#endif

namespace qatlas::conformance::testing {

// A check of one subject. Prints as what must hold.
struct Parameter {
  Subject subject;
  Check check;
  std::string name;  // of the test
};
inline void PrintTo(const Parameter& parameter, std::ostream* out) {
  *out << parameter.check.prose;
}

inline std::string TestName(std::string prefix, const char* check) {
  std::string name = std::move(prefix) + check;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

// Named by the kind, so that a test of laws needs no LibTorch to link.
template <typename Kind>
absl::Span<const Check> ChecksOfKind() {
  if constexpr (Kind::kKind == QATLAS_KIND_LAW) return LawChecks();
  if constexpr (Kind::kKind == QATLAS_KIND_SCHEME) return SchemeChecks();
  if constexpr (Kind::kKind == QATLAS_KIND_QUANTIZER) return QuantizerChecks();
  if constexpr (Kind::kKind == QATLAS_KIND_MODEL) return ModelChecks();
}

template <typename Kind>
void AddComponent(const Subject& subject, const std::string& prefix,
                  std::vector<Parameter>* parameters) {
  for (absl::Span<const Check> checks : {ComponentChecks(), ChecksOfKind<Kind>()}) {
    for (const Check& check : checks) {
      parameters->push_back({subject, check, TestName(prefix, check.name)});
    }
  }
}

// The checks of a component class.
template <typename T>
std::vector<Parameter> ParametersOf() {
  static const qatlas_component component = Component<T>();
  std::vector<Parameter> parameters;
  AddComponent<typename T::Base>(
      {&component, "", QATLAS_TORCH_VERSION, TryFactory<typename T::Base>}, "", &parameters);
  return parameters;
}

// The checks of a library and of its components, all of one kind.
template <typename Kind>
std::vector<Parameter> ParametersOf(const std::string& library) {
  std::vector<Parameter> parameters;
  for (const Check& check : LibraryChecks()) {
    parameters.push_back(
        {{nullptr, library, QATLAS_TORCH_VERSION}, check, TestName("plugin_", check.name)});
  }
  const auto plugin = OpenLibrary(library, QATLAS_TORCH_VERSION);
  if (!plugin.ok()) return parameters;  // the first check then says why
  for (uint64_t i = 0; i < (*plugin)->component_count; ++i) {
    const qatlas_component& component = (*plugin)->components[i];
    if (component.kind != Kind::kKind) continue;
    AddComponent<Kind>({&component, library, QATLAS_TORCH_VERSION, TryFactory<Kind>},
                       std::string(component.name) + "_", &parameters);
  }
  return parameters;
}

// What is being tried, for a process that dies.
inline char* Trying() {
  static char text[4096] = "";
  return text;
}

inline void TellInput(int number) {
  const char* parts[] = {"\nconformance: died with this input: ", Trying(), "\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  signal(number, SIG_DFL);
  raise(number);
}

inline void TellInputOfCrashes() {
  for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    struct sigaction old = {};
    sigaction(number, nullptr, &old);
    if (old.sa_handler == SIG_DFL) signal(number, TellInput);  // a sanitizer keeps its own
  }
}

class ConformanceTest : public ::testing::TestWithParam<Parameter> {
 protected:
  void RunCheck() {
    TellInputOfCrashes();
    const char* text = std::getenv("QATLAS_CONFORMANCE_SEED");
    const uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
    const Parameter& parameter = GetParam();
    const Finding finding =
        RunHere(parameter.check, parameter.subject, seed, [](const std::string& input) {
          const size_t size = std::min<size_t>(input.size(), 4095);
          std::memcpy(Trying(), input.data(), size);
          Trying()[size] = '\0';
        });
    for (const Figure& figure : finding.figures) {
      std::cout << "  " << figure.name << " = " << figure.value << " " << figure.unit << "\n";
    }
    if (finding.outcome == Outcome::kSkipped) GTEST_SKIP() << finding.message;
    if (finding.outcome == Outcome::kWarning) {
      std::cout << "warning: " << finding.message << "\n  input: " << finding.input << "\n";
    }
    if (finding.outcome == Outcome::kFailed) {
      ADD_FAILURE() << parameter.check.prose << "\n  " << finding.message
                    << "\n  input: " << finding.input << "\n  failures: " << finding.failures
                    << ", seed: QATLAS_CONFORMANCE_SEED=" << seed;
    }
  }
};

inline std::string NameOf(const ::testing::TestParamInfo<Parameter>& info) {
  return info.param.name;
}

}  // namespace qatlas::conformance::testing

#define QATLAS_CONFORMANCE_SUITE_(suite, parameters)                                    \
  class suite##Conformance : public ::qatlas::conformance::testing::ConformanceTest {}; \
  TEST_P(suite##Conformance, Holds) { RunCheck(); }                                     \
  INSTANTIATE_TEST_SUITE_P(suite, suite##Conformance, ::testing::ValuesIn(parameters),  \
                           ::qatlas::conformance::testing::NameOf)

// QATLAS_CONFORMANCE(name, Class): the checks of a component class as the suite `name`.
#define QATLAS_CONFORMANCE(suite, ...) \
  QATLAS_CONFORMANCE_SUITE_(suite, (::qatlas::conformance::testing::ParametersOf<__VA_ARGS__>()))

// QATLAS_CONFORMANCE_PLUGIN(name, Kind, path): the checks of a library and of its components of a
// kind (qatlas::LawForm, Scheme, Quantizer, ModelBuilder).
#define QATLAS_CONFORMANCE_PLUGIN(suite, Kind, path) \
  QATLAS_CONFORMANCE_SUITE_(suite, (::qatlas::conformance::testing::ParametersOf<Kind>(path)))

#endif  // QATLAS_CONFORMANCE_GTEST_H_
