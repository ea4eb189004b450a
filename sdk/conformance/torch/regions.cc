#include "sdk/conformance/torch/regions.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

// Part of a row.
struct Target {
  int64_t row, start, size;
  at::Tensor Of(const at::Tensor& x) const { return x[row].narrow(0, start, size); }
  std::string Words() const { return absl::StrCat("x[", row, ", ", start, ":", start + size, "]"); }
};

// The first and the last region of the first and the last row, and one in the middle.
std::vector<Target> Targets(int64_t rows, int64_t features, int64_t size) {
  const int64_t regions = (features + size - 1) / size;
  std::vector<Target> targets;
  for (const int64_t row : {int64_t{0}, rows - 1}) {
    for (const int64_t region : {int64_t{0}, regions / 2, regions - 1}) {
      const int64_t start = region * size;
      targets.push_back({row, start, std::min(size, features - start)});
    }
  }
  return targets;
}

struct Outside {
  const char* words;
  double value;  // NaN and infinity included
};
constexpr Outside kOutside[] = {
    {"multiplied by 1000", 1000},
    {"set to 0", 0},
    {"set to NaN", std::numeric_limits<double>::quiet_NaN()},
    {"set to infinity", std::numeric_limits<double>::infinity()},
};

at::Tensor Change(const at::Tensor& x, const Target& target, const Outside& outside) {
  at::Tensor changed =
      outside.value == 1000 ? x.mul(outside.value) : at::full_like(x, outside.value);
  target.Of(changed).copy_(target.Of(x));
  return changed;
}

}  // namespace

int64_t RegionSize(const Claims& claims, int64_t features) {
  switch (claims.region) {
    case Region::kElement:
      return 1;
    case Region::kGroup:
      return std::min(claims.group, features);
    case Region::kRow:
      return features;
    case Region::kTensor:
      break;
  }
  return 0;
}

at::Tensor LargestOfRegion(const Claims& claims, const at::Tensor& x) {
  const at::Tensor magnitudes = x.abs();
  const int64_t features = x.size(1);
  const int64_t size = RegionSize(claims, features);
  if (size == 0) return magnitudes.max().expand_as(x);
  std::vector<at::Tensor> parts;
  for (int64_t start = 0; start < features; start += size) {
    const at::Tensor part = magnitudes.narrow(1, start, std::min(size, features - start));
    parts.push_back(part.amax(1, true).expand_as(part));
  }
  return at::cat(parts, 1);
}

void CheckRegion(const Subject& subject, Probe& probe) {
  bool claimed = false;
  const at::NoGradGuard no_grad;
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& attached) {
    const Claims claims = attached.state().Claimed();
    if (claims.region == Region::kTensor) return;
    claimed = true;
    if (claims.region == Region::kGroup && claims.group < 1) {
      probe.Fail("Claimed() names a group as the region, but no group size");
      return;
    }
    const Input input = NormalInput(one.Shape(), probe.seed() + 41);
    const absl::StatusOr<Instance> instance = AttachFor(one, input.x, probe);
    if (!CouldAttach(instance, probe)) return;
    const at::Tensor base = instance->Quantized(input.x).clone();
    for (const Target& target : Targets(input.x.size(0), one.in, RegionSize(claims, one.in))) {
      for (const Outside& outside : kOutside) {
        probe.Trying(absl::StrCat(one.Words(), "; ", input.words, ", all but ", target.Words(), " ",
                                  outside.words));
        const at::Tensor changed = Change(input.x, target, outside);
        absl::StatusOr<Instance> other = *instance;
        if (one.whole) {
          other = AttachFor(one, changed, probe);
          if (!other.ok() && !AllFinite(changed)) continue;  // it may refuse such a weight
          if (!CouldAttach(other, probe)) return;
        }
        const std::string difference =
            BitDifference(target.Of(other->Quantized(changed)), target.Of(base));
        if (!difference.empty()) {
          probe.Fail(absl::StrCat("values outside the claimed region decide what is inside, ",
                                  target.Words(), ": ", difference));
        }
      }
    }
  });
  if (!claimed) probe.Skip("Claimed() names the whole tensor as the region under all options");
}

}  // namespace qatlas::conformance
