#include <qatlas/kernels/types.h>

#include <algorithm>

namespace qatlas::kernels {

void SumBlocks(const float* partials, std::int64_t blocks, std::int64_t cols, float* sums) {
  // A strip of columns at a time, so that partials are read along their rows.
  constexpr std::int64_t kStrip = 64;
  double strip[kStrip];
  for (std::int64_t first = 0; first < cols; first += kStrip) {
    const std::int64_t n = std::min(kStrip, cols - first);
    std::fill_n(strip, n, 0.0);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const float* row = partials + block * cols + first;
      for (std::int64_t c = 0; c < n; ++c) strip[c] += static_cast<double>(row[c]);
    }
    for (std::int64_t c = 0; c < n; ++c) sums[first + c] = static_cast<float>(strip[c]);
  }
}

}  // namespace qatlas::kernels
