// Law forms composed of others: the loss of a quantized model as that of its full-precision twin
// and the error that quantization adds, L = base + δ.
#ifndef QATLAS_FRAMEWORK_FORMS_COMPOSE_H_
#define QATLAS_FRAMEWORK_FORMS_COMPOSE_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <qatlas/law.h>

namespace qatlas::forms {

// The sum of a form for the loss and one for δ, as a form for the loss.
//
// Rows of full precision have no δ: the spec has the covariate kQuantized, and what only δ reads is
// not needed where it is 0. δ's parameters depend on it too (LawParameter::only_with), so that such
// rows take no part in one k for each scheme. Covariates of the same name are one; a parameter of δ
// whose name the loss has too is called "delta_<name>". For every two presets there is one,
// "chen-2025+w4a4".
class Composed : public LawForm {
 public:
  // The forms must predict the loss and δ: Compose checks it.
  Composed(std::shared_ptr<const LawForm> base, std::shared_ptr<const LawForm> delta);

  const LawSpec& Spec() const override { return spec_; }
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override;

  const std::shared_ptr<const LawForm>& base() const { return base_; }    // of the loss
  const std::shared_ptr<const LawForm>& delta() const { return delta_; }  // of δ
  // Parameters of the base come first, in its order; then those of δ, in its order.
  size_t BaseParameters() const { return base_->Spec().parameters.size(); }

 private:
  void Unite();
  std::string OwnName(const std::string& name) const;

  std::shared_ptr<const LawForm> base_, delta_;
  LawSpec spec_;
  std::vector<int> delta_columns_;  // of δ's covariates, among all
  int quantized_ = 0;
};

// InvalidArgument where `base` does not predict a loss or `delta` no δ. The forms are kept.
absl::StatusOr<std::shared_ptr<const Composed>> Compose(std::shared_ptr<const LawForm> base,
                                                        std::shared_ptr<const LawForm> delta);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_COMPOSE_H_
