#include "effective_parameter.h"

QATLAS_PLUGIN("effective-parameter", "1.0.0", qatlas::Component<qatlas_laws::EffectiveParameter>(),
              qatlas::Component<qatlas_laws::EffectiveParameterDelta>())
