// A formula's graph as instructions that run over blocks of points.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_PROGRAM_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_PROGRAM_H_

#include <cstdint>
#include <vector>

#include <qatlas/law.h>
#include <qatlas/law_formula.h>

#include "framework/forms/formula_graph.h"

namespace qatlas::forms {

// One pass over a block; s are scalars, a to d columns, o the column it writes. Sums and products
// come in two kinds: those that set o, and those that add to it.
struct FormulaInstruction {
  enum class Code : uint8_t {
    kFill,         // o = s0
    kLinear1,      // o = s0 + s1 a
    kLinear2,      // o = s0 + s1 a + s2 b
    kLinear3,      // o = s0 + s1 a + s2 b + s3 c
    kAdd1,         // o += s1 a
    kAdd2,         // o += s1 a + s2 b
    kAdd3,         // o += s1 a + s2 b + s3 c
    kProduct2,     // o = s0 + s1 a b
    kProduct3,     // o = s0 + s1 a b c
    kAddProduct2,  // o += s1 a b
    kAddProduct3,  // o += s1 a b c
    kExp1,         // o = exp(s0 + s1 a)
    kExp2,         // o = exp(s0 + s1 a + s2 b)
    kExp3,         // o = exp(s0 + s1 a + s2 b + s3 c)
    kLog,          // o = ln a, kLogOfZero at 0
    kInverse,
    kInverseOrZero,
    kSqrt,
    kTanh,
    kFinite,
  };
  Code code = Code::kFill;
  int out = 0;
  int columns[3] = {0, 0, 0};
  int scalars[4] = {0, 0, 0, 0};
};

// Columns are numbered: covariates, their logarithms, the values, the derivatives, and then those
// that the program keeps for itself.
class FormulaProgram {
 public:
  // outputs: the value, then any number of derivatives.
  FormulaProgram(const FormulaGraph& graph, int covariates, const std::vector<int>& outputs);

  // values and jacobian as LawForm::Evaluate has them; jacobian is not touched where the program
  // has the value alone.
  void Run(LawIsa isa, const LawBatch& batch, const double* theta, double* values, double* jacobian,
           int64_t stride) const;

  const std::vector<FormulaInstruction>& instructions() const { return instructions_; }
  int temporaries() const { return temporaries_; }

 private:
  friend class FormulaCompiler;
  struct Scalar {
    FormulaGraph::Op op;
    double value;
    int index;  // of a parameter
    int a, b;   // scalars
  };

  int covariates_;
  int outputs_;
  int temporaries_ = 0;
  std::vector<Scalar> scalars_;
  std::vector<FormulaInstruction> instructions_;
};

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_PROGRAM_H_
