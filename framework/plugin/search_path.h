// Where plugins are looked for.
#ifndef QATLAS_FRAMEWORK_PLUGIN_SEARCH_PATH_H_
#define QATLAS_FRAMEWORK_PLUGIN_SEARCH_PATH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::plugin {

// Folders in the order in which they are searched, absolute and without doubles:
//   1. `flag`: the arguments of --plugin-path, each a folder or a colon list of folders;
//   2. `environment`: the value of QATLAS_PLUGIN_PATH (nullptr or empty: not set), a colon list;
//   3. the install's own folder, <executable>/../../lib/qatlas/plugins, where `executable` is the
//   program's
//      file (bin/qatlas).
// The current folder is searched only where the flag names it. Errors: an empty entry (which other
// programs take for the current folder) and, in the environment, a relative one.
absl::StatusOr<std::vector<std::string>> SearchPath(const std::vector<std::string>& flag,
                                                    const char* environment,
                                                    const std::string& executable);

// The program that runs, from /proc/self/exe.
std::string ExecutablePath();

// SearchPath() with QATLAS_PLUGIN_PATH and ExecutablePath().
absl::StatusOr<std::vector<std::string>> DefaultSearchPath(const std::vector<std::string>& flag);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_SEARCH_PATH_H_
