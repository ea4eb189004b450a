#include "framework/data/synthetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "framework/data/files.h"
#include "framework/data/shard.h"

namespace qatlas::data {
namespace {

// Salts keep what the seed decides apart.
constexpr uint64_t kClassSalt = 0x434C415353;
constexpr uint64_t kTableSalt = 0x5441424C45;
constexpr uint64_t kStreamSalt = 0x53545245414D;

constexpr int64_t kMaxTable = int64_t{1} << 28;
constexpr int kBurnIn = 4096;  // tokens thrown away, to forget the start

// Normalized running sums of (i + 1)^-exponent; the last is 1.
std::vector<double> PowerCumulative(int64_t count, double exponent) {
  std::vector<double> sums(static_cast<size_t>(count));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    sum += std::pow(static_cast<double>(i + 1), -exponent);
    sums[i] = sum;
  }
  for (double& value : sums) value /= sum;
  sums.back() = 1;
  return sums;
}

int32_t Pick(const std::vector<double>& cumulative, double unit) {
  return static_cast<int32_t>(std::upper_bound(cumulative.begin(), cumulative.end(), unit) -
                              cumulative.begin());
}

}  // namespace

absl::StatusOr<SyntheticChain> SyntheticChain::Create(const SyntheticSpec& spec) {
  if (spec.vocabulary * spec.classes > kMaxTable / spec.branching) {
    return absl::InvalidArgumentError(absl::StrCat(
        "synthetic: vocabulary * classes * branching = ", spec.vocabulary, " * ", spec.classes,
        " * ", spec.branching, " is above ", kMaxTable, "; lower one of them"));
  }
  SyntheticChain chain;
  chain.classes_ = spec.classes;
  chain.branching_ = spec.branching;
  chain.seed_ = spec.seed;
  chain.cumulative_ = PowerCumulative(spec.branching, spec.exponent);
  chain.probability_.resize(chain.cumulative_.size());
  double before = 0;
  for (size_t i = 0; i < chain.cumulative_.size(); ++i) {
    chain.probability_[i] = chain.cumulative_[i] - before;
    before = chain.cumulative_[i];
  }
  chain.class_.resize(static_cast<size_t>(spec.vocabulary));
  for (size_t token = 0; token < chain.class_.size(); ++token) {
    chain.class_[token] = static_cast<int32_t>(Mix(Mix(spec.seed, kClassSalt), token) %
                                               static_cast<uint64_t>(spec.classes));
  }
  const std::vector<double> popularity = PowerCumulative(spec.vocabulary, spec.popularity);
  const int64_t rows = spec.vocabulary * spec.classes;
  chain.table_.reserve(static_cast<size_t>(rows * spec.branching));
  std::vector<int64_t> taken(static_cast<size_t>(spec.vocabulary), -1);  // by which row last
  for (int64_t row = 0; row < rows; ++row) {
    Random random(Mix(Mix(spec.seed, kTableSalt), static_cast<uint64_t>(row)));
    int64_t have = 0;
    const auto add = [&](int32_t token) {
      if (taken[token] == row) return;
      taken[token] = row;
      chain.table_.push_back(token);
      ++have;
    };
    for (int64_t tries = 0; have < spec.branching && tries < 64 * spec.branching; ++tries) {
      add(Pick(popularity, random.Unit()));
    }
    // Where nearly all tokens are wanted, drawing the rare ones takes long: the commonest left do.
    for (int32_t token = 0; have < spec.branching; ++token) add(token);
  }
  return chain;
}

double SyntheticChain::EntropyRate() const {
  double entropy = 0;
  for (const double p : probability_) entropy -= p * std::log(p);
  return entropy;
}

double SyntheticChain::LogProbability(int32_t two_back, int32_t last, int32_t next) const {
  const int32_t* successors = Successors(two_back, last);
  for (int64_t i = 0; i < branching_; ++i) {
    if (successors[i] == next) return std::log(probability_[i]);
  }
  return -std::numeric_limits<double>::infinity();
}

SyntheticChain::Stream SyntheticChain::Start(uint64_t stream) const {
  Stream result(this, Mix(Mix(seed_, kStreamSalt), stream));
  for (int i = 0; i < kBurnIn; ++i) result.Next();
  return result;
}

int32_t SyntheticChain::Stream::Next() {
  const int32_t* successors = chain_->Successors(two_back_, last_);
  const int32_t next = successors[Pick(chain_->cumulative_, random_.Unit())];
  two_back_ = last_;
  last_ = next;
  return next;
}

absl::Status PrepareSynthetic(const SyntheticSpec& spec, const std::filesystem::path& folder,
                              const ProgressCallback& progress, DataInfo* info) {
  const int64_t total = spec.train_tokens + spec.validation_tokens;
  const TokenType type = ShardType(spec.vocabulary);
  if (absl::Status s = CheckSpace(folder, total * BytesOf(type)); !s.ok()) return s;
  absl::StatusOr<SyntheticChain> chain = SyntheticChain::Create(spec);
  if (!chain.ok()) return chain.status();

  int64_t done = 0;
  const auto write = [&](const char* name, uint64_t number, int64_t tokens,
                         SplitInfo* split) -> absl::Status {
    absl::StatusOr<std::unique_ptr<ShardWriter>> shard =
        ShardWriter::Create(folder / name, spec.vocabulary);
    if (!shard.ok()) return shard.status();
    SyntheticChain::Stream stream = chain->Start(number);
    std::vector<int32_t> ids;
    for (int64_t at = 0; at < tokens; at += static_cast<int64_t>(ids.size())) {
      ids.resize(static_cast<size_t>(std::min<int64_t>(tokens - at, int64_t{1} << 20)));
      for (int32_t& id : ids) id = stream.Next();
      if (absl::Status s = (*shard)->Append(ids); !s.ok()) return s;
      done += static_cast<int64_t>(ids.size());
      if (progress) progress({"generate", done, total});
    }
    absl::StatusOr<std::string> checksum = (*shard)->Close();
    if (!checksum.ok()) return checksum.status();
    split->tokens = tokens;
    split->checksum = *checksum;
    if (number == 0) {
      info->unigram_entropy = Entropy((*shard)->counts());
      info->used_ids = CountUsed((*shard)->counts());
    }
    return absl::OkStatus();
  };
  if (absl::Status s = write("train.bin", 0, spec.train_tokens, &info->train); !s.ok()) return s;
  if (absl::Status s = write("validation.bin", 1, spec.validation_tokens, &info->validation);
      !s.ok()) {
    return s;
  }
  info->vocabulary = spec.vocabulary;
  info->dtype = NameOf(type);
  info->entropy_rate = chain->EntropyRate();
  return absl::OkStatus();
}

}  // namespace qatlas::data
