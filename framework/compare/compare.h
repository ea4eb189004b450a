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

#include "framework/compare/comparison.h"
#include "framework/compare/likelihood.h"
#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/observe/table.h"

namespace qatlas::compare {

// One form to compare: what to fit and how.
struct Candidate {
  std::string name;                     // unique label; usually the component's name
  std::shared_ptr<const LawForm> form;  // to fit
  fit::ProblemOptions problem;          // how it is posed
  // Whether it may be fitted with N counted otherwise: not where constants were found for one count
  // (DeltaFromLoss, LossFromDelta). Candidates with fixed parameters never are.
  bool recountable = true;
};

// A bootstrap over fewer groups has too few different draws.
inline constexpr int kLeastGroups = 5;

struct CompareOptions {                      // How forms are compared.
  NoiseModel noise = NoiseModel::kStudentT;  // of the likelihood
  fit::FitOptions fit;                       // of every form
  int folds = 5;                             // of cross-validation; 0: leave one out
  uint64_t seed = 1;                         // of the folds
  // Columns of which one level at a time is left out and predicted from the rest, where they have
  // at least three levels in the rows.
  std::vector<std::string> scales = {"N", "D", "G", "weight_bits"};
  // Rows that agree in these columns stay in one fold (seeds of one cell are not independent
  // tests).
  std::vector<std::string> together;
  bool bootstrap = true;             // whether every form is refitted to resampled rows
  fit::BootstrapOptions resampling;  // how, where `bootstrap`
  // Rows that agree in these columns err together, where they make at least kLeastGroups groups: in
  // standard errors of differences and, with draw_groups, in the bootstrap, which then draws whole
  // groups (fit::Resampling::kGroups) in place of what `resampling` says.
  std::vector<std::string> resampled_together;
  bool draw_groups = true;  // whether the bootstrap draws whole groups
  // Expanding windows: trained on runs up to a threshold of each, predicting the rest. "compute" is
  // the column flops where the table has it, else 6 N D.
  std::vector<std::string> extrapolated = {"N", "D", "compute"};
  std::vector<std::string> regions = {"N", "D", "G"};  // of the win maps
  bool nested = true;                                  // likelihood ratios of nested forms
  bool robustness = true;                    // to the loss, to each run, to counting N otherwise
  int64_t influence_runs = 500;              // left out one by one; beyond, those that weigh most
  std::string alternative_size = "N_total";  // column; not examined where the table lacks it
  int ranking_resamples = 1000;              // of the log likelihoods run by run; 0: none
  double level = .95;                        // of intervals
  int threads = 0;                           // 0: all
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
