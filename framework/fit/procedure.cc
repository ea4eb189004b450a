#include "framework/fit/procedure.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/names.h"

namespace qatlas::fit {
namespace {

std::vector<Procedure> Procedures() {
  const Loss log_huber = LossByName("log-huber").value();
  FitOptions projected;
  projected.projected = true;
  return {
      {"default", "Huber on the logarithm; starts screened, the best of them searched", log_huber,
       FitOptions()},
      {"projected", "the default with linear parameters projected out inside the searches",
       log_huber, projected},
      {"hoffmann",
       "Hoffmann et al. 2022 as Besiroglu et al. 2024 state it: Huber of 1e-3 on the logarithm, "
       "every start of the whole grid searched",
       log_huber, FitOptions::EveryStart()},
  };
}

struct NamedSearch {
  const char* name;
  void (*set)(FitOptions* options);
};
constexpr NamedSearch kSearches[] = {
    {"own", [](FitOptions*) {}},
    {"projected", [](FitOptions* options) { options->projected = true; }},
    {"every-start",
     [](FitOptions* options) {
       const FitOptions every = FitOptions::EveryStart();
       options->closed_form = every.closed_form;
       options->searched = every.searched;
     }},
    {"lbfgs", [](FitOptions* options) { options->local = LocalSearch::kNloptLbfgs; }},
    {"slsqp", [](FitOptions* options) { options->local = LocalSearch::kNloptSlsqp; }},
    {"mlsl", [](FitOptions* options) { options->global = GlobalSearch::kMlsl; }},
    {"crs2", [](FitOptions* options) { options->global = GlobalSearch::kCrs2; }},
    {"isres", [](FitOptions* options) { options->global = GlobalSearch::kIsres; }},
};

absl::Status Unknown(const char* what, absl::string_view name,
                     const std::vector<std::string>& names) {
  return absl::NotFoundError(absl::StrCat("no ", what, " '", name, "'",
                                          observe::Suggest(name, names),
                                          "; there are: ", absl::StrJoin(names, ", ")));
}

}  // namespace

std::vector<std::string> ProcedureNames() {
  std::vector<std::string> names;
  for (const Procedure& procedure : Procedures()) names.push_back(procedure.name);
  return names;
}

absl::StatusOr<Procedure> ProcedureByName(absl::string_view name) {
  std::vector<Procedure> procedures = Procedures();
  for (Procedure& procedure : procedures) {
    if (procedure.name == name) return std::move(procedure);
  }
  return Unknown("procedure", name, ProcedureNames());
}

std::vector<std::string> SearchNames() {
  std::vector<std::string> names;
  for (const NamedSearch& search : kSearches) names.push_back(search.name);
  return names;
}

absl::Status SetSearch(absl::string_view name, FitOptions* options) {
  for (const NamedSearch& search : kSearches) {
    if (name != search.name) continue;
    search.set(options);
    return absl::OkStatus();
  }
  return Unknown("search", name, SearchNames());
}

}  // namespace qatlas::fit
