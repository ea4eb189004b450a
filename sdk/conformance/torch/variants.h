// The options under which a component's checks run.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_VARIANTS_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_VARIANTS_H_

#include <string>
#include <vector>

#include "qatlas/abi.h"
#include "qatlas/options.h"

namespace qatlas::conformance {

struct Variant {
  std::string words;     // "default options", "bits = 8"
  OptionTable given;     // what differs from the defaults
  bool extreme = false;  // an end of a number's range, which may be legal without being sensible
};

// The defaults; one at a time each other choice of each option and both ends of each number; and
// each pair of options with few values (choices and booleans), since the branches of an
// implementation cross there. An end beyond `kFarEnd` stands for "as much as you like", and four
// times or a quarter of the default takes its place.
inline constexpr double kFarEnd = 1 << 14;
std::vector<Variant> AllVariants(const qatlas_component& component);

// Whether the component declares the ability.
bool Can(const qatlas_component& component, const std::string& ability);

// The part after the colon of an ability such as "bits:1.585" for "bits"; "" where there is none.
std::string AbilityValue(const qatlas_component& component, const std::string& key);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_VARIANTS_H_
