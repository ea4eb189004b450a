// SIGINT and SIGTERM as something that a loop around poll() can see.
#ifndef QATLAS_FRAMEWORK_RUNS_SIGNALS_H_
#define QATLAS_FRAMEWORK_RUNS_SIGNALS_H_

#include <signal.h>

namespace qatlas::runs {

// While one is alive, SIGINT and SIGTERM are counted instead of ending the process; the former
// handlers come back with its end. One at a time.
class StopSignals {
 public:
  // Counts nothing when not `active`.
  explicit StopSignals(bool active);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int fd() const { return fd_; }  // readable when a signal has come; -1 when not active
  void Drain();
  int count() const;  // so far
  int last() const;   // number of the last one; 0: none

 private:
  int fd_ = -1;
  struct sigaction old_int_ = {};
  struct sigaction old_term_ = {};
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_SIGNALS_H_
