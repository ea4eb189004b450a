#include "raw.h"

RAW_PLUGIN("wrong_size", QATLAS_MAGIC, QATLAS_SDK_ABI, 8, "")
