// Forms made of two: δ on top of a full-precision law, and a loss less a full-precision law.
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/compare/compare.h"

namespace qatlas::compare {
namespace {

// sign_a · a + sign_b · b, b at fixed parameters. Spec: a's parameters, both forms' covariates.
class Composed : public LawForm {
 public:
  Composed(std::shared_ptr<const LawForm> a, std::shared_ptr<const LawForm> b,
           std::vector<double> theta, double sign_b, const char* target)
      : a_(std::move(a)), b_(std::move(b)), theta_(std::move(theta)), sign_(sign_b) {
    spec_ = a_->Spec();
    spec_.target = target;
    spec_.presets.clear();
    spec_.formula =
        absl::StrCat(a_->Spec().formula, sign_ > 0 ? " + (" : " - (", b_->Spec().formula, ")");
    for (const LawCovariate& covariate : b_->Spec().covariates) {
      if (spec_.CovariateIndex(covariate.name) < 0) spec_.covariates.push_back(covariate);
      b_covariates_.push_back(spec_.CovariateIndex(covariate.name));
    }
  }

  const LawSpec& Spec() const override { return spec_; }

  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    // a's covariates come first and in its order.
    a_->Evaluate(batch, theta, values, jacobian, stride);
    std::vector<const double*> columns;
    for (int c : b_covariates_) columns.push_back(batch.values[c]);
    for (int c : b_covariates_) columns.push_back(batch.logs[c]);
    std::vector<double> other(batch.size);
    b_->Evaluate({batch.size, columns.data(), columns.data() + b_covariates_.size()}, theta_.data(),
                 other.data(), nullptr, 0);
    for (int64_t i = 0; i < batch.size; ++i) values[i] += sign_ * other[i];
  }

 private:
  std::shared_ptr<const LawForm> a_, b_;
  std::vector<double> theta_;
  double sign_;
  std::vector<int> b_covariates_;
  LawSpec spec_;
};

absl::Status Check(const LawForm& form, const char* target, const LawForm& full_precision,
                   const std::vector<double>& theta) {
  if (form.Spec().target != target) {
    return absl::InvalidArgumentError(absl::StrCat("the form '", form.Spec().formula, "' predicts ",
                                                   form.Spec().target, ", not ", target));
  }
  if (full_precision.Spec().target != kTargetLoss) {
    return absl::InvalidArgumentError(absl::StrCat("the full-precision law '",
                                                   full_precision.Spec().formula, "' predicts ",
                                                   full_precision.Spec().target, ", not loss"));
  }
  if (theta.size() != full_precision.Spec().parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the full-precision law has ",
                                                   full_precision.Spec().parameters.size(),
                                                   " parameters, not ", theta.size()));
  }
  for (double value : theta) {
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError("a parameter of the full-precision law is not a number");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LawForm>> LossFromDelta(
    std::shared_ptr<const LawForm> delta, std::shared_ptr<const LawForm> full_precision,
    std::vector<double> theta) {
  const absl::Status status = Check(*delta, kTargetDelta, *full_precision, theta);
  if (!status.ok()) return status;
  return std::make_shared<const Composed>(std::move(delta), std::move(full_precision),
                                          std::move(theta), 1.0, kTargetLoss);
}

absl::StatusOr<std::shared_ptr<const LawForm>> DeltaFromLoss(
    std::shared_ptr<const LawForm> loss, std::shared_ptr<const LawForm> full_precision,
    std::vector<double> theta) {
  const absl::Status status = Check(*loss, kTargetLoss, *full_precision, theta);
  if (!status.ok()) return status;
  return std::make_shared<const Composed>(std::move(loss), std::move(full_precision),
                                          std::move(theta), -1.0, kTargetDelta);
}

std::map<std::string, double> FixedFrom(const fit::FitResult& fit, const LawForm& form) {
  std::map<std::string, double> fixed;
  for (const fit::Estimate& estimate : fit.estimates) {
    if (estimate.category.empty() && form.Spec().ParameterIndex(estimate.name) >= 0) {
      fixed[estimate.name] = estimate.value;
    }
  }
  return fixed;
}

}  // namespace qatlas::compare
