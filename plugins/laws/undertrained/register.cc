#include "undertrained.h"

QATLAS_PLUGIN("undertrained", "1.0.0", qatlas::Component<qatlas_laws::Undertrained>())
