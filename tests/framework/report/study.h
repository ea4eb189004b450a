// Simulated studies: what a report is made of, without training.
#ifndef QATLAS_TESTS_FRAMEWORK_REPORT_STUDY_H_
#define QATLAS_TESTS_FRAMEWORK_REPORT_STUDY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "framework/report/report.h"

namespace qatlas::report {

// Owns what Inputs points to.
struct Study {
  Inputs inputs;
  std::unique_ptr<decompose::Decomposition> decomposition;

  void Decompose();  // of inputs.observations
};

// 3 sizes, 3 budgets, 2 group sizes, 2 bit widths, `seeds` seeds: δ = k(bits) D^a (log2 G)^g / N^b
// with noise, the parts at the largest budget and smallest group, the roles at one cell there, and
// site statistics.
Study QuickstartStudy(int seeds, uint64_t random_seed = 1);
// 80 rows of δ by the constants of Chen et al. 2025 for W4A4, with 5% noise: 4 N, 4 D, 5 G.
Study PaperStudy();
// A foreign table of 36 losses without quantization, N and D scattered.
Study LossStudy();

// Fits and compares simple forms of the tests' own: for δ (with and without D) and for the loss.
void CompareLaws(Study* study);

}  // namespace qatlas::report

#endif  // QATLAS_TESTS_FRAMEWORK_REPORT_STUDY_H_
