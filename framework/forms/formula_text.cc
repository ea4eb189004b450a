#include "framework/forms/formula_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/plugin/nearest.h"

namespace qatlas::forms {
namespace {

using Kind = FormulaNode::Kind;

// Deeper trees than any formula has, and shallower than a stack.
constexpr int kMaxDepth = 200;

struct Token {
  enum class Type { kNumber, kName, kSign, kEnd };
  Type type = Type::kEnd;
  std::string text;  // of a sign: one of + - * / ^ ( ) , =
  double number = 0;
  size_t at = 0;
};

bool IsLetter(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Signs that are more than one byte, and what they mean.
constexpr std::pair<absl::string_view, absl::string_view> kLongSigns[] = {
    {"**", "^"}, {"×", "*"}, {"·", "*"}, {"⋅", "*"}, {"−", "-"}};
constexpr absl::string_view kShortSigns = "+-*/^(),=[]";

absl::StatusOr<std::vector<Token>> Tokens(absl::string_view text) {
  std::vector<Token> tokens;
  size_t at = 0;
  const auto long_sign = [&]() -> const std::pair<absl::string_view, absl::string_view>* {
    for (const auto& sign : kLongSigns) {
      if (text.substr(at, sign.first.size()) == sign.first) return &sign;
    }
    return nullptr;
  };
  while (at < text.size()) {
    if (absl::ascii_isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    Token token;
    token.at = at;
    if (const auto* sign = long_sign(); sign != nullptr) {
      token.type = Token::Type::kSign;
      token.text = std::string(sign->second);
      at += sign->first.size();
    } else if (kShortSigns.find(text[at]) != absl::string_view::npos) {
      token.type = Token::Type::kSign;
      token.text = text[at] == '[' ? "(" : text[at] == ']' ? ")" : std::string(1, text[at]);
      ++at;
    } else if (IsDigit(text[at]) || text[at] == '.') {
      token.type = Token::Type::kNumber;
      const auto [end, error] =
          std::from_chars(text.data() + at, text.data() + text.size(), token.number);
      if (error != std::errc() || !std::isfinite(token.number)) {
        return FormulaError(text, at, "this is no number");
      }
      at = static_cast<size_t>(end - text.data());
      if (at < text.size() && (IsLetter(text[at]) || text[at] == '.') && !long_sign()) {
        return FormulaError(text, at, "a number must be followed by an operation, such as '*'");
      }
    } else if (IsLetter(text[at])) {
      token.type = Token::Type::kName;
      const size_t begin = at;
      while (at < text.size() && (IsLetter(text[at]) || IsDigit(text[at])) && !long_sign()) ++at;
      token.text = std::string(text.substr(begin, at - begin));
    } else {
      return FormulaError(text, at, absl::StrCat("'", text.substr(at, 1), "' has no meaning here"));
    }
    tokens.push_back(std::move(token));
  }
  Token end;
  end.at = text.size();
  tokens.push_back(end);
  return tokens;
}

class Parser {
 public:
  Parser(absl::string_view text, std::vector<Token> tokens)
      : text_(text), tokens_(std::move(tokens)) {}

  absl::StatusOr<FormulaText> Parse() {
    FormulaText formula;
    formula.text = std::string(text_);
    size_t right = 0;
    if (tokens_[0].type == Token::Type::kName && tokens_[1].text == "=") {
      formula.left = tokens_[0].text;
      right = tokens_[1].at + 1;
      next_ = 2;
    } else {
      for (const Token& token : tokens_) {
        if (token.text == "=") {
          return FormulaError(text_, 0,
                              "left of '=' must stand one name: the target, such as L or delta");
        }
      }
    }
    formula.right = std::string(absl::StripAsciiWhitespace(text_.substr(right)));
    std::replace_if(
        formula.right.begin(), formula.right.end(),
        [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }, ' ');
    auto root = Sum();
    if (!root.has_value()) return status_;
    if (Peek().type != Token::Type::kEnd) {
      const Token& token = Peek();
      if (token.text == ")") Fail(token.at, "this parenthesis was never opened");
      if (token.text == "=") Fail(token.at, "a formula has one '=' only");
      if (token.text == ",") Fail(token.at, "a comma parts the arguments of pow only");
      if (status_.ok()) Fail(token.at, "an operation is missing before this, such as '*'");
      return status_;
    }
    formula.root = *std::move(root);
    return formula;
  }

 private:
  using Result = std::optional<FormulaNode>;

  const Token& Peek() const { return tokens_[next_]; }
  bool Take(absl::string_view sign) {
    if (Peek().type != Token::Type::kSign || Peek().text != sign) return false;
    ++next_;
    return true;
  }
  // Keeps the first error.
  Result Fail(size_t at, absl::string_view what) {
    if (status_.ok()) status_ = FormulaError(text_, at, what);
    return std::nullopt;
  }
  static FormulaNode Make(Kind kind, size_t at, std::vector<FormulaNode> operands) {
    FormulaNode node;
    node.kind = kind;
    node.at = at;
    node.operands = std::move(operands);
    return node;
  }
  static FormulaNode Number(double number, size_t at) {
    FormulaNode node;
    node.number = number;
    node.at = at;
    return node;
  }

  Result Sum() {
    if (++depth_ > kMaxDepth) return Fail(Peek().at, "the formula is nested too deeply");
    Result left = Product();
    while (left.has_value()) {
      const size_t at = Peek().at;
      const Kind kind = Peek().text == "+" ? Kind::kAdd : Kind::kSubtract;
      if (!Take("+") && !Take("-")) break;
      Result right = Product();
      if (!right.has_value()) return right;
      left = Make(kind, at, {*std::move(left), *std::move(right)});
    }
    --depth_;
    return left;
  }
  Result Product() {
    Result left = Signed();
    while (left.has_value()) {
      const size_t at = Peek().at;
      const Kind kind = Peek().text == "*" ? Kind::kMultiply : Kind::kDivide;
      if (!Take("*") && !Take("/")) break;
      Result right = Signed();
      if (!right.has_value()) return right;
      left = Make(kind, at, {*std::move(left), *std::move(right)});
    }
    return left;
  }
  Result Signed() {
    if (++depth_ > kMaxDepth) return Fail(Peek().at, "the formula is nested too deeply");
    const size_t at = Peek().at;
    const bool minus = Take("-");
    Result result = minus || Take("+") ? Signed() : Power();
    --depth_;
    if (!minus || !result.has_value()) return result;
    if (result->kind == Kind::kNumber) return Number(-result->number, at);
    return Make(Kind::kNegate, at, {*std::move(result)});
  }
  Result Power() {
    Result base = Primary();
    const size_t at = Peek().at;
    if (!base.has_value() || !Take("^")) return base;
    Result exponent = Signed();
    if (!exponent.has_value()) return exponent;
    return Make(Kind::kPower, at, {*std::move(base), *std::move(exponent)});
  }
  Result Primary() {
    const Token token = Peek();
    if (token.type == Token::Type::kNumber) {
      ++next_;
      return Number(token.number, token.at);
    }
    if (token.type == Token::Type::kName) {
      ++next_;
      return Peek().text == "(" || IsFunction(token.text) ? Call(token) : Symbol(token);
    }
    if (Take("(")) {
      Result inside = Sum();
      if (!inside.has_value()) return inside;
      if (!Take(")")) {
        if (Peek().type == Token::Type::kEnd) Fail(token.at, "this parenthesis is never closed");
        return Fail(Peek().at, "an operation or ')' is missing before this");
      }
      return inside;
    }
    if (token.type == Token::Type::kEnd) {
      return Fail(token.at, next_ == 0 ? "the formula is empty"
                                       : "the formula ends where a number, a name or '(' must be");
    }
    return Fail(token.at,
                absl::StrCat("a number, a name or '(' must stand here, not '", token.text, "'"));
  }
  static Result Symbol(const Token& token) {
    FormulaNode node;
    node.kind = Kind::kSymbol;
    node.symbol = token.text;
    node.at = token.at;
    return node;
  }

  static const std::vector<std::string>& Functions() {
    static const auto* names =
        new std::vector<std::string>{"exp", "log", "ln", "log2", "log10", "sqrt", "tanh", "pow"};
    return *names;
  }
  static bool IsFunction(const std::string& name) {
    return std::find(Functions().begin(), Functions().end(), name) != Functions().end();
  }

  Result Call(const Token& function) {
    if (!IsFunction(function.text)) {
      if (function.text == "min" || function.text == "max" || function.text == "abs") {
        return Fail(function.at,
                    absl::StrCat("'", function.text,
                                 "' has a kink, where a fit has no derivative; take a "
                                 "smooth form, such as log(1 + exp(x)) for max(0, x)"));
      }
      return Fail(function.at, absl::StrCat("there is no function '", function.text, "'",
                                            plugin::NearestHint(function.text, Functions()),
                                            "; a product needs '*'"));
    }
    std::vector<FormulaNode> arguments;
    if (Take("(")) {
      do {
        Result argument = Sum();
        if (!argument.has_value()) return argument;
        arguments.push_back(*std::move(argument));
      } while (Take(","));
      if (!Take(")")) return Fail(Peek().at, "')' is missing before this");
    } else {
      // log2 G: one name or number, and nothing that could belong to either side.
      const Token& token = Peek();
      const bool name = token.type == Token::Type::kName && !IsFunction(token.text);
      if (!name && token.type != Token::Type::kNumber) {
        return Fail(token.at, absl::StrCat("'", function.text, "' needs '(' and an argument"));
      }
      Result argument = Primary();
      if (!argument.has_value()) return argument;
      if (Peek().text == "^") {
        return Fail(Peek().at, absl::StrCat("what is raised here? Write ", function.text,
                                            "(x)^y or ", function.text, "(x^y)"));
      }
      arguments.push_back(*std::move(argument));
    }
    const size_t wanted = function.text == "pow" ? 2 : 1;
    if (arguments.size() != wanted) {
      return Fail(function.at, absl::StrCat("'", function.text, "' takes ", wanted,
                                            wanted == 1 ? " argument" : " arguments", ", not ",
                                            arguments.size()));
    }
    if (function.text == "pow") return Make(Kind::kPower, function.at, std::move(arguments));
    if (function.text == "log10") {
      FormulaNode log = Make(Kind::kLog, function.at, std::move(arguments));
      return Make(Kind::kDivide, function.at,
                  {std::move(log), Number(std::log(10.0), function.at)});
    }
    const Kind kind = function.text == "exp"    ? Kind::kExp
                      : function.text == "log2" ? Kind::kLog2
                      : function.text == "sqrt" ? Kind::kSqrt
                      : function.text == "tanh" ? Kind::kTanh
                                                : Kind::kLog;
    return Make(kind, function.at, std::move(arguments));
  }

  absl::string_view text_;
  std::vector<Token> tokens_;
  size_t next_ = 0;
  int depth_ = 0;
  absl::Status status_;
};

void Visit(const FormulaNode& node, std::vector<const FormulaNode*>* symbols) {
  if (node.kind == Kind::kSymbol) symbols->push_back(&node);
  for (const FormulaNode& operand : node.operands) Visit(operand, symbols);
}

}  // namespace

std::vector<std::string> FormulaText::Symbols() const {
  std::vector<const FormulaNode*> nodes;
  Visit(root, &nodes);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const auto* a, const auto* b) { return a->at < b->at; });
  std::vector<std::string> names;
  for (const FormulaNode* node : nodes) {
    if (std::find(names.begin(), names.end(), node->symbol) == names.end()) {
      names.push_back(node->symbol);
    }
  }
  return names;
}

size_t FormulaText::Position(absl::string_view symbol) const {
  std::vector<const FormulaNode*> nodes;
  Visit(root, &nodes);
  size_t at = text.size();
  for (const FormulaNode* node : nodes) {
    if (node->symbol == symbol) at = std::min(at, node->at);
  }
  return at;
}

absl::StatusOr<FormulaText> ParseFormulaText(absl::string_view text) {
  auto tokens = Tokens(text);
  if (!tokens.ok()) return tokens.status();
  return Parser(text, *std::move(tokens)).Parse();
}

absl::Status FormulaError(absl::string_view text, size_t at, absl::string_view what) {
  // One line, with the caret counted in characters, not bytes.
  std::string line(text);
  for (char& c : line) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) c = ' ';
  }
  size_t column = 0;
  for (size_t i = 0; i < std::min(at, text.size()); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) ++column;
  }
  return absl::InvalidArgumentError(absl::StrCat("formula: character ", column + 1, ": ", what,
                                                 "\n  ", line, "\n  ", std::string(column, ' '),
                                                 "^"));
}

std::string ShortestNumber(double number) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof(digits), number);
  return std::string(digits, result.ptr);
}

}  // namespace qatlas::forms
