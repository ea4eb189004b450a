// Parts of plugins that are wrong on purpose, about one defect each: what proves that every check
// can fail.
#ifndef QATLAS_TESTS_CONFORMANCE_DEFECTIVE_DEFECTIVE_H_
#define QATLAS_TESTS_CONFORMANCE_DEFECTIVE_DEFECTIVE_H_

#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/law.h"
#include "qatlas/law_parts.h"
#include "qatlas/options.h"

namespace defective {

// loss = E + A/N^alpha written out by hand, so that a class derived from it can get any part of it
// wrong.
class PowerLaw : public qatlas::LawForm {
 public:
  PowerLaw() : PowerLaw(MakeSpec()) {}
  explicit PowerLaw(qatlas::LawSpec spec) : spec_(std::move(spec)) {}

  static qatlas::LawSpec MakeSpec() {
    using namespace qatlas::law_parts;  // NOLINT
    qatlas::LawSpec spec;
    spec.target = qatlas::kTargetLoss;
    spec.formula = "E + A/N^alpha";
    spec.covariates = {Size()};
    spec.parameters = {Coefficient("E", "loss of the largest model", {.5, 1.5, 3}),
                       Coefficient("A", "how much a small model loses", {10, 100, 1000}),
                       Exponent("alpha", "exponent of size", .01, 2, {.2, .3, .5})};
    spec.presets = {{"nobody-2026",
                     "nobody",
                     {{"E", 1.7}, {"A", 400.0}, {"alpha", .34}},
                     true,
                     "",
                     {{{{"N", 1e9}}, 2.0481, 5e-3}}}};
    return spec;
  }

  const qatlas::LawSpec& Spec() const override { return spec_; }
  void Evaluate(const qatlas::LawBatch& batch, const double* theta, double* values,
                double* jacobian, int64_t stride) const override {
    for (int64_t i = 0; i < batch.size; ++i) {
      const double power = std::exp(-theta[2] * batch.logs[0][i]);
      values[i] = theta[0] + theta[1] * power;
      if (jacobian == nullptr) continue;
      jacobian[i] = 1;
      jacobian[stride + i] = power;
      jacobian[2 * stride + i] = -theta[1] * power * batch.logs[0][i];
    }
  }

 private:
  qatlas::LawSpec spec_;
};

// The component of a class under a name.
template <typename T, typename Kind = typename T::Base>
qatlas_component Make(const char* name, const qatlas_option* options = nullptr,
                      uint64_t option_count = 0) {
  qatlas::Factory<Kind> factory =
      [](const qatlas::Options& given) -> absl::StatusOr<std::unique_ptr<Kind>> {
    if constexpr (requires { T::Create(given); }) {
      return T::Create(given);
    } else {
      return std::make_unique<T>();
    }
  };
  return {Kind::kKind,
          1,
          name,
          "Wrong on purpose",
          "",
          qatlas::kNoAbilities,
          options,
          option_count,
          reinterpret_cast<void (*)()>(factory)};
}

}  // namespace defective

#endif  // QATLAS_TESTS_CONFORMANCE_DEFECTIVE_DEFECTIVE_H_
