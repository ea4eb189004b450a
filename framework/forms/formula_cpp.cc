// A formula's tree as C++ over the types of dual.h.
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/forms/formula_names.h"
#include "framework/forms/formula_project.h"

namespace qatlas::forms {
namespace {

using Kind = FormulaNode::Kind;

// How tightly a piece of code holds together.
enum Strength { kSum, kProduct, kUnary, kAtom };
// What its type is: a double, a Covariate, or a Dual.
enum class Type { kDouble, kCovariate, kDual };

struct Fragment {
  std::string text;
  Strength strength = kAtom;
  Type type = Type::kDouble;
  std::string At(Strength least) const {
    return strength >= least ? text : absl::StrCat("(", text, ")");
  }
};

class Writer {
 public:
  explicit Writer(const LawSpec& spec) : spec_(spec) {}

  Fragment Write(const FormulaNode& node) {
    if (const auto number = Number(node)) return Literal(*number);
    switch (node.kind) {
      case Kind::kSymbol:
        return {CppName(node.symbol), kAtom,
                spec_.ParameterIndex(node.symbol) >= 0 ? Type::kDual : Type::kCovariate};
      case Kind::kAdd:
        return Binary(node, " + ", kSum, kSum);
      case Kind::kSubtract:
        return Binary(node, " - ", kSum, kProduct);
      case Kind::kMultiply:
        return Binary(node, " * ", kProduct, kProduct);
      case Kind::kDivide:
        return Divide(node);
      case Kind::kNegate: {
        const Fragment x = Write(node.operands[0]);
        return {absl::StrCat("-", x.At(kAtom)), kUnary, Arithmetic(x.type, x.type)};
      }
      case Kind::kPower:
        return Power(Write(node.operands[0]), node.operands[0], node.operands[1], false);
      case Kind::kExp:
        return Call("Exp", Write(node.operands[0]));
      case Kind::kTanh:
        return Call("Tanh", Write(node.operands[0]));
      case Kind::kSqrt: {
        const Fragment x = Write(node.operands[0]);
        return x.type == Type::kDual ? Fragment{absl::StrCat("Sqrt(", x.text, ")"), kAtom, x.type}
                                     : Fragment{absl::StrCat("std::sqrt(double(", x.text, "))")};
      }
      case Kind::kLog:
      case Kind::kLog2: {
        const Fragment x = Write(node.operands[0]);
        const bool two = node.kind == Kind::kLog2;
        if (x.type == Type::kCovariate) {
          // log2 of a covariate may be raised to a power in turn.
          return {absl::StrCat(two ? "Log2(" : "Log(", x.text, ")"), kAtom,
                  two ? Type::kCovariate : Type::kDouble};
        }
        Fragment log = Call("Log", x);
        if (!two) return log;
        return {absl::StrCat("qatlas::vector_math::kInverseLn2 * ", log.text), kProduct, log.type};
      }
      default:
        return {};
    }
  }

 private:
  static Type Arithmetic(Type a, Type b) {
    return a == Type::kDual || b == Type::kDual ? Type::kDual : Type::kDouble;
  }

  // The value of what holds no symbol.
  static std::optional<double> Number(const FormulaNode& node) {
    if (node.kind == Kind::kNumber) return node.number;
    if (node.kind == Kind::kSymbol) return std::nullopt;
    std::vector<double> x;
    for (const FormulaNode& operand : node.operands) {
      const auto value = Number(operand);
      if (!value) return std::nullopt;
      x.push_back(*value);
    }
    switch (node.kind) {
      case Kind::kAdd:
        return x[0] + x[1];
      case Kind::kSubtract:
        return x[0] - x[1];
      case Kind::kMultiply:
        return x[0] * x[1];
      case Kind::kDivide:
        return x[0] / x[1];
      case Kind::kPower:
        return std::pow(x[0], x[1]);
      case Kind::kNegate:
        return -x[0];
      case Kind::kExp:
        return std::exp(x[0]);
      case Kind::kLog:
        return std::log(x[0]);
      case Kind::kLog2:
        return std::log2(x[0]);
      case Kind::kSqrt:
        return std::sqrt(x[0]);
      case Kind::kTanh:
        return std::tanh(x[0]);
      default:
        return std::nullopt;
    }
  }
  static Fragment Literal(double number) {
    return {CppNumber(number), number < 0 ? kUnary : kAtom, Type::kDouble};
  }

  // Functions that numbers and Duals have alike; numbers' stand in vector_math.
  static Fragment Call(const char* function, const Fragment& x) {
    const bool dual = x.type == Type::kDual;
    return {absl::StrCat(dual ? "" : "qatlas::vector_math::", function, "(", x.text, ")"), kAtom,
            dual ? Type::kDual : Type::kDouble};
  }

  Fragment Binary(const FormulaNode& node, const char* sign, Strength own, Strength right) {
    const Fragment a = Write(node.operands[0]);
    const Fragment b = Write(node.operands[1]);
    return {absl::StrCat(a.At(own), sign, b.At(right)), own, Arithmetic(a.type, b.type)};
  }

  Fragment Divide(const FormulaNode& node) {
    const FormulaNode& below = node.operands[1];
    const Fragment a = Write(node.operands[0]);
    if (below.kind == Kind::kPower && !Number(below.operands[1])) {
      // x / y^a as x * y^-a, which saves a division.
      const Fragment power =
          Power(Write(below.operands[0]), below.operands[0], below.operands[1], true);
      return {absl::StrCat(a.At(kProduct), " * ", power.At(kUnary)), kProduct,
              Arithmetic(a.type, power.type)};
    }
    const Fragment b = Write(below);
    return {absl::StrCat(a.At(kProduct), " / ", b.At(kUnary)), kProduct,
            Arithmetic(a.type, b.type)};
  }

  Fragment Power(const Fragment& base, const FormulaNode& base_node, const FormulaNode& exponent,
                 bool inverse) {
    if (const auto number = Number(exponent)) return ConstantPower(base, *number);
    Fragment e = Write(exponent);
    if (inverse) e = {absl::StrCat("-", e.At(kAtom)), kUnary, Arithmetic(e.type, e.type)};
    if (const auto number = Number(base_node)) {
      const std::string log =
          *number == 2 ? "qatlas::vector_math::kLn2" : CppNumber(std::log(*number));
      return Call("Exp", {absl::StrCat(log, " * ", e.At(kUnary)), kProduct, e.type});
    }
    // Pow takes a Covariate or a Dual below, a number or a Dual above.
    std::string above = e.text;
    if (e.type == Type::kCovariate) above = absl::StrCat(e.text, ".value");
    return {absl::StrCat("Pow(", Base(base), ", ", above, ")"), kAtom,
            Arithmetic(base.type, e.type)};
  }
  static std::string Base(const Fragment& base) {
    return base.type == Type::kDouble
               ? absl::StrCat("qatlas::formula::Covariate::Of(", base.text, ")")
               : base.text;
  }
  static Fragment ConstantPower(const Fragment& base, double n) {
    constexpr int kMostFactors = 8;
    const Type type = Arithmetic(base.type, base.type);
    if (n == std::floor(n) && std::abs(n) <= kMostFactors) {
      if (n == 0) return Literal(1);
      std::string product = base.At(kAtom);
      for (int i = 1; i < std::abs(static_cast<int>(n)); ++i) {
        absl::StrAppend(&product, " * ", base.At(kAtom));
      }
      const Strength strength = std::abs(n) == 1 ? kAtom : kProduct;
      if (n > 0) return {product, strength, n == 1 ? base.type : type};
      return {absl::StrCat("1.0 / ", Fragment{product, strength, type}.At(kAtom)), kProduct, type};
    }
    return {absl::StrCat("Pow(", Base(base), ", ", CppNumber(n), ")"), kAtom, type};
  }

  const LawSpec& spec_;
};

}  // namespace

std::string CppName(const std::string& name) {
  static const auto* taken = new std::set<std::string>{
      "alignas",   "alignof",  "and",      "asm",      "auto",     "bool",       "break",
      "case",      "catch",    "char",     "class",    "const",    "constexpr",  "continue",
      "decltype",  "default",  "delete",   "do",       "double",   "else",       "enum",
      "explicit",  "export",   "extern",   "false",    "float",    "for",        "friend",
      "goto",      "if",       "inline",   "int",      "long",     "mutable",    "namespace",
      "new",       "noexcept", "not",      "nullptr",  "operator", "or",         "private",
      "protected", "public",   "register", "requires", "return",   "short",      "signed",
      "sizeof",    "static",   "struct",   "switch",   "template", "this",       "throw",
      "true",      "try",      "typedef",  "typename", "union",    "unsigned",   "using",
      "virtual",   "void",     "volatile", "while",    "xor",      "covariates", "parameters",
      "X",         "P",        "Exp",      "Log",      "Log2",     "Pow",        "Sqrt",
      "Tanh",      "qatlas",   "std"};
  return taken->count(name) != 0 ? absl::StrCat(name, "_") : name;
}

std::string CppNumber(double number) {
  if (std::isinf(number)) return number > 0 ? "qatlas::kNoBound" : "-qatlas::kNoBound";
  std::string text = ShortestNumber(number);
  if (text.find_first_of(".e") == std::string::npos) absl::StrAppend(&text, ".0");
  return text;
}

std::string FormulaAsCpp(const FormulaText& text, const LawSpec& spec) {
  return Writer(spec).Write(text.root).text;
}

}  // namespace qatlas::forms
