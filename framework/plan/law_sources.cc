// Laws from fits and from published constants.
#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/bootstrap.h"
#include "framework/fit/distributions.h"
#include "framework/fit/stats.h"
#include "framework/observe/names.h"
#include "framework/plan/law.h"

namespace qatlas::plan {
namespace {

// The lower triangle L of a positive semidefinite a = L Lᵀ; columns without a pivot stay 0 (a
// parameter on its bound has no variance). False where a pivot is clearly negative.
bool Root(int n, const std::vector<double>& a, std::vector<double>* root) {
  root->assign(a.size(), 0.0);
  for (int j = 0; j < n; ++j) {
    double pivot = a[j * n + j];
    for (int k = 0; k < j; ++k) pivot -= (*root)[j * n + k] * (*root)[j * n + k];
    if (!std::isfinite(pivot) || pivot < -1e-8 * std::abs(a[j * n + j])) return false;
    if (pivot <= 1e-14 * std::abs(a[j * n + j])) continue;
    (*root)[j * n + j] = std::sqrt(pivot);
    for (int i = j + 1; i < n; ++i) {
      double sum = a[i * n + j];
      for (int k = 0; k < j; ++k) sum -= (*root)[i * n + k] * (*root)[j * n + k];
      (*root)[i * n + j] = sum / (*root)[j * n + j];
    }
  }
  return true;
}

double Clamp(const LawParameter& parameter, double value) {
  return std::clamp(value, parameter.lower, parameter.upper);
}

RunNoise NoiseOf(const fit::FitResult& fit) {
  const fit::Problem& problem = *fit.problem;
  RunNoise noise;
  const int64_t left = problem.rows() - problem.coordinates();
  if (left <= 0) return noise;
  noise.log = problem.loss().space == fit::Space::kLog;
  double squares = 0;
  std::vector<double> sizes;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    double r = fit.residual[i];
    if (noise.log) {
      if (!(problem.target()[i] > 0) || !(fit.prediction[i] > 0)) return noise;
      r = std::log(problem.target()[i]) - std::log(fit.prediction[i]);
    }
    squares += r * r;
    sizes.push_back(r);
  }
  const double spread = std::sqrt(static_cast<double>(problem.rows()) / left);
  const double deviation = std::sqrt(squares / problem.rows()) * spread;
  const double robust = fit::NormalizedMad(sizes) * spread;
  // Tails far beyond what a Gaussian of the middle's width has.
  noise.heavy = problem.rows() >= 20 && deviation > 1.6 * robust && robust > 0;
  // The median of |t| with 4 degrees of freedom is .741, of a Gaussian .674.
  noise.scale = noise.heavy ? robust * .6745 / .7407 : deviation;
  noise.known = std::isfinite(noise.scale);
  return noise;
}

// Refits take longer than draws.
constexpr int kAutoReplicates = 500;
// Of at most so many rows it is asked whether draws centre on the fit.
constexpr int64_t kRowsAsked = 64;

bool CentresOnFit(const fit::FitResult& fit, const Law& law) {
  const fit::Problem& all = *fit.problem;
  std::vector<char> keep(all.rows(), 0);
  const int64_t step = std::max<int64_t>(1, all.rows() / kRowsAsked);
  for (int64_t i = 0; i < all.rows(); i += step) keep[i] = 1;
  const fit::Problem problem = all.Subset(keep);
  std::vector<double> scratch, fitted(problem.rows());
  problem.Evaluate(law.values, fitted.data(), nullptr, 0, &scratch);
  std::vector<std::vector<double>> predictions;
  for (const std::vector<double>& values : law.draws) {
    problem.Evaluate(values, predictions.emplace_back(problem.rows()).data(), nullptr, 0, &scratch);
  }
  return OffCentre(fitted, predictions) <= kOffCentre;
}

absl::Status AddBootstrap(const fit::FitResult& fit, const DrawOptions& options, Law* law) {
  fit::BootstrapOptions bootstrap;
  bootstrap.replicates = options.kind == IntervalKind::kAuto ? kAutoReplicates : options.count;
  bootstrap.seed = options.seed;
  if (!options.groups.empty()) {
    bootstrap.resampling = fit::Resampling::kGroups;
    bootstrap.groups = options.groups;
  }
  QATLAS_ASSIGN_OR_RETURN(const fit::BootstrapResult result, fit::Bootstrap(fit, bootstrap));
  law->draws.clear();
  for (const auto& coordinates : result.coordinates) {
    law->draws.push_back(fit.problem->Values(coordinates));
  }
  law->intervals = absl::StrCat("percentiles of ", law->draws.size(), " bootstrap refits over ",
                                options.groups.empty() ? "runs" : "groups of runs");
  if (result.failed > 0) absl::StrAppend(&law->intervals, " (", result.failed, " failed)");
  return absl::OkStatus();
}

}  // namespace

double OffCentre(const std::vector<double>& fitted,
                 const std::vector<std::vector<double>>& predictions) {
  std::vector<double> off;
  std::vector<double> draws;
  for (size_t row = 0; row < fitted.size(); ++row) {
    draws.clear();
    for (const std::vector<double>& prediction : predictions) {
      if (std::isfinite(prediction[row])) draws.push_back(prediction[row]);
    }
    if (draws.size() < 20) continue;
    std::sort(draws.begin(), draws.end());
    const double low = fit::Quantile(draws, .025);
    const double high = fit::Quantile(draws, .975);
    if (!(high > low)) continue;
    off.push_back(std::abs(.5 * (low + high) - fitted[row]) / (.5 * (high - low)));
  }
  if (off.empty()) return 0;
  std::sort(off.begin(), off.end());
  return fit::Quantile(off, .5);
}

std::vector<std::vector<double>> DrawValues(const Law& law, const std::vector<double>& covariance,
                                            double degrees, int count, uint64_t seed) {
  std::vector<std::vector<double>> draws;
  int free = 0;
  for (const LawValue& parameter : law.parameters) free = std::max(free, parameter.coordinate + 1);
  std::vector<double> root;
  if (free == 0 || degrees <= 0 ||
      covariance.size() != static_cast<size_t>(free) * static_cast<size_t>(free) ||
      !Root(free, covariance, &root)) {
    return draws;
  }
  const LawSpec& spec = law.form->Spec();
  for (int draw = 0; draw < count; ++draw) {
    fit::Random random(seed, static_cast<uint64_t>(draw));
    std::vector<double> normal(free), shift(free, 0.0);
    for (double& z : normal) z = random.Normal();
    const double u = (static_cast<double>(random.Next() >> 12) + .5) * 0x1p-52;
    const double widen = std::sqrt(degrees / fit::ChiSquaredQuantile(u, degrees));
    for (int i = 0; i < free; ++i) {
      for (int k = 0; k <= i; ++k) shift[i] += root[i * free + k] * normal[k];
      shift[i] *= widen;
    }
    std::vector<double>& values = draws.emplace_back(law.values);
    for (size_t p = 0; p < values.size(); ++p) {
      const LawValue& parameter = law.parameters[p];
      if (parameter.coordinate < 0) continue;
      const double by = shift[parameter.coordinate];
      values[p] = Clamp(
          spec.parameters[parameter.base],
          parameter.log ? values[p] * std::exp(std::clamp(by, -300.0, 300.0)) : values[p] + by);
    }
  }
  return draws;
}

absl::StatusOr<Law> LawFromFit(const fit::FitResult& fit, const DrawOptions& options) {
  const fit::Problem& problem = *fit.problem;
  const LawSpec& spec = problem.form().Spec();
  Law law;
  law.name = fit.form;
  law.form = problem.shared_form();
  law.target = problem.target_name();
  law.rows = problem.rows();
  for (const fit::Parameter& parameter : problem.parameters()) {
    LawValue value{parameter.name, parameter.base,       parameter.category, {},
                   parameter.log,  parameter.coordinate, parameter.unused};
    const LawParameter& base = spec.parameters[parameter.base];
    const auto per = problem.options().per.find(base.name);
    value.split_by = per == problem.options().per.end() ? base.per : per->second;
    law.parameters.push_back(std::move(value));
  }
  law.values = fit.values;
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    // What fills in for rows of full precision is no range that the law was fitted on.
    const int with = spec.CovariateIndex(spec.covariates[c].only_with);
    for (int64_t i = 0; i < problem.rows(); ++i) {
      const double value = problem.points().columns()[c][i];
      if (value == spec.covariates[c].missing) continue;
      if (with >= 0 && problem.points().columns()[with][i] == spec.covariates[with].missing)
        continue;
      Widen(&law, spec.covariates[c].name, value);
    }
  }
  law.identifiable = fit.identifiability.identifiable;
  law.reason = fit.identifiability.reason;
  law.noise = NoiseOf(fit);
  if (options.kind == IntervalKind::kBootstrap) {
    QATLAS_RETURN_IF_ERROR(AddBootstrap(fit, options, &law));
    return law;
  }
  law.draws =
      DrawValues(law, fit.covariance, static_cast<double>(problem.rows() - problem.coordinates()),
                 options.count, options.seed);
  law.intervals = law.draws.empty()
                      ? "none: the fit has no covariance"
                      : absl::StrCat("from the covariance, ", law.draws.size(), " draws");
  if (law.draws.empty() || !law.identifiable || CentresOnFit(fit, law)) return law;
  if (options.kind == IntervalKind::kCovariance) {
    absl::StrAppend(&law.intervals, kOffCentreNote);
    return law;
  }
  QATLAS_RETURN_IF_ERROR(AddBootstrap(fit, options, &law));
  absl::StrAppend(&law.intervals, ", since draws from the covariance do not centre on the fit");
  return law;
}

absl::StatusOr<Law> LawFromPreset(std::shared_ptr<const LawForm> form, const std::string& name,
                                  const std::string& preset, double relative_error, uint64_t seed) {
  const LawSpec& spec = form->Spec();
  const LawPreset* found = spec.FindPreset(preset);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const LawPreset& other : spec.presets) names.push_back(other.name);
    return absl::NotFoundError(
        absl::StrCat("law '", name, "' has no preset '", preset, "'",
                     names.empty() ? "; it has none at all" : observe::Suggest(preset, names)));
  }
  Law law;
  law.name = absl::StrCat(name, ":", preset);
  law.text = name;
  law.form = form;
  law.target = spec.target;
  law.source = absl::StrCat("published constants: ", found->citation,
                            found->verified ? "" : " (second-hand, not verified)");
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    const LawParameter& parameter = spec.parameters[p];
    const double value = found->Value(parameter.name);
    if (!std::isfinite(value)) {
      return absl::FailedPreconditionError(absl::StrCat("preset '", preset, "' of '", name,
                                                        "' gives no ", parameter.name,
                                                        "; fit the law to runs instead"));
    }
    law.parameters.push_back({parameter.name, static_cast<int>(p), "", {}, parameter.log, -1});
    law.values.push_back(value);
  }
  if (relative_error > 0) {
    for (int draw = 0; draw < 2000; ++draw) {
      fit::Random random(seed, static_cast<uint64_t>(draw));
      law.factors.push_back(std::exp(relative_error * random.Normal()));
    }
    law.intervals =
        absl::StrCat("from a relative error of ", relative_error, " of the whole law, as given");
  } else {
    law.intervals = "none: published constants come without a covariance";
  }
  return law;
}

}  // namespace qatlas::plan
