// A composed law, loss = base + δ, fitted in two stages: the base to runs of full precision, then δ
// to pairs.
#ifndef QATLAS_FRAMEWORK_FIT_STAGES_H_
#define QATLAS_FRAMEWORK_FIT_STAGES_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "framework/fit/fit.h"
#include "framework/forms/compose.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct StageOptions {  // Of a fit in two stages.
  // Of the base's stage, whose target is the loss. Parameters in fixed, tied and per go by their
  // names in the composed form ("delta_alpha") and reach the stage that they belong to.
  ProblemOptions problem;
  // Of δ's stage.
  std::string delta = "delta";                            // column of its target
  std::string delta_weight, delta_noise;                  // columns
  Loss delta_loss;                                        // of the second stage
  NonPositive delta_non_positive = NonPositive::kRefuse;  // policy
  FitOptions fit;                                         // of both
};

struct StagedFit {  // Both stages.
  FitResult base;   // of the base, on rows of full precision
  FitResult delta;  // of δ, on quantized rows that have one
  // The composed form on all these rows (quantized ones that have a loss), with the parameters,
  // errors and intervals that the stages found. Its covariance takes the stages as independent,
  // although a pair shares its full-precision run with the first stage. It was not searched: the
  // objective is that of the base's loss at the parameters found.
  FitResult combined;
};

// Which rows are quantized says observe::QuantizedRows. A joint fit of the composed form needs no
// pairs, but its residuals hold what a pair's difference cancels: the base form's own error, which
// is often as large as δ.
// InvalidArgument: no row of full precision or none with a δ; a parameter of one stage tied to one
// of the other, which takes a joint fit; a category of the base without a row of full precision.
// Errors of the stages name the stage.
absl::StatusOr<StagedFit> FitInStages(std::shared_ptr<const forms::Composed> form,
                                      const std::string& name, const observe::Table& table,
                                      const StageOptions& options = {});

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_STAGES_H_
