// @plugin@: weights at one number of bits, inputs at another, with one scale for each token.
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/scheme.h"

namespace {

class @type@ final : public qatlas::Scheme {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("weight_bits", "4", 2, 8, "Bits of the weights of all linears."),
      qatlas::IntOption("input_bits", "8", 2, 8, "Bits of their inputs; at least those of weights."),
  };
  static constexpr qatlas::ComponentInfo kInfo = {
      "@plugin@", "Weights and inputs of all linears, each at bits of its own", /*citation=*/"",
      /*numerics_version=*/1, /*abilities=*/nullptr, kOptions, std::size(kOptions)};

  // Ranges were checked; how options fit each other is ours to say.
  static absl::StatusOr<std::unique_ptr<qatlas::Scheme>> Create(const qatlas::Options& options) {
    const int64_t weight_bits = options.Int("weight_bits");
    const int64_t input_bits = options.Int("input_bits");
    if (input_bits < weight_bits) {
      return absl::InvalidArgumentError(
          absl::StrCat("input_bits = ", input_bits, " is less than weight_bits = ", weight_bits));
    }
    return std::make_unique<@type@>(weight_bits, input_bits);
  }
  @type@(int64_t weight_bits, int64_t input_bits)
      : weight_bits_(weight_bits), input_bits_(input_bits) {}

  // Later rules override earlier ones. Sites are written <block>.<role>.<operand>.
  absl::StatusOr<std::vector<qatlas::SchemeRule>> Rules() const override {
    return std::vector<qatlas::SchemeRule>{Rule("*.*.weight", weight_bits_),
                                           Rule("*.*.input", input_bits_)};
  }

 private:
  static qatlas::SchemeRule Rule(const char* sites, int64_t bits) {
    qatlas::SchemeRule rule;
    rule.sites = sites;
    rule.quantizer = "int";  // options that are not given here take the quantizer's defaults
    rule.options.values = {{"bits", bits}, {"granularity", std::string("channel")}};
    return rule;
  }

  int64_t weight_bits_;
  int64_t input_bits_;
};

}  // namespace

QATLAS_PLUGIN("@plugin@", "1.0.0", qatlas::Component<@type@>())
