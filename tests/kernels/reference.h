// Plain versions of all kernels: scalar, one element after the other, sums in double.
#ifndef QATLAS_TESTS_KERNELS_REFERENCE_H_
#define QATLAS_TESTS_KERNELS_REFERENCE_H_

#include <qatlas/kernels/cross_entropy.h>
#include <qatlas/kernels/element.h>
#include <qatlas/kernels/fake_quant.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace qatlas::kernels::reference {

inline std::int64_t Entry(const FakeQuantParams& p, std::int64_t row, std::int64_t col) {
  const std::int64_t g = col / p.group;
  switch (p.index) {
    case ScaleIndex::kTensor:
      return 0;
    case ScaleIndex::kRow:
      return row;
    case ScaleIndex::kRowGroup:
      return row * p.groups() + g;
    case ScaleIndex::kGroup:
      return g;
  }
  return -1;
}

inline std::int64_t Entries(const FakeQuantParams& p) {
  return Entry(p, p.rows - 1, p.cols - 1) + 1;
}

// max|x| of each (row, group), NaN if the group has one.
inline std::vector<float> AbsMax(const FakeQuantParams& p, const std::vector<float>& x) {
  std::vector<float> result(static_cast<std::size_t>(p.rows * p.groups()), 0.0f);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t col = 0; col < p.cols; ++col) {
      float& max = result[row * p.groups() + col / p.group];
      const float a = std::fabs(x[row * p.cols + col]);
      if (std::isnan(a) || a > max) max = std::isnan(max) ? max : a;
    }
  }
  return result;
}

// Scale of each (row, group). entries: gamma (may be empty) under absmax, else scales.
inline std::vector<float> Scales(const FakeQuantParams& p, const std::vector<float>& x, bool absmax,
                                 const std::vector<float>& entries) {
  std::vector<float> result = AbsMax(p, x);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t g = 0; g < p.groups(); ++g) {
      float& s = result[row * p.groups() + g];
      const std::int64_t entry = Entry(p, row, g * p.group);
      if (!absmax) {
        s = entries[entry];
      } else {
        const float unit = s / p.divisor;
        s = entries.empty() ? unit : entries[entry] * unit;
      }
    }
  }
  return result;
}

// s * clamp(round(x / s)) with the C library's rounding; adding 0 turns -0 into +0.
inline float Quantize(float x, float s, int q_min, int q_max) {
  if (s == 0.0f) return std::isnan(x) ? x : 0.0f;
  const float v = x / s;
  if (std::isnan(v)) return v;
  const float code = std::nearbyintf(v);
  const float clipped =
      std::min(std::max(code, static_cast<float>(q_min)), static_cast<float>(q_max));
  return s * (clipped + 0.0f);
}

inline std::vector<float> FakeQuant(const FakeQuantParams& p, const std::vector<float>& x,
                                    bool absmax, const std::vector<float>& entries) {
  const std::vector<float> scales = Scales(p, x, absmax, entries);
  std::vector<float> out(x.size());
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t col = 0; col < p.cols; ++col) {
      const std::int64_t i = row * p.cols + col;
      out[i] = Quantize(x[i], scales[row * p.groups() + col / p.group], p.q_min, p.q_max);
    }
  }
  return out;
}

struct QuantGradients {
  std::vector<double> x;
  std::vector<double> entries;
};

inline QuantGradients FakeQuantBackward(const FakeQuantParams& p, const std::vector<float>& x,
                                        bool absmax, const std::vector<float>& entries,
                                        const std::vector<float>& grad) {
  const std::vector<float> scales = Scales(p, x, absmax, entries);
  const std::vector<float> max = AbsMax(p, x);
  QuantGradients result{std::vector<double>(x.size()),
                        std::vector<double>(static_cast<std::size_t>(Entries(p)))};
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t col = 0; col < p.cols; ++col) {
      const std::int64_t i = row * p.cols + col;
      const std::int64_t rg = row * p.groups() + col / p.group;
      const float s = scales[rg];
      if (s == 0.0f) {
        result.x[i] = grad[i];
        continue;
      }
      const float v = x[i] / s;
      const float test = p.range == RangeTest::kCode ? std::nearbyintf(v) : v;
      const bool in_range = !(test < p.q_min) && !(test > p.q_max);
      const double clipped =
          std::min(std::max(std::nearbyint(static_cast<double>(v)), static_cast<double>(p.q_min)),
                   static_cast<double>(p.q_max));
      const double per_step = in_range ? clipped - static_cast<double>(v) : clipped;
      result.x[i] = in_range ? grad[i] : 0.0;
      const double unit = absmax ? static_cast<double>(max[rg] / p.divisor) : 1.0;
      result.entries[Entry(p, row, col)] += grad[i] * per_step * unit;
    }
  }
  return result;
}

// Losses; with weight != 0 also the gradients.
struct CrossEntropyResult {
  std::vector<double> loss;
  std::vector<double> grad;
};
inline CrossEntropyResult CrossEntropy(std::int64_t vocab, const std::vector<float>& logits,
                                       const std::vector<std::int64_t>& targets, double weight) {
  CrossEntropyResult result{std::vector<double>(targets.size()),
                            std::vector<double>(logits.size())};
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] == kIgnoredTarget) continue;
    const float* x = logits.data() + row * vocab;
    double max = x[0];
    for (std::int64_t j = 1; j < vocab; ++j) max = std::max(max, static_cast<double>(x[j]));
    double sum = 0.0;
    for (std::int64_t j = 0; j < vocab; ++j) sum += std::exp(x[j] - max);
    result.loss[row] = std::log(sum) + max - x[targets[row]];
    for (std::int64_t j = 0; j < vocab; ++j) {
      const double p = std::exp(x[j] - max) / sum;
      result.grad[row * vocab + j] = weight * (p - (j == targets[row] ? 1.0 : 0.0));
    }
  }
  return result;
}

struct NormResult {
  std::vector<double> y;
  std::vector<double> rstd;
};
inline NormResult RmsNorm(std::int64_t cols, const std::vector<float>& x,
                          const std::vector<float>& weight, double eps) {
  NormResult result{std::vector<double>(x.size()), std::vector<double>(x.size() / cols)};
  for (std::size_t row = 0; row < result.rstd.size(); ++row) {
    double squares = 0.0;
    for (std::int64_t j = 0; j < cols; ++j) {
      squares += static_cast<double>(x[row * cols + j]) * x[row * cols + j];
    }
    result.rstd[row] = 1.0 / std::sqrt(squares / static_cast<double>(cols) + eps);
    for (std::int64_t j = 0; j < cols; ++j) {
      result.y[row * cols + j] = x[row * cols + j] * result.rstd[row] * weight[j];
    }
  }
  return result;
}

struct NormGradients {
  std::vector<double> x;
  std::vector<double> weight;
};
inline NormGradients RmsNormBackward(std::int64_t cols, const std::vector<float>& x,
                                     const std::vector<float>& weight, double eps,
                                     const std::vector<float>& grad) {
  const NormResult forward = RmsNorm(cols, x, weight, eps);
  NormGradients result{std::vector<double>(x.size()), std::vector<double>(weight.size())};
  for (std::size_t row = 0; row < forward.rstd.size(); ++row) {
    const double r = forward.rstd[row];
    double dot = 0.0;
    for (std::int64_t j = 0; j < cols; ++j) {
      const std::size_t i = row * cols + j;
      dot += static_cast<double>(weight[j]) * grad[i] * x[i];
      result.weight[j] += static_cast<double>(grad[i]) * x[i] * r;
    }
    for (std::int64_t j = 0; j < cols; ++j) {
      const std::size_t i = row * cols + j;
      result.x[i] = r * (static_cast<double>(weight[j]) * grad[i] -
                         x[i] * r * r * dot / static_cast<double>(cols));
    }
  }
  return result;
}

inline double Silu(double g) { return g / (1.0 + std::exp(-g)); }

inline std::vector<double> SwiGlu(std::int64_t width, const std::vector<float>& x) {
  std::vector<double> out(x.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i / width * 2 * width + i % width;
    out[i] = Silu(x[at]) * x[at + width];
  }
  return out;
}

inline std::vector<double> SwiGluBackward(std::int64_t width, const std::vector<float>& x,
                                          const std::vector<float>& grad) {
  std::vector<double> out(x.size());
  for (std::size_t i = 0; i < grad.size(); ++i) {
    const std::size_t at = i / width * 2 * width + i % width;
    const double g = x[at];
    const double sigmoid = 1.0 / (1.0 + std::exp(-g));
    out[at] = grad[i] * x[at + width] * sigmoid * (1.0 + g * (1.0 - sigmoid));
    out[at + width] = grad[i] * Silu(g);
  }
  return out;
}

}  // namespace qatlas::kernels::reference

#endif  // QATLAS_TESTS_KERNELS_REFERENCE_H_
