// Every model of ours holds what the conformance kit asks of anybody's.
#include "plugins/models/llama/llama.h"
#include "qatlas/conformance/gtest.h"

QATLAS_CONFORMANCE(Llama, qatlas::llama::LlamaBuilder);
