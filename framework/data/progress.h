// How long work says where it is.
#ifndef QATLAS_FRAMEWORK_DATA_PROGRESS_H_
#define QATLAS_FRAMEWORK_DATA_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <string_view>

namespace qatlas::data {

// How far a stage of Prepare() is. `total` is 0 where it is not known beforehand.
struct Progress {
  std::string_view stage;  // "read", "train tokenizer", "tokenize", "check", "generate", "wait"
  int64_t done = 0;
  int64_t total = 0;
};
using ProgressCallback = std::function<void(const Progress&)>;

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_PROGRESS_H_
