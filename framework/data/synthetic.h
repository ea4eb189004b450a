// A source whose entropy rate is known exactly, so that a fitted irreducible loss can be checked.
#ifndef QATLAS_FRAMEWORK_DATA_SYNTHETIC_H_
#define QATLAS_FRAMEWORK_DATA_SYNTHETIC_H_

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/hashing.h"
#include "framework/data/info.h"
#include "framework/data/progress.h"
#include "framework/data/source_spec.h"

namespace qatlas::data {

// A sparse Markov chain of second order. The context of a token is (class of the token two back,
// last token), the class being a hidden seeded function of the token. Each context has k =
// branching different successors s_0 .. s_{k-1}, drawn from the seed, and
//   P(next = s_i | context) = p_i = (i + 1)^-exponent / sum_j (j + 1)^-exponent.
// Every context's distribution is the same p under other names, hence the entropy rate is
//   E = H(p) = -sum_i p_i ln p_i  nats per token,
// whatever the stationary distribution of the contexts. Successors are drawn by popularity, so
// contexts are of very unequal frequency: what a model has learned, given its size and the tokens
// it saw, reaches down to some rarity, and the loss falls towards E with both. A model that looks
// at the last token alone stays above E unless classes is 1. For scale, with the defaults E
// is 2.36, and counting pairs and triples with back-off reaches 4.94, 4.00, 3.11 and 2.57 nats
// after 3 thousand, 30 thousand, 300 thousand and 3 million tokens.
class SyntheticChain {
 public:
  // Errors: as Validate(); a table above 2^28 successors.
  static absl::StatusOr<SyntheticChain> Create(const SyntheticSpec& spec);

  // E, in nats per token.
  double EntropyRate() const;
  // ln P(next | two_back, last); minus infinity if `next` is no successor.
  double LogProbability(int32_t two_back, int32_t last, int32_t next) const;

  // The tokens of one stream, in order. The same (spec, stream) gives the same tokens.
  class Stream {
   public:
    int32_t Next();

   private:
    friend class SyntheticChain;
    Stream(const SyntheticChain* chain, uint64_t seed) : chain_(chain), random_(seed) {}
    const SyntheticChain* chain_;
    Random random_;
    int32_t two_back_ = 0;
    int32_t last_ = 0;
  };
  // Stream 0 is for training, 1 for validation; any number is good. The chain must outlive it.
  Stream Start(uint64_t stream) const;

 private:
  SyntheticChain() = default;
  const int32_t* Successors(int32_t two_back, int32_t last) const {
    return table_.data() + (int64_t{last} * classes_ + class_[two_back]) * branching_;
  }

  int64_t classes_ = 0;
  int64_t branching_ = 0;
  uint64_t seed_ = 0;
  std::vector<double> probability_;  // p
  std::vector<double> cumulative_;   // of p
  std::vector<int32_t> class_;       // by token
  std::vector<int32_t> table_;       // [vocabulary, classes, branching]
};

// Writes train.bin and validation.bin of the sizes asked for into `folder`, and fills what `info`
// says.
absl::Status PrepareSynthetic(const SyntheticSpec& spec, const std::filesystem::path& folder,
                              const ProgressCallback& progress, DataInfo* info);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_SYNTHETIC_H_
