// Which instruction set the kernels run on.
#ifndef QATLAS_KERNELS_ISA_H_
#define QATLAS_KERNELS_ISA_H_

namespace qatlas::kernels {

// "avx512" (F, BW, DQ, VL), "avx2" (with FMA) or "portable". Chosen at the first call of any
// kernel: the widest that the processor has, or what the environment variable QATLAS_ISA names. A
// name that is unknown, or that this processor or build lacks, ends the program with a message.
//
// Fake-quantized values, codes and scales are the same bits on every instruction set. Sums and
// transcendental functions may differ in the last bits, so the name belongs into whatever
// identifies a result.
const char* ActiveIsa();

// Whether `name` is an instruction set that this build and this processor have.
bool IsaSupported(const char* name);

// Switches the table of kernels. Returns false, and changes nothing, if `name` is not supported.
// Not for use while kernels run.
bool SetIsaForTesting(const char* name);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_ISA_H_
