#include "qatlas/conformance/check.h"
#include "sdk/conformance/law_check_list.h"

namespace qatlas::conformance {

absl::Span<const Check> LawChecks() {
  static constexpr Check kChecks[] = {
      {"declared",
       "The spec is complete: target, formula, covariates and parameters with meanings, bounds "
       "with starts inside them, presets of known parameters with citations.",
       LawDeclared},
      {"finite-at-bounds",
       "Values and derivatives are finite at the corners of the parameters' bounds (of the starts "
       "where there are none), at usual covariates.",
       LawFinite},
      {"covariate-ranges",
       "Values and derivatives are finite at both ends of every covariate's range, and where it is "
       "missing.",
       LawCovariates},
      {"jacobian",
       "The Jacobian agrees with differences of the values over the whole start grid, and every "
       "parameter changes the value somewhere.",
       LawJacobian, 120},
      {"linear-parameters", "The form is affine in the parameters that are declared linear.",
       LawLinear},
      {"only-with",
       "Where a covariate is missing, parameters that are declared to need it do not matter.",
       LawOnlyWith},
      {"batch-independent",
       "A point alone gives the same bits as in a batch of any size, with and without derivatives, "
       "and nothing is written outside of it.",
       LawBatches},
      {"stateless", "Evaluating leaves nothing behind: the same input gives the same bits again.",
       LawStateless},
      {"thread-safe", "Two threads get the same bits as one.", LawThreads},
      {"recovers-exactly",
       "Fitted to values of its own without noise, from its start grid, it finds its parameters "
       "again.",
       LawRecovers, 120},
      {"recovers-noisy",
       "Fitted to values of its own with noise, it finds its parameters within their standard "
       "errors.",
       LawRecoversNoisy, 120},
      {"published-values", "Presets reproduce the figures that were published with them.",
       LawPublished},
  };
  return kChecks;
}

}  // namespace qatlas::conformance
