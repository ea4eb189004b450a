// Small expressions over the columns of a table: "flop / (6*params)", "bits == 4 && kind != 'fp'".
#ifndef QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_H_
#define QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

// A parsed expression. From loosest to tightest:
//   ||   &&   == != < <= > >= (no chains)   + -   * /   unary - !   ^ (right to left)
// Operands: numbers (1e9, .5), texts in ' or " (no escapes), columns by name (letters, digits, _
// and .; any other name in backquotes), calls:
//   log log2 log10 exp sqrt abs floor ceil round (number) -> number; min max (number, number) ->
//   number if(condition, a, b) -> kind of a and b; missing(x) -> condition; contains(text, text) ->
//   condition; text(number) -> text, shortest digits.
// + also joins two texts. Kinds are checked before any row is computed: nothing is converted
// silently. A missing number (NaN) stays missing through arithmetic; every comparison with it is
// false, `!=` too, so that a row never passes a filter for want of a value.
class Expression {
 public:
  // InvalidArgument with the position and a caret under the character.
  static absl::StatusOr<Expression> Parse(absl::string_view text);

  const std::string& text() const { return text_; }  // As parsed.
  // Columns used, each once, in order of appearance.
  std::vector<std::string> Columns() const;
  // Kind of the result on this table: number, text or condition. NotFound with nearest names for
  // a column the table lacks, InvalidArgument for a wrong kind, both with a caret.
  enum class Kind { kNumber, kText, kCondition };
  absl::StatusOr<Kind> Check(const Table& table) const;  // no row is computed

  // One result a row, [table.rows()]. InvalidArgument when the result is of another kind. Division
  // by zero and logarithms of negative numbers follow IEEE 754.
  absl::StatusOr<std::vector<double>> Numbers(const Table& table) const;
  absl::StatusOr<TextColumn> Texts(const Table& table) const;
  absl::StatusOr<std::vector<bool>> Conditions(const Table& table) const;

  struct Node;  // Defined in expression_tree.h.

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

// The rows for which the condition holds.
absl::StatusOr<Table> Where(const Table& table, absl::string_view condition);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_EXPRESSION_H_
