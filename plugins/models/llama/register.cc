#include "llama.h"

QATLAS_PLUGIN("llama", "1.0.0", qatlas::Component<qatlas::llama::LlamaBuilder>())
