#include "framework/train/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/atomic_file.h"
#include "framework/train/outcome.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// The reference implementation's own limit.
constexpr uint64_t kLongestHeader = 100'000'000;
constexpr char kMetadata[] = "__metadata__";

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};
constexpr DtypeName kDtypes[] = {
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
    {"U16", at::kUInt16},
    {"U32", at::kUInt32},
    {"U64", at::kUInt64},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
};

const char* NameOf(at::ScalarType dtype) {
  for (const DtypeName& entry : kDtypes) {
    if (entry.dtype == dtype) return entry.name;
  }
  return nullptr;
}

// Number of bytes of a tensor, or false when it overflows.
bool BytesOf(const std::vector<int64_t>& shape, at::ScalarType dtype, uint64_t* bytes) {
  uint64_t result = c10::elementSize(dtype);
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(result, static_cast<uint64_t>(size), &result)) return false;
  }
  *bytes = result;
  return true;
}

// Parses and reports names that occur twice, which a JSON object would hide.
nlohmann::json ParseNoticingDoubles(const char* begin, const char* end, std::string* twice) {
  std::set<std::string> seen;
  auto callback = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth == 1 && event == nlohmann::json::parse_event_t::key) {
      if (!seen.insert(value.get<std::string>()).second) *twice = value.get<std::string>();
    }
    return true;
  };
  return nlohmann::json::parse(begin, end, callback, /*allow_exceptions=*/false);
}

}  // namespace

class SafetensorsFile::Mapping {
 public:
  Mapping(void* bytes, uint64_t size) : bytes_(static_cast<char*>(bytes)), size_(size) {}
  ~Mapping() { ::munmap(bytes_, size_); }
  char* bytes() const { return bytes_; }
  uint64_t size() const { return size_; }

 private:
  char* bytes_;
  uint64_t size_;
};

SafetensorsFile::~SafetensorsFile() = default;

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError("open", path, errno);
  struct stat info = {};
  if (::fstat(fd, &info) != 0) {
    const int error_number = errno;
    ::close(fd);
    return IoError("read", path, error_number);
  }
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size < 8) {
    ::close(fd);
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), " is no safetensors file: ",
        S_ISREG(info.st_mode) ? absl::StrCat("it has only ", size, " bytes") : "not a file"));
  }
  void* bytes = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  const int error_number = errno;
  ::close(fd);
  if (bytes == MAP_FAILED) return IoError("map", path, error_number);
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = path;
  file->mapping_ = std::make_shared<Mapping>(bytes, size);
  if (absl::Status status = file->ParseHeader(); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " is not a usable safetensors file: ", status.message()));
  }
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

absl::Status SafetensorsFile::ParseHeader() {
  uint64_t length = 0;
  std::memcpy(&length, mapping_->bytes(), 8);
  if (length > kLongestHeader) {
    return absl::InvalidArgumentError(
        absl::StrCat("its header would have ", length, " bytes, more than ", kLongestHeader));
  }
  if (8 + length > mapping_->size()) {
    return absl::InvalidArgumentError(absl::StrCat("it is truncated: the header needs ", 8 + length,
                                                   " bytes, the file has ", mapping_->size()));
  }
  const char* text = mapping_->bytes() + 8;
  std::string twice;
  const nlohmann::json header = ParseNoticingDoubles(text, text + length, &twice);
  if (!header.is_object()) return absl::InvalidArgumentError("its header is not a JSON object");
  if (!twice.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the name '", twice, "' occurs twice"));
  }
  const uint64_t data = 8 + length;
  const uint64_t data_size = mapping_->size() - data;
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (const auto& [name, value] : header.items()) {
    auto wrong = [&name = name](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "': ", what...));
    };
    if (name == kMetadata) {
      if (!value.is_object()) return absl::InvalidArgumentError("__metadata__ is not an object");
      for (const auto& [key, entry] : value.items()) {
        if (!entry.is_string()) {
          return absl::InvalidArgumentError(absl::StrCat("__metadata__.", key, " is not a string"));
        }
        metadata_[key] = entry.get<std::string>();
      }
      continue;
    }
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
        !value.contains("shape") || !value.contains("data_offsets")) {
      return wrong("its entry must have exactly dtype, shape and data_offsets");
    }
    Entry entry;
    const nlohmann::json& dtype = value["dtype"];
    const DtypeName* known =
        std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const DtypeName& d) {
          return dtype.is_string() && dtype.get_ref<const std::string&>() == d.name;
        });
    if (known == std::end(kDtypes)) return wrong("unknown dtype ", dtype.dump());
    entry.dtype = known->dtype;
    if (!value["shape"].is_array()) return wrong("its shape is not an array");
    for (const nlohmann::json& size : value["shape"]) {
      if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) {
        return wrong("its shape has the entry ", size.dump());
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
    if (!BytesOf(entry.shape, entry.dtype, &bytes) || bytes != entry.end - entry.begin) {
      return wrong("its shape needs another number of bytes than the ", entry.end - entry.begin,
                   " it has");
    }
    spans.emplace_back(entry.begin, entry.end);
    entry.begin += data;
    entry.end += data;
    entries_.emplace(name, std::move(entry));
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
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsFile::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

absl::StatusOr<at::Tensor> SafetensorsFile::Read(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    return absl::NotFoundError(absl::StrCat(path_.string(), " has no tensor '", name, "'"));
  }
  const Entry& entry = it->second;
  const at::TensorOptions options = at::TensorOptions().dtype(entry.dtype);
  char* bytes = mapping_->bytes() + entry.begin;
  if (reinterpret_cast<uintptr_t>(bytes) % c10::elementSize(entry.dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.mutable_data_ptr(), bytes, entry.end - entry.begin);
    return copy;
  }
  return at::from_blob(
      bytes, entry.shape, [keep = mapping_](void*) {}, options);
}

absl::Status WriteSafetensors(const std::filesystem::path& path,
                              const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata,
                              const std::function<at::Tensor(const std::string& name)>& make) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t offset = 0;
  for (const NamedTensor& named : tensors) {
    const char* dtype = NameOf(named.tensor.scalar_type());
    QATLAS_CHECK(dtype != nullptr, "a dtype that safetensors lacks");
    QATLAS_CHECK(!header.contains(named.name), "two tensors of one name");
    const uint64_t end = offset + static_cast<uint64_t>(named.tensor.nbytes());
    header[named.name] = {
        {"dtype", dtype}, {"shape", named.tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  // The data starts on a multiple of 64 bytes, so that it can be used where it is mapped.
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
  const uint64_t length = text.size();
  QATLAS_ASSIGN_OR_RETURN(auto file, AtomicFile::Create(path));
  QATLAS_RETURN_IF_ERROR(file->Write(&length, 8));
  QATLAS_RETURN_IF_ERROR(file->Write(text.data(), text.size()));
  for (const NamedTensor& named : tensors) {
    const at::Tensor source = named.tensor.is_meta() ? make(named.name) : named.tensor;
    QATLAS_CHECK(source.nbytes() == named.tensor.nbytes() &&
                     source.scalar_type() == named.tensor.scalar_type(),
                 "a tensor was made otherwise than announced");
    const at::Tensor tensor = source.detach().cpu().contiguous();
    QATLAS_RETURN_IF_ERROR(file->Write(tensor.const_data_ptr(), tensor.nbytes()));
  }
  return file->Commit();
}

}  // namespace qatlas::train
