// Opens prepared data for reading.
#ifndef QATLAS_FRAMEWORK_TRAIN_OPEN_DATA_H_
#define QATLAS_FRAMEWORK_TRAIN_OPEN_DATA_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "framework/data/info.h"
#include "framework/data/token_store.h"

namespace qatlas::train {

struct OpenedData {
  data::DataInfo info;
  data::TokenStore train;
  data::TokenStore validation;
};

// `folder` is the folder of one prepared data set (info.json, and train.bin and validation.bin
// unless the tokens are used where they lie). `identity`, where not empty, must be the data's.
// Errors: nothing there; other data; a shard that is truncated or damaged.
absl::StatusOr<OpenedData> OpenData(const std::filesystem::path& folder,
                                    const std::string& identity);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_OPEN_DATA_H_
