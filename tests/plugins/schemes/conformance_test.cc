// Every scheme of ours holds what the conformance kit asks of anybody's.
#include "qatlas/conformance/gtest.h"
#include "qatlas/scheme.h"
#include "tests/paths.h"

QATLAS_CONFORMANCE_PLUGIN(Uniform, qatlas::Scheme, qatlas::paths::Plugins() + "/scheme-uniform.so");
QATLAS_CONFORMANCE_PLUGIN(MixedFc2, qatlas::Scheme,
                          qatlas::paths::Plugins() + "/scheme-mixed-fc2.so");
