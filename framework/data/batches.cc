#include "framework/data/batches.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/data/hashing.h"

namespace qatlas::data {
namespace {

constexpr int kRounds = 4;  // four rounds make a strong pseudo-random permutation

// Keyed bijection of [0, 2^(2 * half_bits)).
uint64_t Feistel(uint64_t value, int half_bits, uint64_t key) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = value >> half_bits;
  uint64_t right = value & mask;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t next = left ^ (Mix(key + static_cast<uint64_t>(round), right) & mask);
    left = right;
    right = next;
  }
  return (left << half_bits) | right;
}

// Windows of T inputs whose targets also lie in the stream.
int64_t WindowsIn(int64_t tokens, int64_t sequence_length) {
  return tokens > 0 ? (tokens - 1) / sequence_length : 0;
}

absl::Status CheckLength(int64_t sequence_length) {
  if (sequence_length >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("sequence length is ", sequence_length, "; it must be at least 1"));
}

}  // namespace

BatchOrder::BatchOrder(int64_t sequence_length, int64_t windows, uint64_t seed)
    : sequence_length_(sequence_length), windows_(windows), seed_(seed), half_bits_(1) {
  while ((int64_t{1} << (2 * half_bits_)) < windows_) ++half_bits_;
}

absl::StatusOr<BatchOrder> BatchOrder::Create(int64_t train_tokens, int64_t sequence_length,
                                              uint64_t seed) {
  if (absl::Status s = CheckLength(sequence_length); !s.ok()) return s;
  const int64_t windows = WindowsIn(train_tokens, sequence_length);
  if (windows == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the training data has ", train_tokens, " tokens, but one sequence of length ",
                     sequence_length, " needs ", sequence_length + 1,
                     " (its last target included); use shorter sequences or more data"));
  }
  return BatchOrder(sequence_length, windows, seed);
}

int64_t BatchOrder::Offset(int64_t sequence) const {
  const auto epoch = static_cast<uint64_t>(sequence / windows_);
  const uint64_t key = Mix(seed_, epoch);
  auto index = static_cast<uint64_t>(sequence % windows_);
  // Following the cycle out of the range and back keeps it a bijection of the range. The domain is
  // less than four times the range (or four elements), so few steps are needed.
  do {
    index = Feistel(index, half_bits_, key);
  } while (index >= static_cast<uint64_t>(windows_));
  return static_cast<int64_t>(index) * sequence_length_;
}

std::vector<int64_t> BatchOrder::Offsets(int64_t step, int64_t batch) const {
  std::vector<int64_t> offsets(static_cast<size_t>(batch));
  for (int64_t i = 0; i < batch; ++i) offsets[i] = Offset(step * batch + i);
  return offsets;
}

double BatchOrder::Epochs(int64_t budget) const {
  return static_cast<double>(budget) /
         (static_cast<double>(windows_) * static_cast<double>(sequence_length_));
}

absl::Status BatchOrder::CheckBudget(int64_t budget, bool allow_epochs) const {
  if (budget < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a budget of ", budget, " tokens is negative"));
  }
  if (allow_epochs || budget <= windows_ * sequence_length_) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "a budget of %d tokens is larger than the training data, which gives %d tokens in sequences "
      "of %d: it would take %.3g epochs; lower the budget, add data, or set allow_epochs = true",
      budget, windows_ * sequence_length_, sequence_length_, Epochs(budget)));
}

TrainBatches::TrainBatches(TokenStore tokens, BatchOrder order)
    : tokens_(std::move(tokens)), order_(order) {}

absl::StatusOr<TrainBatches> TrainBatches::Create(TokenStore tokens, int64_t sequence_length,
                                                  uint64_t seed) {
  absl::StatusOr<BatchOrder> order = BatchOrder::Create(tokens.size(), sequence_length, seed);
  if (!order.ok()) return order.status();
  return TrainBatches(std::move(tokens), *order);
}

void TrainBatches::Fill(int64_t sequence, int64_t* out) const {
  tokens_.Read(order_.Offset(sequence), order_.sequence_length() + 1, out);
}

ValidationSet::ValidationSet(TokenStore tokens, int64_t sequence_length,
                             std::vector<int64_t> offsets)
    : tokens_(std::move(tokens)), sequence_length_(sequence_length), offsets_(std::move(offsets)) {}

absl::StatusOr<ValidationSet> ValidationSet::Create(TokenStore tokens, int64_t sequence_length,
                                                    int64_t sequences) {
  if (absl::Status s = CheckLength(sequence_length); !s.ok()) return s;
  if (sequences < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "validation with ", sequences, " sequences measures nothing; ask for at least 1"));
  }
  const int64_t windows = WindowsIn(tokens.size(), sequence_length);
  if (windows < sequences) {
    return absl::InvalidArgumentError(
        absl::StrCat("validation asks for ", sequences, " sequences of length ", sequence_length,
                     ", but the validation data (", tokens.size(), " tokens) has ", windows,
                     "; ask for fewer or keep more data for validation"));
  }
  // With n tokens free, T to be read in each of k stretches of at least T: starts at floor(i * n /
  // k) are at least T apart, and the last ends within the n tokens.
  const int64_t free_tokens = tokens.size() - 1;
  std::vector<int64_t> offsets(static_cast<size_t>(sequences));
  for (int64_t i = 0; i < sequences; ++i) {
    offsets[i] = static_cast<int64_t>(static_cast<__int128>(i) * free_tokens / sequences);
  }
  return ValidationSet(std::move(tokens), sequence_length, std::move(offsets));
}

void ValidationSet::Fill(int64_t sequence, int64_t* out) const {
  tokens_.Read(offsets_[sequence], sequence_length_ + 1, out);
}

}  // namespace qatlas::data
