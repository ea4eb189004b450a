#include "framework/safetensors/header.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace qatlas::safetensors {
namespace {

constexpr uint64_t kLongestHeader = 100'000'000;
constexpr char kMetadata[] = "__metadata__";

struct Dtype {
  const char* name;
  int bytes;
};
constexpr Dtype kDtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},    {"I64", 8},
                             {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},      {"BOOL", 1},
                             {"U16", 2}, {"U32", 4}, {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

// Number of bytes of a tensor, or false when it overflows.
bool BytesOf(const Entry& entry, uint64_t* bytes) {
  uint64_t result = BytesOfElement(entry.dtype);
  for (int64_t size : entry.shape) {
    if (__builtin_mul_overflow(result, static_cast<uint64_t>(size), &result)) return false;
  }
  *bytes = result;
  return true;
}

// Parses and reports names that occur twice, which a JSON object would hide.
nlohmann::json ParseNoticingDoubles(absl::string_view text, std::string* twice) {
  std::set<std::string> seen;
  auto callback = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth == 1 && event == nlohmann::json::parse_event_t::key) {
      if (!seen.insert(value.get<std::string>()).second) *twice = value.get<std::string>();
    }
    return true;
  };
  return nlohmann::json::parse(text.begin(), text.end(), callback, /*allow_exceptions=*/false);
}

absl::Status ReadMetadata(const nlohmann::json& value, Header* header) {
  if (!value.is_object()) return absl::InvalidArgumentError("__metadata__ is not an object");
  for (const auto& [key, entry] : value.items()) {
    if (!entry.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("__metadata__.", key, " is not a string"));
    }
    header->metadata[key] = entry.get<std::string>();
  }
  return absl::OkStatus();
}

// begin and end are from the start of the tensors' bytes, of which there are `data_size`.
absl::StatusOr<Entry> ReadEntry(const std::string& name, const nlohmann::json& value,
                                uint64_t data_size) {
  auto wrong = [&](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "': ", what...));
  };
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    return wrong("its entry must have exactly dtype, shape and data_offsets");
  }
  Entry entry;
  const nlohmann::json& dtype = value["dtype"];
  if (!dtype.is_string()) return wrong("its dtype is no text");
  entry.dtype = dtype.get<std::string>();
  if (BytesOfElement(entry.dtype) == 0) return wrong("unknown dtype \"", entry.dtype, "\"");
  if (!value["shape"].is_array()) return wrong("its shape is not an array");
  for (const nlohmann::json& size : value["shape"]) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) {
      return wrong("its shape has the entry ", size.dump(), ", which is no size");
    }
    entry.shape.push_back(size.get<int64_t>());
  }
  const nlohmann::json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    return wrong("data_offsets must be two whole numbers");
  }
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  if (entry.begin > entry.end) return wrong("it ends before it begins");
  if (entry.end > data_size) {
    return wrong("it ends at byte ", entry.end, " of ", data_size, ": the file is truncated");
  }
  uint64_t bytes = 0;
  if (!BytesOf(entry, &bytes) || bytes != entry.end - entry.begin) {
    return wrong("its shape needs another number of bytes than the ", entry.end - entry.begin,
                 " it has");
  }
  return entry;
}

}  // namespace

int BytesOfElement(absl::string_view dtype) {
  for (const Dtype& entry : kDtypes) {
    if (dtype == entry.name) return entry.bytes;
  }
  return 0;
}

absl::StatusOr<Header> ReadHeader(absl::string_view file) {
  if (file.size() < 8) {
    return absl::InvalidArgumentError(absl::StrCat("it has only ", file.size(), " bytes"));
  }
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  if (length > kLongestHeader) {
    return absl::InvalidArgumentError(
        absl::StrCat("its header would have ", length, " bytes, more than ", kLongestHeader));
  }
  if (8 + length > file.size()) {
    return absl::InvalidArgumentError(absl::StrCat("it is truncated: the header needs ", 8 + length,
                                                   " bytes, the file has ", file.size()));
  }
  std::string twice;
  const nlohmann::json json = ParseNoticingDoubles(file.substr(8, length), &twice);
  if (!json.is_object()) return absl::InvalidArgumentError("its header is not a JSON object");
  if (!twice.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the name '", twice, "' occurs twice"));
  }
  const uint64_t data = 8 + length;
  const uint64_t data_size = file.size() - data;
  Header header;
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) {
      if (absl::Status status = ReadMetadata(value, &header); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<Entry> entry = ReadEntry(name, value, data_size);
    if (!entry.ok()) return entry.status();
    spans.emplace_back(entry->begin, entry->end);
    entry->begin += data;
    entry->end += data;
    header.tensors.emplace(name, *std::move(entry));
  }
  std::sort(spans.begin(), spans.end());
  uint64_t reached = 0;
  for (const auto& [begin, end] : spans) {
    if (begin != reached) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tensors ", begin < reached ? "overlap" : "leave a gap", " at byte ", reached));
    }
    reached = end;
  }
  if (reached != data_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(data_size - reached, " bytes after the last tensor belong to none"));
  }
  return header;
}

}  // namespace qatlas::safetensors
