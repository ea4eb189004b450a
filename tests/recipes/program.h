// Starting the real programs from a test.
#ifndef QATLAS_TESTS_RECIPES_PROGRAM_H_
#define QATLAS_TESTS_RECIPES_PROGRAM_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace qatlas::testing {

namespace fs = std::filesystem;

inline const fs::path kPrograms = paths::Programs();
inline const fs::path kRecipes = fs::path(paths::Source()) / "recipes";

inline std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "qatlas-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Starts a program in a process group of its own; its output goes to `log`.
inline pid_t Start(const std::vector<std::string>& command, const fs::path& log) {
  const pid_t child = fork();
  if (child != 0) return child;
  setpgid(0, 0);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

// The exit code, or 128 + the signal that ended it.
inline int Wait(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Finished {
  int exit_code = 0;
  std::string output;  // stdout and stderr
};

inline Finished RunProgram(const std::vector<std::string>& command) {
  TemporaryFolder folder;
  const int exit_code = Wait(Start(command, folder.path() / "log"));
  return {exit_code, ReadFile(folder.path() / "log")};
}

inline std::string Qatlas() { return (kPrograms / "qatlas").string(); }

// Everything in a store that is a result, by path within the store: what two ways of getting there
// must agree in. Timings, logs, event files (they hold the time of day) and the report's provenance
// are none.
inline std::map<std::string, std::string> Results(const fs::path& store) {
  std::map<std::string, std::string> files;
  for (const char* part : {"segments", "studies"}) {
    for (const auto& entry : fs::recursive_directory_iterator(store / part)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      if (name == "machine.json" || name == "spec.json" || name == "log.txt" ||
          absl::StartsWith(name, "events.out"))
        continue;
      files[fs::relative(entry.path(), store).string()] = ReadFile(entry.path());
    }
  }
  return files;
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_RECIPES_PROGRAM_H_
