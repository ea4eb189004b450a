// LR-QAT: quantization-aware training of a low-rank adapter in the integer domain of frozen
// weights.
#ifndef QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LR_QAT_H_
#define QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LR_QAT_H_

#include <qatlas/component.h>
#include <qatlas/int_format.h>
#include <qatlas/int_options.h>
#include <qatlas/options.h>
#include <qatlas/quantizer.h>

#include <cstdint>
#include <memory>

#include "ATen/ATen.h"
#include "frozen.h"

namespace qatlas::lr_qat {

// Where the initial scale s0 comes from.
enum class Range {
  kAbsMax,  // max|w| / divisor
  kMse,     // of kMseSteps shares of that, the one with the least squared error of the weights
  kParent,  // the scales and codes that post-training quantization of the parent segment gave
};
inline constexpr int kMseSteps = 80;         // shares k / kMseSteps of the AbsMax scale ...
inline constexpr double kMseShortest = 0.3;  // ... from this up

// The scale never falls below this share of its initial value, so that it cannot cross zero.
inline constexpr double kScaleShare = 1e-3;
// Initial scales are at least this, so that rows of zeros have one.
inline constexpr double kScaleFloor = 1e-8;

struct Config {
  IntFormat format;  // kChannel or kGroup
  Storage storage = Storage::kFixed;
  int64_t rank = 32;
  double alpha = 32;  // the adapter is alpha / rank * A B
  Range range = Range::kAbsMax;
  float divisor = 7;
  double a_lr = 1e-3;  // peak learning rates
  double b_lr = 1e-3;
  double scale_lr = 1e-5;
};

// Ŵ = s clip(round(Φ0 + (α/r) A B), -2^(b-1), 2^(b-1) - 1) (Bondarenko et al. 2024, arXiv
// 2406.06385, eq. 7): Φ0 = φ(W / s0) is frozen, A, B and s are trained.
class LrQatQuantizer final : public Quantizer {
 public:
  static const ComponentInfo kInfo;
  static absl::StatusOr<std::unique_ptr<Quantizer>> Create(const Options& options);

  explicit LrQatQuantizer(Config config) : config_(config) {}

  absl::Status Check(const char* operand, int64_t in_features, int64_t out_features) const override;
  // Errors: the rule covers the input; weights that are not finite; no parent, or one whose codes
  // do not fit, where the range is the parent's.
  absl::StatusOr<std::unique_ptr<LinearOperator>> AttachLinear(const AttachContext& context,
                                                               bool owns_input) const override;
  double NominalBits() const override { return config_.format.bits; }
  int64_t NominalGroup() const override { return NominalGroupOf(config_.format); }

  const Config& config() const { return config_; }

 private:
  Config config_;
};

}  // namespace qatlas::lr_qat

#endif  // QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LR_QAT_H_
