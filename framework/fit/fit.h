// Fitting: from a Problem to a FitResult.
#ifndef QATLAS_FRAMEWORK_FIT_FIT_H_
#define QATLAS_FRAMEWORK_FIT_FIT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/fit/problem.h"

namespace qatlas::fit {

enum class LocalSearch {  // From one start.
  kOwn,         // Levenberg-Marquardt on the analytic Jacobian, then BFGS where the loss is robust
  kNloptLbfgs,  // NLopt's LD_LBFGS, with the same objective and gradient
  kNloptSlsqp,  // NLopt's LD_SLSQP
};

// In place of a grid of starts: NLopt's global searches over the box of start values and bounds,
// four of them with seeds of their own, each followed by a local search.
enum class GlobalSearch {
  kNone,   // the grid
  kMlsl,   // G_MLSL_LDS: many local searches from a low-discrepancy sequence, clustered
  kCrs2,   // GN_CRS2_LM: controlled random search
  kIsres,  // GN_ISRES: evolution strategy
};

// Where the intervals of a fit's parameters come from (docs/laws.md has their coverage).
enum class Intervals {
  kProfile,     // profile likelihood: refits with the parameter held; asymmetric, may be open
  kCovariance,  // Student-t, symmetric in the searched coordinate
};

// What the covariance takes of the noise.
enum class Covariance {
  kEqual,     // the same for all runs (after division by their standard errors, if given)
  kSandwich,  // of unknown size run by run: HC3 (MacKinnon and White 1985)
};

// How an interval ends on one side.
enum class End {
  kClosed,  // the data close it
  kBound,   // at the form's bound, which the data do not exclude
  kOpen,    // not at all: the fit stays as good however far the parameter goes
};
const char* Name(End end);  // "closed", "bound", "open"

struct FitOptions {  // How a fit searches.
  // Which starts are searched: the product of the spec's start values, over the parameters that are
  // not solved in closed form. With `closed_form`, linear parameters get their (weighted least
  // squares) optimum at every start and need no grid of their own.
  bool closed_form = true;
  // Variable projection (Golub and Pereyra 1973): the linear parameters are solved, within their
  // bounds, at every point that a search tries, and damping and step lengths hold for the others
  // alone. Where the loss is not quadratic in them they are solved by reweighting, and the search
  // ends in all parameters jointly. The optimum is the same. LocalSearch::kOwn only.
  bool projected = false;
  // Of the starts, at most this many are searched to their local optimum, half of them those with
  // the lowest objective (search.h); 0: all.
  int searched = 32;
  bool stop_early = true;       // search fewer where that is safe: the rule is in search.h
  int64_t max_starts = 200000;  // beyond, every k-th of the product is taken
  LocalSearch local = LocalSearch::kOwn;      // search from a start
  GlobalSearch global = GlobalSearch::kNone;  // search over all
  int evaluations = 20000;                    // of the objective, by one global search
  uint64_t seed = 1;                          // of global searches
  double tolerance = 1e-10;  // relative decrease of the objective at which a search ends
  int max_iterations = 500;  // of one local search
  int threads = 0;           // 0: as many as the machine has. Results do not depend on it
  double level = .95;        // of the intervals
  Intervals intervals = Intervals::kProfile;   // what they are from
  Covariance covariance = Covariance::kEqual;  // of what noise

  // Every start of the product over all parameters, each searched to its optimum: Besiroglu et al.
  // 2024.
  static FitOptions EveryStart() {
    FitOptions options;
    options.closed_form = false;
    options.searched = 0;
    return options;
  }
};

struct Interval {            // An interval of a number.
  double low = 0, high = 0;  // NaN: none
};

// One parameter of a fit; values in natural units.
struct Estimate {
  std::string name;                  // "alpha", "k[W4A4]"
  std::string parameter;             // name in the form's spec
  std::string category;              // "" for all rows
  std::string meaning, unit;         // of the spec
  double value = 0;                  // at the optimum
  bool fixed = false;                // not searched
  bool log = false;                  // searched as a logarithm; its interval is symmetric there
  bool at_bound = false;             // the optimum lies on a bound of the spec
  double standard_error = 0;         // natural units; NaN where fixed or not identifiable
  double search_standard_error = 0;  // of the logarithm where log; else as standard_error
  // Of the kind that FitOptions::intervals asks for. Infinite (or the form's bound) on a side that
  // is open; NaN where fixed, and from the covariance where at a bound or not identifiable.
  Interval interval;
  End below = End::kClosed, above = End::kClosed;  // why an end is open
  Interval covariance_interval;  // Student-t with n - p degrees of freedom, from the covariance
};

// How well the data determine the parameters.
struct Identifiability {
  bool identifiable = true;  // all directions
  // Of the weighted Jacobian at the optimum by search coordinates, columns scaled to unit length.
  double condition = 0;
  std::vector<double> singular_values;  // descending, of the scaled Jacobian
  // The direction that the data leave most open: (parameter, component), unit length in search
  // coordinates, largest first; components below .05 left out.
  std::vector<std::pair<std::string, double>> open_direction;
  double open_standard_error = 0;  // of the position along it, search units
  std::string reason;              // one sentence: why not identifiable; empty otherwise
};

struct FitResult {                         // What Fit() found.
  std::string form;                        // name
  std::shared_ptr<const Problem> problem;  // that was fitted
  std::vector<double> values;              // of problem->parameters(), natural units
  std::vector<double> coordinates;         // of the free ones, as searched
  std::vector<Estimate> estimates;         // in the order of problem->parameters()
  double objective = 0;                    // at the optimum

  // By row of the problem.
  std::vector<double> prediction;
  std::vector<double> residual;  // target - prediction, natural units
  std::vector<double> leverage;  // share of a run in its own prediction; empty without a covariance

  double r_squared = 0;  // of the target, unweighted
  double mean_relative_error =
      0;                      // mean |target - prediction| / |target| over rows with target != 0
  double rmse = 0;            // of the target
  double residual_scale = 0;  // of the loss's residual: s with s² = 2·objective/(n-p) for squares,
                              // the normalized median absolute deviation for Huber, and
                              // sqrt(n/(n-p)) times the scale of its likelihood for Student's t

  int starts = 0;              // generated
  int searched = 0;            // run to a local optimum
  int optima = 0;              // of different objectives among those
  bool stopped_early = false;  // a limit ended it
  int agreeing = 0;        // of those, how many ended within 1e-6 (relative) of the best objective
  int failed = 0;          // without a finite objective
  int iterations = 0;      // of the best search
  bool converged = false;  // the best search met its tolerance

  // 2 (F - F_min)/objective_scale is what the noise alone makes of a squared Student-t with
  // `degrees` degrees of freedom when one parameter is held at its true value (calibrated for
  // robust losses, see uncertainty.h). degrees is infinite where the noise is known exactly.
  double objective_scale = 0;
  double degrees = 0;  // n - p
  // Covariance of the free coordinates as searched, [p][p]; empty where it cannot be computed.
  std::vector<double> covariance;
  // The same for equal noise, where `covariance` is a sandwich; else empty.
  std::vector<double> model_covariance;
  Identifiability identifiability;  // of the optimum
  std::vector<std::string>
      notes;  // sentences a reader must know: dropped rows, parameters at bounds
};

// Never returns a NaN: a problem without a finite optimum is an error (FailedPrecondition).
absl::StatusOr<FitResult> Fit(const Problem& problem, const FitOptions& options = {});

// One local search from given coordinates (problem.coordinates() of them), for refits. Only values,
// coordinates, objective, iterations and converged are filled.
struct Refit {
  std::vector<double> coordinates;  // free ones, as searched
  double objective = 0;             // at the end
  int iterations = 0;               // that it took
  bool converged = false;           // by its own rule
};
Refit FitFrom(const Problem& problem, absl::Span<const double> coordinates,  // from one start
              const FitOptions& options = {});

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_FIT_H_
