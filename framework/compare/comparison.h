// What a comparison of law forms finds.
#ifndef QATLAS_FRAMEWORK_COMPARE_COMPARISON_H_
#define QATLAS_FRAMEWORK_COMPARE_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "framework/compare/likelihood.h"
#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"

namespace qatlas::compare {

// --- Predictions of runs that were not in the fit ------------------------------------------------

// The same errors against one target. A form for δ predicts a loss through the measured loss of the
// run's pair, a form for the loss predicts δ by taking that off: the error is one number, and what
// it is held against differs.
struct Score {
  std::string of;                  // "loss" or "delta"
  int64_t rows = 0;                // predicted, with that target known
  double rmse = 0;                 // NaN where there are none, as everything below
  double mean_relative_error = 0;  // mean |error / target| over rows whose target is not 0
  double skill = 0;                // 1 - sum error² / sum (target - mean)²
};

// Error of predictions of rows that were not in the fit.
struct HeldOut {
  std::string what;                // "5 folds", "N", "D", ...
  int folds = 0;                   // that could be fitted
  int refused = 0;                 // folds that could not (too few rows left, parameters left open)
  int64_t rows = 0;                // predicted
  double rmse = 0;                 // NaN where nothing could be predicted; JSON shows null
  double mean_relative_error = 0;  // as in Score
  double log_score = 0;            // mean log density of the held-out rows
  std::vector<double> errors;  // target - prediction by row of the table (NaN where not predicted)
  std::vector<Score> scores;   // against loss and δ, as far as the table has them
};

// One step of an expanding window: trained on runs up to a threshold, beyond it predicted.
struct Window {
  double threshold = 0;  // inclusive
  int64_t trained = 0;   // rows
  bool fitted = false;   // false: too few rows, or parameters that they leave open
  double rmse = 0, mean_relative_error = 0;  // beyond the threshold
  // Of the rows beyond: row of the table, value / threshold, target - prediction.
  std::vector<size_t> row;
  std::vector<double> distance, error;  // one a row
};

// Error against distance: rows of all windows with low < value / threshold <= high.
struct FanStep {
  double low = 0, high = 0;                  // of value / threshold
  int64_t predictions = 0;                   // in the step
  double rmse = 0, mean_relative_error = 0;  // of the step
  double bias = 0;                           // mean of (prediction - target) / target
};

struct Extrapolation {                       // Error beyond what was trained on.
  std::string axis;                          // "N", "D" or "compute"
  std::vector<Window> windows;               // ascending
  std::vector<FanStep> fan;                  // by distance
  int64_t predictions = 0;                   // in all windows
  double rmse = 0, mean_relative_error = 0;  // of all windows
  std::vector<Score> scores;                 // against loss and δ
  // Squared errors less those of the form that is first in the ranking, over what both predict.
  double difference = 0, difference_se = 0, difference_p = 1;
};

// --- One row of the ranking ----------------------------------------------------------------------

struct Ranked {                                   // A form in the ranking.
  std::string name;                               // of the candidate
  int parameters = 0;                             // free ones, plus those of the noise model
  fit::FitResult fit;                             // under the loss that was asked for
  std::vector<fit::BootstrapInterval> bootstrap;  // empty where not asked for or not identifiable
  int bootstrap_failed = 0;                       // resamples
  Likelihood likelihood;                   // parameters re-estimated: at the density's maximum
  double aicc = 0, bic = 0;                // infinite where n is too small for the correction
  double delta_aicc = 0;                   // above the best
  double weight_aicc = 0, weight_bic = 0;  // Akaike weights
  // Of the difference in log likelihood to the best form: difference, its standard error from the
  // differences by observation (Vuong 1989), which allows for runs that err together, and by how
  // much that widened its square.
  double log_likelihood_difference = 0;
  double difference_se = 0, difference_design_effect = 1;  // as said above
  double bootstrap_first = 0;     // share of resamples in which its AICc is the lowest; NaN: none
  HeldOut cross_validation;       // folds
  std::vector<HeldOut> by_scale;  // each scale left out
  std::vector<Extrapolation> extrapolation;  // by axis
  // Paired test of squared held-out errors against the best form: mean difference (this minus
  // best), its standard error (runs that err together allowed for), two-sided p of Student's t.
  double error_difference = 0, error_difference_se = 0, error_difference_p = 1;
  double error_design_effect = 1;  // of its square
};

// --- Nested forms --------------------------------------------------------------------------------

// One form is another with parameters held or tied: likelihood ratio.
struct NestedTest {
  std::string restricted, full;  // names
  std::string restriction;       // "gammaD = 0", "alpha = beta"; empty where it is not of that kind
  int degrees = 0;               // free parameters more
  double statistic = 0;          // 2 (log L of full - log L of restricted), >= 0
  double p = 1;                  // of the F that the ratio is for few runs (RatioTail)
  double p_asymptotic = 1;       // chi-squared with `degrees`
  bool on_bound = false;  // the held value lies on a bound: p is too large there, and this is
  double p_on_bound = 1;  // the even mixture with degrees - 1 (Self and Liang 1987)
};

// --- Where each form predicts best ---------------------------------------------------------------

struct Range {               // Of one column.
  std::string column;        // name
  double low = 0, high = 0;  // of the rows in it, both inclusive
};
struct WinRegion {            // Runs within ranges, and which form predicts them best.
  std::vector<Range> ranges;  // one a column
  int64_t rows = 0;           // in it
  std::vector<double> rmse;  // of held-out errors, by ranking; NaN where not all rows are predicted
  std::string winner, second;       // second: empty where one form alone predicts
  double difference = 0;            // mean squared error of the second less the winner's
  double difference_se = 0, p = 1;  // paired, as above
  bool clear = false;               // p < .05 and at least five rows
};
struct WinMap {                      // Where each form predicts best.
  std::vector<std::string> columns;  // that part the runs
  bool relative = false;             // errors are of the logarithm
  std::vector<WinRegion> regions;    // with runs
};

// --- Robustness ----------------------------------------------------------------------------------

// The ranking under another way to do it.
struct Variant {
  std::string what;          // "log student-t", "N = N_total"
  std::string first;         // lowest AICc
  std::vector<double> aicc;  // by ranking; NaN where the form could not be fitted
  double gap = 0;  // lowest AICc of the rivals less that of the form that is first overall
  // False where the runs themselves speak against it: its best AICc lies more than 10 above that of
  // the best density.
  bool plausible = true;
  bool flips = false;  // another form is first
};

// The ranking without one run.
struct Influence {
  size_t row = 0;              // of the table
  std::string where;           // the run's name; where rows have none, file and line
  std::string first;           // lowest AICc without it
  double gap = 0;              // as in Variant
  double gap_change = 0;       // gap less that of all runs
  bool flips = false;          // another is first
  std::string parameter;       // that moves most in the form that is first overall
  double shift = 0;            // by so many standard errors; NaN where the fit has none
  std::vector<double> values;  // of that form's parameters without the run, natural units
};

struct Robustness {             // Whether the ranking stands.
  double gap = 0;               // with all runs: AICc of the second less that of the first
  std::vector<Variant> losses;  // other losses
  std::vector<Variant> sizes;   // other counts of N
  std::vector<Influence> runs;  // largest change first
  int64_t examined_runs = 0, flipping_runs = 0;  // of the runs
  int resamples = 0;                             // behind Ranked::bootstrap_first
  std::vector<std::string> notes;                // sentences
};

// --- Everything ----------------------------------------------------------------------------------

enum class Verdict {  // Of a comparison.
  kDecided,           // the first form beats every other by the stated rule
  kUndecided,
  kTooFew,  // too few runs to compare at all
};

struct Comparison {             // What Compare() found.
  std::string target;           // of all forms
  int64_t rows = 0;             // compared
  std::vector<Ranked> ranking;  // by AICc; forms that could not be fitted are not in it
  std::vector<std::pair<std::string, std::string>> refused;  // form, why it could not be fitted
  std::vector<NestedTest> nested;                            // pairs that nest
  std::vector<WinMap> win_maps;           // all columns together first, then one by one
  Robustness robustness;                  // of the ranking
  Verdict verdict = Verdict::kUndecided;  // by the rule
  std::string sentence;                   // quotable: which form, on how many runs, how sure
  std::string rule;                       // the rule behind it, in words
  std::vector<std::string> contenders;    // the first form and those that it does not clearly beat
  int resampled_groups = 0;        // that bootstraps drew; 0: as CompareOptions::resampling says
  std::vector<std::string> notes;  // sentences
};

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_COMPARISON_H_
