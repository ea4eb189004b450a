// Law forms for files that name them: formulas, so that no plugin is opened.
#ifndef QATLAS_TESTS_FUZZ_LAWS_H_
#define QATLAS_TESTS_FUZZ_LAWS_H_

#include <map>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "framework/forms/formula.h"
#include "framework/forms/request.h"

namespace qatlas::fuzz {

inline absl::StatusOr<forms::MadeLaw> MakeLaw(const std::string& name) {
  static const auto* forms = new std::map<std::string, std::shared_ptr<const LawForm>>{
      {"chinchilla", forms::MakeFormulaLaw("loss = E + A/N^alpha + B/D^beta")->form},
      {"qat", forms::MakeFormulaLaw("delta = k * N^-a * D^b * log2(G)^c")->form}};
  const auto found = forms->find(name);
  if (found != forms->end()) {
    forms::MadeLaw law;
    law.name = name;
    law.form = found->second;
    return law;
  }
  return absl::NotFoundError(absl::StrCat("there is no law '", name, "'"));
}

}  // namespace qatlas::fuzz

#endif  // QATLAS_TESTS_FUZZ_LAWS_H_
