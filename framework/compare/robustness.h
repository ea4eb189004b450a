// Whether the ranking stands when something about how it was made is changed.
#ifndef QATLAS_FRAMEWORK_COMPARE_ROBUSTNESS_H_
#define QATLAS_FRAMEWORK_COMPARE_ROBUSTNESS_H_

#include <string>
#include <vector>

#include "framework/compare/compare.h"

namespace qatlas::compare {

// What the examinations start from: a ranking whose likelihoods and criteria are filled.
struct Examined {
  const std::vector<Ranked>* ranking;
  std::vector<const Candidate*> candidates;  // by ranking
  const observe::Table* table;               // that the problems were made of
  const CompareOptions* options;
  fit::FitOptions fit;
  std::vector<int> groups;  // by row of the table: drawn together; empty: rows are drawn
};

// Least squares, Huber and Student's t on the target and on its logarithm, each as the density that
// belongs to it with its parameters at maximum likelihood; the ranking's own is left out.
// Logarithms are left out where a target is not positive.
std::vector<Variant> VaryLoss(const Examined& examined, std::vector<std::string>* notes);

// N counted by another column; empty where the table lacks it or it says the same. Forms that must
// keep their N (Candidate::recountable) keep their AICc.
std::vector<Variant> VarySize(const Examined& examined, std::vector<std::string>* notes);

// Every run left out in turn, refitted from the optimum; see CompareOptions::influence_runs.
std::vector<Influence> LeaveEachOut(const Examined& examined, std::vector<std::string>* notes);

// Fills bootstrap_first; returns the number of resamples. What is drawn are the runs' log densities
// at the maximum (RELL: Kishino and Hasegawa 1990): refits to runs that come twice would favour
// forms with many parameters.
int ResampleRanking(const Examined& examined, std::vector<Ranked>* ranking,
                    std::vector<std::string>* notes);

// Index of the lowest finite value; -1 where there is none. Ties go to the first.
int Lowest(const std::vector<double>& values);
// Lowest of the others less that at `first`; infinite where there is no other.
double GapAt(const std::vector<double>& values, size_t first);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_ROBUSTNESS_H_
