// Child processes: the worker's programs, started so that they cannot outlive their reason.
#ifndef QATLAS_FRAMEWORK_RUNS_PROCESS_H_
#define QATLAS_FRAMEWORK_RUNS_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::runs {

struct SpawnOptions {
  std::vector<std::string> command;  // path of the program, then its arguments
  std::string stderr_file;           // appended to; empty: ours
  std::vector<int> inherit;          // descriptors that the child keeps, under their numbers
};

struct Child {
  pid_t pid = -1;
  int output = -1;  // its standard output, non-blocking; the caller closes it
  int handle = -1;  // pidfd: readable once it has ended; -1 where the kernel has none
};

// Starts a program in a process group of its own (a Ctrl-C of the terminal reaches us alone; we
// pass it on), with standard input from /dev/null. When the calling thread ends, the kernel sends
// it SIGTERM. NotFound when the program cannot be run.
absl::StatusOr<Child> Spawn(const SpawnOptions& options);

// Runs a program to its end and collects what it writes.
struct Finished {
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  std::string output;
  std::string errors;
};
absl::StatusOr<Finished> RunToEnd(const std::vector<std::string>& command,
                                  const std::vector<int>& inherit);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_PROCESS_H_
