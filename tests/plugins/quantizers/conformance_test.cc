// Every quantizer of ours holds what the conformance kit asks of anybody's.
#include "plugins/quantizers/int/int.h"
#include "plugins/quantizers/lr-qat/lr_qat.h"
#include "plugins/quantizers/lsq/lsq.h"
#include "qatlas/conformance/gtest.h"

QATLAS_CONFORMANCE(Int, qatlas::int_quantizer::IntQuantizer);
QATLAS_CONFORMANCE(LrQat, qatlas::lr_qat::LrQatQuantizer);
QATLAS_CONFORMANCE(Lsq, qatlas::lsq::LsqQuantizer);
