// Which runs a figure of site statistics shows.
#ifndef QATLAS_FRAMEWORK_REPORT_SITE_GROUPS_H_
#define QATLAS_FRAMEWORK_REPORT_SITE_GROUPS_H_

#include <set>
#include <string>
#include <vector>

#include "framework/observe/table.h"

namespace qatlas::report {

// One of the statistics that are shown.
struct SiteStatistic {
  const char* column;
  const char* title;
  const char* reading;
  const char* axis;
  bool log;
  bool of_noise;  // depends on the quantizer, not on the model alone
};

// Runs that differ in their seed alone.
struct RunGroup {
  std::string label;
  double size = 0;
  double budget = 0;
  std::set<std::string> runs;
};

// The groups of `observations` that a figure of the statistic shows, of runs that `sites` (with a
// column `run`) has the statistic for: in full precision, and labelled so, where it was recorded
// there and does not depend on a quantizer, else quantized. Those of the largest budget of each
// size, small models first; for noise those of the largest size alone; at most six.
std::vector<RunGroup> ShownGroups(const observe::Table& observations, const observe::Table& sites,
                                  const SiteStatistic& statistic);

// NaN of nothing.
double Median(std::vector<double> values);

// "fc2.input"
std::string RoleAndOperand(const observe::Table& sites, size_t row);
// All of a table, in the order of its rows, which is that of execution.
std::vector<std::string> RolesAndOperands(const observe::Table& sites);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_SITE_GROUPS_H_
