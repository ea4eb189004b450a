#include "mixed_ptq.h"

QATLAS_PLUGIN("mixed-ptq", "1.0.0", qatlas::Component<qatlas_laws::MixedPtq>())
