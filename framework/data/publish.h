// A folder that appears whole or not at all, made by one process at a time.
#ifndef QATLAS_FRAMEWORK_DATA_PUBLISH_H_
#define QATLAS_FRAMEWORK_DATA_PUBLISH_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qatlas::data {

// Makes root/name. Holds an advisory lock on root/.lock-<name>, which the system releases when the
// process dies, so that what a dead process left can be told and removed.
class Publisher {
 public:
  // Waits for the lock; `waiting` is called once if somebody else holds it. Removes the leftovers
  // of dead processes and makes an empty folder, unless root/name is there by then.
  static absl::StatusOr<std::unique_ptr<Publisher>> Begin(const std::filesystem::path& root,
                                                          const std::string& name,
                                                          const std::function<void()>& waiting);
  // Removes what was not committed, and releases the lock.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Whether root/name is there and nothing is to be done.
  bool done() const { return done_; }
  // Where to write, not yet root/name. Its files must be synced.
  const std::filesystem::path& folder() const { return temporary_; }
  // Syncs the folder and renames it to root/name.
  absl::Status Commit();

 private:
  Publisher() = default;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::filesystem::path lock_path_;
  int lock_ = -1;
  bool done_ = false;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_PUBLISH_H_
