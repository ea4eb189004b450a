// The scheme that quantizes all linears alike.
#ifndef QATLAS_PLUGINS_SCHEMES_UNIFORM_UNIFORM_H_
#define QATLAS_PLUGINS_SCHEMES_UNIFORM_UNIFORM_H_

#include <memory>
#include <utility>
#include <vector>

#include <qatlas/scheme.h>

namespace qatlas {

// Gives the weights of all linears to one quantizer and their inputs to the same or another.
// Options of the scheme are handed on to the quantizer only where they are set, so that a quantizer
// need not declare those that it has no use for.
class UniformScheme : public Scheme {
 public:
  static const ComponentInfo kInfo;
  // Errors: both operands switched off; an option that is set twice; a group for an operand whose
  // granularity has none.
  static absl::StatusOr<std::unique_ptr<Scheme>> Create(const Options& options);

  absl::StatusOr<std::vector<SchemeRule>> Rules() const override { return rules_; }

 private:
  explicit UniformScheme(std::vector<SchemeRule> rules) : rules_(std::move(rules)) {}

  std::vector<SchemeRule> rules_;
};

}  // namespace qatlas

#endif  // QATLAS_PLUGINS_SCHEMES_UNIFORM_UNIFORM_H_
