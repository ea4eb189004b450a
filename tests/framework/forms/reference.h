// A formula's tree walked in long double: what values and derivatives are held against.
#ifndef QATLAS_TESTS_FRAMEWORK_FORMS_REFERENCE_H_
#define QATLAS_TESTS_FRAMEWORK_FORMS_REFERENCE_H_

#include <cmath>
#include <map>
#include <string>

#include "framework/forms/formula_text.h"

namespace qatlas::testing {

inline long double ReferenceValue(const forms::FormulaNode& node,
                                  const std::map<std::string, long double>& symbols) {
  using Kind = forms::FormulaNode::Kind;
  const auto x = [&](size_t i) { return ReferenceValue(node.operands[i], symbols); };
  switch (node.kind) {
    case Kind::kNumber:
      return node.number;
    case Kind::kSymbol:
      return symbols.at(node.symbol);
    case Kind::kAdd:
      return x(0) + x(1);
    case Kind::kSubtract:
      return x(0) - x(1);
    case Kind::kMultiply:
      return x(0) * x(1);
    case Kind::kDivide:
      return x(0) / x(1);
    case Kind::kPower:
      return std::pow(x(0), x(1));
    case Kind::kNegate:
      return -x(0);
    case Kind::kExp:
      return std::exp(x(0));
    case Kind::kLog:
      return std::log(x(0));
    case Kind::kLog2:
      return std::log2(x(0));
    case Kind::kSqrt:
      return std::sqrt(x(0));
    case Kind::kTanh:
      return std::tanh(x(0));
  }
  return 0;
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_FRAMEWORK_FORMS_REFERENCE_H_
