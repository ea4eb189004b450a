#include "raw.h"

RAW_PLUGIN("wrong_magic", 0x1234, QATLAS_SDK_ABI, sizeof(qatlas_descriptor), "")
