// Where LibTorch lies on this machine. An installed worker is built for one version of it and finds
// it when it starts, so that a package needs no path of the machine that built it.
#ifndef QATLAS_FRAMEWORK_LAUNCH_LIBTORCH_H_
#define QATLAS_FRAMEWORK_LAUNCH_LIBTORCH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::launch {

// What says where to look. Empty texts say nothing.
struct Places {
  std::string option;       // --libtorch
  std::string environment;  // QATLAS_LIBTORCH
  std::string virtual_env;  // VIRTUAL_ENV
  std::string conda;        // CONDA_PREFIX
  // The folder of the module `torch` of the `python3` on the PATH, "" where there is none. Asked
  // last, since it starts a process.
  std::function<std::string()> python;
};

struct LibTorch {
  std::string folder;   // holds lib/libtorch_cpu.so
  std::string version;  // "2.11.0"
  std::string source;   // who named it: "--libtorch", "the Python environment /home/me/venv", …
};

// What --libtorch and the environment say. python asks `python3` for its torch without loading it.
Places PlacesOf(const std::string& option);

// The version that the headers or version.py of a LibTorch folder name, without a suffix such as
// "+cpu"; "" where neither says.
std::string VersionOf(const std::string& folder);

// The first place that has a LibTorch decides: --libtorch or QATLAS_LIBTORCH alone where one is
// given, else the virtual environment, conda's, and the torch of python3. NotFound lists every
// place looked at; FailedPrecondition names both versions where the one found is not `wanted`
// (results and the C++ interface hold for one version only). Both say what to do.
absl::StatusOr<LibTorch> FindLibTorch(const Places& places, const std::string& wanted);

}  // namespace qatlas::launch

#endif  // QATLAS_FRAMEWORK_LAUNCH_LIBTORCH_H_
