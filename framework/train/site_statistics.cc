#include "framework/train/site_statistics.h"
#include "framework/train/result_files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "framework/train/evaluate.h"
#include "framework/train/tokens.h"

namespace qatlas::train {
namespace {

at::Tensor Flat(const at::Tensor& x) {
  return x.detach().to(at::kCPU, at::kFloat).contiguous().view({-1});
}

// The sum of f(i) over [0, count) in eight partial sums, which a compiler can keep in vectors: one
// sum alone would wait for each addition.
template <typename F>
double SumOver(int64_t count, const F& f) {
  constexpr int64_t kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += f(i + lane);
  }
  for (; i < count; ++i) lanes[i % kLanes] += f(i);
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

uint32_t MagnitudeBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & 0x7fffffffu;
}

// The magnitude of rank `rank` from 0. Magnitudes are ordered as their bits are: the upper half of
// the bits is settled by counting, then the lower half among those that share it. Several times
// faster than std::nth_element, and it copies nothing.
float MagnitudeOfRank(const float* data, int64_t count, int64_t rank) {
  std::vector<int64_t> counts(1 << 16);
  const auto settle = [&counts](int64_t* left) {
    uint32_t bin = 0;
    while (*left >= counts[bin]) *left -= counts[bin++];
    return bin;
  };
  for (int64_t i = 0; i < count; ++i) ++counts[MagnitudeBits(data[i]) >> 16];
  const uint32_t upper = settle(&rank);
  std::fill(counts.begin(), counts.end(), 0);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = MagnitudeBits(data[i]);
    if (bits >> 16 == upper) ++counts[bits & 0xffffu];
  }
  const uint32_t bits = upper << 16 | settle(&rank);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
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
  const double n = static_cast<double>(count);
  const double mean = SumOver(count, [data](int64_t i) { return double{data[i]}; }) / n;
  const double squares =
      SumOver(count, [data](int64_t i) { return double{data[i]} * double{data[i]}; });
  const auto deviation = [data, mean](int64_t i) {
    return (double{data[i]} - mean) * (double{data[i]} - mean);
  };
  const double second = SumOver(count, deviation);
  const double fourth =
      SumOver(count, [&deviation](int64_t i) { return deviation(i) * deviation(i); });
  result.rms = std::sqrt(squares / n);
  // NaN where all values are alike; written as null.
  result.kurtosis = n * fourth / (second * second);
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(data[i]));
  result.max_abs = largest;
  result.max_to_median =
      result.max_abs / static_cast<double>(MagnitudeOfRank(data, count, count / 2));
  if (quantized.defined()) {
    const at::Tensor other = Flat(quantized);
    const float* q = other.const_data_ptr<float>();
    const double noise = SumOver(count, [data, q](int64_t i) {
      return (double{data[i]} - double{q[i]}) * (double{data[i]} - double{q[i]});
    });
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
