#include "fraction.h"

QATLAS_PLUGIN("fraction", "1.0.0", qatlas::Component<qatlas_laws::OptimalFraction>(),
              qatlas::Component<qatlas_laws::FixedFraction>())
