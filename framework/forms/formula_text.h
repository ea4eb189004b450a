// The text of a formula and its tree: "L = E + A/N^a + B/D^b".
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_TEXT_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_TEXT_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace qatlas::forms {

struct FormulaNode {  // A node of the tree.
  enum class Kind {   // Operations.
    kNumber,
    kSymbol,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kNegate,
    kExp,
    kLog,
    kLog2,
    kSqrt,
    kTanh,
  };
  Kind kind = Kind::kNumber;          // of the operation
  double number = 0;                  // kNumber
  std::string symbol;                 // kSymbol
  std::vector<FormulaNode> operands;  // left to right
  size_t at = 0;                      // byte of the text where it (an operation: its sign) stands
};

struct FormulaText {  // A formula, parsed.
  std::string text;   // as given
  std::string left;   // what stands left of '='; empty where there is no '='
  std::string right;  // the rest, without spaces around it
  FormulaNode root;   // of the right side

  // Names on the right side, each once, in order of appearance.
  std::vector<std::string> Symbols() const;
  // Where a symbol stands first.
  size_t Position(absl::string_view symbol) const;
};

// From loosest to tightest: + -, * /, unary minus and plus, ^ (from right to left; also written
// **). Functions: exp, log = ln, log2, log10, sqrt, tanh of one argument, pow of two; a name or a
// number may follow a function without parentheses (log2 G). Brackets stand for parentheses. Names:
// letters (Greek ones too), digits and _, not beginning with a digit. × · and − are * * and -.
// Errors: InvalidArgument with the line and a caret under the character.
absl::StatusOr<FormulaText> ParseFormulaText(absl::string_view text);

// InvalidArgument: "formula: what", the text, and a caret below byte `at` of it.
absl::Status FormulaError(absl::string_view text, size_t at, absl::string_view what);

// The shortest digits that read back as the same double.
std::string ShortestNumber(double number);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_TEXT_H_
