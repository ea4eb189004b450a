// Laws with one defect each; the name of each is that of the check that must find it.
#include <unistd.h>

#include <cmath>
#include <csignal>

#include "defective.h"
#include "qatlas/check.h"

namespace defective {
namespace {

using qatlas::LawBatch;
using qatlas::LawSpec;

LawSpec With(void (*change)(LawSpec*)) {
  LawSpec spec = PowerLaw::MakeSpec();
  change(&spec);
  return spec;
}

// A start outside of its bounds.
struct Declared : PowerLaw {
  Declared() : PowerLaw(With([](LawSpec* spec) { spec->parameters[2].starts.push_back(7); })) {}
};

// NaN where the exponent is at its upper bound.
struct FiniteAtBounds : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    for (int64_t i = 0; i < batch.size; ++i) values[i] += 0 / (theta[2] < 2 ? 1.0 : 0.0);
  }
};

// Divides by ln N, which is 0 at the least N that it declares.
struct CovariateRanges : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    for (int64_t i = 0; i < batch.size; ++i) values[i] += 1e-9 / batch.logs[0][i];
  }
};

// The derivative by alpha is one percent too large.
struct Jacobian : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    for (int64_t i = 0; jacobian != nullptr && i < batch.size; ++i) {
      jacobian[2 * stride + i] *= 1.01;
    }
  }
};

// A parameter that does nothing.
struct Idle : PowerLaw {
  Idle()
      : PowerLaw(With([](LawSpec* spec) {
          spec->parameters.push_back(
              qatlas::law_parts::Exponent("idle", "does nothing", 0, 1, {.5}));
        })) {}
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    for (int64_t i = 0; jacobian != nullptr && i < batch.size; ++i) jacobian[3 * stride + i] = 0;
  }
};

// Calls an exponent linear.
struct LinearParameters : PowerLaw {
  LinearParameters() : PowerLaw(With([](LawSpec* spec) { spec->parameters[2].linear = true; })) {}
};

// Says that A matters only with bits, and lets it matter without.
struct OnlyWith : PowerLaw {
  OnlyWith()
      : PowerLaw(With([](LawSpec* spec) {
          qatlas::LawCovariate bits = {"weight_bits", "bits of the weights", "bits", 1};
          bits.missing = qatlas::kUnquantizedBits;
          spec->covariates.push_back(bits);
          spec->parameters[1].only_with = "weight_bits";
        })) {}
};

// The last point of a batch is off by a bit.
struct BatchIndependent : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    if (batch.size > 3) values[batch.size - 1] *= 1 + 0x1p-52;
  }
};

// Writes one value more than there are points.
struct WritesOutside : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    if (jacobian != nullptr && stride > batch.size) jacobian[batch.size] = 0;
  }
};

// Adds up how often it was called.
struct Stateless : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    drift += 1e-12;
    for (int64_t i = 0; i < batch.size; ++i) values[i] += drift;
  }
  mutable double drift = 0;
};

// Keeps its parameters in a member while it evaluates, which another thread overwrites.
struct ThreadSafe : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    for (int k = 0; k < 3; ++k) kept[k] = theta[k];
    for (int round = 0; round < 20; ++round) usleep(10);
    double copy[3] = {kept[0], kept[1], kept[2]};
    PowerLaw::Evaluate(batch, copy, values, jacobian, stride);
  }
  mutable volatile double kept[3];
};

// Values in steps, with the derivatives of the smooth law: no fit arrives.
struct RecoversExactly : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    const double rough[3] = {theta[0], theta[1], std::round(theta[2] * 50) / 50};
    PowerLaw::Evaluate(batch, rough, values, jacobian, stride);
  }
};

// Two parameters of which only the product counts.
struct Confounded : PowerLaw {
  Confounded()
      : PowerLaw(With([](LawSpec* spec) {
          spec->parameters.push_back(
              qatlas::law_parts::Positive("B", "multiplies A", "", .01, 100, {.5, 2}));
          spec->parameters[1].linear = false;
        })) {}
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    const double product[3] = {theta[0], theta[1] * theta[3], theta[2]};
    PowerLaw::Evaluate(batch, product, values, jacobian, stride);
    for (int64_t i = 0; jacobian != nullptr && i < batch.size; ++i) {
      const double by_product = jacobian[stride + i];
      jacobian[stride + i] = by_product * theta[3];
      jacobian[3 * stride + i] = by_product * theta[1];
    }
  }
};

// Every evaluation adds one percent of its own.
struct RecoversNoisy : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
    for (int64_t i = 0; i < batch.size; ++i) values[i] *= 1 + .01 * std::sin(12.9898 * ++calls);
  }
  mutable double calls = 0;
};

// A preset whose figure is not what its constants give.
struct PublishedValues : PowerLaw {
  PublishedValues()
      : PowerLaw(With([](LawSpec* spec) { spec->presets[0].figures[0].value += .1; })) {}
};

// Dies when the exponent is large, with a message.
struct Aborts : PowerLaw {
  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    QATLAS_CHECK(theta[2] < 1.9, "the exponent is too large for the table");
    PowerLaw::Evaluate(batch, theta, values, jacobian, stride);
  }
};

struct Crashes : PowerLaw {
  void Evaluate(const LawBatch&, const double*, double*, double*, int64_t) const override {
    std::raise(SIGSEGV);
  }
};

struct Hangs : PowerLaw {
  void Evaluate(const LawBatch&, const double*, double*, double*, int64_t) const override {
    while (true) pause();
  }
};

}  // namespace
}  // namespace defective

QATLAS_PLUGIN("defective-laws", "1.0.0", defective::Make<defective::PowerLaw>("sound"),
              defective::Make<defective::Declared>("declared"),
              defective::Make<defective::FiniteAtBounds>("finite-at-bounds"),
              defective::Make<defective::CovariateRanges>("covariate-ranges"),
              defective::Make<defective::Jacobian>("jacobian"),
              defective::Make<defective::Idle>("idle"),
              defective::Make<defective::LinearParameters>("linear-parameters"),
              defective::Make<defective::OnlyWith>("only-with"),
              defective::Make<defective::BatchIndependent>("batch-independent"),
              defective::Make<defective::WritesOutside>("writes-outside"),
              defective::Make<defective::Stateless>("stateless"),
              defective::Make<defective::ThreadSafe>("thread-safe"),
              defective::Make<defective::RecoversExactly>("recovers-exactly"),
              defective::Make<defective::Confounded>("confounded"),
              defective::Make<defective::RecoversNoisy>("recovers-noisy"),
              defective::Make<defective::PublishedValues>("published-values"),
              defective::Make<defective::Aborts>("aborts"),
              defective::Make<defective::Crashes>("crashes"),
              defective::Make<defective::Hangs>("hangs"))
