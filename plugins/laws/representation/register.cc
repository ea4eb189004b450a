#include "representation.h"

QATLAS_PLUGIN("representation", "1.0.0", qatlas::Component<qatlas_laws::Representation>())
