// Options that integer quantizers have in common, read into an IntFormat.
#ifndef QATLAS_INT_OPTIONS_H_
#define QATLAS_INT_OPTIONS_H_

#include <cstdint>

#include "qatlas/int_format.h"
#include "qatlas/options.h"

namespace qatlas {

// Of a component that declares `bits`, `granularity` (choices among kGranularityChoices), `group`
// and `short_last_group`; one that lacks any of these aborts.
inline IntFormat ReadIntFormat(const Options& options) {
  IntFormat format;
  format.bits = static_cast<int>(options.Int("bits"));
  format.granularity = ParseGranularity(options.String("granularity"));
  format.group = options.Int("group");
  format.short_last_group = options.Bool("short_last_group");
  return format;
}

// What Quantizer::NominalGroup() says of a format: 0 where a row or the tensor shares a scale.
inline int64_t NominalGroupOf(const IntFormat& format) {
  return format.granularity == Granularity::kGroup ? format.group : 0;
}

}  // namespace qatlas

#endif  // QATLAS_INT_OPTIONS_H_
