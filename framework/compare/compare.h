// Comparing law forms that predict the same target.
#ifndef QATLAS_FRAMEWORK_COMPARE_COMPARE_H_
#define QATLAS_FRAMEWORK_COMPARE_COMPARE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <qatlas/law.h>

#include "framework/compare/likelihood.h"
#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/observe/table.h"

namespace qatlas::compare {

// One form to compare: what to fit and how.
struct Candidate {
  std::string name;  // unique label; usually the component's name
  std::shared_ptr<const LawForm> form;
  fit::ProblemOptions problem;
};

// A bootstrap over fewer groups has too few different draws.
inline constexpr int kLeastGroups = 5;

struct CompareOptions {
  NoiseModel noise = NoiseModel::kStudentT;
  fit::FitOptions fit;
  int folds = 5;      // of cross-validation; 0: leave one out
  uint64_t seed = 1;  // of the folds
  // Columns of which one level at a time is left out and predicted from the rest, where they have
  // at least three levels in the rows.
  std::vector<std::string> scales = {"N", "D", "G", "weight_bits"};
  // Rows that agree in these columns stay in one fold (seeds of one cell are not independent
  // tests).
  std::vector<std::string> together;
  bool bootstrap = true;
  fit::BootstrapOptions resampling;
  // Rows that agree in these columns are drawn together by the bootstrap (fit::Resampling::kGroups)
  // where they make at least kLeastGroups groups; else, or where empty, `resampling` stands.
  std::vector<std::string> resampled_together;
  double level = .95;
  int threads = 0;
};

// Error of predictions of rows that were not in the fit.
struct HeldOut {
  std::string what;  // "5 folds", "N", "D", ...
  int folds = 0;     // that could be fitted
  int refused = 0;   // folds that could not (too few rows left, a category unseen)
  int64_t rows = 0;  // predicted
  double rmse = 0;   // NaN where nothing could be predicted; JSON shows null
  double mean_relative_error = 0;
  double log_score = 0;        // mean log density of the held-out rows
  std::vector<double> errors;  // target - prediction by row of the table (NaN where not predicted)
};

// One row of the ranking.
struct Ranked {
  std::string name;
  int parameters = 0;  // free ones, plus those of the noise model
  fit::FitResult fit;
  std::vector<fit::BootstrapInterval> bootstrap;  // empty where not asked for or not identifiable
  int bootstrap_failed = 0;
  Likelihood likelihood;
  double aicc = 0, bic = 0;  // infinite where n is too small for the correction
  double delta_aicc = 0;     // above the best
  double weight_aicc = 0, weight_bic = 0;
  // Of the difference in log likelihood to the best form: difference, its standard error from the
  // differences by observation (Vuong 1989), and its z.
  double log_likelihood_difference = 0;
  double difference_se = 0;
  HeldOut cross_validation;
  std::vector<HeldOut> by_scale;
  // Paired test of squared held-out errors against the best form: mean difference (this minus
  // best), its standard error, two-sided p of Student's t.
  double error_difference = 0, error_difference_se = 0, error_difference_p = 1;
};

enum class Verdict {
  kDecided,  // the first form beats every other by the stated rule
  kUndecided,
  kTooFew,  // too few runs to compare at all
};

struct Comparison {
  std::string target;
  int64_t rows = 0;
  std::vector<Ranked> ranking;  // by AICc; forms that could not be fitted are not in it
  std::vector<std::pair<std::string, std::string>> refused;  // form, why it could not be fitted
  Verdict verdict = Verdict::kUndecided;
  std::string sentence;      // quotable: which form, on how many runs, how sure
  std::string rule;          // the rule behind it, in words
  int resampled_groups = 0;  // that bootstraps drew; 0: as CompareOptions::resampling says
  std::vector<std::string> notes;
};

// Fits every candidate to the same rows of the table and ranks them.
// InvalidArgument: no candidates, two of one name, forms for different targets (bring them together
// with LossFromDelta or DeltaFromLoss first), a table that no candidate can use. NotFound: a column
// of `together` or `resampled_together` that the table lacks.
absl::StatusOr<Comparison> Compare(const std::vector<Candidate>& candidates,
                                   const observe::Table& table, const CompareOptions& options = {});

// --- One target for δ-forms and loss-forms -------------------------------------------------------

// A form for the loss made of a full-precision law that is held at fitted values, plus a δ-form:
// L = L_FP(N, D) + δ. Covariates are united; parameters and presets are the δ-form's. Rows in full
// precision must be left out.
absl::StatusOr<std::shared_ptr<const LawForm>> LossFromDelta(
    std::shared_ptr<const LawForm> delta, std::shared_ptr<const LawForm> full_precision,
    std::vector<double> theta);

// A δ-form made of a loss-form and a full-precision law held at fitted values: δ = L - L_FP(N, D).
// Parameters of `loss` that share a name with the full-precision law (E, A, alpha, ...) can be held
// at its values through ProblemOptions::fixed: FixedFrom gives them.
absl::StatusOr<std::shared_ptr<const LawForm>> DeltaFromLoss(
    std::shared_ptr<const LawForm> loss, std::shared_ptr<const LawForm> full_precision,
    std::vector<double> theta);

// Values of `fit`'s parameters that `form` has by the same name.
std::map<std::string, double> FixedFrom(const fit::FitResult& fit, const LawForm& form);

// --- Separate targets, as a recipe gives them ----------------------------------------------------

// Forms grouped by target and compared within each: how a recipe's list of laws is ranked apart.
absl::StatusOr<std::vector<Comparison>> CompareByTarget(const std::vector<Candidate>& candidates,
                                                        const observe::Table& table,
                                                        const CompareOptions& options = {});

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_COMPARE_H_
