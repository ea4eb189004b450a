#include "mixed_fc2.h"

QATLAS_PLUGIN("mixed-fc2", "1.0.0", qatlas::Component<qatlas::MixedFc2Scheme>())
