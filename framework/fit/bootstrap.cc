#include "framework/fit/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <absl/strings/str_cat.h>

#include "framework/fit/dense.h"
#include "framework/fit/local.h"
#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// Draws the weights or targets of one replicate.
class Resampler {
 public:
  Resampler(const FitResult& fit, const BootstrapOptions& options)
      : fit_(fit), problem_(*fit.problem), options_(options) {
    if (options.resampling == Resampling::kGroups) {
      std::map<std::string, int> index;
      for (const std::string& label : options.groups) {
        const auto [at, added] = index.emplace(label, static_cast<int>(index.size()));
        group_.push_back(at->second);
      }
      groups_ = static_cast<int>(index.size());
    }
    if (options.resampling == Resampling::kResiduals) CollectResiduals();
  }

  int groups() const { return groups_; }

  // False when the replicate has too few distinct rows to fit.
  bool Draw(uint64_t replicate, std::vector<double>* buffer, LocalSearcher* searcher) const {
    Random random(options_.seed, replicate);
    const int64_t n = problem_.rows();
    buffer->assign(n, 0.0);
    if (options_.resampling == Resampling::kResiduals) {
      for (int64_t i = 0; i < n; ++i) {
        const double noise = problem_.noise().empty() ? 1.0 : problem_.noise()[i];
        const double r = residuals_[random.Below(residuals_.size())] * noise;
        (*buffer)[i] = problem_.loss().space == Space::kLog ? fit_.prediction[i] * std::exp(r)
                                                            : fit_.prediction[i] + r;
      }
      searcher->SetTarget(*buffer);
      return true;
    }
    if (options_.resampling == Resampling::kPairs) {
      for (int64_t i = 0; i < n; ++i) (*buffer)[random.Below(n)] += 1;
    } else {
      std::vector<double> count(groups_, 0.0);
      for (int i = 0; i < groups_; ++i) count[random.Below(groups_)] += 1;
      for (int64_t i = 0; i < n; ++i) (*buffer)[i] = count[group_[i]];
    }
    int64_t distinct = 0;
    for (int64_t i = 0; i < n; ++i) {
      (*buffer)[i] *= problem_.weight()[i];
      distinct += (*buffer)[i] > 0 ? 1 : 0;
    }
    searcher->SetWeight(*buffer);
    return distinct > problem_.coordinates();
  }

 private:
  // Residuals in the loss's units, divided by sqrt(1 - leverage) and centred.
  void CollectResiduals() {
    const int64_t n = problem_.rows();
    const int m = problem_.coordinates();
    LocalSearcher searcher(problem_, options_.fit);
    const auto at = searcher.Linearize(fit_.coordinates);
    std::vector<double> rows(n * m);
    std::vector<double> gram(m * m, 0.0);
    for (int64_t i = 0; i < n; ++i) {
      double scale = problem_.noise().empty() ? 1.0 : 1 / problem_.noise()[i];
      if (problem_.loss().space == Space::kLog) scale /= at.prediction[i];
      for (int a = 0; a < m; ++a) rows[i * m + a] = at.jacobian[a * searcher.padded() + i] * scale;
      for (int a = 0; a < m; ++a) {
        for (int b = 0; b < m; ++b) gram[a * m + b] += rows[i * m + a] * rows[i * m + b];
      }
    }
    const bool solved = dense::Cholesky(m, gram.data());
    double mean = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double noise = problem_.noise().empty() ? 1.0 : problem_.noise()[i];
      double r = problem_.loss().space == Space::kLog
                     ? std::log(problem_.target()[i] / fit_.prediction[i]) / noise
                     : fit_.residual[i] / noise;
      // Without the factor (parameters on bounds, say) the average leverage stands in.
      double leverage = static_cast<double>(m) / static_cast<double>(n);
      if (solved) {
        std::vector<double> x(rows.begin() + i * m, rows.begin() + (i + 1) * m);
        dense::CholeskySolve(m, gram.data(), x.data());
        leverage = std::inner_product(x.begin(), x.end(), rows.begin() + i * m, 0.0);
      }
      r /= std::sqrt(std::max(1 - leverage, 1e-3));
      residuals_.push_back(r);
      mean += r / static_cast<double>(n);
    }
    for (double& r : residuals_) r -= mean;
  }

  const FitResult& fit_;
  const Problem& problem_;
  const BootstrapOptions& options_;
  std::vector<int> group_;
  int groups_ = 0;
  std::vector<double> residuals_;
};

absl::Status Check(const FitResult& fit, const BootstrapOptions& options) {
  if (options.replicates < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("a bootstrap needs at least 2 replicates, not ", options.replicates));
  }
  if (!(options.level > 0 && options.level < 1)) {
    return absl::InvalidArgumentError("the level of intervals must lie between 0 and 1");
  }
  if (options.resampling != Resampling::kGroups) return absl::OkStatus();
  if (static_cast<int64_t>(options.groups.size()) != fit.problem->rows()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a bootstrap over groups needs a label for each of ", fit.problem->rows(),
                     " rows, not ", options.groups.size()));
  }
  return absl::OkStatus();
}

BootstrapInterval Summarize(const FitResult& fit, size_t parameter, double level,
                            const std::vector<std::vector<double>>& replicates) {
  const Problem& problem = *fit.problem;
  const Parameter& p = problem.parameters()[parameter];
  const double estimate = fit.values[parameter];
  BootstrapInterval result;
  result.name = p.name;
  result.percentile = result.basic = {estimate, estimate};
  if (p.coordinate < 0) return result;
  const double n = static_cast<double>(replicates.size());
  std::vector<double> u;
  std::vector<double> values;
  double mean = 0;
  for (const std::vector<double>& replicate : replicates) {
    u.push_back(replicate[p.coordinate]);
    values.push_back(p.log ? std::exp(u.back()) : u.back());
    mean += values.back() / n;
  }
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  result.standard_error = std::sqrt(squares / (n - 1));
  result.bias = mean - estimate;
  std::sort(u.begin(), u.end());
  const double low = Quantile(u, (1 - level) / 2);
  const double high = Quantile(u, (1 + level) / 2);
  const double center = fit.coordinates[p.coordinate];
  result.percentile = {low, high};
  result.basic = {2 * center - high, 2 * center - low};
  if (p.log) {
    for (Interval* interval : {&result.percentile, &result.basic}) {
      *interval = {std::exp(interval->low), std::exp(interval->high)};
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<BootstrapResult> Bootstrap(const FitResult& fit, const BootstrapOptions& options) {
  if (absl::Status status = Check(fit, options); !status.ok()) return status;
  const Problem& problem = *fit.problem;
  const Resampler resampler(fit, options);
  if (options.resampling == Resampling::kGroups && resampler.groups() < 2) {
    return absl::InvalidArgumentError("a bootstrap over groups needs at least two groups");
  }
  std::vector<std::vector<double>> found(options.replicates);
  ParallelFor(options.replicates, options.threads, 16, [&] {
    return [&, searcher = LocalSearcher(problem, options.fit), buffer = std::vector<double>()](
               int64_t begin, int64_t end) mutable {
      for (int64_t i = begin; i < end; ++i) {
        if (!resampler.Draw(i, &buffer, &searcher)) continue;
        Refit refit = searcher.Run(fit.coordinates, options.fit.local);
        if (std::isfinite(refit.objective)) found[i] = std::move(refit.coordinates);
      }
    };
  });
  BootstrapResult result;
  for (std::vector<double>& coordinates : found) {
    if (coordinates.empty() && problem.coordinates() > 0) {
      ++result.failed;
    } else {
      result.coordinates.push_back(std::move(coordinates));
    }
  }
  if (result.coordinates.size() < 2) {
    return absl::FailedPreconditionError(absl::StrCat(
        "only ", result.coordinates.size(), " of ", options.replicates,
        " bootstrap replicates could be fitted: there are too few distinct rows or groups"));
  }
  for (size_t i = 0; i < problem.parameters().size(); ++i) {
    result.parameters.push_back(Summarize(fit, i, options.level, result.coordinates));
  }
  return result;
}

}  // namespace qatlas::fit
