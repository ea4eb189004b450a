// Start points of a multi-start search.
#ifndef QATLAS_FRAMEWORK_FIT_STARTS_H_
#define QATLAS_FRAMEWORK_FIT_STARTS_H_

#include <cstdint>
#include <vector>

#include "framework/fit/problem.h"

namespace qatlas::fit {

// The product of the spec's start values over the form's parameters that have free coordinates,
// without storing it. Categories of one parameter start at the same value. With closed_form, linear
// parameters take part with their first value alone, since they are solved for afterwards.
class StartGrid {
 public:
  StartGrid(const Problem& problem, bool closed_form, int64_t limit);

  int64_t size() const { return size_; }
  // Coordinates of a start, [problem.coordinates()].
  std::vector<double> At(int64_t index) const;

 private:
  const Problem& problem_;
  std::vector<std::vector<double>> values_;  // by base parameter; empty where nothing is free
  int64_t product_ = 1;
  int64_t size_ = 1;
};

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_STARTS_H_
