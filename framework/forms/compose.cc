#include "framework/forms/compose.h"

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace qatlas::forms {
namespace {

class Sum : public LawForm {
 public:
  Sum(std::shared_ptr<const LawForm> loss, std::shared_ptr<const LawForm> delta)
      : loss_(std::move(loss)), delta_(std::move(delta)), spec_(loss_->Spec()) {
    const LawSpec& error = delta_->Spec();
    spec_.formula = absl::StrCat(spec_.formula, " + ", error.formula);
    spec_.presets.clear();
    for (const LawCovariate& covariate : error.covariates) {
      int index = spec_.CovariateIndex(covariate.name);
      if (index < 0) {
        index = static_cast<int>(spec_.covariates.size());
        spec_.covariates.push_back(covariate);
      }
      columns_.push_back(index);
    }
    for (LawParameter parameter : error.parameters) {
      if (loss_->Spec().ParameterIndex(parameter.name) >= 0) {
        parameter.name = absl::StrCat("delta.", parameter.name);
      }
      spec_.parameters.push_back(std::move(parameter));
    }
  }

  const LawSpec& Spec() const override { return spec_; }

  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    const size_t own = loss_->Spec().parameters.size();
    loss_->Evaluate(batch, theta, values, jacobian, stride);
    std::vector<const double*> pointers(2 * columns_.size());
    for (size_t c = 0; c < columns_.size(); ++c) {
      pointers[c] = batch.values[columns_[c]];
      pointers[columns_.size() + c] = batch.logs[columns_[c]];
    }
    std::vector<double> error(batch.size);
    delta_->Evaluate({batch.size, pointers.data(), pointers.data() + columns_.size()}, theta + own,
                     error.data(), jacobian == nullptr ? nullptr : jacobian + own * stride, stride);
    for (int64_t i = 0; i < batch.size; ++i) values[i] += error[i];
  }

 private:
  std::shared_ptr<const LawForm> loss_, delta_;
  LawSpec spec_;
  std::vector<int> columns_;  // of δ's covariates, among all
};

}  // namespace

absl::StatusOr<std::shared_ptr<const LawForm>> Compose(std::shared_ptr<const LawForm> loss,
                                                       std::shared_ptr<const LawForm> delta) {
  for (const auto& [form, wanted] :
       {std::pair{loss.get(), kTargetLoss}, {delta.get(), kTargetDelta}}) {
    if (form->Spec().target != wanted) {
      return absl::InvalidArgumentError(absl::StrCat("cannot compose: '", form->Spec().formula,
                                                     "' predicts ", form->Spec().target, ", not ",
                                                     wanted));
    }
  }
  return std::make_shared<Sum>(std::move(loss), std::move(delta));
}

}  // namespace qatlas::forms
