// What the tests of quantizers share: options, attaching, comparison by bits, and a plain
// reference.
#ifndef QATLAS_TESTS_PLUGINS_QUANTIZERS_QUANTIZER_FIXTURE_H_
#define QATLAS_TESTS_PLUGINS_QUANTIZERS_QUANTIZER_FIXTURE_H_

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <qatlas/quantizer.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace qatlas::testing {

inline Options With(Options defaults, std::map<std::string, OptionValue> values) {
  OptionTable table = defaults.table();
  for (auto& [name, value] : values) table.values[name] = value;
  return Options(table);
}

inline Options IntDefaults() {
  OptionTable table;
  table.values = {{"bits", int64_t{4}},
                  {"granularity", std::string("group")},
                  {"group", int64_t{64}},
                  {"short_last_group", false},
                  {"divisor", std::string("chen")},
                  {"clip", std::string("absmax")},
                  {"clip_lr", 1e-3}};
  return Options(table);
}

inline Options LsqDefaults() {
  OptionTable table;
  table.values = {{"bits", int64_t{4}},   {"granularity", std::string("group")},
                  {"group", int64_t{64}}, {"short_last_group", false},
                  {"step_lr", 1e-3},      {"calibration_tokens", int64_t{2048}}};
  return Options(table);
}

template <typename T>
std::unique_ptr<Quantizer> Make(const Options& options) {
  auto quantizer = T::Create(options);
  EXPECT_TRUE(quantizer.ok()) << quantizer.status();
  return *std::move(quantizer);
}

inline AttachContext Context(const at::Tensor& weight) {
  AttachContext context;
  context.role = "fc2";
  context.in_features = weight.size(1);
  context.out_features = weight.size(0);
  context.weight = weight;
  return context;
}

// Deterministic values around 0 with a few large ones.
inline at::Tensor Values(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat) {
  at::Tensor x = at::empty(shape, at::kFloat);
  uint64_t state = seed * 2862933555777941757ull + 3037000493ull;
  for (int64_t i = 0; i < x.numel(); ++i) {
    double sum = 0;
    for (int k = 0; k < 4; ++k) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      sum += static_cast<double>(state >> 40) / (1 << 24) - 0.5;
    }
    x.data_ptr<float>()[i] = static_cast<float>(sum * (i % 37 == 5 ? 6 : 1));
  }
  return x.to(dtype);
}

// Same dtype, shape and bits; NaN equals NaN whatever its payload.
inline ::testing::AssertionResult BitEqual(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type()) return ::testing::AssertionFailure() << "other dtype";
  if (a.sizes() != b.sizes()) return ::testing::AssertionFailure() << "other shape";
  const at::ScalarType bits = a.scalar_type() == at::kBFloat16 ? at::kShort : at::kInt;
  const at::Tensor same = a.contiguous()
                              .view(bits)
                              .eq(b.contiguous().view(bits))
                              .logical_or(a.isnan().logical_and(b.isnan()));
  if (same.all().item<bool>()) return ::testing::AssertionSuccess();
  const int64_t i =
      same.contiguous().view({-1}).logical_not().to(at::kInt).argmax().item<int64_t>();
  return ::testing::AssertionFailure()
         << same.logical_not().sum().item<int64_t>() << " of " << a.numel() << " differ, first at "
         << i << ": " << a.contiguous().view({-1})[i].item<double>() << " and "
         << b.contiguous().view({-1})[i].item<double>();
}

// One element, written out: code and value for a given scale, in IEEE single precision.
inline float ReferenceCode(float x, float s, int bits) {
  const float low = -static_cast<float>(1 << (bits - 1));
  const float high = static_cast<float>((1 << (bits - 1)) - 1);
  return std::min(std::max(std::nearbyint(x / s), low), high);
}

// Fake quantization with AbsMax scales, element by element. `group` elements of a row share a
// scale; with `whole` all of x does. gamma(row, group) multiplies the scale.
template <typename Gamma>
at::Tensor ReferenceAbsMax(const at::Tensor& x, int bits, int64_t group, bool whole, float divisor,
                           Gamma gamma) {
  const at::Tensor values = x.to(at::kFloat).contiguous();
  at::Tensor result = at::empty_like(values);
  const int64_t features = x.size(-1), rows = x.numel() / features;
  const float* in = values.data_ptr<float>();
  float* out = result.data_ptr<float>();
  float whole_max = 0;
  for (int64_t i = 0; i < x.numel(); ++i) whole_max = std::max(whole_max, std::fabs(in[i]));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t start = 0, index = 0; start < features; start += group, ++index) {
      const int64_t end = std::min(start + group, features);
      float max = 0;
      for (int64_t i = start; i < end; ++i) max = std::max(max, std::fabs(in[row * features + i]));
      if (whole) max = whole_max;
      const float s = gamma(row, index) * (max / divisor);
      for (int64_t i = start; i < end; ++i) {
        const float value = in[row * features + i];
        // Adding 0 turns -0 into +0: a code has no signed zero.
        out[row * features + i] = s == 0 ? 0.0f : s * (ReferenceCode(value, s, bits) + 0.0f);
      }
    }
  }
  return result.to(x.scalar_type());
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_PLUGINS_QUANTIZERS_QUANTIZER_FIXTURE_H_
