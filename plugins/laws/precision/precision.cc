#include "precision.h"

#include <utility>
#include <vector>

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::law_parts::Bits;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Data;
using qatlas::law_parts::Exponent;
using qatlas::law_parts::Exponentials;
using qatlas::law_parts::OnlyWith;
using qatlas::law_parts::Positive;

constexpr char kSize[] = "parameters of the model, without embeddings";
constexpr char kKumar[] = "Kumar et al. 2024, arXiv 2411.04330";

LawParameter Scale(const char* name, const char* meaning, const char* with,
                   std::vector<double> starts = {.7, 2.5}) {
  return OnlyWith(with, Positive(name, meaning, "bits", .05, 50, std::move(starts)));
}

}  // namespace

qatlas::LawSpec Precision::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula =
      "A/(N*(1-e^(-weight_bits/gamma_w))*(1-e^(-input_bits/gamma_i))*(1-e^(-kv_bits/gamma_kv)))"
      "^alpha + B/D^beta + E";
  spec.covariates = {qatlas::law_parts::Size(kSize), Data(),
                     Bits("weight_bits", "bits of the weights in training; missing: not quantized"),
                     Bits("input_bits", "bits of the linears' inputs; missing: not quantized"),
                     Bits("kv_bits", "bits of the key-value cache; missing: not quantized")};
  spec.parameters = {Coefficient("A", "how much a small model loses", Exponentials({5, 10, 15})),
                     Exponent("alpha", "exponent of size", .01, 3, {.2, .5, 1}),
                     Coefficient("B", "how much little data loses", Exponentials({5, 10, 15})),
                     Exponent("beta", "exponent of data", 0, 3, {.2, .5, 1}),
                     Coefficient("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
                     Scale("gamma_w", "bits of the weights that count e-fold", "weight_bits"),
                     Scale("gamma_i", "bits of the inputs that count e-fold", "input_bits"),
                     Scale("gamma_kv", "bits of the key-value cache that count e-fold", "kv_bits")};
  spec.presets = {{"kumar-2024",
                   kKumar,
                   {{"A", 4.299e3},
                    {"alpha", .4965},
                    {"B", 1.806e4},
                    {"beta", .4965},
                    {"E", 2.7648},
                    {"gamma_w", 2.6745},
                    {"gamma_i", 2.2102},
                    {"gamma_kv", .9578}},
                   false,
                   "One exponent for size and data. Not marked as read in the paper."}};
  return spec;
}

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> PrecisionPtq::Create(
    const qatlas::Options& options) {
  const std::string& bits = options.String("bits");
  if (bits.empty() || bits == "N" || bits == "D") {
    return absl::InvalidArgumentError("option 'bits' must name the column of the bits");
  }
  return std::make_unique<PrecisionPtq>(bits);
}

qatlas::LawSpec PrecisionPtq::MakeSpec(const std::string& bits) {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "C * D^gammaD / N^gammaN * e^(-" + bits + "/gamma_post)";
  spec.covariates = {qatlas::law_parts::Size(kSize), Data(),
                     Bits(bits, "bits of the weights after training; missing: not quantized")};
  spec.parameters = {
      Coefficient("C", "size of the error", {1e-3, 1e-2, .1, 1, 10}),
      Exponent("gammaN", "how fast size removes the error", -1, 3, {0, .3, .8}),
      Exponent("gammaD", "how fast data add to the error", -1, 3, {0, .3, .8}),
      Scale("gamma_post", "bits that remove the error e-fold", bits.c_str(), {.3, .7, 2})};
  spec.presets = {{"kumar-2024",
                   kKumar,
                   {{"C", .0598}, {"gammaN", .3439}, {"gammaD", .5068}, {"gamma_post", .5907}},
                   false,
                   "Not marked as read in the paper."}};
  return spec;
}

}  // namespace qatlas_laws
