#include "precision.h"

QATLAS_PLUGIN("precision", "1.0.0", qatlas::Component<qatlas_laws::Precision>(),
              qatlas::Component<qatlas_laws::PrecisionPtq>())
