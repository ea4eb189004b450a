#include "kaplan.h"

QATLAS_PLUGIN("kaplan", "1.0.0", qatlas::Component<qatlas_laws::Kaplan>())
