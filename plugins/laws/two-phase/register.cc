#include "two_phase.h"

QATLAS_PLUGIN("two-phase", "1.0.0", qatlas::Component<qatlas_laws::TwoPhase>())
