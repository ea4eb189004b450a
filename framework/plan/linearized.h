// A law at many points with derivatives, and its least distance to given values: the parts of which
// designs are made.
#ifndef QATLAS_FRAMEWORK_PLAN_LINEARIZED_H_
#define QATLAS_FRAMEWORK_PLAN_LINEARIZED_H_

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/plan/law.h"

namespace qatlas::plan {

// ln(target) of a law at fixed points as a function of its free parameters in search coordinates
// (logarithms where a parameter is searched so). Of a law from a fit the free parameters are the
// fit's; of published constants, all.
class LogCurve {
 public:
  // OutOfRange where the law is not finite and positive at a point.
  static absl::StatusOr<LogCurve> Create(const Law& law, const std::vector<Point>& points);

  int free() const { return free_; }
  int points() const { return static_cast<int>(count_); }
  const Law& law() const { return *law_; }
  const std::vector<double>& centre() const { return centre_; }  // [free]
  // Inverse covariance of the free parameters, [free][free]: of the law's draws, or 1/vague² on the
  // diagonal where it has none.
  std::vector<double> Precision(double vague) const;
  // Search coordinates of a truth: 0 the law's values, else its draws, or values scattered by the
  // share `vague` where it has none. Within the form's bounds.
  std::vector<double> Truth(int index, double vague, uint64_t seed) const;

  // value: [points]; gradient: [points][free], or nullptr. Infinite or NaN values are as the form
  // gives them.
  void Evaluate(const std::vector<double>& u, std::vector<double>* value,
                std::vector<double>* gradient) const;
  void Clamp(std::vector<double>* u) const;

 private:
  struct Group {
    std::vector<int> slots;
    std::vector<int> rows;
    LawPoints points;
  };
  std::vector<double> Values(const std::vector<double>& u) const;

  const Law* law_ = nullptr;
  int free_ = 0;
  size_t count_ = 0;
  std::vector<int> coordinate_;  // of law_->parameters; -1: held
  std::vector<size_t> first_;    // of each coordinate: a parameter that it stands for
  std::vector<double> centre_, lower_, upper_;
  std::vector<Group> groups_;
};

// Weighted points of a nearest-parameters problem: weight 0 leaves a point out.
struct Nearest {
  double squares = 0;         // at the minimum, penalty included
  std::vector<double> value;  // of the curve at all points, [points]
  std::vector<double> gradient;
};
// Minimizes Σ weight (target - value)² + (u - centre)ᵀ P (u - centre) from *u by Levenberg's
// method, within bounds. *u is the minimum found.
Nearest FindNearest(const LogCurve& curve, const std::vector<double>& target,
                    const std::vector<double>& weight, const std::vector<double>& precision,
                    std::vector<double>* u, int iterations = 60);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_LINEARIZED_H_
