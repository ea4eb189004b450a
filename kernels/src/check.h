// QATLAS_KERNELS_CHECK: aborts with a message when a caller breaks a kernel's requirements.
#ifndef QATLAS_KERNELS_SRC_CHECK_H_
#define QATLAS_KERNELS_SRC_CHECK_H_

namespace qatlas::kernels::internal {

[[noreturn]] void Fail(const char* file, int line, const char* what);

}  // namespace qatlas::kernels::internal

#define QATLAS_KERNELS_CHECK(condition, what)                      \
  do {                                                             \
    if (!(condition)) [[unlikely]] {                               \
      ::qatlas::kernels::internal::Fail(__FILE__, __LINE__, what); \
    }                                                              \
  } while (false)

#endif  // QATLAS_KERNELS_SRC_CHECK_H_
