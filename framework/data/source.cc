#include "framework/data/source.h"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "framework/data/files.h"
#include "framework/data/publish.h"
#include "framework/data/shard.h"
#include "framework/data/synthetic.h"
#include "framework/data/text.h"
#include "framework/data/token_files.h"
#include "framework/data/tokenizer.h"

namespace qatlas::data {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMaxVocabulary = int64_t{1} << 30;

const char* NameOf(SourceKind kind) {
  switch (kind) {
    case SourceKind::kText:
      return "text";
    case SourceKind::kTokens:
      return "tokens";
    case SourceKind::kSynthetic:
      return "synthetic";
  }
  return "";
}

// Collects what is wrong, so that a user sees all of it at once.
class Problems {
 public:
  template <typename T>
  void Range(const char* name, T value, T low, T high) {
    if (value >= low && value <= high) return;
    list_.push_back(absl::StrCat(name, " = ", value, " is not in [", low, ", ", high, "]"));
  }
  void OneOf(const char* name, const std::string& value, const std::vector<std::string>& allowed) {
    for (const std::string& one : allowed) {
      if (value == one) return;
    }
    list_.push_back(absl::StrCat(name, " = \"", value, "\" is none of \"",
                                 absl::StrJoin(allowed, "\", \""), "\""));
  }
  void Add(std::string problem) { list_.push_back(std::move(problem)); }
  absl::Status ToStatus() const {
    if (list_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("data: ", absl::StrJoin(list_, "; ")));
  }

 private:
  std::vector<std::string> list_;
};

void CheckText(const SourceSpec& spec, Problems* problems) {
  if (spec.text.files.empty()) problems->Add("files is empty; name at least one file");
  problems->Range<int64_t>("vocabulary", spec.text.vocabulary, kReservedIds + 1, int64_t{1} << 20);
  problems->Range<int64_t>("min_document_bytes", spec.text.min_document_bytes, 0, kMaxVocabulary);
  problems->Range<int64_t>("tokenizer_sample_bytes", spec.text.tokenizer_sample_bytes, 1,
                           int64_t{1} << 36);
  problems->Range<int64_t>("validation_documents", spec.validation_documents, 0, int64_t{1} << 40);
  problems->OneOf("normalization", spec.text.normalization,
                  {"identity", "nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf"});
}

void CheckTokenFiles(const SourceSpec& spec, Problems* problems) {
  if (spec.tokens.files.empty()) problems->Add("files is empty; name at least one file");
  problems->Range<int64_t>("vocabulary", spec.tokens.vocabulary, 1, kMaxVocabulary);
  problems->OneOf("format", spec.tokens.format, {"auto", "raw", "llmc", "npy"});
  problems->OneOf("dtype", spec.tokens.dtype, {"uint16", "uint32"});
}

void CheckSynthetic(const SyntheticSpec& spec, Problems* problems) {
  problems->Range<int64_t>("vocabulary", spec.vocabulary, 2, kMaxVocabulary);
  problems->Range<int64_t>("branching", spec.branching, 1, std::max<int64_t>(spec.vocabulary, 1));
  problems->Range<int64_t>("classes", spec.classes, 1, std::max<int64_t>(spec.vocabulary, 1));
  problems->Range<double>("exponent", spec.exponent, 0, 16);
  problems->Range<double>("popularity", spec.popularity, 0, 16);
  problems->Range<int64_t>("train_tokens", spec.train_tokens, 1, int64_t{1} << 42);
  problems->Range<int64_t>("validation_tokens", spec.validation_tokens, 1, int64_t{1} << 42);
}

struct Inputs {
  std::vector<fs::path> files;
  std::vector<fs::path> validation_files;
  std::vector<OriginFile> origin;  // of files, then of validation_files
};

absl::StatusOr<Inputs> Gather(const SourceSpec& spec, const fs::path& cache_root) {
  if (absl::Status s = Validate(spec); !s.ok()) return s;
  Inputs inputs;
  if (spec.kind == SourceKind::kSynthetic) return inputs;
  const bool text = spec.kind == SourceKind::kText;
  auto files = ExpandFiles(text ? spec.text.files : spec.tokens.files, "data: files");
  if (!files.ok()) return files.status();
  inputs.files = *std::move(files);
  if (!text && !spec.tokens.validation_files.empty()) {
    files = ExpandFiles(spec.tokens.validation_files, "data: validation_files");
    if (!files.ok()) return files.status();
    inputs.validation_files = *std::move(files);
  }
  for (const std::vector<fs::path>* list : {&inputs.files, &inputs.validation_files}) {
    for (const fs::path& path : *list) {
      absl::StatusOr<FileHash> hash = HashFile(path, cache_root);
      if (!hash.ok()) return hash.status();
      inputs.origin.push_back({path.string(), hash->bytes, hash->sha256});
    }
  }
  return inputs;
}

// What decides the tokens, line by line; its hash is the identity.
std::string Describe(const SourceSpec& spec, const Inputs& inputs) {
  std::string text =
      absl::StrCat("qatlas data ", kNumericsVersion, "\nkind ", NameOf(spec.kind), "\n");
  for (size_t i = 0; i < inputs.origin.size(); ++i) {
    absl::StrAppend(&text, i < inputs.files.size() ? "file " : "validation ",
                    inputs.origin[i].sha256, "\n");
  }
  // 17 digits tell any two doubles apart.
  const std::string share =
      absl::StrFormat("validation_fraction %.17g\n", spec.validation_fraction);
  switch (spec.kind) {
    case SourceKind::kText:
      absl::StrAppend(&text, "separator ", spec.text.separator.size(), " ", spec.text.separator,
                      "\nmin_document_bytes ", std::max<int64_t>(1, spec.text.min_document_bytes),
                      "\nvocabulary ", spec.text.vocabulary, "\nnormalization ",
                      spec.text.normalization, "\ntokenizer_sample_bytes ",
                      spec.text.tokenizer_sample_bytes, "\nsentencepiece ",
                      TokenizerLibraryVersion(), "\nsplit_seed ", spec.split_seed, "\n");
      if (spec.validation_documents > 0) {
        absl::StrAppend(&text, "validation_documents ", spec.validation_documents, "\n");
      } else {
        absl::StrAppend(&text, share);
      }
      break;
    case SourceKind::kTokens:
      absl::StrAppend(&text, "vocabulary ", spec.tokens.vocabulary, "\nformat ", spec.tokens.format,
                      "\ndtype ", spec.tokens.dtype, "\n");
      if (inputs.validation_files.empty()) absl::StrAppend(&text, share);
      break;
    case SourceKind::kSynthetic:
      absl::StrAppend(
          &text, absl::StrFormat(
                     "vocabulary %d\nbranching %d\nexponent %.17g\nclasses %d\n"
                     "popularity %.17g\ntrain_tokens %d\nvalidation_tokens %d\nseed %d\n",
                     spec.synthetic.vocabulary, spec.synthetic.branching, spec.synthetic.exponent,
                     spec.synthetic.classes, spec.synthetic.popularity, spec.synthetic.train_tokens,
                     spec.synthetic.validation_tokens, spec.synthetic.seed));
      break;
  }
  return text;
}

std::string IdentityOf(const SourceSpec& spec, const Inputs& inputs) {
  const std::string text = Describe(spec, inputs);
  Sha256 hash;
  hash.Update(text.data(), text.size());
  return hash.Finish();
}

// Reads cache_root/identity as it was prepared.
absl::StatusOr<PreparedData> Open(const SourceSpec& spec, const Inputs& inputs,
                                  const std::string& identity, const fs::path& cache_root) {
  PreparedData data;
  data.identity = identity;
  data.folder = cache_root / identity;
  const fs::path path = data.folder / "info.json";
  absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) return text.status();
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  absl::StatusOr<DataInfo> info = DataInfoFromJson(json);
  if (!info.ok() || info->identity != identity || info->kind != NameOf(spec.kind)) {
    return absl::DataLossError(
        absl::StrCat(path.string(), " is damaged (",
                     info.ok() ? "it describes other data" : info.status().message(),
                     "); remove the folder ", data.folder.string(), " and prepare the data again"));
  }
  data.info = *std::move(info);
  data.info.origin = inputs.origin;
  if (spec.kind == SourceKind::kTokens) {
    absl::StatusOr<TokenStreams> streams =
        OpenTokenStreams(spec, inputs.files, inputs.validation_files);
    if (!streams.ok()) return streams.status();
    data.train = std::move(streams->train);
    data.validation = std::move(streams->validation);
    // Where the files lie decides nothing, so it stands beside info.json; whoever prepared last has
    // them.
    nlohmann::ordered_json places = nlohmann::ordered_json::array();
    for (const OriginFile& file : inputs.origin) places.push_back(fs::absolute(file.path).string());
    const nlohmann::ordered_json files = {
        {"format", spec.tokens.format}, {"dtype", spec.tokens.dtype}, {"files", places}};
    const fs::path places_path = data.folder / kPlacesFile;
    const std::string content = files.dump(2) + "\n";
    if (absl::StatusOr<std::string> old = ReadWholeFile(places_path);
        !old.ok() || *old != content) {
      if (absl::Status s = WriteWholeFile(places_path, content); !s.ok()) return s;
    }
    return data;
  }
  const TokenType type = ShardType(data.info.vocabulary);
  absl::StatusOr<TokenStore> store =
      OpenShard(data.folder / "train.bin", type, data.info.train.tokens, data.info.train.checksum,
                cache_root);
  if (!store.ok()) return store.status();
  data.train = *std::move(store);
  store = OpenShard(data.folder / "validation.bin", type, data.info.validation.tokens,
                    data.info.validation.checksum, cache_root);
  if (!store.ok()) return store.status();
  data.validation = *std::move(store);
  return data;
}

// Writes everything but info.json into `folder`.
absl::Status Build(const SourceSpec& spec, const Inputs& inputs, const fs::path& folder,
                   const ProgressCallback& progress, DataInfo* info) {
  switch (spec.kind) {
    case SourceKind::kText:
      return PrepareText(spec, inputs.files, folder, progress, info);
    case SourceKind::kSynthetic:
      return PrepareSynthetic(spec.synthetic, folder, progress, info);
    case SourceKind::kTokens:
      break;
  }
  absl::StatusOr<TokenStreams> streams =
      OpenTokenStreams(spec, inputs.files, inputs.validation_files);
  if (!streams.ok()) return streams.status();
  return CheckTokens(*streams, spec.tokens.vocabulary, progress, info);
}

}  // namespace

absl::Status Validate(const SourceSpec& spec) {
  Problems problems;
  switch (spec.kind) {
    case SourceKind::kText:
      CheckText(spec, &problems);
      break;
    case SourceKind::kTokens:
      CheckTokenFiles(spec, &problems);
      break;
    case SourceKind::kSynthetic:
      CheckSynthetic(spec.synthetic, &problems);
      return problems.ToStatus();
  }
  if (!(spec.validation_fraction > 0 && spec.validation_fraction < 1)) {
    problems.Add(absl::StrCat("validation_fraction = ", spec.validation_fraction,
                              " is not between 0 and 1"));
  }
  return problems.ToStatus();
}

absl::StatusOr<std::string> Identity(const SourceSpec& spec, const fs::path& cache_root,
                                     std::vector<OriginFile>* origin) {
  absl::StatusOr<Inputs> inputs = Gather(spec, cache_root);
  if (!inputs.ok()) return inputs.status();
  if (origin != nullptr) *origin = inputs->origin;
  return IdentityOf(spec, *inputs);
}

absl::StatusOr<PreparedData> Prepare(const SourceSpec& spec, const fs::path& cache_root,
                                     const ProgressCallback& progress) {
  absl::StatusOr<Inputs> inputs = Gather(spec, cache_root);
  if (!inputs.ok()) return inputs.status();
  const std::string identity = IdentityOf(spec, *inputs);
  std::error_code error;
  if (fs::exists(cache_root / identity, error)) return Open(spec, *inputs, identity, cache_root);

  {
    absl::StatusOr<std::unique_ptr<Publisher>> publisher =
        Publisher::Begin(cache_root, identity, [&progress] {
          if (progress) progress({"wait", 0, 0});
        });
    if (!publisher.ok()) return publisher.status();
    if (!(*publisher)->done()) {
      DataInfo info;
      info.kind = NameOf(spec.kind);
      info.identity = identity;
      const fs::path& folder = (*publisher)->folder();
      if (absl::Status s = Build(spec, *inputs, folder, progress, &info); !s.ok()) return s;
      absl::Status s = WriteWholeFile(folder / "info.json", ToJson(info).dump(2) + "\n");
      if (!s.ok()) return s;
      // The identity was that of the files before they were read.
      absl::StatusOr<std::string> now = Identity(spec, cache_root);
      if (!now.ok()) return now.status();
      if (*now != identity) {
        return absl::AbortedError("the data's files changed while they were read; prepare again");
      }
      if (s = (*publisher)->Commit(); !s.ok()) return s;
    }
  }
  return Open(spec, *inputs, identity, cache_root);
}

}  // namespace qatlas::data
