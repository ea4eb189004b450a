// What a fit minimizes.
#ifndef QATLAS_FRAMEWORK_FIT_LOSS_H_
#define QATLAS_FRAMEWORK_FIT_LOSS_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace qatlas::fit {

// Where the residual lives: r = (f - y)/se (se = 1 where no noise is given), or r = ln f - ln y.
enum class Space { kLinear, kLog };
// kSquare: rho(r) = r²/2. kHuber: r²/2 for |r| <= delta, delta (|r| - delta/2) beyond.
// kStudentT: the likelihood of Student's t with nu degrees of freedom, its scale s at maximum
// likelihood for the parameters at hand (so that the two are estimated jointly: Lange, Little and
// Taylor 1989). With W = sum w and
//   L = min over s of  W ln s + sum w (nu + 1)/2 ln(1 + r²/(nu s²))
// the objective is F = W/2 exp(2 L/W - 1): positive, in the units of r², and for nu to infinity the
// sum of w r²/2. A difference of log likelihoods is W/2 ln(F1/F0), as it is for kSquare with its
// variance estimated.
enum class Shape { kSquare, kHuber, kStudentT };

struct Loss {                    // What is minimized.
  Space space = Space::kLinear;  // of residuals
  Shape shape = Shape::kSquare;  // of the sum
  double delta = 1e-3;           // Huber's threshold, in the units of the residual
  double nu = 4;                 // degrees of freedom of Student's t; small: heavy tails

  // "log-huber(0.001)", "student-t(4)", as results and messages name it.
  std::string Name() const;
};

// The objective is the sum over rows of weight · rho(residual). Presets:
//   "least-squares"      r²/2 on the target
//   "huber"              Huber on the target, delta 1e-3
//   "log-least-squares"  r²/2 on the logarithm: relative errors
//   "log-huber"          Huber on the logarithm, delta 1e-3: the loss of Hoffmann et al. 2022 as
//                        Besiroglu et al. 2024 (arXiv 2404.10102) state it
//   "student-t"          Student's t with 4 degrees of freedom on the target
//   "log-student-t"      the same on the logarithm
// NotFound with the list of names.
absl::StatusOr<Loss> LossByName(absl::string_view name);
// What a fit minimizes where nobody says: its intervals hold under Gaussian and heavy-tailed noise
// of any size (docs/laws.md).
inline constexpr char kDefaultLoss[] = "log-student-t";
std::vector<std::string> LossNames();

// What to do with rows whose target is 0 or less when the residual is a logarithm. δ can be
// negative by noise alone; leaving such rows out biases the fit upwards, and the result says so.
enum class NonPositive {
  kRefuse,  // an error that names the first such row
  kDrop,    // fit without them; FitResult::dropped counts them
  kLinear,  // the same shape of loss on the target itself, for all rows
};
absl::StatusOr<NonPositive> NonPositiveByName(
    absl::string_view name);           // "refuse", "drop", "linear"
const char* Name(NonPositive policy);  // as options write it

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_LOSS_H_
