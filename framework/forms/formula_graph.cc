#include "framework/forms/formula_graph.h"

#include <algorithm>
#include <cmath>

#include <qatlas/check.h>

namespace qatlas::forms {
namespace {

using Op = FormulaGraph::Op;
using GraphNode = FormulaGraph::Node;

// x^n of a whole n up to this is a product.
constexpr int kMostFactors = 8;

}  // namespace

int FormulaGraph::Intern(GraphNode node) {
  Key key(node.op, node.value, node.index, node.operands, node.coefficients);
  const auto [at, added] = index_.emplace(std::move(key), size());
  if (added) {
    Derive(&node);
    nodes_.push_back(std::move(node));
  }
  return at->second;
}

void FormulaGraph::Derive(GraphNode* n) const {
  bool all_positive = true;
  bool all_not_negative = true;
  bool any_unbounded = false;
  n->scalar = true;
  for (int id : n->operands) {
    const GraphNode& operand = nodes_[id];
    n->scalar = n->scalar && operand.scalar;
    n->parameters |= operand.parameters;
    all_positive = all_positive && operand.positive;
    all_not_negative = all_not_negative && operand.not_negative;
    any_unbounded = any_unbounded || operand.unbounded;
  }
  switch (n->op) {
    case Op::kConstant:
      n->positive = n->value > 0;
      n->not_negative = n->value >= 0;
      return;
    case Op::kParameter:
      n->parameters = uint64_t{1} << n->index;
      n->positive = n->not_negative = positive_[n->index];
      return;
    case Op::kCovariate:
      n->scalar = false;
      n->not_negative = true;
      n->positive = minimum_[n->index] > 0;
      return;
    case Op::kLogCovariate:
      n->scalar = false;
      n->not_negative = minimum_[n->index] >= 1;
      n->positive = minimum_[n->index] > 1;
      n->unbounded = minimum_[n->index] <= 0;
      return;
    case Op::kSum: {
      n->scalar = false;
      bool any_positive = nodes_[n->operands[0]].positive;
      for (size_t i = 0; i < n->coefficients.size(); ++i) {
        const GraphNode& coefficient = nodes_[n->coefficients[i]];
        n->parameters |= coefficient.parameters;
        all_not_negative = all_not_negative && coefficient.not_negative;
        any_positive =
            any_positive || (coefficient.positive && nodes_[n->operands[i + 1]].positive);
      }
      n->not_negative = all_not_negative;
      n->positive = all_not_negative && any_positive;
      n->unbounded = any_unbounded;
      return;
    }
    case Op::kAdd:
      n->not_negative = all_not_negative;
      n->positive =
          all_not_negative && (nodes_[n->operands[0]].positive || nodes_[n->operands[1]].positive);
      return;
    case Op::kProduct:
      n->unbounded = any_unbounded;
      [[fallthrough]];
    case Op::kMultiply:
    case Op::kInverse:
    case Op::kInverseOrZero:
    case Op::kSqrt:
    case Op::kTanh:
      n->not_negative = all_not_negative;
      n->positive = all_positive && n->op != Op::kInverseOrZero;
      return;
    case Op::kExp:
      n->not_negative = n->positive = true;
      return;
    case Op::kLog:
      n->unbounded = !n->scalar && !all_positive;
      return;
    case Op::kFinite:
      return;
  }
}

int FormulaGraph::Constant(double value) {
  GraphNode node;
  node.value = value == 0 ? 0 : value;  // one zero
  return Intern(std::move(node));
}
int FormulaGraph::Parameter(int index) {
  GraphNode node;
  node.op = Op::kParameter;
  node.index = index;
  return Intern(std::move(node));
}
int FormulaGraph::Covariate(int index) {
  GraphNode node;
  node.op = Op::kCovariate;
  node.index = index;
  return Intern(std::move(node));
}
int FormulaGraph::LogCovariate(int index) {
  GraphNode node;
  node.op = Op::kLogCovariate;
  node.index = index;
  return Intern(std::move(node));
}
int FormulaGraph::Unary(Op op, int a) {
  GraphNode node;
  node.op = op;
  node.operands = {a};
  return Intern(std::move(node));
}

void FormulaGraph::AddTerms(int x, int* offset, Terms* terms) const {
  const GraphNode& n = nodes_[x];
  QATLAS_CHECK(!n.scalar, "terms of a scalar");
  *offset = n.operands[0];
  for (size_t i = 0; i < n.coefficients.size(); ++i) {
    terms->emplace_back(n.coefficients[i], n.operands[i + 1]);
  }
}

int FormulaGraph::MakeSum(int offset, Terms terms) {
  std::sort(terms.begin(), terms.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  Terms merged;
  for (const auto& [coefficient, operand] : terms) {
    if (!merged.empty() && merged.back().second == operand) {
      merged.back().first = Add(merged.back().first, coefficient);
    } else {
      merged.emplace_back(coefficient, operand);
    }
  }
  const int zero = Constant(0);
  const int one = Constant(1);
  GraphNode node;
  node.op = Op::kSum;
  node.operands = {offset};
  for (const auto& [coefficient, operand] : merged) {
    if (coefficient == zero) continue;
    node.coefficients.push_back(coefficient);
    node.operands.push_back(operand);
  }
  if (node.coefficients.empty()) return offset;
  if (node.coefficients.size() == 1 && node.coefficients[0] == one && offset == zero) {
    return node.operands[1];
  }
  return Intern(std::move(node));
}

int FormulaGraph::Add(int a, int b) {
  if (a > b) std::swap(a, b);
  const GraphNode x = nodes_[a];
  const GraphNode y = nodes_[b];
  if (x.scalar && y.scalar) {
    if (x.op == Op::kConstant && y.op == Op::kConstant) return Constant(x.value + y.value);
    if (x.op == Op::kConstant && x.value == 0) return b;
    if (y.op == Op::kConstant && y.value == 0) return a;
    GraphNode node;
    node.op = Op::kAdd;
    node.operands = {a, b};
    return Intern(std::move(node));
  }
  int offset = Constant(0);
  Terms terms;
  for (int id : {a, b}) {
    const GraphNode& n = nodes_[id];
    if (n.scalar) {
      offset = Add(offset, id);
    } else if (n.op == Op::kSum) {
      int own = 0;
      AddTerms(id, &own, &terms);
      offset = Add(offset, own);
    } else {
      terms.emplace_back(Constant(1), id);
    }
  }
  return MakeSum(offset, std::move(terms));
}

std::pair<int, int> FormulaGraph::Split(int x) {
  const int zero = Constant(0);
  const int one = Constant(1);
  const GraphNode& n = nodes_[x];
  if (n.op == Op::kSum && n.coefficients.size() == 1 && n.operands[0] == zero) {
    return {n.coefficients[0], n.operands[1]};
  }
  return {one, x};
}

int FormulaGraph::Multiply(int a, int b) {
  if (a > b) std::swap(a, b);
  if (!nodes_[a].scalar && nodes_[b].scalar) std::swap(a, b);
  if (nodes_[b].op == Op::kConstant) std::swap(a, b);
  const GraphNode x = nodes_[a];
  const GraphNode y = nodes_[b];
  if (x.op == Op::kConstant && x.value == 1) return b;
  if (x.op == Op::kConstant && x.value == 0) return a;
  if (x.scalar && y.scalar) {
    if (x.op == Op::kConstant && y.op == Op::kConstant) return Constant(x.value * y.value);
    // Constants gather in front.
    if (y.op == Op::kMultiply && nodes_[y.operands[0]].op == Op::kConstant) {
      if (x.op == Op::kConstant) {
        return Multiply(Constant(x.value * nodes_[y.operands[0]].value), y.operands[1]);
      }
      return Multiply(y.operands[0], Multiply(a, y.operands[1]));
    }
    if (x.op == Op::kMultiply && nodes_[x.operands[0]].op == Op::kConstant) {
      return Multiply(x.operands[0], Multiply(x.operands[1], b));
    }
    GraphNode node;
    node.op = Op::kMultiply;
    node.operands = {a, b};
    return Intern(std::move(node));
  }
  if (x.scalar) {
    // A sum with kLogOfZero in it stays whole: 0 times it, and its derivative at 0, are 0.
    const bool whole = y.op != Op::kSum || (y.unbounded && nodes_[y.operands[0]].value != 0);
    if (whole) return MakeSum(Constant(0), {{a, b}});
    int offset = 0;
    Terms terms;
    AddTerms(b, &offset, &terms);
    for (auto& [coefficient, operand] : terms) coefficient = Multiply(a, coefficient);
    return MakeSum(Multiply(a, offset), std::move(terms));
  }
  int coefficient = Constant(1);
  int exponent = Constant(0);
  bool exponential = false;
  std::vector<int> factors;
  for (int id : {a, b}) {
    const auto [own, unit] = Split(id);
    coefficient = Multiply(coefficient, own);
    const GraphNode n = nodes_[unit];
    const std::vector<int> parts = n.op == Op::kProduct ? n.operands : std::vector<int>{unit};
    for (int part : parts) {
      if (nodes_[part].op == Op::kExp) {
        exponent = Add(exponent, nodes_[part].operands[0]);
        exponential = true;
        continue;
      }
      // x * 1/x.
      const auto other = std::find_if(factors.begin(), factors.end(), [&](int f) {
        return (nodes_[f].op == Op::kInverse && nodes_[f].operands[0] == part) ||
               (nodes_[part].op == Op::kInverse && nodes_[part].operands[0] == f);
      });
      if (other != factors.end()) {
        factors.erase(other);
      } else {
        factors.push_back(part);
      }
    }
  }
  if (exponential) {
    const int power = Exp(exponent);
    if (nodes_[power].scalar) {
      coefficient = Multiply(coefficient, power);
    } else {
      factors.push_back(power);
    }
  }
  if (factors.empty()) return coefficient;
  std::sort(factors.begin(), factors.end());
  if (factors.size() == 1) return Multiply(coefficient, factors[0]);
  GraphNode node;
  node.op = Op::kProduct;
  node.operands = std::move(factors);
  return Multiply(coefficient, Intern(std::move(node)));
}

int FormulaGraph::Inverse(int a) {
  const GraphNode x = nodes_[a];
  if (x.op == Op::kConstant) return Constant(1 / x.value);
  if (x.op == Op::kInverse) return x.operands[0];
  if (x.op == Op::kExp) return Exp(Negate(x.operands[0]));
  if (x.scalar) return Unary(Op::kInverse, a);
  const auto [coefficient, unit] = Split(a);
  if (unit != a) return Multiply(Inverse(coefficient), Inverse(unit));
  if (x.op == Op::kProduct) {
    // Exponentials and inverses turn around for nothing; the rest is divided by once.
    int result = Constant(1);
    int rest = Constant(1);
    for (int factor : x.operands) {
      const Op op = nodes_[factor].op;
      int& part = op == Op::kExp || op == Op::kInverse ? result : rest;
      part = Multiply(part, op == Op::kExp || op == Op::kInverse ? Inverse(factor) : factor);
    }
    if (rest != a) return Multiply(result, Inverse(rest));
  }
  return Unary(Op::kInverse, a);
}

int FormulaGraph::Power(int base, int exponent) {
  const GraphNode b = nodes_[base];
  const GraphNode e = nodes_[exponent];
  if (e.op == Op::kConstant) {
    if (b.op == Op::kConstant) return Constant(std::pow(b.value, e.value));
    const double n = e.value;
    if (n == std::floor(n) && std::abs(n) <= kMostFactors) {
      if (n < 0) return Inverse(Power(base, Constant(-n)));
      int result = Constant(1);
      for (int i = 0; i < static_cast<int>(n); ++i) result = Multiply(result, base);
      return result;
    }
    if (n == .5) return Sqrt(base);
    if (n == -.5) return Inverse(Sqrt(base));
  }
  return Exp(Multiply(exponent, Log(base)));
}

int FormulaGraph::Exp(int a) {
  const GraphNode& x = nodes_[a];
  if (x.op == Op::kConstant) return Constant(std::exp(x.value));
  if (x.op == Op::kLog) return x.operands[0];
  if (x.op == Op::kLogCovariate) return Covariate(x.index);
  return Unary(Op::kExp, a);
}

int FormulaGraph::Log(int a) {
  const GraphNode x = nodes_[a];
  if (x.op == Op::kConstant && x.value > 0) return Constant(std::log(x.value));
  if (x.op == Op::kExp) return x.operands[0];
  if (x.op == Op::kCovariate) return LogCovariate(x.index);
  if (x.op == Op::kInverse && nodes_[x.operands[0]].not_negative) return Negate(Log(x.operands[0]));
  if (x.scalar) return Unary(Op::kLog, a);
  if (x.op == Op::kSqrt) return Multiply(Constant(.5), Log(x.operands[0]));
  const auto [coefficient, unit] = Split(a);
  if (unit != a && nodes_[coefficient].positive) return Add(Log(coefficient), Log(unit));
  if (x.op == Op::kProduct && x.not_negative) {
    int sum = Constant(0);
    for (int factor : x.operands) sum = Add(sum, Log(factor));
    return sum;
  }
  return Unary(Op::kLog, a);
}

int FormulaGraph::Sqrt(int a) {
  const GraphNode x = nodes_[a];
  if (x.op == Op::kConstant) return Constant(std::sqrt(x.value));
  if (x.op == Op::kExp) return Exp(Multiply(Constant(.5), x.operands[0]));
  return Unary(Op::kSqrt, a);
}

int FormulaGraph::Tanh(int a) {
  if (nodes_[a].op == Op::kConstant) return Constant(std::tanh(nodes_[a].value));
  return Unary(Op::kTanh, a);
}

int FormulaGraph::InverseForDerivative(int a) {
  if (nodes_[a].positive) return Inverse(a);
  if (nodes_[a].op == Op::kConstant)
    return Constant(nodes_[a].value == 0 ? 0 : 1 / nodes_[a].value);
  return Unary(Op::kInverseOrZero, a);
}
int FormulaGraph::Finite(int a) { return nodes_[a].unbounded ? Unary(Op::kFinite, a) : a; }

}  // namespace qatlas::forms
