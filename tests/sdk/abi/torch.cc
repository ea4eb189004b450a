// Names every public type of the headers with LibTorch, so that the compiler writes down its layout.
#include "qatlas/int_format.h"
#include "qatlas/linear.h"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"
#include "qatlas/tensors.h"

namespace {
template <typename... T>
struct Layouts {
  void (*take)(T...) = nullptr;
};
}  // namespace

using namespace qatlas;
extern const Layouts<Granularity, IntFormat, QuantizableLinear, ModelCounts, BuildContext,
                     LossReduction, Model*, ForeignTensor, ForeignParameter, ForeignLayout,
                     ModelBuilder*, CalibrationNeeds, CalibrationStatistics, AttachContext, StepInfo,
                     Attached*, OperandQuantizer*, LinearOperator*, Quantizer*, NamedParameter,
                     NamedTensor, Encoded, Claims>
    kLayouts;
const decltype(kLayouts) kLayouts = {};
