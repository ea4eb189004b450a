// The tree of a parsed expression; private to the room.
#ifndef QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_TREE_H_
#define QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_TREE_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/observe/expression.h"

namespace qatlas::observe {

struct Expression::Node {
  enum class Op {
    kNumber,
    kText,
    kColumn,
    kOr,
    kAnd,
    kNot,
    kEqual,
    kUnequal,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kNegate,
    kCall,
  };

  Op op;
  size_t position = 0;  // Byte of the text, from 0, at which messages point.
  double number = 0;
  std::string name;  // Text, column or function.
  std::vector<std::unique_ptr<Node>> operands;
};

// InvalidArgument: `message`, the text, and a caret under byte `position`.
absl::Status PointAt(absl::string_view text, size_t position, absl::string_view message);

absl::StatusOr<std::unique_ptr<Expression::Node>> ParseExpression(absl::string_view text);

// The functions, sorted, and the number of operands each takes; 0 for a name that is none.
const std::vector<std::string>& FunctionNames();
size_t OperandsOf(absl::string_view function);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_TREE_H_
