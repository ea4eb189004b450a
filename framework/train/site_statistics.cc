#include "framework/train/site_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "framework/train/evaluate.h"
#include "framework/train/tokens.h"

namespace qatlas::train {
namespace {

nlohmann::ordered_json NumberOrNull(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

at::Tensor Flat(const at::Tensor& x) {
  return x.detach().to(at::kCPU, at::kFloat).contiguous().view({-1});
}

}  // namespace

SiteStatistics Measure(const Site& site, const at::Tensor& x, const at::Tensor& quantized) {
  SiteStatistics result;
  result.site = site;
  const at::Tensor values = Flat(x);
  const float* data = values.const_data_ptr<float>();
  const int64_t count = values.numel();
  result.elements = count;
  if (count == 0) return result;
  double sum = 0;
  double squares = 0;
  std::vector<float> magnitudes(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double v = data[i];
    sum += v;
    squares += v * v;
    magnitudes[static_cast<size_t>(i)] = std::abs(data[i]);
  }
  const double n = static_cast<double>(count);
  const double mean = sum / n;
  double second = 0;
  double fourth = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double d = (data[i] - mean) * (data[i] - mean);
    second += d;
    fourth += d * d;
  }
  result.rms = std::sqrt(squares / n);
  // NaN where all values are alike; written as null.
  result.kurtosis = n * fourth / (second * second);
  result.max_abs = *std::max_element(magnitudes.begin(), magnitudes.end());
  const auto middle = magnitudes.begin() + count / 2;
  std::nth_element(magnitudes.begin(), middle, magnitudes.end());
  result.max_to_median = result.max_abs / static_cast<double>(*middle);
  if (quantized.defined()) {
    const at::Tensor other = Flat(quantized);
    const float* q = other.const_data_ptr<float>();
    double noise = 0;
    for (int64_t i = 0; i < count; ++i) {
      const double d = static_cast<double>(data[i]) - q[i];
      noise += d * d;
    }
    if (noise > 0 && squares > 0) result.snr_db = 10 * std::log10(squares / noise);
  }
  return result;
}

std::vector<SiteStatistics> MeasureSites(Model& model, const data::ValidationSet& validation,
                                         at::Device device) {
  at::NoGradGuard no_grad;
  KeepQuantizedWeights keep(model);
  std::map<const QuantizableLinear*, SiteStatistics> inputs;
  const std::vector<QuantizableLinear*> linears = model.Linears();
  for (QuantizableLinear* linear : linears) {
    // Measured at once, so that no more than one site's values are held.
    linear->SetInputObserver([&inputs](const QuantizableLinear& seen, const at::Tensor& x) {
      if (inputs.count(&seen) != 0) return;
      OperandQuantizer* quantizer = seen.input_quantizer();
      inputs[&seen] = Measure(seen.InputSite(), x,
                              quantizer != nullptr ? quantizer->FakeQuantize(x) : at::Tensor());
    });
  }
  const int64_t count = std::min(validation.size(), EvaluationBatch(validation.sequence_length()));
  BatchBuffer batch(count, validation.sequence_length(), device);
  batch.Fill([&](int64_t i, int64_t* out) { validation.Fill(i, out); }, 0, count);
  model.Loss(batch.tokens(), batch.targets(), LossReduction::kPerSequence);
  for (QuantizableLinear* linear : linears) linear->SetInputObserver({});

  std::vector<SiteStatistics> result;
  for (QuantizableLinear* linear : linears) {
    const bool has_quantizer =
        linear->weight_quantizer() != nullptr || linear->linear_operator() != nullptr;
    // An operator that owns the parametrization has no other weight to compare with.
    const at::Tensor weight =
        linear->weight().defined() ? linear->weight() : linear->QuantizedWeight();
    const bool comparable = has_quantizer && linear->weight().defined();
    result.push_back(Measure(linear->WeightSite(), weight,
                             comparable ? linear->QuantizedWeight() : at::Tensor()));
    auto seen = inputs.find(linear);
    if (seen != inputs.end()) result.push_back(std::move(seen->second));
  }
  return result;
}

nlohmann::ordered_json ToJson(const std::vector<SiteStatistics>& sites) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const SiteStatistics& s : sites) {
    result.push_back({{"site", s.site.Name()},
                      {"block", s.site.block},
                      {"role", s.site.role},
                      {"operand", s.site.operand},
                      {"elements", s.elements},
                      {"kurtosis", NumberOrNull(s.kurtosis)},
                      {"max_to_median", NumberOrNull(s.max_to_median)},
                      {"snr_db", s.snr_db ? NumberOrNull(*s.snr_db) : nullptr},
                      {"max_abs", NumberOrNull(s.max_abs)},
                      {"rms", NumberOrNull(s.rms)}});
    if (s.site.expert >= 0) result.back()["expert"] = s.site.expert;
  }
  return result;
}

}  // namespace qatlas::train
