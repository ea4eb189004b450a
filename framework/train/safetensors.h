// Tensors in files of the safetensors format (framework/safetensors/header.h). Such a file holds
// data only; nothing in it can run.
#ifndef QATLAS_FRAMEWORK_TRAIN_SAFETENSORS_H_
#define QATLAS_FRAMEWORK_TRAIN_SAFETENSORS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/safetensors/header.h"
#include "qatlas/tensors.h"

namespace qatlas::train {

// A file that is mapped and fully checked when opened: header, types, shapes, and that the tensors'
// bytes cover the file without gap or overlap.
class SafetensorsFile {
 public:
  // Errors: NotFound; InvalidArgument with the path and what is wrong (too short, truncated, a
  // header that is no JSON, an unknown dtype, an offset out of range, a name that occurs twice,
  // ...).
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // "__metadata__" of the header.
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  // Sorted.
  std::vector<std::string> Names() const;
  bool Has(const std::string& name) const { return header_.tensors.count(name) != 0; }
  // On the mapped bytes, which live as long as the tensor; a private mapping, so that writing to it
  // does not reach the file. Errors: NotFound.
  absl::StatusOr<at::Tensor> Read(const std::string& name) const;

 private:
  class Mapping;

  SafetensorsFile() = default;

  std::filesystem::path path_;
  std::shared_ptr<Mapping> mapping_;
  safetensors::Header header_;
};

// Writes tensors (any device, any strides) in the order given, atomically and synced. Tensors are
// copied one at a time. Errors: as IoError() of outcome.h. A dtype that the format lacks, or a name
// that occurs twice, is a bug and aborts. A tensor on the meta device is made by `make` when its
// turn comes, and dropped when it is written.
absl::Status WriteSafetensors(const std::filesystem::path& path,
                              const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata,
                              const std::function<at::Tensor(const std::string& name)>& make = {});

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_SAFETENSORS_H_
