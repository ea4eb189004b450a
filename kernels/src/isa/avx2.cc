// The kernels for "avx2"; the flags are set in CMakeLists.txt.
#define QATLAS_ISA_NAMESPACE avx2
#define QATLAS_ISA_NAME "avx2"
#define QATLAS_ISA_TABLE Avx2Table
#include "isa/all.inc"
