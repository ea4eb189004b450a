#include "framework/plan/design.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/plan/design_search.h"
#include "framework/plan/design_state.h"

namespace qatlas::plan {
namespace {

// λ beyond which more evidence is worth nothing: naming is sure to .999.
double Cap(double evidence) {
  constexpr double z = 3.09;
  const double root = z + std::sqrt(z * z + std::max(evidence, 0.0));
  return 2 * root * root;
}

// So wide that it holds nothing back, in search coordinates.
constexpr double kFree = 100;

// All duels of a set of laws, and the criterion over them.
class Tournament {
 public:
  struct Entry {
    int truth_law, rival_law, draw;
    Duel duel;
  };

  static absl::StatusOr<Tournament> Create(const std::vector<const Law*>& laws,
                                           const std::vector<Candidate>& candidates,
                                           const DesignOptions& options,
                                           std::vector<std::string>* notes);

  void Refit(const Books& books) {
    for (Entry& entry : entries_) entry.duel.Refit(books);
  }
  // Mean over truths of the least capped λ over rivals; `lambda` gives λ of an entry.
  template <typename Lambda>
  double Criterion(const Lambda& lambda) const {
    double sum = 0;
    int truths = 0;
    for (size_t i = 0; i < entries_.size();) {
      double least = cap_;
      const size_t first = i;
      for (; i < entries_.size() && SameTruth(first, i); ++i) {
        least = std::min(least, lambda(entries_[i].duel));
      }
      sum += least;
      ++truths;
    }
    return truths > 0 ? sum / truths : 0;
  }
  double Named(int64_t runs, double evidence) const {
    double sum = 0;
    int truths = 0;
    for (size_t i = 0; i < entries_.size();) {
      double least = 1;
      const size_t first = i;
      for (; i < entries_.size() && SameTruth(first, i); ++i) {
        const Entry& e = entries_[i];
        least = std::min(least, ProbabilityNamed(e.duel.lambda(), free_[e.truth_law],
                                                 free_[e.rival_law], runs, evidence));
      }
      sum += least;
      ++truths;
    }
    return truths > 0 ? sum / truths : 0;
  }

 private:
  bool SameTruth(size_t a, size_t b) const {
    return entries_[a].truth_law == entries_[b].truth_law && entries_[a].draw == entries_[b].draw;
  }
  std::vector<std::shared_ptr<LogCurve>> curves_;
  std::vector<int> free_;
  std::vector<Entry> entries_;  // rivals of one truth lie together
  double cap_ = 0;
};

absl::StatusOr<Tournament> Tournament::Create(const std::vector<const Law*>& laws,
                                              const std::vector<Candidate>& candidates,
                                              const DesignOptions& options,
                                              std::vector<std::string>* notes) {
  Tournament result;
  result.cap_ = Cap(options.evidence);
  std::vector<Point> points;
  for (const Candidate& candidate : candidates) points.push_back(candidate.point);
  points.insert(points.end(), options.existing.begin(), options.existing.end());
  for (const Law* law : laws) {
    QATLAS_ASSIGN_OR_RETURN(LogCurve curve, LogCurve::Create(*law, points));
    result.free_.push_back(curve.free());
    result.curves_.push_back(std::make_shared<LogCurve>(std::move(curve)));
  }
  Books all(candidates, {});
  for (size_t i = 0; i < candidates.size(); ++i) all.Add(i);
  for (size_t t = 0; t < laws.size(); ++t) {
    std::vector<size_t> rivals;
    for (size_t j = 0; j < laws.size(); ++j) {
      if (j != t) rivals.push_back(j);
    }
    for (int draw = 0; draw < std::max(options.draws, 1); ++draw) {
      const LogCurve& truth = *result.curves_[t];
      const std::vector<double> u = truth.Truth(draw, options.vague, options.seed + t);
      std::vector<double> value;
      truth.Evaluate(u, &value, nullptr);
      if (!std::all_of(value.begin(), value.end(), [](double x) { return std::isfinite(x); })) {
        continue;  // a draw that leaves the form's domain at a candidate
      }
      std::vector<double> weight;
      for (double x : value) {
        const double absolute = options.error.absolute / std::exp(x);
        weight.push_back(1 /
                         (options.error.relative * options.error.relative + absolute * absolute));
      }
      std::vector<size_t> kept;
      for (const size_t j : rivals) {
        const LogCurve& rival = *result.curves_[j];
        // As a rival a law without draws may go anywhere to save itself.
        Duel duel(&rival, value, weight, rival.Precision(kFree), candidates.size());
        duel.Refit(all);
        if (draw == 0 && duel.lambda() < .05) {
          notes->push_back(absl::StrCat("No run speaks for ", laws[t]->name, " against ",
                                        laws[j]->name,
                                        ", which holds it as a special case on "
                                        "these candidates: only parsimony can."));
          continue;
        }
        kept.push_back(j);
        result.entries_.push_back(
            {static_cast<int>(t), static_cast<int>(j), draw, std::move(duel)});
      }
      rivals = kept;
      if (rivals.empty()) break;
    }
  }
  if (result.entries_.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no candidate tells these laws apart: each can imitate the others within its "
                     "parameters; widen the grid"));
  }
  return result;
}

}  // namespace

absl::StatusOr<Law> LawNear(std::shared_ptr<const LawForm> form, const std::string& name,
                            const Law& truth, const std::vector<Candidate>& candidates) {
  const LawSpec& spec = form->Spec();
  Law law;
  law.name = name;
  law.form = form;
  law.target = spec.target;
  law.source = absl::StrCat("constants nearest to ", truth.name, " over the candidates");
  law.intervals = "none";
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    const LawParameter& parameter = spec.parameters[p];
    law.parameters.push_back({parameter.name, static_cast<int>(p), "", {}, parameter.log, -1});
    law.values.push_back(parameter.starts[parameter.starts.size() / 2]);
  }
  std::vector<Point> points;
  for (const Candidate& candidate : candidates) points.push_back(candidate.point);
  QATLAS_ASSIGN_OR_RETURN(const LogCurve from, LogCurve::Create(truth, points));
  QATLAS_ASSIGN_OR_RETURN(const LogCurve curve, LogCurve::Create(law, points));
  std::vector<double> target, best_u;
  from.Evaluate(from.centre(), &target, nullptr);
  const std::vector<double> weight(points.size(), 1.0);
  double best = std::numeric_limits<double>::infinity();
  // From every start value of the nonlinear parameters; scale parameters follow at once.
  std::vector<std::vector<double>> starts = {{}};
  for (const LawParameter& parameter : spec.parameters) {
    std::vector<std::vector<double>> next;
    const std::vector<double> one = {parameter.starts[parameter.starts.size() / 2]};
    for (const auto& start : starts) {
      for (double value : parameter.linear ? one : parameter.starts) {
        next.push_back(start);
        next.back().push_back(parameter.log ? std::log(value) : value);
      }
    }
    starts = std::move(next);
    if (starts.size() > 300) starts.resize(300);
  }
  for (std::vector<double> u : starts) {
    const Nearest nearest = FindNearest(curve, target, weight, curve.Precision(1e3), &u, 200);
    if (!(nearest.squares < best)) continue;
    best = nearest.squares;
    best_u = u;
  }
  if (best_u.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no constants bring ", name, " near ", truth.name, " over the candidates"));
  }
  for (size_t p = 0; p < law.values.size(); ++p) {
    law.values[p] = law.parameters[p].log ? std::exp(best_u[p]) : best_u[p];
  }
  return law;
}

absl::StatusOr<Design> Discriminate(const std::vector<const Law*>& laws,
                                    const std::vector<Candidate>& candidates,
                                    const DesignOptions& options) {
  if (laws.size() < 2) {
    return absl::InvalidArgumentError("a design to tell laws apart needs at least two of them");
  }
  for (const Law* law : laws) {
    if (law->target != laws[0]->target) {
      return absl::InvalidArgumentError(absl::StrCat(law->name, " predicts ", law->target, ", ",
                                                     laws[0]->name, " ", laws[0]->target));
    }
  }
  QATLAS_RETURN_IF_ERROR(CheckDesign(candidates, options));
  Design design;
  QATLAS_ASSIGN_OR_RETURN(Tournament tournament,
                          Tournament::Create(laws, candidates, options, &design.notes));
  Books books(candidates, options.have);
  int64_t before = static_cast<int64_t>(options.existing.size());
  for (const Law* law : laws) before = std::max(before, law->rows);
  const auto lambda = [](const Duel& duel) { return duel.lambda(); };
  const auto named = [&] {
    return tournament.Named(before + static_cast<int64_t>(books.chosen().size()), options.evidence);
  };
  const Steps steps = {
      [&] { return tournament.Criterion(lambda); },
      [&](size_t i) {
        return tournament.Criterion([&](const Duel& duel) { return duel.LambdaWith(i); });
      },
      [&](size_t out, size_t in) {
        return tournament.Criterion(
            [&](const Duel& duel) { return duel.LambdaExchanged(books, out, in); });
      },
      [&] { tournament.Refit(books); },
      [&] { return options.until > 0 && named() >= options.until; },
  };
  tournament.Refit(books);
  design.before = steps.score();
  design.named_before = named();
  if (before == 0) {
    SpanAxes(candidates, options, &books);
    tournament.Refit(books);
  }
  Greedy(candidates, options, steps, &books);
  if (books.chosen().empty()) {
    return absl::FailedPreconditionError(
        steps.enough() ? "the runs there are name the law already"
                       : "no candidate fits into the budget, or none adds evidence");
  }
  Exchange(candidates, steps, options.budget > 0 ? options.budget : books.cost(), &books);
  design.criterion = steps.score();
  design.named = named();
  design.cost = books.cost();
  // Told in the order that gains most for its cost.
  const std::vector<size_t> chosen = books.chosen();
  Books order(candidates, options.have);
  tournament.Refit(order);
  std::vector<size_t> left = chosen;
  while (!left.empty()) {
    size_t best = 0;
    double most = -1;
    const double now = tournament.Criterion(lambda);
    for (size_t k = 0; k < left.size(); ++k) {
      const double gain =
          (tournament.Criterion([&](const Duel& d) { return d.LambdaWith(left[k]); }) - now) /
          order.Adds(left[k]);
      if (gain > most) {
        most = gain;
        best = k;
      }
    }
    Chosen step;
    step.candidate = left[best];
    step.cost = order.Adds(step.candidate);
    order.Add(step.candidate);
    tournament.Refit(order);
    step.criterion = tournament.Criterion(lambda);
    step.named =
        tournament.Named(before + static_cast<int64_t>(order.chosen().size()), options.evidence);
    design.runs.push_back(step);
    left.erase(left.begin() + static_cast<int64_t>(best));
  }
  Books all(candidates, options.have);
  for (size_t i = 0; i < candidates.size(); ++i) all.Add(i);
  tournament.Refit(all);
  design.full_cost = all.cost();
  design.full_criterion = tournament.Criterion(lambda);
  design.full_named =
      tournament.Named(before + static_cast<int64_t>(candidates.size()), options.evidence);
  return design;
}

}  // namespace qatlas::plan
