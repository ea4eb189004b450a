#include "int.h"

QATLAS_PLUGIN("int", "1.0.0", qatlas::Component<qatlas::int_quantizer::IntQuantizer>())
