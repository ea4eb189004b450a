// edges: all linears at one number of bits, and those of the first and the last block at another,
// as most quantization papers since DoReFa-Net (Zhou et al. 2016, arXiv 1606.06160, section 2.7)
// treat the ends of a network.
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/component.h"
#include "qatlas/scheme.h"

namespace {

class Edges final : public qatlas::Scheme {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("layers", nullptr, 1, 4096, "Blocks of the model: a scheme sees no model."),
      qatlas::IntOption("bits", "4", 2, 8, "Bits of weights and inputs between the edges."),
      qatlas::IntOption("edge_bits", "8", 0, 8,
                        "Bits in the first and the last block; 0: full precision there."),
  };
  static constexpr qatlas::ComponentInfo kInfo = {
      "edges",
      "All linears at one number of bits, the first and last block's at another",
      "Zhou et al. 2016, arXiv 1606.06160, section 2.7",
      /*numerics_version=*/1,
      /*abilities=*/nullptr,
      kOptions,
      std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::Scheme>> Create(const qatlas::Options& options) {
    if (options.Int("edge_bits") == 1) {
      return absl::InvalidArgumentError("edge_bits = 1; it must be 0 or from 2 to 8");
    }
    return std::make_unique<Edges>(options.Int("layers"), options.Int("bits"),
                                   options.Int("edge_bits"));
  }
  Edges(int64_t layers, int64_t bits, int64_t edge_bits)
      : layers_(layers), bits_(bits), edge_bits_(edge_bits) {}

  absl::StatusOr<std::vector<qatlas::SchemeRule>> Rules() const override {
    std::vector<qatlas::SchemeRule> rules = {Rule("*", bits_), Rule("0.*.*", edge_bits_)};
    if (layers_ > 1) rules.push_back(Rule(absl::StrCat(layers_ - 1, ".*.*"), edge_bits_));
    return rules;
  }

 private:
  static qatlas::SchemeRule Rule(std::string sites, int64_t bits) {
    if (bits == 0) return {std::move(sites), "none", {}};
    return {std::move(sites), "int", {{{"bits", bits}, {"granularity", std::string("channel")}}}};
  }

  int64_t layers_, bits_, edge_bits_;
};

}  // namespace

QATLAS_PLUGIN("edges", "1.0.0", qatlas::Component<Edges>())
