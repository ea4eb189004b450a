#include "framework/fit/stats.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/fit/bootstrap.h"
#include "framework/fit/inner.h"

namespace qatlas::fit {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return Quantile(values, .5);
}

double NormalizedMad(const std::vector<double>& residuals) {
  std::vector<double> sizes;
  sizes.reserve(residuals.size());
  for (double r : residuals) sizes.push_back(std::abs(r));
  return 1.4826022185056018 * Median(std::move(sizes));
}

double StudentScale(absl::Span<const double> residuals, absl::Span<const double> weights,
                    double nu) {
  const int64_t n = static_cast<int64_t>(residuals.size());
  const int64_t padded = inner::Padded(n);
  std::vector<double> squares(padded, 0.0);
  std::vector<double> weight(padded, 0.0);
  // In units of the largest, so that no square underflows.
  double largest = 0;
  for (double r : residuals) largest = std::max(largest, std::abs(r));
  if (largest == 0) return 0;
  for (int64_t i = 0; i < n; ++i) {
    squares[i] = residuals[i] / largest * (residuals[i] / largest);
    weight[i] = weights.empty() ? 1.0 : weights[i];
  }
  const double least = inner::kLeastVariance;
  const double variance = inner::StudentVariance(padded, squares.data(), weight.data(), nu, least);
  return variance > least ? largest * std::sqrt(variance) : 0.0;
}

double Quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double share = position - static_cast<double>(below);
  return sorted[below] + share * (sorted[below + 1] - sorted[below]);
}

namespace {
uint64_t Mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ull;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
}  // namespace

Random::Random(uint64_t seed, uint64_t stream)
    : state_(Mix(seed + 0x9e3779b97f4a7c15ull) ^ Mix(stream * 0xd1342543de82ef95ull + 1)) {}

uint64_t Random::Next() {
  state_ += 0x9e3779b97f4a7c15ull;
  return Mix(state_);
}

uint64_t Random::Below(uint64_t bound) {
  // Multiply-shift; the bias is below bound/2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
}

double Random::Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

double Random::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

}  // namespace qatlas::fit
