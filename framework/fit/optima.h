// Optima as targets: which fraction, or which size, is best for each budget, from runs over them.
#ifndef QATLAS_FRAMEWORK_FIT_OPTIMA_H_
#define QATLAS_FRAMEWORK_FIT_OPTIMA_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/fit/optima_minimum.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct OptimaOptions {              // How optima are sought.
  std::string of = "qat_fraction";  // the column whose best value is sought, above 0
  std::string value = "loss";       // the column that is lowest there
  // Columns in which the rows of one curve agree: the budget and what else is held.
  std::vector<std::string> per = {"N", "D", "weight_bits"};
  std::string noise;  // column of standard errors of `value`; empty: from the curves' residuals
  // One residual variance for all curves, from all of them together: narrower intervals where the
  // noise is the same everywhere.
  bool pool = false;
  // Of the local fits; `window` is a factor here (8: from an eighth of the lowest to eight times
  // it), 0: all.
  double window = 8;
  int degree = 0;         // 0: 2 or 3 by levels
  double level = .95;     // of intervals
  int replicates = 1000;  // resamples
  uint64_t seed = 1;      // of resamples
};

struct Optimum {                     // Of one cell.
  std::vector<observe::Value> cell;  // values of `per`
  Minimum minimum;                   // x is ln of the column
  // Natural units; NaN where no optimum was found.
  double best = 0, standard_error = 0;
  Interval interval, delta, bootstrap;  // of best
  int left_out = 0;                     // rows of the cell without a value or with a column of 0
};

// Local fits of `value` by a polynomial in ln `of` (FitMinimum) for every cell. Cells without a
// minimum are returned with the reason. NotFound: an absent column; FailedPrecondition: no usable
// row.
absl::StatusOr<std::vector<Optimum>> FindOptima(const observe::Table& table,
                                                const OptimaOptions& options);

// One row a cell: the columns of `per`, then <name>, <name>_se, <name>_low, <name>_high (missing
// where none was found), <value>_at_optimum, its _se, points, degree and status ("done", or why
// not). For qat_fraction <name> is "optimal_fraction", the target of the laws of it; else
// "optimal_<of>". Intervals of a fraction end at 1.
observe::Table OptimaTable(const std::vector<Optimum>& optima, const OptimaOptions& options);

// N_opt = coefficient · C^exponent, by least squares of logarithms weighed by their errors.
struct PowerLaw {
  bool found = false;                    // or reason says
  std::string reason;                    // why not
  double exponent = 0, exponent_se = 0;  // a
  Interval interval;                     // of the exponent
  double coefficient = 0;                // natural units
  double ln_coefficient_se = 0;          // of its logarithm
  Interval bootstrap;                    // of the exponent, where it was made; else NaN
  int points = 0;                        // budgets used
  double chi_square = 0;  // of the weighted residuals; much above points - 2: no power law
};

struct BudgetOptimum {           // Of one budget.
  double flops = 0;              // of the budget
  double size = 0, size_se = 0;  // N, parameters
  Interval interval;             // of N
  double tokens = 0;             // D that the budget leaves: flops / (6 N)
  double loss = 0;               // at the optimum
  int points = 0;                // of the profile
  bool found = false;            // or reason says
  std::string reason;            // why not
};

struct BudgetOptions {  // How best sizes are sought.
  // Column of FLOPs; where the table lacks it, 6·N·D (Kaplan et al. 2020; Hoffmann et al. 2022).
  std::string flops = "flops";
  std::string noise;       // column of standard errors of the loss
  double tolerance = .05;  // budgets within this share of each other are one
  bool pool = true;        // one residual variance for all profiles
  double window = 8;       // a factor, as above
  int degree = 0;          // as above
  double level = .95;      // of intervals
  int replicates = 1000;   // resamples
  uint64_t seed = 1;       // of resamples
  int grid = 25;           // budgets at which the envelope is read, evenly in the logarithm
};

struct BudgetOptima {                 // Best sizes over budgets.
  std::vector<BudgetOptimum> optima;  // one a budget
  PowerLaw size;                      // N_opt ∝ C^a
  PowerLaw tokens;                    // D_opt ∝ C^(1 - a): from the same fits
  std::vector<std::string> notes;     // sentences
};

// Approach 2 of Hoffmann et al. 2022 (arXiv 2203.15556): runs of equal FLOPs, a local fit of the
// loss in ln N at each budget, and a power law through the minima.
absl::StatusOr<BudgetOptima> IsoFlop(const observe::Table& table, const BudgetOptions& options);

// Approach 1: rows of one N are a training curve (losses along D); at every budget of a grid the N
// whose curve, interpolated in the logarithm of C, is lowest, where it is neither the smallest nor
// the largest of at least three; then a power law through these. The error of one is the spacing of
// the sizes / sqrt(12); the interval of the exponent comes from resampling whole curves.
absl::StatusOr<BudgetOptima> Envelope(const observe::Table& table, const BudgetOptions& options);

// One row a budget: flops, N_opt, N_opt_se, N_opt_low, N_opt_high, D_opt, loss_at_optimum, points,
// status.
observe::Table BudgetTable(const BudgetOptima& optima);

nlohmann::ordered_json OptimaToJson(const std::vector<Optimum>& optima,  // for programs
                                    const OptimaOptions& options);
nlohmann::ordered_json BudgetToJson(const BudgetOptima& optima, const std::string& method);  // JSON

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_OPTIMA_H_
