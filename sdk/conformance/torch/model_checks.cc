// The checks of models, in the order in which they are worth reading.
#include "qatlas/conformance/check.h"
#include "sdk/conformance/torch/model_learning.h"
#include "sdk/conformance/torch/model_outputs.h"
#include "sdk/conformance/torch/model_structure.h"

namespace qatlas::conformance {
namespace {

constexpr Check kChecks[] = {
    {"model-parameters",
     "Parameters are finite float32 leaves under unique names, each tensor listed once, whatever "
     "the dtype of activations.",
     CheckModelParameters},
    {"counts", "Declared counts of block linears, embedding, head and the rest equal real ones.",
     CheckCounts},
    {"sites",
     "Every quantizable linear is named once, lists its weight among the parameters, and is called "
     "once in a forward pass, in the order of Linears().",
     CheckSites},
    {"sites-reached",
     "A quantizer at any site changes the logits, gets a gradient, and leaves nothing behind.",
     CheckSitesReached},
    {"owned-linears",
     "A linear whose operator frees the weight takes it off the parameters and computes the same.",
     CheckOwnedLinears},
    {"meta-build",
     "On the meta device the same parameters and sites are built, without allocating.",
     CheckModelMeta},
    {"initial-values",
     "Initial values depend on the seed and each parameter's name alone; other options may scale "
     "them.",
     CheckInitialValues},
    {"initial-loss", "The loss before training is near ln(vocabulary).", CheckInitialLoss},
    {"overfits-one-batch", "Training on one batch halves its loss within 100 steps.", CheckOverfits,
     120},
    {"causal", "A later token never changes an earlier logit, bit for bit.", CheckCausal},
    {"sequences-independent",
     "A sequence's logits depend neither on the others of its batch nor on tokens that follow.",
     CheckSequences},
    {"gradients", "Gradients are finite and reach every parameter.", CheckGradients},
    {"loss",
     "The loss is the cross-entropy of the logits in nats a token, and the mean of its values per "
     "sequence.",
     CheckLoss},
    {"model-dtypes",
     "Logits are float32 of shape [batch, time, vocabulary], and bfloat16 activations give nearly "
     "those of float32.",
     CheckModelDtypes},
    {"model-deterministic", "Losses and gradients have the same bits a second time.",
     CheckModelDeterministic},
    {"flops", "The stated FLOPs of a forward pass are those of its matrix products.", CheckFlops},
    {"foreign-layouts",
     "Each foreign layout makes up every parameter, row by row, from tensors used once.",
     CheckForeignLayouts},
};

}  // namespace

absl::Span<const Check> ModelChecks() { return kChecks; }

}  // namespace qatlas::conformance
