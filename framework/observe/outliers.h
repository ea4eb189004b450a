// Rows that stand apart from their neighbours, before any law is fitted.
#ifndef QATLAS_FRAMEWORK_OBSERVE_OUTLIERS_H_
#define QATLAS_FRAMEWORK_OBSERVE_OUTLIERS_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct Outlier {        // One run.
  size_t row = 0;       // Of the table.
  double value = 0;     // Of the column.
  double expected = 0;  // of the screen's surface
  double score = 0;     // residual of the logarithm over the robust scale
};

struct OutlierScreen {            // What was found.
  std::vector<Outlier> outliers;  // by descending |score|; at most `shown`
  size_t count = 0;               // of all beyond the threshold
  size_t screened = 0;            // rows that could be judged: finite, above 0, in a group of three
  double scale = kMissing;        // robust standard deviation of ln value
  std::string reason;             // why nothing could be screened; empty otherwise
};

// ln value = an intercept for each group of rows that agree in texts, bits and granularity + a
// quadratic in ln N, ln D and ln G (those that vary, without the terms that the rows cannot tell
// apart), fitted by iterated reweighting (Huber, then Tukey's bisquare); a row is flagged beyond
// `threshold` robust standard deviations (1.4826 · median |residual|, corrected for the
// parameters). A screen: a row that it flags deserves a look, no more. NotFound for an absent
// column.
absl::StatusOr<OutlierScreen> ScreenOutliers(const Table& table, const std::string& value,
                                             double threshold = 6, size_t shown = 10);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_OUTLIERS_H_
