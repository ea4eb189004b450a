#include "raw.h"

RAW_PLUGIN("wrong_abi", QATLAS_MAGIC, 999, sizeof(qatlas_descriptor), "")
