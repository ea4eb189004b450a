// Law forms composed of others: the loss of a quantized model as that of its full-precision twin
// and the error that quantization adds, L = base + δ.
#ifndef QATLAS_FRAMEWORK_FORMS_COMPOSE_H_
#define QATLAS_FRAMEWORK_FORMS_COMPOSE_H_

#include <memory>

#include <absl/status/statusor.h>
#include <qatlas/law.h>

namespace qatlas::forms {

// The sum of a form for the loss and one for δ, as a form for the loss. Covariates of the same name
// are one; a parameter of δ whose name the loss has too is called "delta.<name>". The forms are
// shared: the sum keeps them.
// InvalidArgument where `loss` does not predict a loss or `delta` no δ.
absl::StatusOr<std::shared_ptr<const LawForm>> Compose(std::shared_ptr<const LawForm> loss,
                                                       std::shared_ptr<const LawForm> delta);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_COMPOSE_H_
