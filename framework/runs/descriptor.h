// A file descriptor that closes itself.
#ifndef QATLAS_FRAMEWORK_RUNS_DESCRIPTOR_H_
#define QATLAS_FRAMEWORK_RUNS_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace qatlas::runs {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  int Release() { return std::exchange(fd, -1); }
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_DESCRIPTOR_H_
