// One local search, with the arrays it works in. One object a thread.
#ifndef QATLAS_FRAMEWORK_FIT_LOCAL_H_
#define QATLAS_FRAMEWORK_FIT_LOCAL_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <absl/types/span.h>

#include "framework/fit/fit.h"
#include "framework/fit/inner.h"
#include "framework/fit/problem.h"

namespace qatlas::fit {

// Searches in coordinates: natural values, or logarithms of positive parameters. Two phases:
//
// 1. Levenberg-Marquardt on the analytic Jacobian. For robust losses the curvature is that of
// iteratively
//    reweighted least squares, which majorizes the loss: every step goes down, from any start, but
//    near the optimum only linearly.
// 2. For robust losses then BFGS, starting from the inverse of phase 1's curvature: superlinear
// where most
//    residuals lie in the linear branch and the Gauss-Newton matrix says little about the true
//    Hessian.
//
// With FitOptions::projected, phase 1 solves the linear coordinates at every trial point (Project).
//
// Bounds are kept by projection: a coordinate at a bound whose gradient points outwards is held.
//
// Many rows are evaluated in tiles that stay in the cache, and only the sums over them are kept.
class LocalSearcher {
 public:
  // The problem must outlive the searcher. tolerance and max_iterations are taken from options.
  LocalSearcher(const Problem& problem, const FitOptions& options);

  // Replaces weights [rows] or targets [rows] (natural units) for the searches that follow.
  void SetWeight(absl::Span<const double> weight);
  void SetTarget(absl::Span<const double> target);

  // Holds a coordinate at a value in the searches that follow, until it is released (profiles).
  void Hold(int i, double value);
  void Release(int i);
  // A spring on a quantity of the parameters: adds ((g(u) - goal)/width)²/2 to the objective.
  struct Tether {
    // g at coordinates u, and its derivatives by them into gradient, [coordinates].
    std::function<double(const double* u, double* gradient)> quantity;
    double goal = 0, width = 1;
  };
  // For the searches that follow; nullptr for none. Must outlive them.
  void SetTether(const Tether* tether) { tether_ = tether; }
  // Rows evaluated at a time; a multiple of inner::kLanes. Fewer than so many tiles are one.
  static constexpr int64_t kTile = 2048;
  static constexpr int kLeastTiles = 5;

  Refit Run(absl::Span<const double> start);
  // The search of this kind.
  Refit Run(absl::Span<const double> start, LocalSearch local) {
    return local == LocalSearch::kOwn ? Run(start) : RunNlopt(start, local);
  }
  Refit RunNlopt(absl::Span<const double> start, LocalSearch algorithm);

  // Objective at coordinates; infinity where it is not finite.
  double Objective(absl::Span<const double> u);
  // With its gradient by coordinates, [coordinates].
  double ObjectiveAndGradient(absl::Span<const double> u, double* gradient);

  // Sets the linear coordinates of u to their weighted least-squares optimum given the others,
  // within bounds. For a logarithmic loss the weights are those of relative errors. u is left as it
  // is where the equations are singular.
  void SolveLinear(std::vector<double>* u);

  // After an Objective call with the Jacobian: used for covariances.
  int coordinates() const { return m_; }
  int64_t padded() const { return padded_; }

  // Slopes rho'(r) dr/df w and curvatures at u with the Jacobian by coordinates, [m][padded].
  struct Linearization {
    double objective;
    const double* prediction;
    const double* jacobian;  // by search coordinates
    const double* slope;
    const double* curvature;
  };
  Linearization Linearize(absl::Span<const double> u);

 private:
  // Natural values of all parameters at u, and scale_.
  void SetPoint(const double* u);
  bool Tiled() const { return tile_ < padded_; }
  // One tile of all rows from here on, for what needs the whole Jacobian.
  void MakeWhole();
  int64_t TileEnd(int64_t begin) const { return std::min(begin + tile_, rows_); }
  // Prediction and Jacobian ([m][Padded(end - begin)]; or none) of a tile at the point set.
  void EvaluateTile(int64_t begin, int64_t end, bool derivatives);
  inner::TermsInput TermsOf(int64_t begin, int64_t end, const double* prediction) const;
  // Evaluates at u; fills slope_, curvature_ and the natural Jacobian (scales in scale_), or, in
  // tiles, the sums over them.
  double Assess(const double* u, bool derivatives);
  double AssessTiles(bool derivatives);
  // Sets the projected coordinates of u to the optimum of the objective given the others, within
  // their bounds (reweighted where the loss is not quadratic in them), and assesses with
  // derivatives. Positive parameters whose term least squares wants gone get a value at which it
  // is, to rounding, and a mark in trial_pinned_.
  double Project(double* u);
  bool Projects(int i) const { return projects_ && projected_[i] != 0; }
  double Terms(const double* prediction, double* slope, double* curvature);
  void Gradient(double* g);
  void Hessian(double* h);
  void Clip(double* u) const;
  bool Held(int i, const double* u, const double* g) const;
  // -(h + lambda d)⁻¹ g over coordinates that are not held, d as the source says; false where
  // singular.
  bool Step(const double* u, const double* g, const double* h, double objective, double lambda,
            double* step);
  bool Levenberg(Refit* state, std::vector<double>* g, std::vector<double>* h);
  void Bfgs(Refit* state, std::vector<double>* g, std::vector<double>* h);
  bool ResetInverse(const double* u, const double* g, const double* h, double objective,
                    std::vector<double>* inverse);

  const Problem& problem_;
  double tolerance_;
  int max_iterations_;
  int m_;
  int64_t rows_, padded_, tile_;
  std::vector<char> log_;
  std::vector<double> lower_, upper_, length_;           // length: of the longest step
  std::vector<double> target_, weight_, inverse_noise_;  // target in the residual's space
  std::vector<double> scale_, values_;
  std::vector<double> prediction_, slope_, curvature_, row_scratch_;  // [tile]
  std::vector<double> jacobian_;                                      // [m][tile]
  // In tiles: sums over all rows at the point last assessed, before scale_; r² for Student's t.
  std::vector<double> gradient_sum_, hessian_sum_, squares_;
  bool wants_hessian_ = true, has_hessian_ = false;
  std::vector<double> scratch_, matrix_, trial_, trial_g_, trial_h_;
  std::vector<int> free_;
  // Variable projection: which coordinates are solved for, and of those which lie where their term
  // is gone at the point last accepted and tried.
  std::vector<char> projected_, pinned_, trial_pinned_;
  bool projects_ = false;  // this search does
  const Tether* tether_ = nullptr;
  double tether_residual_ = 0;           // (g - goal)/width at the last point assessed
  std::vector<double> tether_gradient_;  // dg/du / width there
};

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_LOCAL_H_
