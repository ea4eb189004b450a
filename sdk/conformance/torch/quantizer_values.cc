#include "sdk/conformance/torch/quantizer_values.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/regions.h"
#include "sdk/conformance/torch/stored.h"
#include "sdk/conformance/torch/values.h"
#include "sdk/conformance/torch/variants.h"

namespace qatlas::conformance {
namespace {

// Calls `body` with an instance for each ordinary input of each case, in FP32 and BF16 (weights of
// operators are FP32). Operators are attached to the input, which is their weight.
void ForEachInput(const Subject& subject, Probe& probe,
                  const std::function<void(const QuantizerCase&, const Instance&, const at::Tensor&,
                                           const std::string&)>& body) {
  const at::NoGradGuard no_grad;
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    absl::StatusOr<Instance> instance;
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      if (one.whole && dtype != at::kFloat) continue;
      for (const Input& input : OrdinaryInputs(one.Shape(), probe.seed() + 23, dtype)) {
        const std::string words = absl::StrCat(one.Words(), "; ", input.words);
        probe.Trying(words);
        // One instance of a map sees all inputs, as in training.
        if (one.whole || !instance.ok()) instance = AttachFor(one, input.x, probe);
        if (!CouldAttach(instance, probe)) return;
        body(one, *instance, input.x, words);
      }
    }
  });
}

// Whether the layout can be read; notes those that cannot, for a skip.
class Layouts {
 public:
  bool Read(const Instance& instance, const at::Tensor& x, Probe& probe, Stored* stored) {
    const absl::StatusOr<Encoded> encoded = instance.Encode(x);
    if (!encoded.ok()) {
      probe.Fail(absl::StrCat("Encode failed: ", encoded.status().message()));
      return false;
    }
    if (!Readable(*encoded)) {
      unread_.insert(encoded->layout);
      return false;
    }
    absl::StatusOr<Stored> read = ReadStored(*encoded, instance.state().Claimed());
    if (!read.ok()) {
      probe.Fail(std::string(read.status().message()));
      return false;
    }
    *stored = *std::move(read);
    read_ = true;
    return true;
  }
  // Skips where no layout could be read.
  void Finish(Probe& probe) const {
    if (read_ || unread_.empty()) return;
    probe.Skip(absl::StrCat("layout '", *unread_.begin(),
                            "' is the plugin's own; this check reads integer and level layouts"));
  }

 private:
  std::set<std::string> unread_;
  bool read_ = false;
};

}  // namespace

void CheckCodes(const Subject& subject, Probe& probe) {
  Layouts layouts;
  const QuantizerCase* last = nullptr;
  std::set<int> used;
  ForEachInput(
      subject, probe,
      [&](const QuantizerCase& one, const Instance& instance, const at::Tensor& x,
          const std::string&) {
        Stored stored;
        if (!layouts.Read(instance, x, probe, &stored)) return;
        if (&one != last) used.clear();
        last = &one;
        const bool by_level = stored.layout == "levels-group" || stored.layout == "two-level-scale";
        const int low = by_level ? 0 : stored.levels[0].item<int>();
        const int high = by_level ? (1 << stored.bits) - 1 : stored.levels[-1].item<int>();
        const int least = stored.codes.min().item<int>();
        const int greatest = stored.codes.max().item<int>();
        if (least < low || greatest > high) {
          probe.Fail(absl::StrCat("codes from ", least, " to ", greatest, " leave the range from ",
                                  low, " to ", high, " of ", stored.bits, " bits"));
        }
        if (!AllFinite(stored.scales) || !AllFinite(stored.offsets)) {
          probe.Fail("a scale or an offset of finite values is not finite");
        }
        const at::Tensor distinct = std::get<0>(at::_unique(stored.codes));
        for (int64_t i = 0; i < distinct.numel(); ++i) used.insert(distinct[i].item<int>());
        const double nominal = one.quantizer->NominalBits();
        const double most = std::floor(std::exp2(nominal) + 0.01);
        if (static_cast<double>(used.size()) > most) {
          probe.Fail(absl::StrCat(used.size(), " different codes are in use, but NominalBits() = ",
                                  nominal, " allows ", most));
        }
      });
  layouts.Finish(probe);
}

void CheckDecode(const Subject& subject, Probe& probe) {
  auto compare = [&](const Instance& instance, const at::Tensor& x, const char* when) {
    const absl::StatusOr<Encoded> encoded = instance.Encode(x);
    if (!encoded.ok()) {
      probe.Fail(absl::StrCat("Encode failed: ", encoded.status().message()));
      return;
    }
    const absl::StatusOr<at::Tensor> decoded = instance.Decode(*encoded);
    if (!decoded.ok()) {
      probe.Fail(absl::StrCat("Decode failed: ", decoded.status().message()));
      return;
    }
    const std::string difference = BitDifference(*decoded, instance.Quantized(x));
    if (!difference.empty()) {
      probe.Fail(absl::StrCat("decoded and fake-quantized values", when, ": ", difference,
                              " (the sign of zero counts)"));
    }
  };
  ForEachInput(subject, probe,
               [&](const QuantizerCase&, const Instance& instance, const at::Tensor& x,
                   const std::string&) { compare(instance, x, ""); });
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    Train(one, instance, 3, 0, probe.seed() + 31);
    const at::NoGradGuard no_grad;
    const Input input = NormalInput(one.Shape(), probe.seed() + 37);
    probe.Trying(absl::StrCat(one.Words(), "; after 3 training steps, ", input.words));
    compare(instance, input.x, " after training");
  });
}

void CheckIdempotent(const Subject& subject, Probe& probe) {
  if (!Can(*subject.component, "idempotent")) {
    probe.Skip("the ability \"idempotent\" is not declared");
    return;
  }
  ForEachInput(subject, probe,
               [&](const QuantizerCase& one, const Instance& instance, const at::Tensor& x,
                   const std::string& words) {
                 const at::Tensor once = instance.Quantized(x).clone();
                 absl::StatusOr<Instance> again = instance;
                 if (one.whole) {
                   probe.Trying(absl::StrCat(words, ", attached again to its EffectiveWeight()"));
                   again = Attach(one, once);
                 }
                 if (!CouldAttach(again, probe)) return;
                 const std::string difference = BitDifference(again->Quantized(once), once);
                 if (!difference.empty()) {
                   probe.Fail(absl::StrCat("q(q(x)) and q(x): ", difference));
                 }
               });
}

void CheckError(const Subject& subject, Probe& probe) {
  Layouts layouts;
  bool claimed = false;
  double worst = 0;
  ForEachInput(
      subject, probe,
      [&](const QuantizerCase& one, const Instance& instance, const at::Tensor& x,
          const std::string&) {
        const Claims claims = instance.state().Claimed();
        const at::Tensor wide = x.to(at::kFloat).reshape({-1, one.in});
        const at::Tensor error =
            (instance.Quantized(x).to(at::kFloat).reshape({-1, one.in}) - wide).abs();
        // The result is rounded to its dtype, and FP32 arithmetic has its own last bits.
        const at::Tensor rounding = wide.abs() * (x.scalar_type() == at::kBFloat16 ? 8e-3 : 1e-6);
        if (claims.nearest) {
          claimed = true;
          Stored stored;
          if (layouts.Read(instance, x, probe, &stored)) {
            // A scale of 0 has one level, its offset.
            const at::Tensor v = (wide - stored.offsets) / stored.scales;
            const at::Tensor bound =
                at::where(stored.scales.eq(0), (wide - stored.offsets).abs(),
                          DistanceToLevels(v, stored.levels) * stored.scales.abs()) +
                rounding + stored.scales.abs() * 1e-5;
            const at::Tensor beyond = error.le(bound).logical_not();
            if (beyond.any().item<bool>()) {
              probe.Fail(absl::StrCat("the error ", ValueAtFirst(error, beyond),
                                      " of x = ", ValueAtFirst(wide, beyond), ", ", FirstOf(beyond),
                                      ", is not that of the nearest level, ",
                                      ValueAtFirst(bound, beyond), " (scale ",
                                      ValueAtFirst(stored.scales, beyond), ")"));
            }
            const at::Tensor steps = at::where(DistanceToLevels(v, stored.levels).le(0.5),
                                               error / stored.scales.abs(), at::zeros_like(error));
            worst = std::max(worst, steps.nan_to_num(0, 0, 0).max().item<double>());
          }
        }
        if (!std::isnan(claims.max_error)) {
          claimed = true;
          const at::Tensor largest = LargestOfRegion(claims, wide);
          const at::Tensor bound = largest * claims.max_error + rounding;
          const at::Tensor beyond = error.le(bound).logical_not();
          if (beyond.any().item<bool>()) {
            probe.Fail(absl::StrCat(
                "the error ", ValueAtFirst(error, beyond), " of x = ", ValueAtFirst(wide, beyond),
                ", ", FirstOf(beyond), ", exceeds the claimed ", claims.max_error,
                " of the region's largest magnitude ", ValueAtFirst(largest, beyond)));
          }
        }
      });
  if (!claimed) {
    probe.Skip("Claimed() states no bound of the error: neither `nearest` nor `max_error`");
    return;
  }
  if (worst > 0) probe.Measured("largest error between the levels", worst, "steps");
  layouts.Finish(probe);
}

void CheckBits(const Subject& subject, Probe& probe) {
  std::string unread;
  bool read = false;
  ForEachInput(subject, probe,
               [&](const QuantizerCase& one, const Instance& instance, const at::Tensor& x,
                   const std::string&) {
                 const absl::StatusOr<Encoded> encoded = instance.Encode(x);
                 if (!encoded.ok()) {
                   probe.Fail(absl::StrCat("Encode failed: ", encoded.status().message()));
                   return;
                 }
                 if (!Readable(*encoded)) {
                   unread = encoded->layout;
                   return;
                 }
                 read = true;
                 const absl::StatusOr<double> bits = StoredBits(*encoded, x.numel());
                 if (!bits.ok()) {
                   probe.Fail(std::string(bits.status().message()));
                   return;
                 }
                 const double real = *bits / static_cast<double>(x.numel());
                 const double stated = instance.Bits(x.numel() / one.in, one.in);
                 if (!(std::abs(stated - real) <= 1e-6 * real)) {
                   probe.Fail(absl::StrCat(one.whole ? "BitsPerWeight()" : "BitsPerElement()",
                                           " is ", stated, ", but the encoded tensors take ", real,
                                           " bits an element"));
                 }
               });
  if (!read && !unread.empty()) {
    probe.Skip(absl::StrCat("layout '", unread,
                            "' is the plugin's own; this check reads integer and level layouts"));
  }
}

}  // namespace qatlas::conformance
