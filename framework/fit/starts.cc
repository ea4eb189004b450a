#include "framework/fit/starts.h"

#include <algorithm>
#include <cmath>

namespace qatlas::fit {

StartGrid::StartGrid(const Problem& problem, bool closed_form, int64_t limit) : problem_(problem) {
  const std::vector<LawParameter>& parameters = problem.form().Spec().parameters;
  values_.resize(parameters.size());
  for (int c = 0; c < problem.coordinates(); ++c) {
    const Parameter& coordinate = problem.coordinate(c);
    std::vector<double>& values = values_[coordinate.base];
    if (!values.empty()) continue;
    values = parameters[coordinate.base].starts;
    if (closed_form && coordinate.linear) values.resize(1);
    product_ *= static_cast<int64_t>(values.size());
  }
  size_ = std::min(product_, limit);
}

std::vector<double> StartGrid::At(int64_t index) const {
  // Evenly spread over the product where that is larger than the limit.
  int64_t rest = size_ == product_
                     ? index
                     : static_cast<int64_t>(static_cast<__int128>(index) * product_ / size_);
  std::vector<double> base(values_.size(), 0.0);
  for (size_t b = values_.size(); b-- > 0;) {
    if (values_[b].empty()) continue;
    const int64_t count = static_cast<int64_t>(values_[b].size());
    base[b] = values_[b][rest % count];
    rest /= count;
  }
  std::vector<double> coordinates(problem_.coordinates());
  for (int c = 0; c < problem_.coordinates(); ++c) {
    const double value = base[problem_.coordinate(c).base];
    coordinates[c] = problem_.coordinate(c).log ? std::log(value) : value;
  }
  return coordinates;
}

}  // namespace qatlas::fit
