#include "raw.h"

RAW_PLUGIN("wrong_torch", QATLAS_MAGIC, QATLAS_SDK_ABI, sizeof(qatlas_descriptor), "1.13.0")
