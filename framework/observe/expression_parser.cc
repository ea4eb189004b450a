#include <charconv>
#include <cmath>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/expression_tree.h"
#include "framework/observe/names.h"

namespace qatlas::observe {
namespace {

using Node = Expression::Node;
using Op = Node::Op;
using Result = absl::StatusOr<std::unique_ptr<Node>>;

// Deeper nesting is refused: the parser and the evaluation recurse.
constexpr int kMaxDepth = 100;
constexpr size_t kMaxLength = 4096;

struct Function {
  const char* name;
  size_t operands;
};
constexpr Function kFunctions[] = {
    {"abs", 1}, {"ceil", 1},    {"contains", 2}, {"exp", 1},  {"floor", 1},
    {"if", 3},  {"log", 1},     {"log10", 1},    {"log2", 1}, {"max", 2},
    {"min", 2}, {"missing", 1}, {"round", 1},    {"sqrt", 1}, {"text", 1},
};

struct Operator {
  const char* text;
  Op op;
};
// One level a row, loosest first; longer spellings before their prefixes.
constexpr Operator kOr[] = {{"||", Op::kOr}};
constexpr Operator kAnd[] = {{"&&", Op::kAnd}};
constexpr Operator kCompare[] = {{"==", Op::kEqual},     {"!=", Op::kUnequal},
                                 {"<=", Op::kLessEqual}, {">=", Op::kGreaterEqual},
                                 {"<", Op::kLess},       {">", Op::kGreater}};
constexpr Operator kSum[] = {{"+", Op::kAdd}, {"-", Op::kSubtract}};
constexpr Operator kProduct[] = {{"*", Op::kMultiply}, {"/", Op::kDivide}};
const absl::Span<const Operator> kLevels[] = {kOr, kAnd, kCompare, kSum, kProduct};
constexpr size_t kCompareLevel = 2;

std::unique_ptr<Node> Make(Op op, size_t position) {
  auto node = std::make_unique<Node>();
  node->op = op;
  node->position = position;
  return node;
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  Result Parse() {
    SkipBlanks();
    if (at_ >= text_.size()) return Error(0, "the expression is empty");
    if (text_.size() > kMaxLength) {
      return absl::InvalidArgumentError(absl::StrCat("the expression has ", text_.size(),
                                                     " characters; at most ", kMaxLength,
                                                     " are allowed"));
    }
    Result root = Level(0);
    if (!root.ok()) return root;
    SkipBlanks();
    if (at_ < text_.size()) return Error(at_, Unexpected());
    return root;
  }

 private:
  absl::Status Error(size_t position, absl::string_view message) const {
    return PointAt(text_, position, message);
  }

  void SkipBlanks() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }

  bool Take(absl::string_view token) {
    SkipBlanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  std::string Unexpected() const {
    const char c = text_[at_];
    if (c == '=') return "a single '='; equality is written ==";
    if (c == '&' || c == '|')
      return absl::StrCat("a single '", std::string(1, c), "'; write it twice");
    if (c == ')') return "')' without '('";
    return absl::StrCat("an operator or the end is expected before '", std::string(1, c), "'");
  }

  const Operator* TakeOperator(absl::Span<const Operator> operators) {
    for (const Operator& candidate : operators) {
      if (Take(candidate.text)) return &candidate;
    }
    return nullptr;
  }

  // Binary operators, left to right.
  Result Level(size_t level) {
    if (level == std::size(kLevels)) return Unary();
    Result left = Level(level + 1);
    if (!left.ok()) return left;
    bool compared = false;
    // Each turn makes the tree one deeper on its left.
    for (int turns = 0;; ++turns) {
      SkipBlanks();
      const size_t position = at_;
      const Operator* found = TakeOperator(kLevels[level]);
      if (found == nullptr) return left;
      if (compared) return Error(position, "comparisons cannot be chained; join two with &&");
      if (turns >= kMaxDepth)
        return Error(position, "too many operators in a row; use parentheses");
      compared = level == kCompareLevel;
      Result right = Level(level + 1);
      if (!right.ok()) return right;
      std::unique_ptr<Node> node = Make(found->op, position);
      node->operands.push_back(*std::move(left));
      node->operands.push_back(*std::move(right));
      left = std::move(node);
    }
  }

  Result Unary() {
    SkipBlanks();
    const size_t position = at_;
    if (++depth_ > kMaxDepth) return Error(position, "the expression is nested too deeply");
    const bool negate = Take("-");
    // "!=" cannot begin an operand, so that '!' alone is meant.
    const bool invert = !negate && Take("!");
    Result result = negate || invert ? Unary() : Power();
    --depth_;
    if (!result.ok() || !(negate || invert)) return result;
    std::unique_ptr<Node> node = Make(negate ? Op::kNegate : Op::kNot, position);
    node->operands.push_back(*std::move(result));
    return node;
  }

  Result Power() {
    Result base = Operand();
    if (!base.ok()) return base;
    SkipBlanks();
    const size_t position = at_;
    if (!Take("^")) return base;
    Result exponent = Unary();  // Right to left, and 2^-1 is allowed.
    if (!exponent.ok()) return exponent;
    std::unique_ptr<Node> node = Make(Op::kPower, position);
    node->operands.push_back(*std::move(base));
    node->operands.push_back(*std::move(exponent));
    return node;
  }

  Result Operand() {
    SkipBlanks();
    const size_t position = at_;
    if (at_ >= text_.size()) return Error(position, "an operand is missing at the end");
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      Result inner = Level(0);
      if (!inner.ok()) return inner;
      if (!Take(")")) return Error(position, "this '(' is never closed");
      return inner;
    }
    if (absl::ascii_isdigit(c) || c == '.') return Number();
    if (c == '\'' || c == '"' || c == '`') {
      const size_t end = text_.find(c, at_ + 1);
      if (end == absl::string_view::npos) return Error(position, "this quote never ends");
      std::unique_ptr<Node> node = Make(c == '`' ? Op::kColumn : Op::kText, position);
      node->name = std::string(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return node;
    }
    if (absl::ascii_isalpha(c) || c == '_') return Name();
    return Error(position, absl::StrCat("a number, text, column or '(' is expected, not '",
                                        std::string(1, c), "'"));
  }

  Result Number() {
    std::unique_ptr<Node> node = Make(Op::kNumber, at_);
    const char* begin = text_.data() + at_;
    const std::from_chars_result result =
        std::from_chars(begin, text_.data() + text_.size(), node->number);
    if (result.ec != std::errc()) return Error(at_, "this is no number");
    at_ += static_cast<size_t>(result.ptr - begin);
    if (at_ < text_.size() &&
        (absl::ascii_isalnum(text_[at_]) || text_[at_] == '_' || text_[at_] == '.')) {
      return Error(at_, "a number ends here; a product is written with *");
    }
    return node;
  }

  Result Name() {
    const size_t position = at_;
    while (at_ < text_.size() &&
           (absl::ascii_isalnum(text_[at_]) || text_[at_] == '_' || text_[at_] == '.')) {
      ++at_;
    }
    std::unique_ptr<Node> node = Make(Op::kColumn, position);
    node->name = std::string(text_.substr(position, at_ - position));
    if (!Take("(")) return node;
    node->op = Op::kCall;
    const size_t wanted = OperandsOf(node->name);
    if (wanted == 0) {
      return Error(position, absl::StrCat("no function '", node->name, "'",
                                          Suggest(node->name, FunctionNames())));
    }
    if (!Take(")")) {
      do {
        Result operand = Level(0);
        if (!operand.ok()) return operand;
        node->operands.push_back(*std::move(operand));
      } while (Take(","));
      SkipBlanks();
      if (!Take(")"))
        return Error(at_, absl::StrCat("')' is expected, to close ", node->name, "("));
    }
    if (node->operands.size() != wanted) {
      return Error(position, absl::StrCat(node->name, " takes ", wanted, " operand",
                                          wanted == 1 ? "" : "s", ", not ", node->operands.size()));
    }
    return node;
  }

  absl::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::Status PointAt(absl::string_view text, size_t position, absl::string_view message) {
  // Line ends would tear the caret from its character.
  std::string line(text);
  for (char& c : line) {
    if (absl::ascii_isspace(c)) c = ' ';
  }
  return absl::InvalidArgumentError(absl::StrCat("character ", position + 1, ": ", message, "\n  ",
                                                 line, "\n  ", std::string(position, ' '), "^"));
}

const std::vector<std::string>& FunctionNames() {
  static const auto& names = *new std::vector<std::string>([] {
    std::vector<std::string> all;
    for (const Function& function : kFunctions) all.emplace_back(function.name);
    return all;
  }());
  return names;
}

size_t OperandsOf(absl::string_view function) {
  for (const Function& candidate : kFunctions) {
    if (function == candidate.name) return candidate.operands;
  }
  return 0;
}

absl::StatusOr<std::unique_ptr<Node>> ParseExpression(absl::string_view text) {
  return Parser(text).Parse();
}

}  // namespace qatlas::observe
