#include "framework/fit/loss.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/names.h"

namespace qatlas::fit {

std::string Loss::Name() const {
  std::string name = space == Space::kLog ? "log-" : "";
  if (shape == Shape::kHuber) return absl::StrCat(name, "huber(", delta, ")");
  if (shape == Shape::kStudentT) return absl::StrCat(name, "student-t(", nu, ")");
  return name + "least-squares";
}

std::vector<std::string> LossNames() {
  return {"least-squares", "huber", "student-t", "log-least-squares", "log-huber", "log-student-t"};
}

absl::StatusOr<Loss> LossByName(absl::string_view name) {
  if (name == "least-squares") return Loss{Space::kLinear, Shape::kSquare};
  if (name == "huber") return Loss{Space::kLinear, Shape::kHuber};
  if (name == "student-t") return Loss{Space::kLinear, Shape::kStudentT};
  if (name == "log-least-squares") return Loss{Space::kLog, Shape::kSquare};
  if (name == "log-huber") return Loss{Space::kLog, Shape::kHuber};
  if (name == "log-student-t") return Loss{Space::kLog, Shape::kStudentT};
  return absl::NotFoundError(absl::StrCat("no loss '", name, "'",
                                          observe::Suggest(name, LossNames()),
                                          "; there are: ", absl::StrJoin(LossNames(), ", ")));
}

absl::StatusOr<NonPositive> NonPositiveByName(absl::string_view name) {
  for (NonPositive policy : {NonPositive::kRefuse, NonPositive::kDrop, NonPositive::kLinear}) {
    if (name == Name(policy)) return policy;
  }
  return absl::NotFoundError(absl::StrCat("no policy '", name,
                                          "' for targets of 0 or less; there are: refuse, drop, "
                                          "linear"));
}

const char* Name(NonPositive policy) {
  switch (policy) {
    case NonPositive::kDrop:
      return "drop";
    case NonPositive::kLinear:
      return "linear";
    case NonPositive::kRefuse:
      break;
  }
  return "refuse";
}

}  // namespace qatlas::fit
