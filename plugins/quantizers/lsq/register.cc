#include "lsq.h"

QATLAS_PLUGIN("lsq", "1.0.0", qatlas::Component<qatlas::lsq::LsqQuantizer>())
