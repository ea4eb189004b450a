// The kernels for "portable"; the flags are set in CMakeLists.txt.
#define QATLAS_ISA_NAMESPACE portable
#define QATLAS_ISA_NAME "portable"
#define QATLAS_ISA_TABLE PortableTable
#include "isa/all.inc"
