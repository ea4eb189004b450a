// CUDA twins of the fake-quantization kernels (fake_quant.h): same parameters, same arithmetic,
// same bits. All pointers are device pointers, `stream` is a cudaStream_t, and the whole matrix is
// done. Library qatlas::kernels_cuda, built where there is a CUDA toolkit.
//
// Each function returns null, or the CUDA runtime's message if the launch failed.
#ifndef QATLAS_KERNELS_CUDA_H_
#define QATLAS_KERNELS_CUDA_H_

#include <qatlas/kernels/fake_quant.h>

#include <cstdint>

namespace qatlas::kernels::cuda {
// As on the CPU; nullptr, or what CUDA says.
const char* FakeQuantAbsMax(const FakeQuantParams& params, const float* x, const float* gamma,
                            float* out, void* stream);
const char* FakeQuantAbsMax(const FakeQuantParams& params, const Bf16* x, const float* gamma,
                            Bf16* out, void* stream);
const char* FakeQuantScale(const FakeQuantParams& params, const float* x, const float* scale,
                           float* out, void* stream);
const char* FakeQuantScale(const FakeQuantParams& params, const Bf16* x, const float* scale,
                           Bf16* out, void* stream);
// Codes and scales, as on the CPU.
const char* EncodeAbsMax(const FakeQuantParams& params, const float* x, const float* gamma,
                         std::int8_t* codes, float* scales, void* stream);
const char* EncodeAbsMax(const FakeQuantParams& params, const Bf16* x, const float* gamma,
                         std::int8_t* codes, float* scales, void* stream);

// *nan_count (device memory, zeroed by the caller) is increased by the number of NaN elements.
const char* EncodeScale(const FakeQuantParams& params, const float* x, const float* scale,
                        std::int8_t* codes, unsigned long long* nan_count, void* stream);
const char* EncodeScale(const FakeQuantParams& params, const Bf16* x, const float* scale,
                        std::int8_t* codes, unsigned long long* nan_count, void* stream);

// Writes one partial sum per (row, group) to partials [rows, groups] (null: not wanted), whatever
// params.index is; ReducePartials brings them to that index. No atomics: results are deterministic.
const char* FakeQuantAbsMaxBackward(const FakeQuantParams& params, const float* x,
                                    const float* gamma, const float* grad_out, float* grad_x,
                                    float* partials, void* stream);
const char* FakeQuantAbsMaxBackward(const FakeQuantParams& params, const Bf16* x,
                                    const float* gamma, const Bf16* grad_out, Bf16* grad_x,
                                    float* partials, void* stream);
const char* FakeQuantScaleBackward(const FakeQuantParams& params, const float* x,
                                   const float* scale, const float* grad_out, float* grad_x,
                                   float* partials, void* stream);
const char* FakeQuantScaleBackward(const FakeQuantParams& params, const Bf16* x, const float* scale,
                                   const Bf16* grad_out, Bf16* grad_x, float* partials,
                                   void* stream);

// grad[entry] = sum of the partials that share the entry of params.index, in a fixed order.
const char* ReducePartials(const FakeQuantParams& params, const float* partials, float* grad,
                           void* stream);

}  // namespace qatlas::kernels::cuda

#endif  // QATLAS_KERNELS_CUDA_H_
