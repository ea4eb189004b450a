// The analysis of a recipe's study in a store.
#ifndef QATLAS_FRAMEWORK_CLI_STUDY_H_
#define QATLAS_FRAMEWORK_CLI_STUDY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/cli/analysis.h"
#include "framework/cli/session.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::cli {

// Writes provenance.json into the study's folder: versions of programs and plugins, files of the
// data with their hashes, all that decides the training, seeds, hardware.
absl::Status WriteProvenance(Session& session, const runs::Plan& plan, const runs::Store& store);

// Analyzes what is finished.
absl::StatusOr<Analysis> AnalyzeStudy(Session& session, const runs::Plan& plan,
                                      const runs::Store& store);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_STUDY_H_
