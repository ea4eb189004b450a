#include "framework/data/tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <exception>
#include <unordered_map>
#include <utility>

namespace qatlas::data {
namespace {

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}
  bool done() const override { return at_ == sentences_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return sentences_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  size_t at_ = 0;
};

}  // namespace

const char* TokenizerLibraryVersion() { return QATLAS_SENTENCEPIECE_VERSION; }

std::string TrainTokenizer(const std::vector<std::string>& sentences,
                           const TokenizerOptions& options, std::string* model) {
  // Without normalization white space is text like any other; with it, a run is one blank and words
  // look alike at the start of a document and within.
  const bool verbatim = options.normalization == "identity";
  const std::unordered_map<std::string, std::string> arguments = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(options.vocabulary)},
      {"normalization_rule_name", options.normalization},
      {"add_dummy_prefix", verbatim ? "false" : "true"},
      {"remove_extra_whitespaces", verbatim ? "false" : "true"},
      {"allow_whitespace_only_pieces", verbatim ? "true" : "false"},
      {"byte_fallback", "true"},
      {"eos_id", std::to_string(kEndOfDocument)},
      {"eos_piece", "<eod>"},
      {"unk_id", "1"},
      {"bos_id", "-1"},
      {"pad_id", "-1"},
      {"max_sentence_length", std::to_string(kSentenceBytes)},
      {"shuffle_input_sentence", "false"},
      {"num_threads", "1"},
      {"minloglevel", "2"},
  };
  Sentences iterator(sentences);
  try {
    const sentencepiece::util::Status status =
        sentencepiece::SentencePieceTrainer::Train(arguments, &iterator, model);
    return status.ok() ? "" : status.ToString();
  } catch (const std::exception& error) {
    return error.what();
  }
}

Tokenizer::Tokenizer() : processor_(new sentencepiece::SentencePieceProcessor) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::Load(const std::string& model, std::string* error) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer);
  const sentencepiece::util::Status status = tokenizer->processor_->LoadFromSerializedProto(model);
  if (status.ok()) return tokenizer;
  *error = status.ToString();
  return nullptr;
}

int64_t Tokenizer::vocabulary() const { return processor_->GetPieceSize(); }

bool Tokenizer::Encode(std::string_view text, std::vector<int32_t>* ids, std::string* error) const {
  std::vector<int> found;
  const sentencepiece::util::Status status = processor_->Encode(text, &found);
  if (!status.ok()) {
    *error = status.ToString();
    return false;
  }
  ids->insert(ids->end(), found.begin(), found.end());
  return true;
}

std::string Tokenizer::Decode(const std::vector<int32_t>& ids) const {
  std::string text;
  const sentencepiece::util::Status status =
      processor_->Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  return status.ok() ? text : "";
}

}  // namespace qatlas::data
