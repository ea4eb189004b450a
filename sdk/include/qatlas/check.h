// QATLAS_CHECK: aborts loudly on a bug of ours. What a user can cause returns absl::Status instead.
#ifndef QATLAS_CHECK_H_
#define QATLAS_CHECK_H_

#include <cstdio>
#include <cstdlib>
// Aborts with the place where a condition that only a bug can break does not hold.
#define QATLAS_CHECK(condition, message)                                                          \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      std::fprintf(stderr, "%s:%d: bug: %s (%s)\n", __FILE__, __LINE__, message, #condition);     \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)

// Returns the status of an expression from the enclosing function unless it is OK.
#define QATLAS_RETURN_IF_ERROR(expression)            \
  do {                                                \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define QATLAS_CONCAT_INNER(a, b) a##b  // of QATLAS_CONCAT
#define QATLAS_CONCAT(a, b) QATLAS_CONCAT_INNER(a, b)  // one name of two

// QATLAS_ASSIGN_OR_RETURN(auto x, F()): takes the value of a StatusOr or returns its status.
#define QATLAS_ASSIGN_OR_RETURN(declaration, expression) \
  QATLAS_ASSIGN_OR_RETURN_(QATLAS_CONCAT(status_or_, __LINE__), declaration, expression)
#define QATLAS_ASSIGN_OR_RETURN_(temporary, declaration, expression) \
  auto temporary = (expression);                                     \
  if (!temporary.ok()) return std::move(temporary).status();         \
  declaration = std::move(temporary).value()

#endif  // QATLAS_CHECK_H_
