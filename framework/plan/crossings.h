// Where one thing overtakes another: weight error and input error, a mixed precision and its cost,
// B bits and full precision.
#ifndef QATLAS_FRAMEWORK_PLAN_CROSSINGS_H_
#define QATLAS_FRAMEWORK_PLAN_CROSSINGS_H_

#include <string>

#include <absl/status/statusor.h>

#include "framework/plan/allocate.h"
#include "framework/plan/world.h"

namespace qatlas::plan {

// An axis to search: a covariate from low to high.
struct Along {
  std::string covariate = "D";
  double low = 1e6, high = 1e18;
};

// Where the errors of two laws of δ are equal along an axis, all else at `at`: D*, at which the
// error of quantized weights overtakes that of quantized inputs (Chen et al. 2025). For two
// qat-unified laws D* = [(k_b/k_a) (log2 G)^(γG_b - γG_a) N^(γN_a - γN_b)]^(1/(γD_a - γD_b)). The
// answer says which law is larger below and above; with no crossing in the range it says that, and
// which is larger throughout.
absl::StatusOr<Answer> Crossing(const Law& a, const Law& b, const Point& at,
                                const Along& along = {}, const AskOptions& options = {});

// Whether a finer precision of one part (FC2's input at 8 bits) pays. `base` and `mixed` are worlds
// with the same law of the loss; `cost` is what the finer part costs as a share of the compute (or
// memory) of the model. The same could buy a model 1 + cost times as large: it pays where
// L_mixed(N, D) < L_base(N (1 + cost), D). Says the gain in δ, the break-even cost, the verdict
// ("pays", "does not pay", "undecided" where the interval of the break-even cost holds `cost`), and
// where along the axis the verdict turns.
absl::StatusOr<Answer> MixedPays(const World& base, const World& mixed, const Point& at,
                                 double cost, const Along& along = {},
                                 const AskOptions& options = {});

struct ParityOptions {
  double tolerance = .01;  // nats/token of δ that count as equal
  double ratio = 0;        // D = ratio · N; 0: D as the point says
  double bits = 0;         // bits per element, with scales; 0: equal bytes are not asked for
  double full_bits = 16;
  double low = 1e6, high = 1e13;  // sizes searched
};

// At which scale a precision equals full precision, in two senses: the size N from which δ stays
// below the tolerance, and the size from which the quantized model is better than a full-precision
// one of as many bytes (N · bits / full_bits parameters, the same data). With the effective
// parameters there.
absl::StatusOr<Answer> Parity(const World& world, const Point& at, const ParityOptions& parity,
                              const AskOptions& options = {});

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_CROSSINGS_H_
