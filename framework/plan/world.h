// What planning asks of: the full-precision loss, δ, and their sum, with draws that vary together.
#ifndef QATLAS_FRAMEWORK_PLAN_WORLD_H_
#define QATLAS_FRAMEWORK_PLAN_WORLD_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/plan/law.h"

namespace qatlas::plan {

// Either a full-precision law of the loss, a law of δ, or both: L = L_FP + δ. Or a law of the loss
// that itself knows precision (it reads bits, or has a parameter for each precision): then δ is its
// value less its value in full precision.
struct World {
  const Law* loss = nullptr;
  const Law* delta = nullptr;
  // Where a law of the loss that knows precision stands for full precision. Empty: precision = fp,
  // quantized = 0, and of bits what the form takes for a missing value, or 16.
  Point full_precision;
};

// Whether a law of the loss reads a precision itself.
bool KnowsPrecision(const Law& law);

// A world at a point, asked often. Draw -1: the laws' own values; draws [0, draws()).
class BoundWorld {
 public:
  static absl::StatusOr<BoundWorld> Create(const World& world, const Point& point,
                                           const std::vector<std::string>& open = {});

  int draws() const { return draws_; }
  void Set(const std::string& name, double value);
  bool has_loss() const { return loss_.has_value(); }
  bool has_delta() const { return delta_.has_value() || total_; }
  double FullPrecision(int draw) const;  // needs has_loss()
  double Delta(int draw) const;          // needs has_delta()
  double Loss(int draw) const;           // L_FP + δ; needs has_loss()

 private:
  std::optional<BoundLaw> loss_, delta_, reference_;
  std::vector<std::string> fixed_;  // columns that full precision sets
  bool total_ = false;
  int draws_ = 0;
};

// One number of an answer with its interval.
struct Quantity {
  std::string name, unit;
  double value = 0;
  std::optional<fit::Interval> interval;  // empty where nothing says how unsure the law is
  double undefined_share = 0;  // of the draws in which there is no such number (no crossing, say)
  // Where the number does not exist: why, in words; value is then not shown.
  std::string none;
};

struct Row {
  std::string label;
  std::vector<Quantity> quantities;
  std::vector<std::pair<std::string, std::string>> words;  // "verdict": "met"
};

struct Answer {
  std::string question;
  std::vector<Row> rows;
  std::vector<std::string> warnings;  // outside the fitted range, not identifiable
  std::vector<std::string> notes;
};
nlohmann::json ToJson(const Answer& answer);

// A functional of the world at its values and at every draw. Draws without a finite number are
// counted in undefined_share; where more than half have none there is no interval.
Quantity Summarize(const std::string& name, const std::string& unit, int draws, double level,
                   const std::function<double(int draw)>& functional);

// The rule for laws that are not identifiable: FailedPrecondition, unless `allow`, when a warning
// marks every answer.
absl::Status RequireIdentifiable(const std::vector<const Law*>& laws, bool allow,
                                 std::vector<std::string>* warnings);
// Names of the laws, where they come from, and of what kind the intervals are.
void Describe(const World& world, std::vector<std::string>* notes);
void WarnOutside(const World& world, const Point& point, std::vector<std::string>* warnings);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_WORLD_H_
