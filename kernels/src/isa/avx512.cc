// The kernels for "avx512"; the flags are set in CMakeLists.txt.
#define QATLAS_ISA_NAMESPACE avx512
#define QATLAS_ISA_NAME "avx512"
#define QATLAS_ISA_TABLE Avx512Table
#include "isa/all.inc"
