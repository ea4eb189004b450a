// Fused softmax cross-entropy over rows of logits.
#ifndef QATLAS_KERNELS_CROSS_ENTROPY_H_
#define QATLAS_KERNELS_CROSS_ENTROPY_H_

#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// Rows whose target is this value have loss 0 and gradient 0.
inline constexpr std::int64_t kIgnoredTarget = -100;

// loss[r] = log(sum_j exp(logits[r, j])) - logits[r, targets[r]], in nats, for the rows of `range`.
// logits: [rows, vocab] float, vocab >= 1; targets: [rows], each in [0, vocab) or kIgnoredTarget,
// else abort. A row that holds NaN or +Inf has loss NaN.
void CrossEntropy(RowRange range, std::int64_t vocab, const float* logits,
                  const std::int64_t* targets, float* loss);

// As above, and grad[r, j] = weight * (softmax(logits[r])[j] - (j == targets[r])), in the same
// pass. grad: [rows, vocab]; it may be logits, which are then overwritten.
void CrossEntropyWithGrad(RowRange range, std::int64_t vocab, const float* logits,
                          const std::int64_t* targets, float weight, float* loss, float* grad);

// values[r, j] *= scale[r]: chains per-row gradients of the loss with what CrossEntropyWithGrad
// left.
void ScaleRows(RowRange range, std::int64_t cols, const float* scale, float* values);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_CROSS_ENTROPY_H_
