#include "framework/data/text.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "framework/data/documents.h"
#include "framework/data/files.h"
#include "framework/data/hashing.h"
#include "framework/data/shard.h"
#include "framework/data/tokenizer.h"

namespace qatlas::data {
namespace fs = std::filesystem;
namespace {

// Salts keep the sample apart from the split.
constexpr uint64_t kSplitSalt = 0x53504C4954;
constexpr uint64_t kSampleSalt = 0x53414D504C45;

constexpr size_t kBatchBytes = size_t{4} << 20;   // tokenized at a time
constexpr size_t kPieceBytes = size_t{64} << 10;  // given to the tokenizer at a time

// Indices of [0, documents) by their hash.
std::vector<int64_t> HashOrder(int64_t documents, uint64_t seed, uint64_t salt) {
  std::vector<std::pair<uint64_t, int64_t>> keys(static_cast<size_t>(documents));
  for (int64_t i = 0; i < documents; ++i) {
    keys[i] = {Mix(Mix(seed, salt), static_cast<uint64_t>(i)), i};
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order(keys.size());
  std::transform(keys.begin(), keys.end(), order.begin(),
                 [](const auto& key) { return key.second; });
  return order;
}

void Report(const ProgressCallback& progress, std::string_view stage, int64_t done, int64_t total) {
  if (progress) progress({stage, done, total});
}

// The documents that are long enough, with their indices.
class KeptDocuments {
 public:
  KeptDocuments(const std::vector<fs::path>& files, const TextSpec& text)
      : reader_(files, text.separator), min_bytes_(std::max<int64_t>(1, text.min_document_bytes)) {}

  absl::StatusOr<bool> Next(std::string* document) {
    for (;;) {
      absl::StatusOr<bool> more = reader_.Next(document);
      if (!more.ok() || !*more) return more;
      if (TrimmedSize(*document) >= min_bytes_) break;
      // Nothing between two separators is no document.
      if (TrimmedSize(*document) > 0) ++left_out_;
    }
    ++index_;
    return true;
  }
  int64_t index() const { return index_; }  // of the document given last
  int64_t left_out() const { return left_out_; }

 private:
  DocumentReader reader_;
  int64_t min_bytes_;
  int64_t index_ = -1;
  int64_t left_out_ = 0;
};

struct Survey {
  std::vector<int64_t> bytes;  // of each kept document
  int64_t total_bytes = 0;
  int64_t short_documents = 0;
};

absl::StatusOr<Survey> Look(const SourceSpec& spec, const std::vector<fs::path>& files,
                            const ProgressCallback& progress) {
  Survey survey;
  KeptDocuments documents(files, spec.text);
  std::string document;
  int64_t told = 0;
  for (;;) {
    absl::StatusOr<bool> more = documents.Next(&document);
    if (!more.ok()) return more.status();
    if (!*more) break;
    survey.bytes.push_back(static_cast<int64_t>(document.size()));
    survey.total_bytes += survey.bytes.back();
    if (survey.total_bytes - told >= static_cast<int64_t>(kBatchBytes)) {
      told = survey.total_bytes;
      Report(progress, "read", told, 0);
    }
  }
  survey.short_documents = documents.left_out();
  return survey;
}

// Sentences for the tokenizer: whole training documents, picked by hash until there are enough
// bytes, in the order of the corpus.
absl::StatusOr<std::vector<std::string>> Sample(const SourceSpec& spec,
                                                const std::vector<fs::path>& files,
                                                const Survey& survey,
                                                const std::vector<bool>& held_out,
                                                int64_t* sample_bytes) {
  const auto count = static_cast<int64_t>(survey.bytes.size());
  std::vector<bool> picked(survey.bytes.size(), false);
  int64_t bytes = 0;
  for (const int64_t i : HashOrder(count, spec.split_seed, kSampleSalt)) {
    if (held_out[i]) continue;
    if (bytes >= spec.text.tokenizer_sample_bytes) break;
    picked[i] = true;
    bytes += survey.bytes[i];
  }
  *sample_bytes = bytes;
  std::vector<std::string> sentences;
  KeptDocuments documents(files, spec.text);
  std::string document;
  for (;;) {
    absl::StatusOr<bool> more = documents.Next(&document);
    if (!more.ok()) return more.status();
    if (!*more) break;
    if (static_cast<size_t>(documents.index()) >= picked.size()) break;
    if (!picked[documents.index()]) continue;
    RepairUtf8(&document);
    for (const std::string_view piece : CutText(document, kSentenceBytes)) {
      // SentencePiece drops sentences with its own mark for unknown pieces, U+2585.
      sentences.push_back(
          absl::StrReplaceAll({piece.data(), piece.size()}, {{"\xE2\x96\x85", " "}}));
    }
  }
  return sentences;
}

struct Batch {
  std::vector<std::string> documents;
  std::vector<bool> held_out;
  size_t bytes = 0;
};

// Ids of documents[begin, end), appended to the list of the side each is on.
absl::Status Encode(const Tokenizer& tokenizer, const Batch& batch, size_t begin, size_t end,
                    std::vector<int32_t>* train, std::vector<int32_t>* validation) {
  std::string error;
  for (size_t i = begin; i < end; ++i) {
    std::vector<int32_t>* ids = batch.held_out[i] ? validation : train;
    for (const std::string_view piece : CutText(batch.documents[i], kPieceBytes)) {
      if (!tokenizer.Encode(piece, ids, &error)) {
        return absl::InternalError(absl::StrCat("SentencePiece cannot tokenize: ", error));
      }
    }
    ids->push_back(kEndOfDocument);
  }
  return absl::OkStatus();
}

absl::Status Flush(const Tokenizer& tokenizer, const Batch& batch, ShardWriter* train,
                   ShardWriter* validation) {
  // Each worker has a stretch of documents and lists of its own; stretches are written in order, so
  // the shards are the same for any number of workers.
  constexpr size_t kWorkers = 2;
  std::vector<int32_t> ids[kWorkers][2];
  absl::Status statuses[kWorkers];
  size_t bounds[kWorkers + 1] = {0, 0, batch.documents.size()};
  size_t bytes = 0;
  while (bounds[1] < batch.documents.size() && 2 * bytes < batch.bytes) {
    bytes += batch.documents[bounds[1]++].size();
  }
  const auto work = [&](size_t w) {
    statuses[w] = Encode(tokenizer, batch, bounds[w], bounds[w + 1], &ids[w][0], &ids[w][1]);
  };
  std::thread second(work, 1);
  work(0);
  second.join();
  for (size_t w = 0; w < kWorkers; ++w) {
    if (!statuses[w].ok()) return statuses[w];
    if (absl::Status s = train->Append(ids[w][0]); !s.ok()) return s;
    if (absl::Status s = validation->Append(ids[w][1]); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TextSpec& text,
                                                         const std::vector<std::string>& sentences,
                                                         int64_t bytes, const fs::path& folder) {
  std::string model;
  std::string error = TrainTokenizer(sentences, {text.vocabulary, text.normalization}, &model);
  std::unique_ptr<Tokenizer> tokenizer;
  if (error.empty()) tokenizer = Tokenizer::Load(model, &error);
  if (tokenizer == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tokenizer with vocabulary = ", text.vocabulary, " cannot be trained on ",
                     bytes, " bytes of training text: SentencePiece says \"", error,
                     "\"; choose another vocabulary (", kReservedIds,
                     " ids are reserved for bytes and marks) or give it more text (files, "
                     "tokenizer_sample_bytes)"));
  }
  if (absl::Status s = WriteWholeFile(folder / "tokenizer.model", model); !s.ok()) return s;
  return tokenizer;
}

}  // namespace

std::vector<bool> ChooseDocuments(int64_t documents, int64_t count, uint64_t seed) {
  std::vector<bool> chosen(static_cast<size_t>(documents), false);
  const std::vector<int64_t> order = HashOrder(documents, seed, kSplitSalt);
  for (int64_t i = 0; i < count; ++i) chosen[order[i]] = true;
  return chosen;
}

absl::StatusOr<int64_t> ValidationDocuments(const SourceSpec& spec, int64_t documents) {
  if (documents == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the corpus is empty: no document of at least ",
        std::max<int64_t>(1, spec.text.min_document_bytes), " bytes in the files given"));
  }
  if (documents == 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the corpus is one document and cannot be split into training and validation; ",
        spec.text.separator.empty() ? "set separator, such as \"\\n\\n\" for blank lines"
                                    : "its separator does not occur in it: choose another",
        ", or give more files"));
  }
  if (spec.validation_documents > 0) {
    if (spec.validation_documents < documents) return spec.validation_documents;
    return absl::InvalidArgumentError(
        absl::StrCat("validation_documents = ", spec.validation_documents, ", but the corpus has ",
                     documents, " documents, and at least one must be left for training"));
  }
  const auto wanted =
      static_cast<int64_t>(std::llround(spec.validation_fraction * static_cast<double>(documents)));
  return std::clamp<int64_t>(wanted, 1, documents - 1);
}

absl::Status PrepareText(const SourceSpec& spec, const std::vector<fs::path>& files,
                         const fs::path& folder, const ProgressCallback& progress, DataInfo* info) {
  absl::StatusOr<Survey> survey = Look(spec, files, progress);
  if (!survey.ok()) return survey.status();
  const auto documents = static_cast<int64_t>(survey->bytes.size());
  absl::StatusOr<int64_t> held = ValidationDocuments(spec, documents);
  if (!held.ok()) return held.status();
  const std::vector<bool> held_out = ChooseDocuments(documents, *held, spec.split_seed);
  // A token stands for two bytes or more, but in scripts the tokenizer hardly knows.
  const int64_t id_bytes = BytesOf(ShardType(spec.text.vocabulary));
  if (absl::Status s = CheckSpace(folder, survey->total_bytes / 2 * id_bytes); !s.ok()) return s;

  Report(progress, "train tokenizer", 0, 0);
  int64_t sample_bytes = 0;
  absl::StatusOr<std::vector<std::string>> sentences =
      Sample(spec, files, *survey, held_out, &sample_bytes);
  if (!sentences.ok()) return sentences.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      MakeTokenizer(spec.text, *sentences, sample_bytes, folder);
  if (!tokenizer.ok()) return tokenizer.status();

  absl::StatusOr<std::unique_ptr<ShardWriter>> train =
      ShardWriter::Create(folder / "train.bin", spec.text.vocabulary);
  if (!train.ok()) return train.status();
  absl::StatusOr<std::unique_ptr<ShardWriter>> validation =
      ShardWriter::Create(folder / "validation.bin", spec.text.vocabulary);
  if (!validation.ok()) return validation.status();

  KeptDocuments kept(files, spec.text);
  int64_t replaced = 0, bytes[2] = {0, 0}, done = 0;
  for (bool more = true; more;) {
    Batch batch;
    while (batch.bytes < kBatchBytes) {
      std::string document;
      absl::StatusOr<bool> next = kept.Next(&document);
      if (!next.ok()) return next.status();
      more = *next;
      const auto index = static_cast<size_t>(kept.index());
      if (more ? index >= survey->bytes.size() ||
                     survey->bytes[index] != static_cast<int64_t>(document.size())
               : index + 1 != survey->bytes.size()) {
        return absl::AbortedError("the text files changed while they were read; prepare again");
      }
      if (!more) break;
      const bool out = held_out[index];
      bytes[out ? 1 : 0] += static_cast<int64_t>(document.size());
      batch.bytes += document.size();
      replaced += RepairUtf8(&document);
      batch.documents.push_back(std::move(document));
      batch.held_out.push_back(out);
    }
    if (absl::Status s = Flush(**tokenizer, batch, train->get(), validation->get()); !s.ok()) {
      return s;
    }
    done += static_cast<int64_t>(batch.bytes);
    Report(progress, "tokenize", done, survey->total_bytes);
  }

  absl::StatusOr<std::string> train_hash = (*train)->Close();
  if (!train_hash.ok()) return train_hash.status();
  absl::StatusOr<std::string> validation_hash = (*validation)->Close();
  if (!validation_hash.ok()) return validation_hash.status();
  info->vocabulary = spec.text.vocabulary;
  info->dtype = NameOf(ShardType(spec.text.vocabulary));
  info->train = {(*train)->tokens(), documents - *held, bytes[0], *train_hash};
  info->validation = {(*validation)->tokens(), *held, bytes[1], *validation_hash};
  info->bytes_per_token = static_cast<double>(bytes[0]) / static_cast<double>((*train)->tokens());
  info->unigram_entropy = Entropy((*train)->counts());
  info->used_ids = CountUsed((*train)->counts());
  info->replaced_bytes = replaced;
  info->short_documents = survey->short_documents;
  info->tokenizer_sample_bytes = sample_bytes;
  info->end_of_document = kEndOfDocument;
  return absl::OkStatus();
}

}  // namespace qatlas::data
