// Statistics of single sites, gathered from many runs into one table.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_SITES_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_SITES_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::decompose {

// Appends the sites of one run to `table`. `text` is a JSON array of objects, or an object that
// holds it as "sites" and may say the "step":
//   {"site": "3.fc2.input", "kurtosis": 5.1, "max_to_median": 24.0, "snr_db": 19.3}
// A site is <block>.<role>.<operand> or <block>.<role>.e<expert>.<operand>; an object may have
// "block", "role", "operand" and "expert" beside "site" (then they must agree) or instead of it.
// Its other numbers are kept as columns of their names; null is missing. The table gets columns
// run, site, block, role, operand, expert, step (where given) and the statistics.
// InvalidArgument with all problems as "file: element i: ..." (from 0); nothing is appended then.
absl::Status AppendSites(absl::string_view text, const std::string& file, const std::string& run,
                         observe::Table& table);

// Reads such a file and appends it. Of JSON lines (.jsonl) the last line counts: the end of the
// run.
absl::Status AppendSitesFile(const std::string& path, const std::string& run,
                             observe::Table& table);

// One row a group of `by` (role and operand by default) with `sites` (their number) and, for every
// statistic, its median, least and greatest value as <name>, <name>_min and <name>_max; missing
// where no site of the group has it.
absl::StatusOr<observe::Table> SummarizeSites(const observe::Table& sites,
                                              absl::Span<const std::string> by = {});

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_SITES_H_
