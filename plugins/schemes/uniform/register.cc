#include "uniform.h"

QATLAS_PLUGIN("uniform", "1.0.0", qatlas::Component<qatlas::UniformScheme>())
