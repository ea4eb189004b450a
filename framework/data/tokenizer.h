// SentencePiece behind plain types: its headers declare an absl::string_view of their own, which
// cannot meet Abseil's in one unit. This header and its source include nothing of Abseil.
#ifndef QATLAS_FRAMEWORK_DATA_TOKENIZER_H_
#define QATLAS_FRAMEWORK_DATA_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace qatlas::data {

inline constexpr int32_t kEndOfDocument = 0;
// End of document, unknown (never given, since bytes stand in) and the 256 bytes.
inline constexpr int64_t kReservedIds = 2 + 256;
// SentencePiece drops longer sentences (bytes) from training.
inline constexpr size_t kSentenceBytes = 4192;

struct TokenizerOptions {
  int64_t vocabulary = 0;
  std::string normalization;  // as TextSpec::normalization
};

// The SentencePiece that this was built with; part of what decides the tokens.
const char* TokenizerLibraryVersion();

// Trains byte-pair encoding (Sennrich, Haddow and Birch 2016) with byte fallback on `sentences`
// (valid UTF-8, none above kSentenceBytes) in one thread; the same input gives the same model.
// Returns SentencePiece's message on failure (such as a vocabulary that the text cannot fill), else
// an empty string and the serialized model.
std::string TrainTokenizer(const std::vector<std::string>& sentences,
                           const TokenizerOptions& options, std::string* model);

// Safe to use from many threads.
class Tokenizer {
 public:
  // Null and a message if `model` is not a model.
  static std::unique_ptr<Tokenizer> Load(const std::string& model, std::string* error);
  ~Tokenizer();

  int64_t vocabulary() const;
  // Appends the ids of `text` (valid UTF-8) to `ids`, without an end of document. False, with a
  // message, if SentencePiece fails.
  bool Encode(std::string_view text, std::vector<int32_t>* ids, std::string* error) const;
  std::string Decode(const std::vector<int32_t>& ids) const;

 private:
  Tokenizer();
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_TOKENIZER_H_
