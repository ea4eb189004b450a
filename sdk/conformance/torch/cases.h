// Quantizers under all their options, attached as the host attaches them.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_CASES_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_CASES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/conformance/check.h"
#include "qatlas/options.h"
#include "qatlas/quantizer.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {

// A quantizer under some options at one place of a linear.
struct QuantizerCase {
  const qatlas_component* component = nullptr;
  OptionTable given;  // what differs from the default options
  Options options;    // all of them
  std::shared_ptr<Quantizer> quantizer;
  const char* operand = kWeight;
  bool whole = false;  // the quantizer owns the linear
  bool owns_input = false;
  int64_t in = 0;
  int64_t out = 0;

  // "quantizer int {bits = 8, ...}, operand weight of a linear with 128 input and 6 output
  // features".
  std::string Words() const;
  // Of what is quantized: [out, in] of a weight, [6, in] of an input.
  std::vector<int64_t> Shape() const { return {operand == kInput ? kTokens : out, in}; }
  // The weight that instances are attached to unless a check says otherwise.
  Input Weight(uint64_t seed) const { return NormalInput({out, in}, seed + 11); }

  static constexpr int64_t kTokens = 6;
};

// An attached instance of either kind, which owns the linear or not.
struct Instance {
  std::shared_ptr<OperandQuantizer> operand;
  std::shared_ptr<LinearOperator> whole;

  Attached& state() const {
    return operand != nullptr ? static_cast<Attached&>(*operand) : static_cast<Attached&>(*whole);
  }
  // What training calls: FakeQuantize(x), or Forward(x) without a bias.
  at::Tensor Forward(const at::Tensor& x) const {
    return operand != nullptr ? operand->FakeQuantize(x) : whole->Forward(x, {});
  }
  // The fake-quantized tensor: of x, or the operator's weight whatever x is.
  at::Tensor Quantized(const at::Tensor& x) const {
    return operand != nullptr ? operand->FakeQuantize(x) : whole->EffectiveWeight();
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) const {
    return operand != nullptr ? operand->Encode(x) : whole->EncodeWeight();
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) const {
    return operand != nullptr ? operand->Decode(encoded) : whole->Decode(encoded);
  }
  double Bits(int64_t rows, int64_t features) const {
    return operand != nullptr ? operand->BitsPerElement(rows, features) : whole->BitsPerWeight();
  }
};

struct AttachSettings {
  bool restoring = false;
  uint64_t seed = 5;  // AttachContext::seed
};
// Attaches to a linear with this weight (any device; no calibration on meta). Errors: the
// quantizer's; exceptions pass.
absl::StatusOr<Instance> Attach(const QuantizerCase& one, const at::Tensor& weight,
                                const AttachSettings& settings = {});
// Attaches so that Quantized(x) and Encode(x) are of x: an operator's weight is x.
absl::StatusOr<Instance> AttachFor(const QuantizerCase& one, const at::Tensor& x,
                                   const Probe& probe, const AttachSettings& settings = {});

// The cases of a component: variants of its options × the operands that it can. Options that do not
// fit each other or any shape are left out.
std::vector<QuantizerCase> Cases(const Subject& subject);

// Runs `body` on every case. An exception is a failure of that case, and the next one follows.
// Fails when there is no case at all.
void ForEachCase(const Subject& subject, Probe& probe,
                 const std::function<void(const QuantizerCase&)>& body);

// The same on instances attached to case.Weight(); a refusal to attach is a failure.
void ForEachInstance(const Subject& subject, Probe& probe,
                     const std::function<void(const QuantizerCase&, const Instance&)>& body);

// Says "could not be attached: ..." and returns false where the status is an error.
bool CouldAttach(const absl::StatusOr<Instance>& instance, Probe& probe);

// Some optimizer steps on random data, as the host takes them: forward, loss with penalty,
// backward, a step of every parameter against its gradient, AfterStep. Steps count from
// `first_step`.
void Train(const QuantizerCase& one, const Instance& instance, int steps, int first_step,
           uint64_t seed);

// Forward and backward on x, with a gradient of ones for the result.
struct Pass {
  at::Tensor y;
  at::Tensor gradient;                  // of x
  std::vector<NamedTensor> parameters;  // gradients; undefined tensors where there is none
};
Pass RunPass(const Instance& instance, const at::Tensor& x);

void ClearGradients(const Instance& instance);

// Copies of parameters and buffers, in order, with their names.
std::vector<NamedTensor> StateOf(const Instance& instance);

// A loss whose gradient with respect to y is `weights`.
inline at::Tensor Loss(const at::Tensor& y, const at::Tensor& weights) {
  return (y * weights.to(y.scalar_type())).sum();
}

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_CASES_H_
