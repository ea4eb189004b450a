// The scheme that gives the input of FC2 bits and a quantizer of its own.
#ifndef QATLAS_PLUGINS_SCHEMES_MIXED_FC2_MIXED_FC2_H_
#define QATLAS_PLUGINS_SCHEMES_MIXED_FC2_MIXED_FC2_H_

#include <memory>
#include <utility>
#include <vector>

#include <qatlas/scheme.h>

namespace qatlas {

// Quantizes weights and inputs of all linears with one quantizer, but the inputs of FC2, where
// outliers gather behind the gated activation, with more bits (8) or by another quantizer: Chen et
// al. 2025. What is not set for FC2 is as for the other inputs.
class MixedFc2Scheme : public Scheme {
 public:
  static const ComponentInfo kInfo;
  // Errors: an option that is set twice; a group for FC2 whose granularity has none.
  static absl::StatusOr<std::unique_ptr<Scheme>> Create(const Options& options);

  absl::StatusOr<std::vector<SchemeRule>> Rules() const override { return rules_; }

 private:
  explicit MixedFc2Scheme(std::vector<SchemeRule> rules) : rules_(std::move(rules)) {}

  std::vector<SchemeRule> rules_;
};

}  // namespace qatlas

#endif  // QATLAS_PLUGINS_SCHEMES_MIXED_FC2_MIXED_FC2_H_
