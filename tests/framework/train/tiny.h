// A model and quantizers small enough to train in milliseconds, made without plugins.
#ifndef QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_H_
#define QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "framework/data/token_store.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "framework/train/segment_run.h"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"

namespace qatlas::train::testing {

inline constexpr int64_t kVocabulary = 23;

// Model "tiny" with options width (Int) and blocks (Int): embedding, `blocks` of x +
// fc2(tanh(fc1(x))), head. No attention, so that a sequence's loss depends on its own pairs of
// tokens only. Quantizers: "absmax" (option bits: symmetric per tensor, stateless), "step" (a
// learned step, group "step", started from calibration for inputs, with a buffer that counts
// steps), "adapter" (owns the linear and frees the weight: frozen base plus a trained delta, with a
// penalty), "picky" (its Check wants in = 6), "lossy" (does not
// decode to itself), "noisy" (adds noise from ATen's generator in
// training), "poison" (NaN in the third training step), "watched" (notes what it is told below).
class TinyComponents : public Components {
 public:
  absl::StatusOr<std::unique_ptr<ModelBuilder>> MakeModel(const recipe::ComponentUse& use) override;
  absl::StatusOr<QuantizerComponent> MakeQuantizer(const recipe::ComponentUse& use) override;
};

// What "watched" quantizers were told after each step, and on attaching.
inline std::vector<StepInfo> watched_steps;
inline std::vector<int64_t> watched_totals;

recipe::ResolvedRule Rule(const std::string& sites, const std::string& quantizer, int64_t bits = 4);

// A store of `tokens` tokens in a file of `folder`, drawn from a fixed chain over kVocabulary.
data::TokenStore MakeTokens(const std::filesystem::path& folder, const std::string& name,
                            int64_t tokens);

// A segment of `steps` steps from scratch: 2 blocks of width 8, sequences of 6 tokens, batches of 4
// in micro batches of 2, warm-up, clipping and decay on.
recipe::SegmentSpec TinySpec(int64_t steps);
// Gives the spec an id from its content.
void Identify(recipe::SegmentSpec* spec);

// A fresh folder that is removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Runs a segment in folder/<spec.id> with MakeTokens data; hooks as given.
absl::Status RunTiny(const std::filesystem::path& folder, const recipe::SegmentSpec& spec,
                     const SegmentHooks& hooks = {}, int64_t* step = nullptr);
// The same with components of the test's own.
absl::Status RunTinyWith(Components& components, const std::filesystem::path& folder,
                         const recipe::SegmentSpec& spec, const SegmentHooks& hooks = {},
                         int64_t* step = nullptr);

std::string Bytes(const std::filesystem::path& file);

}  // namespace qatlas::train::testing

#endif  // QATLAS_TESTS_FRAMEWORK_TRAIN_TINY_H_
