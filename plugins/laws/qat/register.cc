#include "qat.h"

QATLAS_PLUGIN("qat", "1.0.0", qatlas::Component<qatlas_laws::QatUnified>(),
              qatlas::Component<qatlas_laws::QatNoData>(),
              qatlas::Component<qatlas_laws::QatSizeOnly>())
