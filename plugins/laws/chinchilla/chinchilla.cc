#include "chinchilla.h"

#include <cmath>

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::LawSpec;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Data;
using qatlas::law_parts::Exponentials;
using qatlas::law_parts::Size;

// The start grid of Besiroglu et al. 2024 (arXiv 2404.10102), given there for log E, log A and log
// B.
LawParameter Floor() {
  return Coefficient("E", "loss that neither size nor data removes: the entropy of text",
                     Exponentials({-1, -.5, 0, .5, 1}));
}
LawParameter Factor(const char* name, const char* meaning) {
  return Coefficient(name, meaning, Exponentials({0, 5, 10, 15, 20, 25}));
}
LawParameter Power(const char* name, const char* meaning) {
  return qatlas::law_parts::Exponent(name, meaning, 0, 3, {0, .5, 1, 1.5, 2});
}

}  // namespace

LawSpec Chinchilla::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "E + A/N^alpha + B/D^beta";
  spec.covariates = {Size(), Data()};
  spec.parameters = {Floor(), Factor("A", "how much a small model loses"),
                     Power("alpha", "exponent of size"), Factor("B", "how much little data loses"),
                     Power("beta", "exponent of data")};
  spec.presets = {
      {"hoffmann-2022",
       "Hoffmann et al. 2022, arXiv 2203.15556, parametric fit as printed",
       {{"E", 1.69}, {"A", 406.4}, {"alpha", .34}, {"B", 410.7}, {"beta", .28}},
       true,
       "Rounded in print; rounding alone moves the loss by more than the fit's error."},
      {"hoffmann-2022-exact",
       "Hoffmann et al. 2022, from the paper's TeX via Besiroglu et al. 2024, arXiv 2404.10102",
       {{"E", std::exp(.5267228)},
        {"A", std::exp(6.0073404)},
        {"alpha", .33917084},
        {"B", std::exp(6.0179186)},
        {"beta", .2849083}},
       true,
       "Unrounded."},
      {"besiroglu-2024",
       "Besiroglu et al. 2024, arXiv 2404.10102",
       {{"E", 1.8172}, {"A", 482.01}, {"alpha", .3478}, {"B", 2085.43}, {"beta", .3658}},
       true,
       "Standard errors: E .03, A 124.58, alpha .02, B 1293.23, beta .02."},
  };
  return spec;
}

LawSpec ChinchillaTied::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "E + A/N^alpha + B/D^alpha";
  spec.covariates = {Size(), Data()};
  spec.parameters = {Floor(), Factor("A", "how much a small model loses"),
                     Power("alpha", "exponent of size and of data"),
                     Factor("B", "how much little data loses")};
  spec.presets = {{"chen-2025",
                   "Chen et al. 2025, arXiv 2505.14302",
                   {{"E", 1.9279}, {"A", 237.7042}, {"alpha", .3022}, {"B", 596.2490}},
                   true,
                   "N counts the linears of the blocks alone, without embeddings.",
                   {{{{"N", 594.54e6}, {"D", 100e9}}, 2.7408, 5e-5},
                    {{{"N", 74.32e6}, {"D", 10e9}}, 3.4887, 5e-5}}}};
  return spec;
}

}  // namespace qatlas_laws
