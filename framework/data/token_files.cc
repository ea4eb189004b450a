#include "framework/data/token_files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "framework/data/shard.h"

namespace qatlas::data {
namespace fs = std::filesystem;
namespace {

using File = std::shared_ptr<const MappedFile>;

constexpr int64_t kLlmcHeaderBytes = 256 * 4;
constexpr char kNpyMagic[] = "\x93NUMPY";
constexpr int64_t kNpyMagicBytes = 6;

struct LlmcKind {
  int32_t magic;
  int32_t version;
  TokenType type;
};
constexpr LlmcKind kLlmcKinds[] = {{20240520, 1, TokenType::kUint16},
                                   {20240801, 7, TokenType::kUint32}};

template <typename T>
T Load(const MappedFile& file, int64_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

absl::Status Broken(const MappedFile& file, const std::string& problem) {
  return absl::DataLossError(absl::StrCat(file.path().string(), ": ", problem));
}

// A run of `tokens` ids that must fill the file from `offset` to its end.
absl::StatusOr<TokenRun> Filling(File file, int64_t offset, int64_t tokens, TokenType type) {
  const int64_t bytes = file->size() - offset;
  // Divided, since a header's count may be anything.
  const int64_t whole = bytes / BytesOf(type);
  if (tokens < 0 || whole < tokens) {
    return Broken(*file, absl::StrCat("truncated: the header says ", tokens, " tokens of ",
                                      NameOf(type), ", but the file has room for ", whole));
  }
  if (bytes != tokens * BytesOf(type)) {
    return Broken(*file, absl::StrCat(bytes - tokens * BytesOf(type), " bytes follow the ", tokens,
                                      " tokens that the header says"));
  }
  return TokenRun{std::move(file), offset, tokens, type, 0};
}

bool IsLlmc(const MappedFile& file) {
  if (file.size() < 8) return false;
  return std::any_of(std::begin(kLlmcKinds), std::end(kLlmcKinds), [&](const LlmcKind& kind) {
    return Load<int32_t>(file, 0) == kind.magic && Load<int32_t>(file, 4) == kind.version;
  });
}

absl::StatusOr<TokenRun> OpenLlmc(File file) {
  if (file->size() < kLlmcHeaderBytes) {
    return Broken(*file, absl::StrCat("truncated: llm.c's header has ", kLlmcHeaderBytes,
                                      " bytes, the file ", file->size()));
  }
  const auto magic = Load<int32_t>(*file, 0);
  const auto version = Load<int32_t>(*file, 4);
  for (const LlmcKind& kind : kLlmcKinds) {
    if (kind.magic != magic || kind.version != version) continue;
    const auto tokens = Load<int32_t>(*file, 8);
    return Filling(std::move(file), kLlmcHeaderBytes, tokens, kind.type);
  }
  return Broken(*file,
                absl::StrCat("no llm.c token file that is known here: magic ", magic, ", version ",
                             version, "; known are 20240520 version 1 and 20240801 version 7"));
}

bool IsNpy(const MappedFile& file) {
  return file.size() >= kNpyMagicBytes && std::memcmp(file.data(), kNpyMagic, kNpyMagicBytes) == 0;
}

// What follows 'key': in the header's Python dictionary, without leading blanks.
std::optional<absl::string_view> ValueOf(absl::string_view header, const std::string& key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = absl::StrCat(std::string(1, quote), key, std::string(1, quote));
    const size_t at = header.find(quoted);
    if (at == absl::string_view::npos) continue;
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(header.substr(at + quoted.size()));
    if (!absl::ConsumePrefix(&rest, ":")) continue;
    return absl::StripLeadingAsciiWhitespace(rest);
  }
  return std::nullopt;
}

absl::StatusOr<TokenRun> OpenNpy(File file) {
  if (!IsNpy(*file)) return Broken(*file, "no .npy file: the magic bytes are missing");
  const int version = file->size() > kNpyMagicBytes ? Load<uint8_t>(*file, kNpyMagicBytes) : 0;
  if (version < 1 || version > 3) {
    return Broken(*file, absl::StrCat(".npy of version ", version, "; known are 1 to 3"));
  }
  const int64_t length_at = kNpyMagicBytes + 2;
  const int64_t header_at = length_at + (version == 1 ? 2 : 4);
  if (file->size() < header_at) return Broken(*file, "truncated within the .npy header");
  const int64_t length = version == 1 ? int64_t{Load<uint16_t>(*file, length_at)}
                                      : int64_t{Load<uint32_t>(*file, length_at)};
  if (file->size() - header_at < length) return Broken(*file, "truncated within the .npy header");
  const absl::string_view header(reinterpret_cast<const char*>(file->data()) + header_at,
                                 static_cast<size_t>(length));

  const auto descr = ValueOf(header, "descr");
  const auto shape = ValueOf(header, "shape");
  if (!descr || !shape || descr->size() < 5) {
    return Broken(*file, "the .npy header has no descr or no shape");
  }
  const std::string type_name(descr->substr(1, 3));  // between quotes
  std::optional<TokenType> type;
  if (type_name == "<u2") type = TokenType::kUint16;
  if (type_name == "<u4") type = TokenType::kUint32;
  if (type_name == "<i4") type = TokenType::kInt32;
  if (type_name == "<i8") type = TokenType::kInt64;
  if (!type) {
    return Broken(*file, absl::StrCat("elements are \"", type_name,
                                      "\"; token ids must be one of <u2, <u4, <i4, <i8"));
  }
  absl::string_view inside = *shape;
  int64_t tokens = 0;
  const bool opened = absl::ConsumePrefix(&inside, "(");
  inside = inside.substr(0, inside.find(')'));
  inside = absl::StripTrailingAsciiWhitespace(inside);
  absl::ConsumeSuffix(&inside, ",");
  if (!opened || !absl::SimpleAtoi(inside, &tokens)) {
    return Broken(*file, absl::StrCat("its shape is (", inside, "); token ids have one dimension"));
  }
  return Filling(std::move(file), header_at + length, tokens, *type);
}

absl::StatusOr<TokenRun> OpenRaw(File file, const std::string& dtype) {
  const TokenType type = dtype == "uint32" ? TokenType::kUint32 : TokenType::kUint16;
  const int64_t tokens = file->size() / BytesOf(type);
  if (file->size() % BytesOf(type) != 0) {
    return Broken(*file, absl::StrCat("truncated: its ", file->size(),
                                      " bytes are no whole number of ", NameOf(type), " tokens"));
  }
  return TokenRun{std::move(file), 0, tokens, type, 0};
}

absl::StatusOr<TokenStore> OpenAll(const SourceSpec& spec, const std::vector<fs::path>& files) {
  std::vector<TokenRun> runs;
  for (const fs::path& path : files) {
    absl::StatusOr<TokenRun> run = OpenTokenFile(path, spec.tokens.format, spec.tokens.dtype);
    if (!run.ok()) return run.status();
    runs.push_back(*std::move(run));
  }
  return TokenStore(std::move(runs));
}

// Counts the ids of a stream; `counts` has an entry per id of the vocabulary.
absl::Status CountIds(const TokenStore& store, int64_t total, const ProgressCallback& progress,
                      int64_t* done, std::vector<int64_t>* counts) {
  const auto vocabulary = static_cast<int64_t>(counts->size());
  std::vector<int64_t> ids(size_t{1} << 20);
  for (const TokenRun& run : store.runs()) {
    const TokenStore one({run});
    for (int64_t at = 0; at < run.tokens; at += static_cast<int64_t>(ids.size())) {
      const int64_t here = std::min<int64_t>(run.tokens - at, static_cast<int64_t>(ids.size()));
      one.Read(at, here, ids.data());
      for (int64_t i = 0; i < here; ++i) {
        if (ids[i] >= 0 && ids[i] < vocabulary) {
          ++(*counts)[ids[i]];
          continue;
        }
        const std::string where = absl::StrCat(run.file->path().string(), ": token ",
                                               run.skipped + at + i, " has id ", ids[i]);
        return absl::InvalidArgumentError(
            ids[i] < 0 ? absl::StrCat(where, ", and ids are not negative")
                       : absl::StrCat(where, ", beyond the vocabulary of ", vocabulary,
                                      "; set vocabulary to at least ", ids[i] + 1,
                                      ", or check format and dtype"));
      }
      *done += here;
      if (progress) progress({"check", *done, total});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenRun> OpenTokenFile(const fs::path& path, const std::string& format,
                                       const std::string& dtype) {
  absl::StatusOr<File> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  if (format == "npy" || (format == "auto" && IsNpy(**file))) return OpenNpy(*std::move(file));
  if (format == "llmc" || (format == "auto" && IsLlmc(**file))) return OpenLlmc(*std::move(file));
  return OpenRaw(*std::move(file), dtype);
}

absl::StatusOr<TokenStreams> OpenTokenStreams(const SourceSpec& spec,
                                              const std::vector<fs::path>& files,
                                              const std::vector<fs::path>& validation_files) {
  absl::StatusOr<TokenStore> all = OpenAll(spec, files);
  if (!all.ok()) return all.status();
  TokenStreams streams;
  if (!validation_files.empty()) {
    absl::StatusOr<TokenStore> validation = OpenAll(spec, validation_files);
    if (!validation.ok()) return validation.status();
    streams.train = *std::move(all);
    streams.validation = *std::move(validation);
    if (streams.train.size() == 0 || streams.validation.size() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(streams.train.size() == 0 ? "files" : "validation_files", " hold no token"));
    }
  } else {
    const int64_t tokens = all->size();
    if (tokens < 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "files hold ", tokens, " tokens, too few to split into training and validation"));
    }
    const auto tail = std::clamp<int64_t>(
        std::llround(spec.validation_fraction * static_cast<double>(tokens)), 1, tokens - 1);
    streams.train = all->Slice(0, tokens - tail);
    streams.validation = all->Slice(tokens - tail, tokens);
  }
  for (const TokenStore* store : {&streams.train, &streams.validation}) {
    for (const TokenRun& run : store->runs()) {
      if (streams.dtype.empty()) streams.dtype = NameOf(run.type);
      if (streams.dtype != NameOf(run.type)) streams.dtype = "mixed";
    }
  }
  return streams;
}

absl::Status CheckTokens(const TokenStreams& streams, int64_t vocabulary,
                         const ProgressCallback& progress, DataInfo* info) {
  const int64_t total = streams.train.size() + streams.validation.size();
  int64_t done = 0;
  std::vector<int64_t> counts(static_cast<size_t>(vocabulary), 0);
  absl::Status status = CountIds(streams.train, total, progress, &done, &counts);
  if (!status.ok()) return status;
  info->unigram_entropy = Entropy(counts);
  info->used_ids = CountUsed(counts);
  status = CountIds(streams.validation, total, progress, &done, &counts);
  if (!status.ok()) return status;
  info->vocabulary = vocabulary;
  info->dtype = streams.dtype;
  info->train.tokens = streams.train.size();
  info->validation.tokens = streams.validation.size();
  return absl::OkStatus();
}

}  // namespace qatlas::data
