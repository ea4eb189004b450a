// Which tokens a training step sees, and which sequences measure it.
#ifndef QATLAS_FRAMEWORK_DATA_BATCHES_H_
#define QATLAS_FRAMEWORK_DATA_BATCHES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/token_store.h"

namespace qatlas::data {

// The order of training sequences. A stream of n tokens holds floor((n - 1) / T) windows of T
// inputs (and T targets, one further) that do not overlap. Sequence s of a training is a window
// chosen by a pseudo-random permutation keyed by the seed and the epoch s / windows: a Feistel
// network on the window's index (Luby and Rackoff 1988), walked until it falls inside the range
// (Black and Rogaway 2002), hence without a table. The order depends on (n, T, seed) alone: neither
// on the batch size nor on the budget, so that a smaller budget sees a prefix of a larger one, and
// training may go on from any token.
class BatchOrder {
 public:
  // Errors: sequence_length < 1, or a stream too short for one window.
  static absl::StatusOr<BatchOrder> Create(int64_t train_tokens, int64_t sequence_length,
                                           uint64_t seed);

  int64_t sequence_length() const { return sequence_length_; }
  int64_t windows() const { return windows_; }  // sequences of one epoch

  // First input token of sequence `sequence` (>= 0; any epoch).
  int64_t Offset(int64_t sequence) const;
  // Those of step `step` with `batch` sequences a step: sequences [step * batch, (step + 1) *
  // batch).
  std::vector<int64_t> Offsets(int64_t step, int64_t batch) const;

  // Passes over the windows that `budget` training tokens need; 1 is once.
  double Epochs(int64_t budget) const;
  // Ok if `budget` tokens need no more than one epoch or `allow_epochs` is set; else an error that
  // says how many epochs it would be.
  absl::Status CheckBudget(int64_t budget, bool allow_epochs) const;

 private:
  BatchOrder(int64_t sequence_length, int64_t windows, uint64_t seed);
  int64_t sequence_length_;
  int64_t windows_;
  uint64_t seed_;
  int half_bits_;  // the permutation acts on 2 * half_bits_ bits
};

// Training sequences: a BatchOrder and the tokens it points into.
class TrainBatches {
 public:
  // Errors: as BatchOrder::Create().
  static absl::StatusOr<TrainBatches> Create(TokenStore tokens, int64_t sequence_length,
                                             uint64_t seed);

  const BatchOrder& order() const { return order_; }
  // Writes the T + 1 tokens of sequence `sequence`: inputs are out[0..T), targets out[1..T].
  void Fill(int64_t sequence, int64_t* out) const;

 private:
  TrainBatches(TokenStore tokens, BatchOrder order);
  TokenStore tokens_;
  BatchOrder order_;
};

// A fixed set of sequences of the validation stream, spread evenly over it, without overlap. It
// depends on no seed: every run is measured on the same ones.
class ValidationSet {
 public:
  // `sequences` windows of `sequence_length` tokens. Errors: fewer windows in the stream than asked
  // for (the message says how many there are), sequences < 1, sequence_length < 1.
  static absl::StatusOr<ValidationSet> Create(TokenStore tokens, int64_t sequence_length,
                                              int64_t sequences);

  int64_t size() const { return static_cast<int64_t>(offsets_.size()); }
  int64_t sequence_length() const { return sequence_length_; }
  int64_t Offset(int64_t sequence) const { return offsets_[sequence]; }
  // Writes the T + 1 tokens of sequence `sequence` in [0, size()).
  void Fill(int64_t sequence, int64_t* out) const;

 private:
  ValidationSet(TokenStore tokens, int64_t sequence_length, std::vector<int64_t> offsets);
  TokenStore tokens_;
  int64_t sequence_length_;
  std::vector<int64_t> offsets_;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_BATCHES_H_
