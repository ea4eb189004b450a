// A law as planning uses it: a form at parameters, how unsure these are, and where it was fitted.
#ifndef QATLAS_FRAMEWORK_PLAN_LAW_H_
#define QATLAS_FRAMEWORK_PLAN_LAW_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <qatlas/law.h>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"

namespace qatlas::plan {

// Where a law is asked: covariates and categories by the names of the observations' columns.
struct Point {
  std::map<std::string, double> numbers;     // N, D, G, weight_bits, ...
  std::map<std::string, std::string> texts;  // precision, scheme, ...
};
// The number of this name at the point; NaN where it has none.
double NumberAt(const Point& point, const std::string& name);
// "N=5.95e+08, D=1e+11, precision=W4A4"
std::string Show(const Point& point);

struct Range {
  double low = 0, high = 0;
};

// A bound that does not bind, an answer that does not exist.
inline constexpr double kNone = std::numeric_limits<double>::infinity();

// A parameter after categories are expanded, as fit::Parameter.
struct LawValue {
  std::string name;  // "alpha", "eff[W4A4]"
  int base = 0;      // index in the form's spec
  std::string category;
  std::vector<std::string> split_by;  // columns whose texts make the category
  bool log = false;
  int coordinate = -1;  // -1: held
  bool unused = false;  // no row of the fit depends on it; points that do cannot be answered
};

// How single runs scatter about the law: in ln(target) where `log`, else in the target.
struct RunNoise {
  bool known = false;
  bool log = false;
  bool heavy = false;  // Student-t with 4 degrees of freedom instead of Gaussian
  double scale = 0;    // standard deviation, or scale of the t
};

struct Law {
  std::string name;    // "qat-unified"
  std::string text;    // of which a LawFactory makes the form again; empty: its name
  std::string source;  // "preset w4a4: Chen et al. 2025, ...", "fits.json", "runs.csv, 80 rows"
  std::shared_ptr<const LawForm> form;
  std::string target;
  std::vector<LawValue> parameters;
  std::vector<double> values;  // of parameters, natural units

  // Parameters drawn from what the data leave open, [draws][parameters]; empty where nothing says
  // how unsure they are.
  std::vector<std::vector<double>> draws;
  // Or factors of the whole law, [draws], where only the size of its error is known.
  std::vector<double> factors;
  int DrawCount() const { return static_cast<int>(std::max(draws.size(), factors.size())); }
  std::string intervals;  // "from the covariance (2000 draws)", or why there are none

  std::map<std::string, Range> fitted;  // by covariate: range of the fit's rows; empty: not known
  int64_t rows = 0;
  RunNoise noise;

  bool identifiable = true;
  std::string reason;  // why not
};

enum class IntervalKind {
  kCovariance,
  kBootstrap,
  kAuto,  // the covariance where draws from it centre on the fit (OffCentre), else bootstraps
};

struct DrawOptions {
  IntervalKind kind = IntervalKind::kCovariance;
  int count = 2000;
  uint64_t seed = 1;
  // Group of every row of the problem, for bootstraps by groups; empty: rows are drawn singly.
  std::vector<std::string> groups;
};

// A law from a fit. Draws of kCovariance are multivariate Student-t in search coordinates with
// n - p degrees of freedom, so that intervals of single parameters agree with the fit's; values
// beyond the form's bounds are set onto them. kBootstrap takes refits, shifted nowhere:
// percentiles. A fit that is not identifiable gives a law that says so.
absl::StatusOr<Law> LawFromFit(const fit::FitResult& fit, const DrawOptions& options);

// How far draws lie to one side of the fit, in half-widths of their 95% interval: the median over
// rows of |middle of the interval - fitted| / half-width, of `predictions` [draws][rows]. 0: the
// interval is symmetric about the fit; 1: the fit lies at its end. Where parameters trade off along
// a curved valley, draws from a covariance leave it, and nearly all of them predict more than the
// fit does: beyond kOffCentre they are no interval.
inline constexpr double kOffCentre = .5;
inline constexpr char kOffCentreNote[] =
    "; they do not centre on the fit and lie too high: bootstrap refits of the table are better";
double OffCentre(const std::vector<double>& fitted,
                 const std::vector<std::vector<double>>& predictions);

// Draws from a covariance of free coordinates as searched, [p][p]. Empty where it is not positive
// semidefinite. Deterministic in the seed.
std::vector<std::vector<double>> DrawValues(const Law& law, const std::vector<double>& covariance,
                                            double degrees, int count, uint64_t seed);

// A law from published constants. `relative_error` > 0: the standard error of the law's values as
// a share of them, such as the mean relative error that its paper reports; draws then scale the
// whole law. NotFound: no such preset; FailedPrecondition: a preset that leaves parameters out.
absl::StatusOr<Law> LawFromPreset(std::shared_ptr<const LawForm> form, const std::string& name,
                                  const std::string& preset, double relative_error = 0,
                                  uint64_t seed = 1);

// The form's values at one point, evaluated often.
class BoundLaw {
 public:
  // InvalidArgument, all at once: covariates or categories that the point lacks, values out of the
  // form's domain, categories that the fit has not seen. Where the fit has a single category, the
  // point may leave it out. Covariates that may be missing are taken as the form says; `quantized`
  // is 1 unless the point says otherwise. Covariates listed in `open` are set later.
  static absl::StatusOr<BoundLaw> Create(const Law& law, const Point& point,
                                         const std::vector<std::string>& open = {});

  const Law& law() const { return *law_; }
  const std::vector<double>& covariates() const { return covariates_; }
  // Of each of the form's parameters: the index into Law::parameters.
  const std::vector<int>& slots() const { return slots_; }
  // A covariate that the form does not read is passed over. False (and values of NaN from then on)
  // where a parameter is split by this column and the fit has no such category.
  bool Set(const std::string& name, double value);
  // draw -1: at the law's values. A law without draws always answers at its values. NaN never
  // leaves: what has no value is infinite.
  double Value(int draw) const;

 private:
  bool Resolve();
  bool Missing(int covariate) const;  // one that may be, and is

  const Law* law_ = nullptr;
  Point point_;
  std::vector<double> covariates_, logs_;
  std::vector<int> slots_;  // [form parameters], index into law_->parameters
  bool resolved_ = true;
};

// Takes a value into the fitted range of a covariate.
void Widen(Law* law, const std::string& covariate, double value);
// A sentence for every covariate of the point that lies outside the fitted range.
std::vector<std::string> OutsideRange(const Law& law, const Point& point);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_LAW_H_
