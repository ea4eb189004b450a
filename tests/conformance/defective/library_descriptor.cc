// A plugin without a semantic version that offers one component twice.
#include "defective.h"

QATLAS_PLUGIN("defective-descriptor", "1.0", defective::Make<defective::PowerLaw>("twin"),
              defective::Make<defective::PowerLaw>("twin"))
