#include "framework/forms/compose.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace qatlas::forms {
namespace {

constexpr int64_t kChunk = 512;  // points whose δ is held on the stack

// A covariate that both forms read, with the narrower domain. Whether a row may lack it is the
// base's affair, which reads it in every row.
LawCovariate Narrower(LawCovariate base, const LawCovariate& delta) {
  base.minimum = std::max(base.minimum, delta.minimum);
  base.maximum = std::min(base.maximum, delta.maximum);
  return base;
}

// The preset of both, or none where a value is given twice.
LawPreset Both(const LawPreset& base, const LawPreset& delta, const LawSpec& delta_spec,
               const LawSpec& spec, size_t first_of_delta) {
  LawPreset both;
  both.name = absl::StrCat(base.name, "+", delta.name);
  both.citation = base.citation == delta.citation
                      ? base.citation
                      : absl::StrCat(base.citation, "; ", delta.citation);
  both.values = base.values;
  for (const auto& [name, value] : delta.values) {
    const int index = delta_spec.ParameterIndex(name);
    if (index < 0) continue;
    both.values.emplace_back(spec.parameters[first_of_delta + index].name, value);
  }
  both.verified = base.verified && delta.verified;
  both.note = base.note.empty() || delta.note.empty() ? absl::StrCat(base.note, delta.note)
                                                      : absl::StrCat(base.note, " ", delta.note);
  return both;
}

}  // namespace

Composed::Composed(std::shared_ptr<const LawForm> base, std::shared_ptr<const LawForm> delta)
    : base_(std::move(base)), delta_(std::move(delta)), spec_(base_->Spec()) {
  Unite();
}

std::string Composed::OwnName(const std::string& name) const {
  std::string own = name;
  const auto taken = [&](const std::string& candidate) {
    return spec_.ParameterIndex(candidate) >= 0 ||
           (candidate != name && delta_->Spec().ParameterIndex(candidate) >= 0);
  };
  while (taken(own)) own = absl::StrCat("delta_", own);
  return own;
}

void Composed::Unite() {
  const LawSpec& error = delta_->Spec();
  spec_.formula = absl::StrCat(base_->Spec().formula, " + ", error.formula);
  quantized_ = spec_.CovariateIndex(kQuantized);
  if (quantized_ < 0) {
    quantized_ = static_cast<int>(spec_.covariates.size());
    spec_.covariates.push_back(QuantizedCovariate());
  }
  for (const LawCovariate& covariate : error.covariates) {
    int index = spec_.CovariateIndex(covariate.name);
    if (index >= 0) {
      spec_.covariates[index] = Narrower(spec_.covariates[index], covariate);
    } else {
      index = static_cast<int>(spec_.covariates.size());
      spec_.covariates.push_back(covariate);
      LawCovariate& own = spec_.covariates.back();
      if (std::isnan(own.missing) && own.only_with.empty()) own.only_with = kQuantized;
    }
    delta_columns_.push_back(index);
  }
  // What leans on a covariate that every row has now leans on nothing but quantization.
  const auto lean = [&](std::string* with) {
    const int index = spec_.CovariateIndex(*with);
    if (index < 0 || std::isnan(spec_.covariates[index].missing)) *with = kQuantized;
  };
  for (size_t c = base_->Spec().covariates.size(); c < spec_.covariates.size(); ++c) {
    if (!spec_.covariates[c].only_with.empty()) lean(&spec_.covariates[c].only_with);
  }
  for (LawParameter parameter : error.parameters) {
    parameter.name = OwnName(parameter.name);
    lean(&parameter.only_with);
    spec_.parameters.push_back(std::move(parameter));
  }
  spec_.presets.clear();
  for (const LawPreset& of_base : base_->Spec().presets) {
    for (const LawPreset& of_delta : error.presets) {
      spec_.presets.push_back(Both(of_base, of_delta, error, spec_, BaseParameters()));
    }
  }
}

void Composed::Evaluate(const LawBatch& batch, const double* theta, double* values,
                        double* jacobian, int64_t stride) const {
  base_->Evaluate(batch, theta, values, jacobian, stride);
  const double* quantized = batch.values[quantized_];
  const size_t columns = delta_columns_.size();
  const int64_t own = static_cast<int64_t>(BaseParameters());
  const int64_t parameters = static_cast<int64_t>(delta_->Spec().parameters.size());
  absl::InlinedVector<const double*, 16> pointers(2 * columns);
  std::array<double, kChunk> error;
  for (int64_t begin = 0; begin < batch.size; begin += kChunk) {
    const int64_t size = std::min(kChunk, batch.size - begin);
    for (size_t c = 0; c < columns; ++c) {
      pointers[c] = batch.values[delta_columns_[c]] + begin;
      pointers[columns + c] = batch.logs[delta_columns_[c]] + begin;
    }
    double* slopes = jacobian == nullptr ? nullptr : jacobian + own * stride + begin;
    delta_->Evaluate({size, pointers.data(), pointers.data() + columns}, theta + own, error.data(),
                     slopes, stride);
    // What δ is where there is none does not matter, infinity included.
    for (int64_t i = 0; i < size; ++i) {
      const double share = quantized[begin + i];
      values[begin + i] += share == 0 ? 0.0 : share * error[i];
    }
    for (int64_t p = 0; jacobian != nullptr && p < parameters; ++p) {
      for (int64_t i = 0; i < size; ++i) {
        const double share = quantized[begin + i];
        double& slope = slopes[p * stride + i];
        slope = share == 0 ? 0.0 : share * slope;
      }
    }
  }
}

absl::StatusOr<std::shared_ptr<const Composed>> Compose(std::shared_ptr<const LawForm> base,
                                                        std::shared_ptr<const LawForm> delta) {
  const auto check = [](const LawForm& form, const char* target) {
    if (form.Spec().target == target) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("cannot compose: '", form.Spec().formula,
                                                   "' predicts ", form.Spec().target, ", not ",
                                                   target));
  };
  if (absl::Status status = check(*base, kTargetLoss); !status.ok()) return status;
  if (absl::Status status = check(*delta, kTargetDelta); !status.ok()) return status;
  return std::make_shared<const Composed>(std::move(base), std::move(delta));
}

}  // namespace qatlas::forms
