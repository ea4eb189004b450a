#include "quartet.h"

QATLAS_PLUGIN("quartet", "1.0.0", qatlas::Component<qatlas_laws::Quartet>())
