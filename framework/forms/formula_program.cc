#include "framework/forms/formula_program.h"

#include <algorithm>
#include <map>
#include <utility>

#include <qatlas/check.h>

#include "framework/forms/formula_run.h"

namespace qatlas::forms {

using Code = FormulaInstruction::Code;
using Op = FormulaGraph::Op;
using GraphNode = FormulaGraph::Node;

// Points that one pass of an instruction covers: a handful of columns of them fits the first-level
// cache, and choosing the instruction costs little beside them.
constexpr int64_t kBlock = 256;

class FormulaCompiler {
 public:
  FormulaCompiler(const FormulaGraph& graph, FormulaProgram* program)
      : graph_(graph), program_(*program) {}

  void Compile(const std::vector<int>& outputs) {
    for (int id : outputs) Count(id);
    // A node that is wanted is computed where it is wanted, the first time.
    const int first = 2 * program_.covariates_;
    for (size_t i = 0; i < outputs.size(); ++i) {
      wanted_.emplace(outputs[i], first + static_cast<int>(i));
      ++uses_[outputs[i]];
    }
    first_temporary_ = next_ = first + static_cast<int>(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const int out = first + static_cast<int>(i);
      if (graph_.node(outputs[i]).scalar) {
        Emit(Code::kFill, out, {}, {ScalarOf(outputs[i])});
      } else if (const int column = ColumnOf(outputs[i]); column != out) {
        Emit(Code::kLinear1, out, {column}, {Zero(), One()});
      }
    }
    Allocate();
  }

 private:
  // How many nodes use a node as an operand.
  void Count(int id) {
    if (graph_.node(id).scalar || !counted_.emplace(id, true).second) return;
    for (int operand : graph_.node(id).operands) {
      ++uses_[operand];
      Count(operand);
    }
  }

  int Zero() { return Constant(0); }
  int One() { return Constant(1); }
  int Constant(double value) {
    for (size_t i = 0; i < program_.scalars_.size(); ++i) {
      const auto& scalar = program_.scalars_[i];
      if (scalar.op == Op::kConstant && scalar.value == value) return static_cast<int>(i);
    }
    return Push({Op::kConstant, value, 0, 0, 0});
  }
  int Push(FormulaProgram::Scalar scalar) {
    program_.scalars_.push_back(scalar);
    return static_cast<int>(program_.scalars_.size()) - 1;
  }
  int ScalarOf(int id) {
    const GraphNode& n = graph_.node(id);
    if (n.op == Op::kConstant) return Constant(n.value);
    const auto known = scalar_.find(id);
    if (known != scalar_.end()) return known->second;
    FormulaProgram::Scalar scalar{n.op, 0, n.index, 0, 0};
    if (!n.operands.empty()) scalar.a = ScalarOf(n.operands[0]);
    if (n.operands.size() > 1) scalar.b = ScalarOf(n.operands[1]);
    return scalar_[id] = Push(scalar);
  }

  void Emit(Code code, int out, std::vector<int> columns, std::vector<int> scalars) {
    FormulaInstruction instruction;
    instruction.code = code;
    instruction.out = out;
    std::copy(columns.begin(), columns.end(), instruction.columns);
    std::copy(scalars.begin(), scalars.end(), instruction.scalars);
    used_.push_back(std::move(columns));
    program_.instructions_.push_back(instruction);
  }

  // The column that holds a node's values; computes them the first time.
  int ColumnOf(int id) {
    const GraphNode& n = graph_.node(id);
    QATLAS_CHECK(!n.scalar, "a column of a scalar");
    if (n.op == Op::kCovariate) return n.index;
    if (n.op == Op::kLogCovariate) return program_.covariates_ + n.index;
    const auto known = column_.find(id);
    if (known != column_.end()) return known->second;
    const auto at = wanted_.find(id);
    switch (n.op) {
      case Op::kSum:
        return ComputeSum(id, n);
      case Op::kProduct:
        return ComputeProduct(id, n);
      case Op::kExp:
        return ComputeExp(id, n);
      default:
        break;
    }
    const int operand = ColumnOf(n.operands[0]);
    const int out = at != wanted_.end() ? at->second : next_++;
    Emit(n.op == Op::kLog             ? Code::kLog
         : n.op == Op::kInverse       ? Code::kInverse
         : n.op == Op::kInverseOrZero ? Code::kInverseOrZero
         : n.op == Op::kSqrt          ? Code::kSqrt
         : n.op == Op::kTanh          ? Code::kTanh
                                      : Code::kFinite,
         out, {operand}, {});
    return column_[id] = out;
  }
  // Where a node's values go: only now, so that what it needs has its columns.
  int Place(int id) {
    const auto at = wanted_.find(id);
    return column_[id] = at != wanted_.end() ? at->second : next_++;
  }

  // A product that nothing else needs is multiplied out within the sum.
  bool Fused(int operand) const {
    const GraphNode& n = graph_.node(operand);
    return n.op == Op::kProduct && n.operands.size() <= 3 && uses_.at(operand) == 1;
  }

  int ComputeSum(int id, const GraphNode& n) {
    std::vector<std::pair<int, int>> terms;  // scalar, column
    struct Fusion {
      int scalar;
      std::vector<int> columns;
    };
    std::vector<Fusion> products;
    for (size_t i = 0; i < n.coefficients.size(); ++i) {
      const int operand = n.operands[i + 1];
      const int scalar = ScalarOf(n.coefficients[i]);
      if (!Fused(operand)) {
        terms.emplace_back(scalar, ColumnOf(operand));
        continue;
      }
      Fusion fusion{scalar, {}};
      for (int factor : graph_.node(operand).operands) fusion.columns.push_back(ColumnOf(factor));
      products.push_back(std::move(fusion));
    }
    const int offset = ScalarOf(n.operands[0]);
    const int out = Place(id);
    bool begun = false;
    for (size_t i = 0; i < terms.size(); i += 3) {
      std::vector<int> columns;
      std::vector<int> scalars = {offset};
      for (size_t k = i; k < std::min(i + 3, terms.size()); ++k) {
        scalars.push_back(terms[k].first);
        columns.push_back(terms[k].second);
      }
      const Code code = begun ? Code::kAdd1 : Code::kLinear1;
      Emit(static_cast<Code>(static_cast<int>(code) + static_cast<int>(columns.size()) - 1), out,
           columns, scalars);
      begun = true;
    }
    for (const Fusion& product : products) {
      const bool two = product.columns.size() == 2;
      const Code code = begun ? (two ? Code::kAddProduct2 : Code::kAddProduct3)
                              : (two ? Code::kProduct2 : Code::kProduct3);
      Emit(code, out, product.columns, {offset, product.scalar});
      begun = true;
    }
    return out;
  }

  int ComputeProduct(int id, const GraphNode& n) {
    std::vector<int> columns;
    for (int factor : n.operands) columns.push_back(ColumnOf(factor));
    const int out = Place(id);
    size_t i = std::min<size_t>(3, columns.size());
    Emit(i == 2 ? Code::kProduct2 : Code::kProduct3, out,
         std::vector<int>(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i)),
         {Zero(), One()});
    for (; i < columns.size(); ++i) {
      Emit(Code::kProduct2, out, {out, columns[i]}, {Zero(), One()});
    }
    return out;
  }

  int ComputeExp(int id, const GraphNode& n) {
    const GraphNode& u = graph_.node(n.operands[0]);
    std::vector<int> columns;
    std::vector<int> scalars;
    bool fused = u.op == Op::kSum && u.coefficients.size() <= 3;
    for (size_t i = 0; fused && i < u.coefficients.size(); ++i) {
      fused = !Fused(u.operands[i + 1]);
    }
    if (fused) {
      scalars.push_back(ScalarOf(u.operands[0]));
      for (size_t i = 0; i < u.coefficients.size(); ++i) {
        scalars.push_back(ScalarOf(u.coefficients[i]));
        columns.push_back(ColumnOf(u.operands[i + 1]));
      }
    } else {
      scalars = {Zero(), One()};
      columns = {ColumnOf(n.operands[0])};
    }
    const int out = Place(id);
    Emit(static_cast<Code>(static_cast<int>(Code::kExp1) + static_cast<int>(columns.size()) - 1),
         out, columns, scalars);
    return out;
  }

  // Temporaries that are not alive at the same time share a column.
  void Allocate() {
    std::vector<FormulaInstruction>& code = program_.instructions_;
    std::vector<size_t> last(static_cast<size_t>(next_ - first_temporary_), 0);
    const auto touch = [&](int column, size_t at) {
      if (column >= first_temporary_) last[static_cast<size_t>(column - first_temporary_)] = at;
    };
    for (size_t i = 0; i < code.size(); ++i) {
      for (int column : used_[i]) touch(column, i);
      touch(code[i].out, i);
    }
    std::map<int, int> place;
    std::vector<int> free;
    for (size_t i = 0; i < code.size(); ++i) {
      const auto release = [&](int column) {
        const auto at = place.find(column);
        if (column >= first_temporary_ && at != place.end() &&
            last[static_cast<size_t>(column - first_temporary_)] == i) {
          if (std::find(free.begin(), free.end(), at->second) == free.end()) {
            free.push_back(at->second);
          }
        }
      };
      // Points are independent, so that what is read last here may be overwritten here.
      for (int column : used_[i]) {
        if (column != code[i].out) release(column);
      }
      const int out = code[i].out;
      if (out >= first_temporary_ && place.count(out) == 0) {
        if (free.empty()) free.push_back(first_temporary_ + program_.temporaries_++);
        place[out] = free.back();
        free.pop_back();
      }
      for (size_t k = 0; k < used_[i].size(); ++k) {
        int& column = code[i].columns[k];
        if (column >= first_temporary_) column = place.at(column);
      }
      if (out >= first_temporary_) code[i].out = place.at(out);
      release(out);
    }
  }

  const FormulaGraph& graph_;
  FormulaProgram& program_;
  std::map<int, int> uses_, scalar_, column_, wanted_;
  std::map<int, bool> counted_;
  std::vector<std::vector<int>> used_;  // columns read, by instruction
  int first_temporary_ = 0;
  int next_ = 0;
};

FormulaProgram::FormulaProgram(const FormulaGraph& graph, int covariates,
                               const std::vector<int>& outputs)
    : covariates_(covariates), outputs_(static_cast<int>(outputs.size())) {
  FormulaCompiler(graph, this).Compile(outputs);
}

void FormulaProgram::Run(LawIsa isa, const LawBatch& batch, const double* theta, double* values,
                         double* jacobian, int64_t stride) const {
  constexpr size_t kOnStack = 64;
  double few_scalars[kOnStack];
  std::vector<double> many_scalars;
  double* scalars = few_scalars;
  if (scalars_.size() > kOnStack) {
    many_scalars.resize(scalars_.size());
    scalars = many_scalars.data();
  }
  for (size_t i = 0; i < scalars_.size(); ++i) {
    const Scalar& s = scalars_[i];
    scalars[i] = s.op == Op::kConstant    ? s.value
                 : s.op == Op::kParameter ? theta[s.index]
                                          : formula_run::ScalarOf(s.op, scalars[s.a], scalars[s.b]);
  }
  constexpr int kFew = 16;
  const int columns = 2 * covariates_ + outputs_ + temporaries_;
  alignas(64) double few_blocks[kFew * kBlock];
  std::vector<double> many_blocks;
  double* blocks = few_blocks;
  if (temporaries_ > kFew) {
    many_blocks.resize(static_cast<size_t>(temporaries_ * kBlock));
    blocks = many_blocks.data();
  }
  double* few_pointers[kOnStack];
  std::vector<double*> many_pointers;
  double** pointers = few_pointers;
  if (columns > static_cast<int>(kOnStack)) {
    many_pointers.resize(static_cast<size_t>(columns));
    pointers = many_pointers.data();
  }
  const int moving = 2 * covariates_ + outputs_;
  for (int c = 0; c < covariates_; ++c) {
    // Never written: only what an instruction names as `out` is.
    pointers[c] = const_cast<double*>(batch.values[c]);
    pointers[covariates_ + c] = const_cast<double*>(batch.logs[c]);
  }
  pointers[2 * covariates_] = values;
  for (int o = 1; o < outputs_; ++o) {
    pointers[2 * covariates_ + o] = jacobian + (o - 1) * stride;
  }
  for (int t = 0; t < temporaries_; ++t) pointers[moving + t] = blocks + t * kBlock;
  const auto run = formula_run::RunnerFor(isa);
  for (int64_t begin = 0; begin < batch.size; begin += kBlock) {
    const int64_t size = std::min(kBlock, batch.size - begin);
    run(instructions_.data(), instructions_.data() + instructions_.size(), pointers, scalars, size);
    for (int c = 0; c < moving; ++c) pointers[c] += size;
  }
}

}  // namespace qatlas::forms
