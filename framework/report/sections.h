// The sections of a report that stand on the observations alone.
#ifndef QATLAS_FRAMEWORK_REPORT_SECTIONS_H_
#define QATLAS_FRAMEWORK_REPORT_SECTIONS_H_

#include <vector>

#include "framework/observe/table.h"
#include "framework/report/figure.h"
#include "framework/report/law_curve.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// Whether a row is a run in full precision: by its scheme, else its part, else its bits.
bool IsFullPrecision(const observe::Table& table, size_t row);

// Validation loss of the full-precision runs over N and D: curves, and the surface. `laws` are
// fitted laws for the loss, best first: the first that can be evaluated in full precision gives
// curves and contours. Empty where no full-precision run has a loss.
Section LossSection(const observe::Table& observations, const std::vector<FittedLaw>& laws);

// Heat maps of site statistics, and how they changed over a training. `sites` is as of
// decompose::AppendSites, `history` as of Inputs::site_history; their runs are looked up in
// `observations`. Empty where nothing was recorded.
Section SitesSection(const observe::Table& observations, const observe::Table& sites,
                     const observe::Table& history);

// Every row, opened by a click.
Section ObservationsSection(const observe::Table& observations);

// Recipe, versions, seeds, hardware: `provenance` is an object of texts, numbers and lists of them,
// with inner objects.
Section ProvenanceSection(const nlohmann::json& provenance);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_SECTIONS_H_
