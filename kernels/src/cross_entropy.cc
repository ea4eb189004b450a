#include <qatlas/kernels/cross_entropy.h>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {
namespace {

void Check(RowRange range, std::int64_t vocab, const std::int64_t* targets) {
  QATLAS_KERNELS_CHECK(range.begin >= 0 && vocab >= 1, "cross-entropy: bad shape");
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    QATLAS_KERNELS_CHECK(
        (targets[row] >= 0 && targets[row] < vocab) || targets[row] == kIgnoredTarget,
        "cross-entropy: a target lies outside the vocabulary");
  }
}

}  // namespace

void CrossEntropy(RowRange range, std::int64_t vocab, const float* logits,
                  const std::int64_t* targets, float* loss) {
  Check(range, vocab, targets);
  internal::Active().cross_entropy(range, vocab, logits, targets, 0.0f, loss, nullptr);
}

void CrossEntropyWithGrad(RowRange range, std::int64_t vocab, const float* logits,
                          const std::int64_t* targets, float weight, float* loss, float* grad) {
  Check(range, vocab, targets);
  QATLAS_KERNELS_CHECK(grad != nullptr, "cross-entropy: no room for the gradient");
  internal::Active().cross_entropy(range, vocab, logits, targets, weight, loss, grad);
}

void ScaleRows(RowRange range, std::int64_t cols, const float* scale, float* values) {
  internal::Active().scale_rows(range, cols, scale, values);
}

}  // namespace qatlas::kernels
