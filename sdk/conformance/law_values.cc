// Checks of a law's values: finite, independent of batches, of earlier calls and of other threads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "qatlas/conformance/create.h"
#include "sdk/conformance/law_check_list.h"
#include "sdk/conformance/law_subject.h"

namespace qatlas::conformance {
namespace {

constexpr size_t kCorners = 4096;
constexpr int kCalls = 200;

// Both ends of a parameter's values: finite bounds, else the ends of its starts.
std::vector<double> Ends(const LawParameter& parameter) {
  double low = parameter.lower, high = parameter.upper;
  const auto [least, greatest] =
      std::minmax_element(parameter.starts.begin(), parameter.starts.end());
  const bool none = parameter.starts.empty();
  if (!std::isfinite(low) || (parameter.log && low <= 0)) low = none ? 1 : *least;
  if (!std::isfinite(high)) high = none ? 1 : *greatest;
  return {low, high};
}

// The corners of the box of all ends; where they are too many, that many drawn by the seed.
std::vector<std::vector<double>> Corners(const std::vector<std::vector<double>>& ends,
                                         uint64_t seed) {
  std::mt19937_64 random(seed);
  const bool all = ends.size() < 63 && (uint64_t{1} << ends.size()) <= kCorners;
  std::vector<std::vector<double>> corners;
  for (uint64_t i = 0; i < (all ? uint64_t{1} << ends.size() : kCorners); ++i) {
    const uint64_t bits = all ? i : random();
    std::vector<double> corner;
    for (size_t k = 0; k < ends.size(); ++k) corner.push_back(ends[k][(bits >> (k % 64)) & 1]);
    corners.push_back(std::move(corner));
  }
  return corners;
}

// The point as the host would give it: without what needs a covariate that is missing.
void Complete(const LawSpec& spec, Point* point) {
  for (size_t c = 0; c < point->size(); ++c) {
    const int with = spec.CovariateIndex(spec.covariates[c].only_with);
    if (with >= 0 && (*point)[with] == spec.covariates[with].missing) {
      (*point)[c] = spec.covariates[c].minimum;
    }
  }
}

// Values and derivatives at one parameter set; NaN is never right, infinity where it may not be.
void CheckFinite(const LawForm& law, const std::vector<Point>& points, const LawPoints& batch,
                 const Theta& theta, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const size_t n = points.size();
  std::vector<double> values(n), jacobian(n * theta.size());
  law.Evaluate(batch.Batch(), theta.data(), values.data(), jacobian.data(), batch.size());
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) {
      probe.Trying(Text(spec, theta, points[i]));
      probe.Fail(absl::StrFormat("the value is %g", values[i]));
    }
    for (size_t p = 0; p < theta.size(); ++p) {
      const double derivative = jacobian[p * n + i];
      if (std::isfinite(derivative)) continue;
      probe.Trying(Text(spec, theta, points[i]));
      probe.Fail(
          absl::StrFormat("the derivative by '%s' is %g", spec.parameters[p].name, derivative));
    }
  }
}

void FiniteOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const std::vector<Point> points = UsualPoints(spec, 64, probe.seed());
  const LawPoints batch = MakePoints(points);
  std::vector<std::vector<double>> ends;
  for (const LawParameter& parameter : spec.parameters) ends.push_back(Ends(parameter));
  const std::vector<Theta> corners = Corners(ends, probe.seed());
  for (const Theta& theta : corners) {
    probe.Trying(Text(spec, theta, points[0]));
    CheckFinite(law, points, batch, theta, probe);
  }
  probe.Measured("corners", static_cast<double>(corners.size()), "of the bounds");
}

void CovariatesOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  std::vector<Point> points;
  const std::vector<Point> usual = UsualPoints(spec, 8, probe.seed());
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    const LawCovariate& covariate = spec.covariates[c];
    std::vector<double> ends = {covariate.minimum, covariate.missing};
    if (std::isfinite(covariate.maximum)) ends.push_back(covariate.maximum);
    for (double end : ends) {
      if (std::isnan(end)) continue;
      for (Point point : usual) {
        point[c] = end;
        Complete(spec, &point);
        points.push_back(std::move(point));
      }
    }
  }
  const LawPoints batch = MakePoints(points);
  std::vector<Theta> thetas = {MiddleStart(spec)};
  for (const LawPreset& preset : spec.presets) {
    Theta theta = MiddleStart(spec);
    for (size_t p = 0; p < theta.size(); ++p) {
      const double value = preset.Value(spec.parameters[p].name);
      if (!std::isnan(value)) theta[p] = value;
    }
    thetas.push_back(std::move(theta));
  }
  for (const Theta& theta : thetas) {
    probe.Trying(Text(spec, theta, points[0]));
    CheckFinite(law, points, batch, theta, probe);
  }
  probe.Measured("points", static_cast<double>(points.size()), "at the ends");
}

bool SameBits(const double* a, const double* b, size_t count) {
  return count == 0 || std::memcmp(a, b, count * sizeof(double)) == 0;  // none may be nullptr
}

// Values and derivatives in one vector, so that all of it can be compared.
std::vector<double> All(const LawForm& law, const LawPoints& points, const Theta& theta) {
  const size_t n = static_cast<size_t>(points.size());
  std::vector<double> all(n * (1 + theta.size()));
  law.Evaluate(points.Batch(), theta.data(), all.data(), all.data() + n, points.size());
  return all;
}

void BatchesOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const std::vector<Point> usual = UsualPoints(spec, 67, probe.seed());
  const LawPoints whole = MakePoints(usual);
  const size_t n = usual.size();
  for (const Theta& theta : {MiddleStart(spec), GridCell(spec, GridSize(spec) / 3)}) {
    const std::vector<double> all = All(law, whole, theta);
    for (size_t i = 0; i < n; ++i) {
      probe.Trying(Text(spec, theta, usual[i]));
      const std::vector<double> alone = All(law, MakePoints({usual[i]}), theta);
      for (size_t k = 0; k <= theta.size(); ++k) {
        if (SameBits(&alone[k], &all[k * n + i], 1)) continue;
        probe.Fail(absl::StrFormat("alone it gives %.17g, among %d points %.17g", alone[k], n,
                                   all[k * n + i]));
        return;
      }
    }
    // Every size, rows of the Jacobian further apart than the points, and nothing written between.
    constexpr double kSentinel = -12345.678;
    for (size_t size = 0; size <= n; ++size) {
      const std::vector<Point> part(usual.begin(), usual.begin() + static_cast<int64_t>(size));
      const LawPoints points =
          size == 0 ? LawPoints(std::vector<std::vector<double>>(spec.covariates.size()))
                    : MakePoints(part);
      const size_t stride = size + 5;
      std::vector<double> values(size + 5, kSentinel);
      std::vector<double> jacobian(stride * theta.size() + 5, kSentinel);
      probe.Trying(
          absl::StrCat(Text(spec, theta), "; the first ", size, " usual points, stride ", stride));
      law.Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(),
                   static_cast<int64_t>(stride));
      bool intact = SameBits(values.data(), all.data(), size);
      bool inside = std::all_of(values.begin() + static_cast<int64_t>(size), values.end(),
                                [](double x) { return x == kSentinel; });
      for (size_t k = 0; k < jacobian.size(); ++k) {
        const size_t p = k / stride, i = k % stride;
        if (p < theta.size() && i < size) {
          intact = intact && SameBits(&jacobian[k], &all[(p + 1) * n + i], 1);
        } else {
          inside = inside && jacobian[k] == kSentinel;
        }
      }
      if (!intact) probe.Fail("results depend on the size of the batch");
      if (!inside) probe.Fail("it writes outside of the batch");
      std::vector<double> without(size);
      law.Evaluate(points.Batch(), theta.data(), without.data(), nullptr, 0);
      if (!SameBits(without.data(), all.data(), size)) {
        probe.Fail("without a Jacobian the values are others");
      }
      if (probe.failed()) return;
    }
  }
}

void StatelessOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const LawPoints points = MakePoints(UsualPoints(spec, 32, probe.seed()));
  const Theta first = MiddleStart(spec);
  probe.Trying(Text(spec, first));
  const std::vector<double> before = All(law, points, first);
  std::mt19937_64 random(probe.seed());
  for (int round = 0; round < kCalls; ++round) {
    const Theta other = GridCell(spec, static_cast<int64_t>(random() % GridSize(spec)));
    All(law, points, other);
    const std::vector<double> again = All(law, points, first);
    if (SameBits(before.data(), again.data(), before.size())) continue;
    probe.Trying(absl::StrCat(Text(spec, first), ", after ", round + 1, " evaluations of others, ",
                              "the last with ", Text(spec, other)));
    return probe.Fail("the same parameters and points give another result than before");
  }
}

void ThreadsOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const LawPoints points = MakePoints(UsualPoints(spec, 200, probe.seed()));
  constexpr int kThreads = 2, kThetas = 16;
  std::mt19937_64 random(probe.seed());
  std::vector<Theta> thetas;
  std::vector<std::vector<double>> expected;
  for (int i = 0; i < kThetas; ++i) {
    thetas.push_back(GridCell(spec, static_cast<int64_t>(random() % GridSize(spec))));
    expected.push_back(All(law, points, thetas.back()));
  }
  probe.Trying(absl::StrCat("two threads, ", kThetas, " parameter sets in turn, the first ",
                            Text(spec, thetas[0])));
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kCalls; ++round) {
        const int i = (round * (t + 1) + t) % kThetas;
        const std::vector<double> all = All(law, points, thetas[static_cast<size_t>(i)]);
        wrong[t] += !SameBits(all.data(), expected[static_cast<size_t>(i)].data(), all.size());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const int count = wrong[0] + wrong[1];
  if (count > 0) {
    probe.Fail(absl::StrCat(count, " of ", kThreads * kCalls,
                            " evaluations differ from those of a single thread"));
  }
}

template <void (*kOfLaw)(const LawForm&, Probe&)>
void Each(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { kOfLaw(law, probe); });
}

}  // namespace

void LawFinite(const Subject& subject, Probe& probe) { Each<FiniteOfLaw>(subject, probe); }
void LawCovariates(const Subject& subject, Probe& probe) { Each<CovariatesOfLaw>(subject, probe); }
void LawBatches(const Subject& subject, Probe& probe) { Each<BatchesOfLaw>(subject, probe); }
void LawStateless(const Subject& subject, Probe& probe) { Each<StatelessOfLaw>(subject, probe); }
void LawThreads(const Subject& subject, Probe& probe) { Each<ThreadsOfLaw>(subject, probe); }

}  // namespace qatlas::conformance
