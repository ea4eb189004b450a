// Quantizers: components that turn a linear layer into a quantized one.
//
// Plugin and instance are kept apart. A Quantizer is the configured component: stateless, one for
// each rule of a scheme. Attached to a site it gives an instance that owns whatever is trained or
// kept there:
//   * an OperandQuantizer is a fake-quantizing map of one operand; the SDK composes the linear from
//   the
//     maps of its two operands (linear.h). Integer and block formats, learned steps, binary and
//     mixed formats are of this kind.
//   * a LinearOperator owns the whole linear: it may replace the weight's parametrization (LR-QAT,
//   PB-LLM,
//     A2Q), recompute the quantized weight in the backward pass, or rotate both operands (QuEST).
// docs/sdk.md shows how each published method maps to these.
#ifndef QATLAS_QUANTIZER_H_
#define QATLAS_QUANTIZER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "qatlas/abi.h"
#include "qatlas/claims.h"
#include "qatlas/component.h"
#include "qatlas/tensors.h"

namespace qatlas {

// What a quantizer wants to see of a site's inputs before it is attached. The host runs calibration
// batches through the model as it is at that moment (training data, fixed order) and passes the
// result.
struct CalibrationNeeds {
  int64_t tokens = 0;       // how many tokens to run; 0: no calibration
  int64_t sample_rows = 0;  // how many input rows to keep (evenly spread over the tokens)
  bool hessian = false;     // H = 2 XᵀX / n, [in, in] FP32, over all the tokens
  // Attach the sites in order of execution, each calibrated with those before it already quantized
  // (as GPTQ-like methods want); false: all sites see the model as it was.
  bool sequential = false;
};

// Statistics of the inputs of one linear, [tokens, in_features], FP32.
struct CalibrationStatistics {
  int64_t tokens = 0;           // that were run
  at::Tensor samples;           // [sample_rows, in], or undefined
  at::Tensor hessian;           // [in, in], or undefined
  at::Tensor mean_abs;          // scalar: mean |x|
  at::Tensor feature_mean_abs;  // [in]: mean |x| per feature
  at::Tensor max_abs;           // [in]: max |x| per feature
};

// Sums a tensor over the ranks of a data-parallel run, in place. Null when there is one rank.
using SumAcrossRanks = std::function<void(at::Tensor&)>;

class Quantizer;

// What a quantizer is told of the place where it is attached. Attaching may happen in the middle of
// training: `weight` holds the values of that moment. On the meta device there are no values and no
// calibration: the instance is asked for shapes and bits only.
struct AttachContext {
  int block = 0;                                       // of the site
  std::string role;                                    // "qkv", "fc2", ...
  int expert = -1;                                     // -1: none
  int64_t in_features = 0;                             // of the linear
  int64_t out_features = 0;                            // of the linear
  at::Tensor weight;                                   // [out, in] FP32 master weight
  at::Tensor bias;                                     // [out] or undefined
  const CalibrationStatistics* calibration = nullptr;  // set when CalibrationNeeds asked for it
  // The state of an earlier instance of this site follows: the host copies it into Parameters() and
  // Buffers() right after attaching and calls AfterRestore(). There is no calibration then, and the
  // values of `weight` mean nothing; shapes must come out as they were.
  bool restoring = false;
  // The quantizer that the scheme gives to the linear's other operand; null: full precision. A
  // weight format with a constraint that depends on the input's width (AXE) reads NominalBits()
  // here.
  const Quantizer* other_operand = nullptr;
  // What the quantizer of the parent segment stores of this weight, as it left it; empty where the
  // parent's weight was in full precision, and while restoring. It is worked out when called, and
  // `weight` is then still the parent's master weight, where the parent kept one, or else what its
  // operator made of it.
  std::function<absl::StatusOr<Encoded>()> parent;
  uint64_t seed = 0;        // for whatever the instance draws at random; differs from site to site
  int64_t total_steps = 0;  // as StepInfo::total_steps
  SumAcrossRanks sum_across_ranks;  // null: one rank

  std::string SiteName(const char* operand) const {  // "3.fc2.input"
    return Site{block, role, operand, expert}.Name();
  }
};

// What changes from step to step. Where total_steps is known, step < total_steps.
struct StepInfo {
  int64_t step = 0;          // of the step just taken; 0 is the first after attaching
  int64_t total_steps = 0;   // from attaching to the end of training; 0: not known
  double learning_rate = 0;  // of the step just taken
};

// What all instances have. The default implementations suit an instance without state. An instance
// that must tell training from evaluation (running statistics, noise) asks
// at::GradMode::is_enabled(): the host evaluates without gradients.
class Attached {
 public:
  virtual ~Attached() = default;

  // Trainable parameters and their groups. The tensors are the very ones that the forward pass
  // uses.
  virtual std::vector<NamedParameter> Parameters() { return {}; }
  // State that is saved beside the parameters and restored by copying into these tensors.
  virtual std::vector<NamedTensor> Buffers() { return {}; }
  // A term of the loss (A2Q's penalty): a scalar with a gradient, or an undefined tensor.
  virtual at::Tensor Penalty() { return {}; }
  // Acts after each optimizer step, without a gradient (floors of learned scales, projections).
  virtual void AfterStep(const StepInfo&) {}
  // Called once after parameters and buffers were restored from a checkpoint.
  virtual absl::Status AfterRestore() { return absl::OkStatus(); }
  // What the conformance checks hold the instance to. Stating it costs few lines and finds faults.
  virtual Claims Claimed() const { return {}; }
};

// A fake-quantizing map of one operand. The tensor is [..., features] with the reduction dimension
// last, for weights ([out, in]) and inputs ([tokens..., in]) alike; FP32 or BF16. Results have the
// shape and dtype of the argument. Inputs of no tokens, [0, features], must work; a linear has at
// least one feature.
class OperandQuantizer : public Attached {
 public:
  // Fake-quantizes with a gradient (straight-through or whatever the method defines).
  virtual at::Tensor FakeQuantize(const at::Tensor& x) = 0;
  // Codes and scales of x, as deployed. Decode(Encode(x)) equals FakeQuantize(x) bit for bit.
  virtual absl::StatusOr<Encoded> Encode(const at::Tensor& x) = 0;
  virtual absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) = 0;
  // Stored bits per element for an operand of [rows, features], scales included.
  virtual double BitsPerElement(int64_t rows, int64_t features) const = 0;
};

// A linear that a quantizer owns. x is [..., in]; the result [..., out]. When the scheme gives the
// input to another quantizer, x arrives fake-quantized.
class LinearOperator : public Attached {
 public:
  virtual at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) = 0;  // with a gradient
  // Whether the master weight is still a parameter of the run. An operator that returns false holds
  // its own parametrization, and the host frees the master weight and its optimizer state.
  virtual bool KeepsMasterWeight() const { return true; }
  // The weight that an ordinary linear would need to give the same outputs, [out, in] FP32.
  virtual at::Tensor EffectiveWeight() = 0;
  // The weight before rounding and clipping, in units of the stored scales, [out, in] FP32: Ŵ = s ·
  // clip(round(u)). It lets the gradients of trained parameters be checked. Undefined: there is no
  // such form.
  virtual at::Tensor UnroundedWeight() { return {}; }
  // As for OperandQuantizer, of the effective weight.
  virtual absl::StatusOr<Encoded> EncodeWeight() = 0;
  virtual absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) = 0;
  virtual double BitsPerWeight() const = 0;
  // Stored bits per element of the input where the operator quantizes it itself (QuEST); 0: it does
  // not.
  virtual double BitsPerInput() const { return 0; }
};

// The component. Abilities that a quantizer declares (strings in its ComponentInfo):
//   "weight", "input"    operands it can quantize
//   "linear"             it owns the whole linear: AttachLinear is called in place of AttachOperand
//   "idempotent"         q(q(x)) = q(x)
//   "stateful"           instances have parameters or buffers
//   "frees-weight"       its operators do not keep the master weight: the host then makes, hands
//                        over and frees the weights one linear at a time
//   "calibration"        Calibration() asks for something
//   "bits:1.585", "granularity:tensor", "group:32"   labels of observations where no option of that
//                        name says them; plans read them from the manifest, without LibTorch
inline constexpr char kFreesWeight[] = "frees-weight";

class Quantizer {  // A way to quantize: operands, or linears as a whole.
 public:
  static constexpr int kKind = QATLAS_KIND_QUANTIZER;  // of the descriptor
  using Base = Quantizer;                              // what factories return
  virtual ~Quantizer() = default;

  virtual CalibrationNeeds Calibration(const char* /*operand*/) const { return {}; }  // by operand

  // Checks that the options fit a linear of this shape, without allocating. Called for every site
  // at planning time: "group = 48 does not divide the 128 input features of fc2". The host asks, and
  // attaches, for operands among the abilities only.
  virtual absl::Status Check(const char* operand, int64_t in_features,
                             int64_t out_features) const = 0;

  // Attaches to one operand ("weight" or "input").
  virtual absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const {
    (void)operand;
    (void)context;
    return absl::UnimplementedError("this quantizer owns whole linears");
  }

  // Attaches to a whole linear. `owns_input` says whether the rule covers the input as well.
  virtual absl::StatusOr<std::unique_ptr<LinearOperator>> AttachLinear(const AttachContext& context,
                                                                       bool owns_input) const {
    (void)context;
    (void)owns_input;
    return absl::UnimplementedError("this quantizer quantizes single operands");
  }

  // Nominal bits of a code (a label "bits:1.585" rounds them to its last digit), and the group size
  // as a scaling law counts it; 0 where no group splits a row: the features of the reduction, or all
  // weights of a linear with one scale, are then counted (docs/observations.md, column G). They
  // label observations.
  virtual double NominalBits() const = 0;
  virtual int64_t NominalGroup() const = 0;
};

}  // namespace qatlas

#endif  // QATLAS_QUANTIZER_H_
