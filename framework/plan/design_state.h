// What a design knows of one truth and one rival; used by design.cc alone and by its tests.
#ifndef QATLAS_FRAMEWORK_PLAN_DESIGN_STATE_H_
#define QATLAS_FRAMEWORK_PLAN_DESIGN_STATE_H_

#include <string>
#include <vector>

#include "framework/plan/design.h"
#include "framework/plan/linearized.h"

namespace qatlas::plan {

// Keeps the books of a design: which candidates are in, what each would add in cost.
class Books {
 public:
  Books(const std::vector<Candidate>& candidates, const std::vector<std::string>& have);

  bool in(size_t candidate) const { return in_[candidate] != 0; }
  const std::vector<size_t>& chosen() const { return chosen_; }
  double cost() const { return cost_; }
  // Of adding it, its baseline included where that is new; of taking it away, with its baseline
  // where no other run needs it; of exchanging one for another.
  double Adds(size_t candidate) const;
  double Frees(size_t candidate) const;
  double CostAfter(size_t out, size_t in) const;
  void Add(size_t candidate);
  void Remove(size_t candidate);

 private:
  const std::vector<Candidate>& candidates_;
  std::vector<std::string> have_;
  std::vector<char> in_;
  std::vector<size_t> chosen_;
  std::map<std::string, int> uses_;  // of baselines
  double cost_ = 0;
};

// One truth and one rival: residuals and derivatives of the rival where it is nearest to the truth
// on the design, at all points (candidates first, then existing runs).
class Duel {
 public:
  Duel(const LogCurve* rival, std::vector<double> truth, std::vector<double> weight,
       std::vector<double> precision, size_t candidates);

  // Fits the rival anew to the design.
  void Refit(const Books& books);
  double lambda() const { return lambda_; }
  // λ after one more point, by the leverage of the rival there; after an exchange, with the rival
  // linearized where it was nearest.
  double LambdaWith(size_t candidate) const;
  double LambdaExchanged(const Books& books, size_t out, size_t in) const;

 private:
  const LogCurve* rival_;
  std::vector<double> truth_, weight_, precision_;
  size_t candidates_;
  std::vector<double> u_, value_, gradient_, inverse_;
  double lambda_ = 0;
};

// Probability of a difference in AICc of at least `evidence` for the truth, as design.h says.
double ProbabilityNamed(double lambda, int truth_parameters, int rival_parameters, int64_t runs,
                        double evidence);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_DESIGN_STATE_H_
