// Every scheme of ours holds what the conformance kit asks of anybody's.
#include "qatlas/conformance/gtest.h"
#include "qatlas/scheme.h"

QATLAS_CONFORMANCE_PLUGIN(Uniform, qatlas::Scheme, QATLAS_TEST_PLUGINS "/scheme-uniform.so");
QATLAS_CONFORMANCE_PLUGIN(MixedFc2, qatlas::Scheme, QATLAS_TEST_PLUGINS "/scheme-mixed-fc2.so");
