// A formula as a graph in which equal expressions are one node, and its derivatives in the same
// graph.
//
// A node is a scalar (the same at all points: constants, parameters, and what is made of them) or
// varies over points. Sums have scalar coefficients, products none, so that -A/N^a is one sum of
// one term; powers are exponentials of logarithms, and the exponentials of a product are merged:
// k D^g / N^h costs one exp.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_GRAPH_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_GRAPH_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/forms/formula_text.h"

namespace qatlas::forms {

class FormulaGraph {
 public:
  enum class Op : uint8_t {
    kConstant,      // value
    kParameter,     // index
    kCovariate,     // index
    kLogCovariate,  // index
    kAdd,           // of two scalars
    kMultiply,      // of two scalars
    kSum,           // operands[0], a scalar, + sum coefficients[i] * operands[i + 1]
    kProduct,       // of operands, none of them a scalar
    kExp,
    kLog,            // kLogOfZero at 0
    kInverse,        // 1/x
    kInverseOrZero,  // 0 at 0: what derivatives take there
    kSqrt,
    kTanh,
    kFinite,  // 0 where the operand is a multiple of kLogOfZero: the derivative of 0^a by a is 0
  };
  struct Node {
    Op op = Op::kConstant;
    double value = 0;
    int index = 0;
    std::vector<int> operands;
    std::vector<int> coefficients;
    // What follows from the above.
    bool scalar = true;
    bool not_negative = false;
    bool positive = false;
    bool unbounded = false;   // may be a multiple of kLogOfZero
    uint64_t parameters = 0;  // that it depends on, a bit each
  };

  // minimum: least value of each covariate. positive: which parameters are known to be above 0.
  FormulaGraph(std::vector<double> minimum, std::vector<bool> positive)
      : minimum_(std::move(minimum)), positive_(std::move(positive)) {}

  const Node& node(int id) const { return nodes_[id]; }
  int size() const { return static_cast<int>(nodes_.size()); }

  int Constant(double value);
  int Parameter(int index);
  int Covariate(int index);
  int Add(int a, int b);
  int Multiply(int a, int b);
  int Negate(int a) { return Multiply(Constant(-1), a); }
  int Inverse(int a);
  int Power(int base, int exponent);
  int Exp(int a);
  int Log(int a);
  int Sqrt(int a);
  int Tanh(int a);

  // The derivative of a node by each of `count` parameters.
  std::vector<int> Derivatives(int root, int count);

 private:
  using Terms = std::vector<std::pair<int, int>>;  // coefficient, operand
  using Key = std::tuple<Op, double, int, std::vector<int>, std::vector<int>>;

  int Intern(Node node);
  void Derive(Node* node) const;
  int LogCovariate(int index);
  int Unary(Op op, int a);
  int MakeSum(int offset, Terms terms);
  // x as offset + terms.
  void AddTerms(int x, int* offset, Terms* terms) const;
  // x as coefficient * unit.
  std::pair<int, int> Split(int x);
  int InverseForDerivative(int a);
  int Finite(int a);

  std::vector<double> minimum_;
  std::vector<bool> positive_;
  std::vector<Node> nodes_;
  std::map<Key, int> index_;
};

// Builds the tree in the graph; symbols are looked up by name. Errors: a base that is a constant of
// 0 or less, an operation on constants that has no value.
absl::StatusOr<int> BuildFormula(const FormulaText& formula,
                                 const std::vector<std::string>& covariates,
                                 const std::vector<std::string>& parameters, FormulaGraph* graph);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_GRAPH_H_
