// The loops over rows: every instruction set of this machine gives the same bits, and sums agree
// with plain loops.
#include "framework/fit/inner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

std::vector<LawIsa> HostIsas() {
  std::vector<LawIsa> isas = {LawIsa::kBaseline};
  for (const LawIsa isa : {LawIsa::kAvx2, LawIsa::kAvx512}) {
    if (HostLawIsa() >= isa) isas.push_back(isa);
  }
  return isas;
}

struct Rows {
  explicit Rows(int64_t count, uint64_t seed) : count(count), padded(inner::Padded(count)) {
    Random random(seed, 0);
    for (std::vector<double>* column : {&prediction, &target, &weight, &noise}) {
      column->assign(padded, 0.0);
    }
    for (int64_t i = 0; i < count; ++i) {
      prediction[i] = 2 + random.Uniform();
      target[i] = std::log(prediction[i]) + .01 * random.Normal();
      weight[i] = random.Uniform() < .1 ? 0 : 1 + random.Uniform();
      noise[i] = .5 + random.Uniform();
    }
  }
  int64_t count, padded;
  std::vector<double> prediction, target, weight, noise;
};

struct Terms {
  double objective;
  std::vector<double> slope, curvature;
};

Terms TermsOf(LawIsa isa, const Rows& rows, const Loss& loss) {
  Terms terms = {0, std::vector<double>(rows.padded, 0.0), std::vector<double>(rows.padded, 0.0)};
  std::vector<double> scratch(rows.padded, 0.0);
  const inner::TermsInput input = {loss,
                                   rows.count,
                                   rows.prediction.data(),
                                   rows.target.data(),
                                   rows.weight.data(),
                                   rows.noise.data()};
  terms.objective = inner::KernelsOf(isa).terms(input, terms.slope.data(), terms.curvature.data(),
                                                scratch.data());
  return terms;
}

TEST(Inner, EveryInstructionSetGivesTheSameBits) {
  for (const int64_t count : {1, 7, 8, 9, 48, 61, 240}) {
    const Rows rows(count, 3);
    for (const std::string& name : LossNames()) {
      const Loss loss = LossByName(name).value();
      const Terms reference = TermsOf(LawIsa::kBaseline, rows, loss);
      for (const LawIsa isa : HostIsas()) {
        const Terms terms = TermsOf(isa, rows, loss);
        EXPECT_EQ(terms.objective, reference.objective) << name << " " << count;
        EXPECT_EQ(terms.slope, reference.slope) << name << " " << count;
        EXPECT_EQ(terms.curvature, reference.curvature) << name << " " << count;
      }
    }
  }
}

TEST(Inner, SumsAgreeWithPlainLoops) {
  for (const int64_t count : {5, 61, 5000}) {
    for (const int m : {1, 4, 5, 9, 21}) {
      const int64_t padded = inner::Padded(count);
      std::vector<double> jacobian(m * padded, 0.0), slope(padded, 0.0), curvature(padded, 0.0);
      Random random(11, m);
      for (int64_t i = 0; i < count; ++i) {
        slope[i] = random.Normal();
        curvature[i] = random.Uniform();
        for (int a = 0; a < m; ++a) jacobian[a * padded + i] = random.Normal();
      }
      std::vector<double> first_gradient, first_hessian;
      for (const LawIsa isa : HostIsas()) {
        std::vector<double> gradient(m, NAN), hessian(m * m, 0.0), scratch(padded, 0.0);
        inner::KernelsOf(isa).gradient(m, padded, jacobian.data(), slope.data(), gradient.data());
        inner::KernelsOf(isa).normal(m, padded, jacobian.data(), curvature.data(), hessian.data(),
                                     scratch.data());
        for (int a = 0; a < m; ++a) {
          double sum = 0;
          for (int64_t i = 0; i < count; ++i) sum += jacobian[a * padded + i] * slope[i];
          EXPECT_NEAR(gradient[a], sum, 1e-12 * static_cast<double>(count));
          for (int b = 0; b <= a; ++b) {
            sum = 0;
            for (int64_t i = 0; i < count; ++i) {
              sum += jacobian[a * padded + i] * jacobian[b * padded + i] * curvature[i];
            }
            EXPECT_NEAR(hessian[a * m + b], sum, 1e-12 * static_cast<double>(count)) << a << b;
          }
        }
        if (first_gradient.empty()) {
          first_gradient = gradient;
          first_hessian = hessian;
        }
        EXPECT_EQ(gradient, first_gradient);
        EXPECT_EQ(hessian, first_hessian);
      }
    }
  }
}

}  // namespace
}  // namespace qatlas::fit
