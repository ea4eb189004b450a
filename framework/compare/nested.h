// Which forms are special cases of others, and whether the runs call for the fuller one.
#ifndef QATLAS_FRAMEWORK_COMPARE_NESTED_H_
#define QATLAS_FRAMEWORK_COMPARE_NESTED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "framework/compare/comparison.h"

namespace qatlas::compare {

// How a form lies within another, on the rows that both were fitted to.
struct Embedding {
  bool nested = false;
  std::vector<double> coordinates;  // of the full form, at the restricted one's optimum
  std::string restriction;          // as NestedTest has it
  bool on_bound = false;
};

// Decided by numbers, whatever the formulas: at the restricted form's optimum and at three random
// points around it the full form must reproduce its predictions to 1e-4 of the noise's scale. What
// the full form's parameters have in common at all of them is the restriction. Not nested where the
// full form has no more free parameters or its residuals live in another space.
Embedding Embed(const Ranked& restricted, const Ranked& full, const fit::FitOptions& options);

// Tests every pair. Where the full form's search ended below the restricted one's likelihood, which
// its own maximum cannot, its likelihood is maximized again from there.
std::vector<NestedTest> TestNested(std::vector<Ranked>* forms, const fit::FitOptions& options);

// Tail probabilities of the likelihood ratio: chi-squared, which holds for many runs, and the one
// of F = (exp(statistic/rows) - 1) (rows - free) / degrees, which is exact for Gaussian noise and a
// linear form; `free` are the full form's free parameters.
double ChiSquaredTail(double statistic, int degrees);
double RatioTail(double statistic, int degrees, int64_t rows, int free);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_NESTED_H_
