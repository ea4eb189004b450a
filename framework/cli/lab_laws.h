// The laws that a comparison is asked for, as forms with what is said of their parameters.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_LAWS_H_
#define QATLAS_FRAMEWORK_CLI_LAB_LAWS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/lab.h"
#include "framework/forms/request.h"

namespace qatlas::cli {

struct LabLaw {
  forms::MadeLaw law;
  forms::LawRequest request;  // with all that is said of its parameters
  std::string text;           // forms::LawText of it
};

// Makes every law of the settings for the rows at hand: numeric columns are covariates of formulas,
// and their ranges say where scales start. Errors: those of forms::ReadLaw, all at once, and
// forms::MakeLaw; something said of a parameter that no law has, with the nearest.
absl::StatusOr<std::vector<LabLaw>> MakeLaws(Session& session, const LabSettings& settings,
                                             const observe::Table& rows);

// Whether one of the laws tells quantized rows from those of full precision by itself: it reads
// kQuantized, bits or the QAT fraction, or has a parameter for each category of runs.
bool DescribeBoth(Session& session, const LabSettings& settings);

// One law from its text, without a table.
absl::StatusOr<forms::MadeLaw> LawByText(Session& session, const std::string& text,
                                         const std::string& target);

// What a command line says of parameters, into the settings: --fix A=1, --tie beta=alpha,
// --per k=precision,quantizer (k= for one value), --start A=1,10,100 or A=1..1e4, --bounds a=0..2,
// --positive c. InvalidArgument names the item.
struct ParameterItems {
  std::vector<std::string> fixed, tied, per, start, bounds, positive;
};
absl::Status ReadParameterItems(const ParameterItems& items, LabSettings* settings);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_LAWS_H_
