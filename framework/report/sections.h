// The sections of a report, each from what an earlier stage wrote.
#ifndef QATLAS_FRAMEWORK_REPORT_SECTIONS_H_
#define QATLAS_FRAMEWORK_REPORT_SECTIONS_H_

#include "framework/observe/table.h"
#include "framework/report/figure.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// Validation loss of the full-precision runs over N and D.
Section LossSection(const observe::Table& observations);

// Recipe, versions, seeds, hardware: `provenance` is an object of texts, numbers and lists of them, one
// level of inner objects deep.
Section ProvenanceSection(const nlohmann::json& provenance);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_SECTIONS_H_
