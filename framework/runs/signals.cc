#include "framework/runs/signals.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// What a handler may touch.
volatile sig_atomic_t signal_count = 0;
volatile sig_atomic_t signal_last = 0;
volatile sig_atomic_t signal_fd = -1;

void OnSignal(int number) {
  const int saved = errno;
  signal_count = signal_count + 1;
  signal_last = number;
  const uint64_t one = 1;
  const ssize_t ignored = write(signal_fd, &one, sizeof(one));
  (void)ignored;
  errno = saved;
}

}  // namespace

StopSignals::StopSignals(bool active) {
  if (!active) return;
  QATLAS_CHECK(signal_fd == -1, "two sweeps handle signals at once");
  signal_count = 0;
  signal_last = 0;
  fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  QATLAS_CHECK(fd_ >= 0, "no eventfd");
  signal_fd = fd_;
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

StopSignals::~StopSignals() {
  if (fd_ < 0) return;
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  signal_fd = -1;
  close(fd_);
}

void StopSignals::Drain() {
  uint64_t value;
  if (fd_ >= 0) {
    const ssize_t ignored = read(fd_, &value, sizeof(value));
    (void)ignored;
  }
}

int StopSignals::count() const { return fd_ >= 0 ? signal_count : 0; }
int StopSignals::last() const { return fd_ >= 0 ? signal_last : 0; }

}  // namespace qatlas::runs
