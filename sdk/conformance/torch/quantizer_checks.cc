// The checks of quantizers, in the order in which they are worth reading.
#include "qatlas/conformance/check.h"
#include "sdk/conformance/torch/quantizer_gradient.h"
#include "sdk/conformance/torch/quantizer_inputs.h"
#include "sdk/conformance/torch/quantizer_machine.h"
#include "sdk/conformance/torch/quantizer_plan.h"
#include "sdk/conformance/torch/quantizer_state.h"
#include "sdk/conformance/torch/quantizer_values.h"
#include "sdk/conformance/torch/regions.h"

namespace qatlas::conformance {
namespace {

constexpr Check kQuantizerChecks[] = {
    {"abilities",
     "The declared abilities and labels are known and true: operands attach, there are state and "
     "calibration exactly where they are declared, and bits and group are what observations say.",
     CheckAbilities},
    {"accepted-shapes",
     "Every shape that Check accepts attaches, is fake-quantized and encoded, and a refusal says "
     "why.",
     CheckShapes},
    {"parameters",
     "Parameters are float32 leaves and buffers plain tensors, under unique names, and the very "
     "same "
     "tensors each time they are asked for.",
     CheckParameters},
    {"codes-in-range",
     "Codes lie in the range of their bits, and no more of them are in use than NominalBits "
     "allows.",
     CheckCodes},
    {"decode-equals-fake-quantized",
     "Decode(Encode(x)) equals the fake-quantized x bit for bit, in float32 and bfloat16, before "
     "and "
     "after training.",
     CheckDecode},
    {"idempotent", "Quantizing what is quantized changes no bit, where \"idempotent\" is declared.",
     CheckIdempotent},
    {"error-bound",
     "The error of every element is that of the nearest level, or within the share of its region's "
     "largest magnitude, as Claimed() says.",
     CheckError},
    {"region",
     "Nothing outside the region that Claimed() names (element, group, row) changes a bit inside.",
     CheckRegion},
    {"bits-per-element", "The stated bits an element are the size of the encoded tensors.",
     CheckBits},
    {"input-gradient",
     "The gradient of the input is that of the result, masked as Claimed() says; an operator's is "
     "that "
     "of a linear with its effective weight.",
     CheckInputGradient},
    {"parameter-gradient",
     "The gradient of each trained parameter is finite and proportional to that of the surrogate "
     "whose "
     "rounding residual is held fixed.",
     CheckParameterGradient},
    {"odd-values",
     "Zeros give zeros, finite values finite ones, NaN stays visible, and no value, however large "
     "or "
     "small, breaks encoding.",
     CheckOddValues},
    {"odd-shapes",
     "Results do not depend on how a tensor lies in memory or how its tokens are arranged, empty "
     "ones "
     "included, and the argument is left as it was.",
     CheckOddShapes},
    {"dtypes",
     "Results have the dtype of the argument, and those in bfloat16 are the float32 ones, rounded "
     "last.",
     CheckDtypes},
    {"deterministic",
     "Attaching, values, codes and gradients have the same bits a second time and with another "
     "number "
     "of threads.",
     CheckDeterministic, 180},
    {"cpu-and-cuda", "CPU and CUDA agree up to rounding, in values and gradients.", CheckDevices,
     120},
    {"restore",
     "An instance restored from saved parameters and buffers gives the same bits, at once and "
     "after "
     "further training steps.",
     CheckRestore},
    {"meta-device",
     "On the meta device an instance has the same parameters, buffers and bits, without allocating "
     "any.",
     CheckMeta},
    {"attach-in-mid-training",
     "Attaching anew gives what a component that was never attached gives, and leaves the weight "
     "as it "
     "was.",
     CheckMidTraining},
    {"independent-instances", "Using and training one instance changes nothing of another.",
     CheckIndependent},
    {"steps-and-penalty",
     "AfterStep brings parameters back to where results are finite, wherever an optimizer pushed "
     "them, "
     "and the penalty is one finite number.",
     CheckSteps},
    {"effective-weight",
     "An operator that owns its linear computes the linear of its effective weight.",
     CheckEffectiveWeight},
    {"freed-weight",
     "An operator that does not keep the master weight neither reads it nor holds its memory.",
     CheckFreedWeight},
};

}  // namespace

absl::Span<const Check> QuantizerChecks() { return kQuantizerChecks; }

}  // namespace qatlas::conformance
