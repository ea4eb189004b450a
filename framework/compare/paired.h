// Means of paired differences whose terms may err together.
#ifndef QATLAS_FRAMEWORK_COMPARE_PAIRED_H_
#define QATLAS_FRAMEWORK_COMPARE_PAIRED_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/observe/table.h"

namespace qatlas::compare {

// For each row of a table the cluster that it is in: one vector for every way to cluster.
using Clusterings = std::vector<std::vector<int>>;

// Rows that agree in the columns, as one way; no columns: none. NotFound for an absent column.
absl::StatusOr<std::vector<int>> ClustersOf(const observe::Table& table,
                                            const std::vector<std::string>& columns);

struct PairedMean {
  double mean = 0;
  double standard_error = 0;
  double p = 1;  // two-sided, Student's t with clusters - 1 degrees of freedom; 1 where unknown
  int64_t count = 0;
  double design_effect = 1;  // squared standard error over that of independent terms
};

// Mean of `values` over their finite terms. rows[i] is the row of the table that values[i] belongs
// to. The standard error is the largest of those that take terms of one row as one draw, and of
// each clustering: with S_g the sum of deviations from the mean within a cluster and G clusters,
// se² = G/(G - 1) sum S_g² / n².
PairedMean MeanOfPairs(const std::vector<double>& values, const std::vector<size_t>& rows,
                       const Clusterings& clusterings);
// The same with values by row of the table.
PairedMean MeanOfPairs(const std::vector<double>& values, const Clusterings& clusterings);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_PAIRED_H_
