#include "lr_qat.h"

QATLAS_PLUGIN("lr-qat", "1.0.0", qatlas::Component<qatlas::lr_qat::LrQatQuantizer>())
