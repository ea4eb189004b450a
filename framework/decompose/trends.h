// How δ changes between neighbouring levels of one covariate, everything else equal.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_TRENDS_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_TRENDS_H_

#include <string>
#include <utility>
#include <vector>

#include "framework/decompose/parts.h"

namespace qatlas::decompose {

enum class Verdict { kRises, kFalls, kNotClear, kErrorUnknown };
// "rises", "falls", "not clear of noise", "error unknown"
const char* VerdictName(Verdict verdict);

struct TrendStep {
  std::string covariate;  // N, D, G or bits.
  std::string part;
  // What is held equal: cell columns but for the covariate's own, and the bits.
  std::vector<std::pair<std::string, observe::Value>> held;
  double from = kMissing;  // Levels; from < to.
  double to = kMissing;
  Estimate change;      // δ(to) − δ(from).
  bool paired = false;  // Differences were taken seed by seed.
  Verdict verdict = Verdict::kErrorUnknown;
};

struct TrendSummary {
  std::string covariate;
  std::string part;
  int rises = 0;
  int falls = 0;
  int not_clear = 0;
  int error_unknown = 0;
};

struct Trends {
  std::vector<TrendStep> steps;
  std::vector<TrendSummary> summaries;  // One a covariate and part that has steps.
  std::vector<std::string> notes;
};

// Steps of N, D, G and bits for every part. `bits` compares cells whose weights and inputs have
// equal bits (for weights or inputs alone, their own). A change of N also changes model, one of G
// may change granularity; these are not held.
// Along D, G and bits a seed's runs share a trunk or at least initialization and data order:
// differences are taken seed by seed, with the variance of these differences pooled over all steps
// of the covariate. Along N, or where no step has two common seeds, the two means count as
// independent. A verdict needs a known training error and a change above `threshold` standard
// errors.
Trends FindTrends(const Parts& parts, double threshold = 2);

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_TRENDS_H_
