// Named tensors with what an optimizer and a checkpoint must know of them.
#ifndef QATLAS_TENSORS_H_
#define QATLAS_TENSORS_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "qatlas/site.h"

namespace qatlas {

// A trainable tensor. Names are unique within their owner ("embedding.weight", "scale"); the host
// prefixes those of a quantizer with the site's name.
struct NamedParameter {
  std::string name;             // unique within its owner
  at::Tensor tensor;            // FP32 leaf that requires a gradient
  std::string group = "model";  // optimizer group; a recipe sets a group's values by this name
  bool weight_decay = true;     // false: never decays
  // Peak learning rate of the parameter; NaN takes the run's own. It follows the run's schedule,
  // scaled.
  double learning_rate = std::numeric_limits<double>::quiet_NaN();
};

// State that is saved and resumed but not trained by the optimizer.
struct NamedTensor {
  std::string name;   // unique within the instance
  at::Tensor tensor;  // the one in use, not a copy
};

// A tensor in the form that a deployment stores. The layout says how the tensors combine, and is
// one of the names in docs/sdk.md ("int-group", "int4-packed-group", "int-affine-group",
// "levels-group", "two-level-scale", "bitmap", "rotated") or a plugin's own, with its
// documentation.
struct Encoded {
  std::string layout;                             // what the tensors mean
  std::map<std::string, at::Tensor> tensors;      // "codes", "scales", "offsets", "bitmap", ...
  std::map<std::string, std::string> attributes;  // "bits" -> "4", "group" -> "64", ...
};

}  // namespace qatlas

#endif  // QATLAS_TENSORS_H_
