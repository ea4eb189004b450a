#include "framework/plan/design_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>

#include "framework/observe/number.h"

namespace qatlas::plan {

absl::Status CheckDesign(const std::vector<Candidate>& candidates, const DesignOptions& options) {
  if (candidates.empty()) return absl::InvalidArgumentError("there is no candidate to choose from");
  if (candidates.size() > kMostCandidates) {
    return absl::InvalidArgumentError(absl::StrCat(candidates.size(), " candidates are more than ",
                                                   kMostCandidates, "; thin the grid"));
  }
  if (!(options.budget > 0) && options.runs <= 0 && !(options.until > 0)) {
    return absl::InvalidArgumentError(
        "say where to stop: a budget in FLOPs, a number of runs, or a probability to reach");
  }
  if (options.until >= 1 || options.until < 0 || options.budget < 0 ||
      !std::isfinite(options.budget)) {
    return absl::InvalidArgumentError(
        "the probability to reach must lie between 0 and 1, the budget be 0 or more FLOPs");
  }
  if (!(options.error.relative >= 0) || !(options.error.absolute >= 0) ||
      !(options.error.relative + options.error.absolute > 0) || !(options.vague > 0)) {
    return absl::InvalidArgumentError(
        "the error of a run must be above 0 (relative or absolute), and so must the spread of "
        "unknown parameters");
  }
  for (const Candidate& candidate : candidates) {
    if (!(candidate.cost > 0) || !(candidate.baseline_cost >= 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat(Show(candidate.point), ": a run must cost more than 0"));
    }
  }
  return absl::OkStatus();
}

namespace {

bool Allowed(const Books& books, const DesignOptions& options, double cost) {
  return options.budget <= 0 || books.cost() + cost <= options.budget * (1 + 1e-12);
}

// How many axes have two values or more among the chosen, `out` left out and `in` taken.
int Varying(const std::vector<Candidate>& candidates, const Books& books, size_t out, size_t in) {
  int varying = 0;
  for (const auto& [name, value] : candidates[in].point.numbers) {
    bool varies = false;
    for (const size_t i : books.chosen()) {
      if (i == out || varies) continue;
      const auto found = candidates[i].point.numbers.find(name);
      varies = found != candidates[i].point.numbers.end() && found->second != value;
    }
    varying += varies ? 1 : 0;
  }
  return varying;
}

}  // namespace

void SpanAxes(const std::vector<Candidate>& candidates, const DesignOptions& options,
              Books* books) {
  for (;;) {
    size_t pick = candidates.size();
    int most = books->chosen().empty()
                   ? -1
                   : Varying(candidates, *books, candidates.size(), books->chosen().front());
    double price = 0;
    if (options.runs > 0 && static_cast<int>(books->chosen().size()) >= options.runs) return;
    const int now = most;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (books->in(i) || !Allowed(*books, options, books->Adds(i))) continue;
      const int varying = Varying(candidates, *books, candidates.size(), i);
      if (varying <= now) continue;
      if (pick < candidates.size() &&
          (varying < most || (varying == most && books->Adds(i) >= price))) {
        continue;
      }
      pick = i;
      most = varying;
      price = books->Adds(i);
    }
    if (pick == candidates.size()) return;
    books->Add(pick);
  }
}

void Greedy(const std::vector<Candidate>& candidates, const DesignOptions& options,
            const Steps& steps, Books* books) {
  const int most = options.runs > 0 ? std::min(options.runs, kMostRuns) : kMostRuns;
  while (static_cast<int>(books->chosen().size()) < most && !steps.enough()) {
    const double now = steps.score();
    double best = 0;
    size_t pick = candidates.size();
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (books->in(i) || !Allowed(*books, options, books->Adds(i))) continue;
      // Where only the number of runs is bound, their cost does not matter.
      const double price = options.budget > 0 || options.runs <= 0 ? books->Adds(i) : 1;
      const double gain = (steps.with(i) - now) / price;
      if (gain > best) {
        best = gain;
        pick = i;
      }
    }
    if (pick == candidates.size()) return;
    books->Add(pick);
    steps.refresh();
  }
}

void Exchange(const std::vector<Candidate>& candidates, const Steps& steps, double most_cost,
              Books* books) {
  for (int pass = 0; pass < 40; ++pass) {
    const double now = steps.score();
    double best = now + 1e-6 * std::abs(now) + 1e-12;
    std::pair<size_t, size_t> pick{candidates.size(), 0};
    for (const size_t out : books->chosen()) {
      const int varied = Varying(candidates, *books, candidates.size(), out);
      for (size_t in = 0; in < candidates.size(); ++in) {
        if (books->in(in) || books->CostAfter(out, in) > most_cost * (1 + 1e-12)) continue;
        if (Varying(candidates, *books, out, in) < varied) continue;
        const double score = steps.exchanged(out, in);
        if (score <= best) continue;
        best = score;
        pick = {out, in};
      }
    }
    if (pick.first == candidates.size()) return;
    books->Remove(pick.first);
    books->Add(pick.second);
    steps.refresh();
    if (steps.score() <= now) {  // the linearization promised too much
      books->Remove(pick.second);
      books->Add(pick.first);
      steps.refresh();
      return;
    }
  }
}

absl::StatusOr<std::vector<Candidate>> CandidateGrid(
    const std::map<std::string, std::vector<double>>& axes, const Cost& cost, bool paired) {
  for (const char* name : {"N", "D"}) {
    if (axes.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("the candidates need ", name, "=...,..."));
    }
  }
  size_t count = 1;
  for (const auto& [name, values] : axes) {
    if (values.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " has no values"));
    for (double value : values) {
      if (!(value > 0) || !std::isfinite(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, " = ", observe::ShowNumber(value), " is not above 0"));
      }
    }
    count *= values.size();
    if (count > kMostCandidates) {
      return absl::InvalidArgumentError(
          absl::StrCat("more than ", kMostCandidates, " candidates; thin the grid"));
    }
  }
  std::vector<Candidate> candidates(count);
  size_t repeat = count;
  for (const auto& [name, values] : axes) {
    repeat /= values.size();
    for (size_t i = 0; i < count; ++i) {
      candidates[i].point.numbers[name] = values[i / repeat % values.size()];
    }
  }
  for (Candidate& candidate : candidates) {
    const double n = candidate.point.numbers["N"], d = candidate.point.numbers["D"];
    candidate.cost = cost.per_nd * n * d * (1 + cost.overhead);
    if (!paired) continue;
    candidate.baseline_cost = cost.per_nd * n * d;
    candidate.baseline = absl::StrCat(observe::FormatNumber(n), "/", observe::FormatNumber(d));
  }
  return candidates;
}

}  // namespace qatlas::plan
