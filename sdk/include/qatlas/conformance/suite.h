// The checks of a plugin's library: which there are, and running one in a process of its own.
#ifndef QATLAS_CONFORMANCE_SUITE_H_
#define QATLAS_CONFORMANCE_SUITE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "qatlas/abi.h"
#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

// What a program can do with components of a kind.
struct Kind {
  absl::Span<const Check> checks;  // besides ComponentChecks()
  absl::Status (*make)(const qatlas_component&, const Options&) = nullptr;  // Subject::make
};
// Laws and schemes; nothing for the other kinds, which a program with LibTorch adds.
Kind PlainKind(int kind);

// The program that checks.
struct Host {
  Kind (*kind)(int kind) = PlainKind;
  std::string
      libtorch;  // the version it has loaded; "": plugins that use LibTorch cannot be opened
  const std::vector<std::string>* quantizers = nullptr;  // Subject::quantizers
};

// One check of one component, or (kind 0) of a library as a whole.
struct Case {
  std::string library;  // path of the shared library
  int kind = 0;         // qatlas_kind
  std::string component;
  Check check;

  // "law/qat-unified/jacobian"; "plugin/law-qat/opens" for a library, by its file's name.
  std::string Id() const;
};

// Every case of a library. What it offers is asked in a process of its own; a library that cannot
// be opened has the cases of LibraryChecks() alone, the first of which then says why.
std::vector<Case> ListCases(const std::string& library, const Host& host);

// Leaves the cases whose Id() the regular expression finds (ECMAScript; "" keeps all). Errors: it
// cannot be read.
absl::Status Select(const std::string& include, std::vector<Case>* cases);

// Whether a library is linked with LibTorch, read from its file alone. Errors: the file cannot be
// read, or is no shared library.
absl::StatusOr<bool> UsesLibTorch(const std::string& library);

struct RunSettings {
  uint64_t seed = 1;
  double seconds = 0;  // time limit of every check; 0: its own
};

// How a case ended.
struct Report {
  std::string id;
  std::string library;
  std::string prose;
  Finding finding;
  std::string output;  // the end of what the check's process wrote
  double seconds = 0;
  uint64_t seed = 0;
};

// The report of a case that was not run: its names alone.
Report Announce(const Case& one);

// Runs a case in a process of its own, in which the library is opened. Never fails: a crash, a
// time-out, an exit and an exception are outcomes. Needs a single thread (Isolate()).
Report RunCase(const Case& one, const Host& host, const RunSettings& settings);

// Runs a check in this process. What it throws is its failure; a crash is a crash.
Finding RunHere(const Check& check, const Subject& subject, uint64_t seed,
                const std::function<void(const std::string&)>& trying = {});

// A report as one line of JSON, and back.
std::string ToJson(const Report& report);
absl::StatusOr<Report> ReportFromJson(const std::string& line);

// Opens a library (all symbols at once, none offered to others), never closes it, and returns its
// descriptor after the handshake. Errors say both sides.
absl::StatusOr<const qatlas_descriptor*> OpenLibrary(const std::string& path,
                                                     const std::string& libtorch);

}  // namespace qatlas::conformance

#endif  // QATLAS_CONFORMANCE_SUITE_H_
