// Sums of a law of the loss and one of δ, fitted in two stages.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_STAGES_H_
#define QATLAS_FRAMEWORK_CLI_LAB_STAGES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/lab.h"
#include "framework/fit/stages.h"

namespace qatlas::cli {

struct StagedLaw {
  std::string name;
  std::string text;  // forms::LawText
  fit::StagedFit fit;
  observe::Table rows;             // that both stages chose from
  std::vector<std::string> notes;  // rows left out and why
};

// Every law of the settings, all of which must be sums and their target the loss. Errors: those of
// forms::SplitSum, fit::FitInStages and ChooseRows.
absl::StatusOr<std::vector<StagedLaw>> RunStages(Session& session, const observe::Table& table,
                                                 const LabSettings& settings);

// As two comparisons those settings that ask for stages: the laws of the loss on full-precision
// rows, and those of δ on pairs, each law once. Their names end in "-base" and "-delta".
absl::StatusOr<std::vector<LabSettings>> StagesApart(Session& session,
                                                     const std::vector<LabSettings>& fits,
                                                     const observe::Table& table);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_STAGES_H_
