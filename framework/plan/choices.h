// Which bits and group size: the cheapest for a target, the best under a memory budget.
#ifndef QATLAS_FRAMEWORK_PLAN_CHOICES_H_
#define QATLAS_FRAMEWORK_PLAN_CHOICES_H_

#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/plan/allocate.h"
#include "framework/plan/world.h"

namespace qatlas::plan {

// One way to store the weights, and the world that says what it costs in loss.
struct Choice {
  std::string name;  // "qat-unified:w4a4, G=32"
  World world;
  Point at;  // G, bits, precision: everything but N and D
  double weight_bits = 0;
  double group = 0;  // elements that share a scale; 0: none are stored
  double scale_bits = 16;
  bool full_precision = false;  // the loss of the world's full-precision law
};
// Bits a weight takes with its share of the scale: weight_bits + scale_bits / group.
double BitsPerElement(const Choice& choice);

// 4 of "w4a4", "W4A16", "qat-unified:w4a16-fc2"; nullopt where the text has no w<digits>a<digits>
// or w<digits> of its own.
std::optional<double> WeightBitsOf(const std::string& text);

struct Target {
  double loss = 0;   // nats/token, > 0; or
  double delta = 0;  // nats/token, > 0
};

// All choices at `at` (N, D) by bits per element, each with its loss or δ and whether it meets the
// target: "surely" where the upper end of the interval does, "by the estimate", or not. The
// cheapest of both kinds stand in the first row. OutOfRange where none meets it by the estimate:
// the nearest is named.
absl::StatusOr<Answer> Cheapest(const std::vector<Choice>& choices, const Point& at,
                                const Target& target, const AskOptions& options = {});

// What is held fixed while the size follows from the memory.
struct Data {
  double tokens = 0;  // D; or
  double ratio = 0;   // D = ratio · N; or
  double flops = 0;   // D = flops / (6 N)
};

// For every choice the largest model that fits into `bytes` (after `other_bytes` for embeddings and
// the like), its D and loss, best first, with the share of draws in which it is the best of all.
absl::StatusOr<Answer> UnderMemory(const std::vector<Choice>& choices, double bytes,
                                   double other_bytes, const Data& data,
                                   const AskOptions& options = {});

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_CHOICES_H_
