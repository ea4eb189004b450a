#include "framework/observe/expression.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/expression_tree.h"
#include "framework/observe/names.h"

namespace qatlas::observe {
namespace {

using Node = Expression::Node;
using Op = Node::Op;
using Kind = Expression::Kind;

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kNumber:
      return "a number";
    case Kind::kText:
      return "a text";
    default:
      return "a condition";
  }
}

// An expression with its columns found and its kinds checked, ready to compute rows.
class Bound {
 public:
  static absl::StatusOr<Bound> Make(const std::string& text, const Node& root, const Table& table) {
    Bound bound(text, table);
    absl::StatusOr<Kind> kind = bound.Check(root);
    if (!kind.ok()) return kind.status();
    bound.kind_ = *kind;
    return bound;
  }

  Kind kind() const { return kind_; }

  double Number(const Node& node, size_t row) const {
    switch (node.op) {
      case Op::kNumber:
        return node.number;
      case Op::kColumn:
        return (*numbers_.at(&node))[row];
      case Op::kAdd:
        return Number(node, 0, row) + Number(node, 1, row);
      case Op::kSubtract:
        return Number(node, 0, row) - Number(node, 1, row);
      case Op::kMultiply:
        return Number(node, 0, row) * Number(node, 1, row);
      case Op::kDivide:
        return Number(node, 0, row) / Number(node, 1, row);
      case Op::kPower: {
        const double base = Number(node, 0, row), exponent = Number(node, 1, row);
        // pow(1, NaN) and pow(NaN, 0) are 1 in C; a missing value stays missing here.
        return std::isnan(base) || std::isnan(exponent) ? kMissing : std::pow(base, exponent);
      }
      case Op::kNegate:
        return -Number(node, 0, row);
      default:
        return Call(node, row);
    }
  }

  std::string Text(const Node& node, size_t row) const {
    switch (node.op) {
      case Op::kText:
        return node.name;
      case Op::kColumn:
        return std::string((*texts_.at(&node))[row]);
      case Op::kAdd:
        return Text(*node.operands[0], row) + Text(*node.operands[1], row);
      default:
        break;
    }
    if (node.name == "if") {
      return Text(*node.operands[Condition(*node.operands[0], row) ? 1 : 2], row);
    }
    return FormatNumber(Number(node, 0, row));  // text(number)
  }

  bool Condition(const Node& node, size_t row) const {
    const auto operand = [&](int i) -> const Node& { return *node.operands[i]; };
    switch (node.op) {
      case Op::kOr:
        return Condition(operand(0), row) || Condition(operand(1), row);
      case Op::kAnd:
        return Condition(operand(0), row) && Condition(operand(1), row);
      case Op::kNot:
        return !Condition(operand(0), row);
      case Op::kCall:
        break;
      default:
        return Compare(node, row);
    }
    if (node.name == "if") return Condition(operand(Condition(operand(0), row) ? 1 : 2), row);
    if (node.name == "contains") {
      return absl::StrContains(Text(operand(0), row), Text(operand(1), row));
    }
    // missing(x)
    return kinds_.at(&operand(0)) == Kind::kText ? Text(operand(0), row).empty()
                                                 : std::isnan(Number(operand(0), row));
  }

 private:
  Bound(const std::string& text, const Table& table) : text_(&text), table_(&table) {}

  absl::Status Error(const Node& node, absl::string_view message) const {
    return PointAt(*text_, node.position, message);
  }

  absl::Status Expect(const Node& node, Kind wanted, absl::string_view by) const {
    const Kind kind = kinds_.at(&node);
    if (kind == wanted) return absl::OkStatus();
    std::string hint;
    if (node.op == Op::kColumn && wanted == Kind::kNumber) hint = " (a column of texts)";
    return Error(node, absl::StrCat(by, " needs ", KindName(wanted), ", but this is ",
                                    KindName(kind), hint));
  }

  absl::StatusOr<Kind> Check(const Node& node) {
    for (const std::unique_ptr<Node>& operand : node.operands) {
      absl::StatusOr<Kind> kind = Check(*operand);
      if (!kind.ok()) return kind;
    }
    absl::StatusOr<Kind> kind = CheckNode(node);
    if (kind.ok()) kinds_[&node] = *kind;
    return kind;
  }

  absl::Status ExpectAll(const Node& node, Kind wanted, absl::string_view by) const {
    for (const std::unique_ptr<Node>& operand : node.operands) {
      absl::Status status = Expect(*operand, wanted, by);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Kind> CheckNode(const Node& node) {
    absl::Status status;
    const auto kind_of = [&](int i) { return kinds_.at(node.operands[i].get()); };
    switch (node.op) {
      case Op::kNumber:
        return Kind::kNumber;
      case Op::kText:
        return Kind::kText;
      case Op::kColumn:
        if (const std::vector<double>* numbers = table_->FindNumbers(node.name)) {
          numbers_[&node] = numbers;
          return Kind::kNumber;
        }
        if (const TextColumn* texts = table_->FindTexts(node.name)) {
          texts_[&node] = texts;
          return Kind::kText;
        }
        return absl::NotFoundError(
            PointAt(*text_, node.position, table_->NoSuchColumn(node.name).message()).message());
      case Op::kOr:
      case Op::kAnd:
      case Op::kNot:
        status = ExpectAll(node, Kind::kCondition, "logic");
        if (!status.ok()) return status;
        return Kind::kCondition;
      case Op::kEqual:
      case Op::kUnequal:
        if (kind_of(0) == Kind::kCondition) return Expect(*node.operands[0], Kind::kNumber, "==");
        if (kind_of(0) != kind_of(1)) {
          return Error(node, absl::StrCat("this compares ", KindName(kind_of(0)), " with ",
                                          KindName(kind_of(1)),
                                          "; texts stand in quotes, text(x) makes a text of x"));
        }
        return Kind::kCondition;
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        status = ExpectAll(node, Kind::kNumber, "the comparison");
        if (!status.ok()) return status;
        return Kind::kCondition;
      case Op::kAdd:
        if (kind_of(0) == Kind::kText && kind_of(1) == Kind::kText) return Kind::kText;
        if ((kind_of(0) == Kind::kText) != (kind_of(1) == Kind::kText)) {
          return Error(node, "+ needs two numbers or two texts; text(x) makes a text of a number");
        }
        [[fallthrough]];
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kPower:
      case Op::kNegate:
        status = ExpectAll(node, Kind::kNumber, "arithmetic");
        if (!status.ok()) return status;
        return Kind::kNumber;
      case Op::kCall:
        return CheckCall(node);
    }
    return Error(node, "unknown operator");
  }

  absl::StatusOr<Kind> CheckCall(const Node& node) const {
    absl::Status status;
    if (node.name == "if") {
      status = Expect(*node.operands[0], Kind::kCondition, "if");
      if (!status.ok()) return status;
      const Kind kind = kinds_.at(node.operands[1].get());
      status = Expect(*node.operands[2], kind, "if, like its other branch,");
      if (!status.ok()) return status;
      return kind;
    }
    if (node.name == "contains") {
      status = ExpectAll(node, Kind::kText, node.name);
      if (!status.ok()) return status;
      return Kind::kCondition;
    }
    if (node.name == "missing") {
      if (kinds_.at(node.operands[0].get()) == Kind::kCondition) {
        return Error(*node.operands[0],
                     "missing needs a number or a text, but this is a condition");
      }
      return Kind::kCondition;
    }
    status = ExpectAll(node, Kind::kNumber, node.name);
    if (!status.ok()) return status;
    return node.name == "text" ? Kind::kText : Kind::kNumber;
  }

  double Number(const Node& node, int operand, size_t row) const {
    return Number(*node.operands[operand], row);
  }

  double Call(const Node& node, size_t row) const {
    const std::string& name = node.name;
    if (name == "if") {
      return Number(*node.operands[Condition(*node.operands[0], row) ? 1 : 2], row);
    }
    const double x = Number(node, 0, row);
    if (name == "log") return std::log(x);
    if (name == "log2") return std::log2(x);
    if (name == "log10") return std::log10(x);
    if (name == "exp") return std::exp(x);
    if (name == "sqrt") return std::sqrt(x);
    if (name == "abs") return std::abs(x);
    if (name == "floor") return std::floor(x);
    if (name == "ceil") return std::ceil(x);
    if (name == "round") return std::round(x);
    const double y = Number(node, 1, row);
    if (std::isnan(x) || std::isnan(y)) return kMissing;
    return name == "min" ? std::min(x, y) : std::max(x, y);
  }

  bool Compare(const Node& node, size_t row) const {
    if (kinds_.at(node.operands[0].get()) == Kind::kText) {
      const bool same = Text(*node.operands[0], row) == Text(*node.operands[1], row);
      return same == (node.op == Op::kEqual);
    }
    const double a = Number(node, 0, row), b = Number(node, 1, row);
    switch (node.op) {
      case Op::kEqual:
        return a == b;
      case Op::kUnequal:
        return a < b || a > b;  // False for a missing value.
      case Op::kLess:
        return a < b;
      case Op::kLessEqual:
        return a <= b;
      case Op::kGreater:
        return a > b;
      default:
        return a >= b;
    }
  }

  const std::string* text_;
  const Table* table_;
  Kind kind_ = Kind::kNumber;
  absl::flat_hash_map<const Node*, Kind> kinds_;
  absl::flat_hash_map<const Node*, const std::vector<double>*> numbers_;
  absl::flat_hash_map<const Node*, const TextColumn*> texts_;
};

absl::StatusOr<Bound> BindAs(const std::string& text, const Node& root, const Table& table,
                             Kind wanted) {
  absl::StatusOr<Bound> bound = Bound::Make(text, root, table);
  if (bound.ok() && bound->kind() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' must be ", KindName(wanted),
                                                   ", but is ", KindName(bound->kind())));
  }
  return bound;
}

void CollectColumns(const Node& node, std::vector<std::string>& columns) {
  if (node.op == Op::kColumn &&
      std::find(columns.begin(), columns.end(), node.name) == columns.end()) {
    columns.push_back(node.name);
  }
  for (const std::unique_ptr<Node>& operand : node.operands) CollectColumns(*operand, columns);
}

}  // namespace

absl::StatusOr<Expression> Expression::Parse(absl::string_view text) {
  absl::StatusOr<std::unique_ptr<Node>> root = ParseExpression(text);
  if (!root.ok()) return root.status();
  Expression expression;
  expression.text_ = std::string(text);
  expression.root_ = *std::move(root);
  return expression;
}

std::vector<std::string> Expression::Columns() const {
  std::vector<std::string> columns;
  CollectColumns(*root_, columns);
  return columns;
}

absl::StatusOr<Expression::Kind> Expression::Check(const Table& table) const {
  absl::StatusOr<Bound> bound = Bound::Make(text_, *root_, table);
  if (!bound.ok()) return bound.status();
  return bound->kind();
}

absl::StatusOr<std::vector<double>> Expression::Numbers(const Table& table) const {
  absl::StatusOr<Bound> bound = BindAs(text_, *root_, table, Kind::kNumber);
  if (!bound.ok()) return bound.status();
  std::vector<double> values(table.rows());
  for (size_t row = 0; row < values.size(); ++row) values[row] = bound->Number(*root_, row);
  return values;
}

absl::StatusOr<TextColumn> Expression::Texts(const Table& table) const {
  absl::StatusOr<Bound> bound = BindAs(text_, *root_, table, Kind::kText);
  if (!bound.ok()) return bound.status();
  TextColumn values;
  values.Reserve(table.rows());
  for (size_t row = 0; row < table.rows(); ++row) values.Append(bound->Text(*root_, row));
  return values;
}

absl::StatusOr<std::vector<bool>> Expression::Conditions(const Table& table) const {
  absl::StatusOr<Bound> bound = BindAs(text_, *root_, table, Kind::kCondition);
  if (!bound.ok()) return bound.status();
  std::vector<bool> values(table.rows());
  for (size_t row = 0; row < values.size(); ++row) values[row] = bound->Condition(*root_, row);
  return values;
}

absl::StatusOr<Table> Where(const Table& table, absl::string_view condition) {
  absl::StatusOr<Expression> expression = Expression::Parse(condition);
  if (!expression.ok()) return expression.status();
  absl::StatusOr<std::vector<bool>> keep = expression->Conditions(table);
  if (!keep.ok()) return keep.status();
  return table.Filter([&](size_t row) { return (*keep)[row]; });
}

}  // namespace qatlas::observe
