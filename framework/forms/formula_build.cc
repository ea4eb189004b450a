// From the tree of a formula to its graph, and the graph's derivatives.
#include <cmath>
#include <iterator>

#include <qatlas/check.h>
#include <qatlas/vector_math.h>

#include "framework/forms/formula_graph.h"

namespace qatlas::forms {

namespace {

using Op = FormulaGraph::Op;
using GraphNode = FormulaGraph::Node;

}  // namespace

std::vector<int> FormulaGraph::Derivatives(int root, int count) {
  std::map<int, int> adjoints = {{root, Constant(1)}};
  std::vector<int> result(count, Constant(0));
  const auto accumulate = [&](int id, int adjoint) {
    if (nodes_[id].parameters == 0) return;
    const auto [at, added] = adjoints.emplace(id, adjoint);
    if (!added) at->second = Add(at->second, adjoint);
  };
  // Operands have smaller numbers than what is made of them.
  while (!adjoints.empty()) {
    const auto last = std::prev(adjoints.end());
    const auto [id, adjoint] = *last;
    adjoints.erase(last);
    const GraphNode n = nodes_[id];
    switch (n.op) {
      case Op::kConstant:
      case Op::kCovariate:
      case Op::kLogCovariate:
        break;
      case Op::kParameter:
        result[n.index] = adjoint;
        break;
      case Op::kAdd:
        accumulate(n.operands[0], adjoint);
        accumulate(n.operands[1], adjoint);
        break;
      case Op::kMultiply:
        accumulate(n.operands[0], Multiply(adjoint, n.operands[1]));
        accumulate(n.operands[1], Multiply(adjoint, n.operands[0]));
        break;
      case Op::kSum:
        accumulate(n.operands[0], adjoint);
        for (size_t i = 0; i < n.coefficients.size(); ++i) {
          if (nodes_[n.coefficients[i]].parameters != 0) {
            accumulate(n.coefficients[i], Multiply(adjoint, Finite(n.operands[i + 1])));
          }
          if (nodes_[n.operands[i + 1]].parameters != 0) {
            accumulate(n.operands[i + 1], Multiply(adjoint, n.coefficients[i]));
          }
        }
        break;
      case Op::kProduct:
        for (size_t i = 0; i < n.operands.size(); ++i) {
          if (nodes_[n.operands[i]].parameters == 0) continue;
          int others = adjoint;
          for (size_t k = 0; k < n.operands.size(); ++k) {
            if (k != i) others = Multiply(others, Finite(n.operands[k]));
          }
          accumulate(n.operands[i], others);
        }
        break;
      case Op::kExp:
        accumulate(n.operands[0], Multiply(adjoint, id));
        break;
      case Op::kLog:
        accumulate(n.operands[0], Multiply(adjoint, InverseForDerivative(n.operands[0])));
        break;
      case Op::kInverse:
        accumulate(n.operands[0], Multiply(adjoint, Negate(Multiply(id, id))));
        break;
      case Op::kSqrt:
        accumulate(n.operands[0],
                   Multiply(adjoint, Multiply(Constant(.5), InverseForDerivative(id))));
        break;
      case Op::kTanh:
        accumulate(n.operands[0], Multiply(adjoint, Add(Constant(1), Negate(Multiply(id, id)))));
        break;
      case Op::kInverseOrZero:
      case Op::kFinite:
        QATLAS_CHECK(false, "a derivative of a derivative");
    }
  }
  return result;
}

absl::StatusOr<int> BuildFormula(const FormulaText& formula,
                                 const std::vector<std::string>& covariates,
                                 const std::vector<std::string>& parameters, FormulaGraph* graph) {
  using Kind = FormulaNode::Kind;
  struct Builder {
    const FormulaText& formula;
    const std::vector<std::string>& covariates;
    const std::vector<std::string>& parameters;
    FormulaGraph* graph;

    absl::StatusOr<int> Build(const FormulaNode& node) {
      std::vector<int> x;
      for (const FormulaNode& operand : node.operands) {
        auto built = Build(operand);
        if (!built.ok()) return built.status();
        x.push_back(*built);
      }
      if (node.kind == Kind::kSymbol) return Symbol(node.symbol);
      const bool needs_positive =
          node.kind == Kind::kLog || node.kind == Kind::kLog2 ||
          (node.kind == Kind::kPower && graph->node(x[1]).op != Op::kConstant);
      if (needs_positive && graph->node(x[0]).op == Op::kConstant &&
          !(graph->node(x[0]).value > 0)) {
        return FormulaError(formula.text, node.operands[0].at,
                            node.kind == Kind::kPower ? "the base of this power is not above 0"
                                                      : "this has no logarithm");
      }
      const int result = Make(node, x);
      if (graph->node(result).op == Op::kConstant && !std::isfinite(graph->node(result).value)) {
        return FormulaError(formula.text, node.at, "this has no finite value");
      }
      return result;
    }
    int Symbol(const std::string& name) {
      for (size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i] == name) return graph->Parameter(static_cast<int>(i));
      }
      for (size_t i = 0; i < covariates.size(); ++i) {
        if (covariates[i] == name) return graph->Covariate(static_cast<int>(i));
      }
      QATLAS_CHECK(false, "a symbol that is neither covariate nor parameter");
      return -1;
    }
    int Make(const FormulaNode& node, const std::vector<int>& x) {
      switch (node.kind) {
        case Kind::kAdd:
          return graph->Add(x[0], x[1]);
        case Kind::kSubtract:
          return graph->Add(x[0], graph->Negate(x[1]));
        case Kind::kMultiply:
          return graph->Multiply(x[0], x[1]);
        case Kind::kDivide:
          return graph->Multiply(x[0], graph->Inverse(x[1]));
        case Kind::kPower:
          return graph->Power(x[0], x[1]);
        case Kind::kNegate:
          return graph->Negate(x[0]);
        case Kind::kExp:
          return graph->Exp(x[0]);
        case Kind::kLog:
          return graph->Log(x[0]);
        case Kind::kLog2:
          return graph->Multiply(graph->Constant(vector_math::kInverseLn2), graph->Log(x[0]));
        case Kind::kSqrt:
          return graph->Sqrt(x[0]);
        case Kind::kTanh:
          return graph->Tanh(x[0]);
        default:
          return graph->Constant(node.number);
      }
    }
  };
  return Builder{formula, covariates, parameters, graph}.Build(formula.root);
}

}  // namespace qatlas::forms
