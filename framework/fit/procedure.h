// Ways to fit that have a name.
#ifndef QATLAS_FRAMEWORK_FIT_PROCEDURE_H_
#define QATLAS_FRAMEWORK_FIT_PROCEDURE_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/fit/fit.h"

namespace qatlas::fit {

struct Procedure {      // A published way to fit.
  std::string name;     // "hoffmann", ...
  std::string meaning;  // one sentence
  Loss loss;            // minimized
  FitOptions options;   // of the search
};

// "default"    log-huber; linear parameters in closed form, the starts screened, the best searched.
// "projected"  the same with variable projection inside the searches.
// "hoffmann"   Hoffmann et al. 2022 as Besiroglu et al. 2024 (arXiv 2404.10102) repeated it: Huber
// of
//              1e-3 on the logarithm of the loss, every start of the form's whole grid (4,500 for
//              chinchilla) run to its local optimum.
// NotFound with the list of names.
absl::StatusOr<Procedure> ProcedureByName(absl::string_view name);
std::vector<std::string> ProcedureNames();

// "own"; "projected" (variable projection); "every-start" (the whole grid, each start searched);
// "lbfgs" and "slsqp" for FitOptions::local; "mlsl", "crs2" and "isres" for FitOptions::global with
// the own local search after it. "own" leaves the options as they are. NotFound with the list.
absl::Status SetSearch(absl::string_view name, FitOptions* options);
std::vector<std::string> SearchNames();

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PROCEDURE_H_
