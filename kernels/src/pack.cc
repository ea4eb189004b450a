// Two 4-bit codes per byte.
#include <qatlas/kernels/fake_quant.h>

#include "check.h"

namespace qatlas::kernels {

void PackInt4(const std::int8_t* codes, std::int64_t count, std::uint8_t* packed) {
  for (std::int64_t i = 0; i < count; i += 2) {
    const int low = codes[i];
    const int high = i + 1 < count ? codes[i + 1] : 0;
    QATLAS_KERNELS_CHECK(low >= -8 && low <= 7 && high >= -8 && high <= 7,
                         "PackInt4: a code does not fit into 4 bits");
    packed[i / 2] = static_cast<std::uint8_t>((low & 15) | ((high & 15) << 4));
  }
}

void UnpackInt4(const std::uint8_t* packed, std::int64_t count, std::int8_t* codes) {
  for (std::int64_t i = 0; i < count; ++i) {
    const int nibble = (i % 2 == 0 ? packed[i / 2] : packed[i / 2] >> 4) & 15;
    codes[i] = static_cast<std::int8_t>((nibble ^ 8) - 8);
  }
}

}  // namespace qatlas::kernels
