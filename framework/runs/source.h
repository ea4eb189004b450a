// The recipe's [data] table as the data room reads it, and what is known of the data so far.
#ifndef QATLAS_FRAMEWORK_RUNS_SOURCE_H_
#define QATLAS_FRAMEWORK_RUNS_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/info.h"
#include "framework/data/progress.h"
#include "framework/data/source_spec.h"
#include "framework/recipe/recipe.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

struct DataFacts {
  std::string identity;
  std::filesystem::path folder;        // where it is, or will be, prepared
  std::optional<data::DataInfo> info;  // nullopt: not prepared yet
};

// InvalidArgument names a key that the kind does not have or whose value has another type.
absl::StatusOr<data::SourceSpec> ToSourceSpec(const recipe::DataSettings& settings);

// Reads the source's files to tell its identity, and info.json where the data is prepared already.
// Writes nothing.
absl::StatusOr<DataFacts> LookUpData(const recipe::DataSettings& settings, const Store& store);

// Prepares the data in the store, or finds it there.
absl::StatusOr<DataFacts> PrepareData(const recipe::DataSettings& settings, const Store& store,
                                      const data::ProgressCallback& progress);

// Every budget of the recipe against the training tokens, and every model's vocabulary against the
// data's: all problems at once, with the epochs that each budget would need. A recipe that allows
// epochs may go over the data several times.
absl::Status CheckData(const recipe::ResolvedRecipe& recipe, const data::DataInfo& info);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_SOURCE_H_
