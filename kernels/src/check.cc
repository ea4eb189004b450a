#include "check.h"

#include <cstdio>
#include <cstdlib>

namespace qatlas::kernels::internal {

void Fail(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: qatlas kernels: %s\n", file, line, what);
  std::abort();
}

}  // namespace qatlas::kernels::internal
