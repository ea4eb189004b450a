#include "floating_point.h"

QATLAS_PLUGIN("floating-point", "1.0.0", qatlas::Component<qatlas_laws::FloatingPoint>())
