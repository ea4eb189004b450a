// Site statistics over the tokens of a training.
#ifndef QATLAS_FRAMEWORK_REPORT_SITE_TREND_H_
#define QATLAS_FRAMEWORK_REPORT_SITE_TREND_H_

#include "framework/observe/table.h"
#include "framework/report/figure.h"
#include "framework/report/site_groups.h"

namespace qatlas::report {

// The statistic against tokens, a panel for each of ShownGroups() and a line for each role and
// operand: median over blocks and seeds. `history` has the columns run, tokens, block, role,
// operand and the statistic's. Without traces where no group was measured more than once.
Figure SiteTrend(const observe::Table& observations, const observe::Table& history,
                 const SiteStatistic& statistic);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_SITE_TREND_H_
