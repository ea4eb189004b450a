#include "framework/train/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/atomic_file.h"
#include "framework/train/outcome.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

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

at::ScalarType DtypeOf(const std::string& name) {
  for (const DtypeName& entry : kDtypes) {
    if (name == entry.name) return entry.dtype;
  }
  QATLAS_CHECK(false, "a dtype of the format that is not known here");
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
  auto header = safetensors::ReadHeader({static_cast<const char*>(bytes), size});
  if (!header.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), " is not a usable safetensors file: ", header.status().message()));
  }
  file->header_ = *std::move(header);
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

std::vector<std::string> SafetensorsFile::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : header_.tensors) names.push_back(name);
  return names;
}

absl::StatusOr<at::Tensor> SafetensorsFile::Read(const std::string& name) const {
  const auto it = header_.tensors.find(name);
  if (it == header_.tensors.end()) {
    return absl::NotFoundError(absl::StrCat(path_.string(), " has no tensor '", name, "'"));
  }
  const safetensors::Entry& entry = it->second;
  const at::TensorOptions options = at::TensorOptions().dtype(DtypeOf(entry.dtype));
  char* bytes = mapping_->bytes() + entry.begin;
  if (reinterpret_cast<uintptr_t>(bytes) % safetensors::BytesOfElement(entry.dtype) != 0) {
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
