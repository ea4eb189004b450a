// Components with one fault each, and the checks that must see it.
#ifndef QATLAS_TESTS_SDK_CONFORMANCE_TORCH_DEFECT_H_
#define QATLAS_TESTS_SDK_CONFORMANCE_TORCH_DEFECT_H_

#include <set>
#include <string>
#include <vector>

#include "qatlas/abi.h"

namespace qatlas::conformance::testing {

struct Defect {
  qatlas_component component;
  // Names of the checks that fail. More than one where a fault cannot be had alone; the comment at
  // the fault says why.
  std::set<std::string> checks;
};

// The first ones have no fault.
std::vector<Defect> QuantizerDefects();
std::vector<Defect> OperatorDefects();
std::vector<Defect> ModelDefects();

}  // namespace qatlas::conformance::testing

#endif  // QATLAS_TESTS_SDK_CONFORMANCE_TORCH_DEFECT_H_
