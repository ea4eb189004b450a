// Work in a process of its own, so that what crashes or hangs there is seen and told, and harms
// nobody.
#ifndef QATLAS_CONFORMANCE_ISOLATE_H_
#define QATLAS_CONFORMANCE_ISOLATE_H_

#include <functional>
#include <string>

namespace qatlas::conformance {

// How a process ended, and what it left.
struct Isolated {
  enum class End {
    kAnswered,  // the work returned
    kSignal,    // killed by the signal `code`
    kExit,      // left by exit(`code`) before the work returned
    kTimeOut,   // killed when its time was over
    kNoProcess  // could not be started; `output` says why
  };
  End end = End::kNoProcess;
  int code = 0;
  std::string answer;  // what the work returned
  std::string trying;  // the last text that the work stated before it ended
  std::string output;  // the end of what it wrote to standard output and standard error
  double seconds = 0;

  // "SIGSEGV (Segmentation fault)", "exit code 3", "no end within 60 s"; "" where it answered.
  std::string Reason(double limit) const;
};

// States the input that is used next. It is kept outside the process at once, and so survives it.
using State = std::function<void(const std::string&)>;

// Runs `work` in a forked process with a group of its own and waits for it, at most `limit`
// seconds; the group is killed afterwards. What this process has opened and loaded is there from
// the start. Time in which this process, too, stood still (a suspended machine) does not count.
// Must be called while this process has a single thread (aborts else: a fork would leave locks
// behind that nobody opens).
Isolated Isolate(const std::function<std::string(const State&)>& work, double limit);

// Threads of this process.
int ThreadCount();

}  // namespace qatlas::conformance

#endif  // QATLAS_CONFORMANCE_ISOLATE_H_
