// The loops behind FormulaProgram, built for every instruction set.
#ifndef QATLAS_FRAMEWORK_FORMS_FORMULA_RUN_H_
#define QATLAS_FRAMEWORK_FORMS_FORMULA_RUN_H_

#include <cstdint>

#include <qatlas/law_formula.h>

#include "framework/forms/formula_program.h"

namespace qatlas::forms::formula_run {

// Runs instructions over `size` points; columns: where the first point of each stands.
using Runner = void (*)(const FormulaInstruction* begin, const FormulaInstruction* end,
                        double* const* columns, const double* scalars, int64_t size);
Runner RunnerFor(LawIsa isa);

// The same operations on one number.
double ScalarOf(FormulaGraph::Op op, double a, double b);

}  // namespace qatlas::forms::formula_run

#endif  // QATLAS_FRAMEWORK_FORMS_FORMULA_RUN_H_
