#include "tests/framework/report/chromium.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qatlas::report {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string FindChromium() {
  const char* path = std::getenv("PATH");
  for (const absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const fs::path program = fs::path(std::string(folder)) / name;
      if (access(program.c_str(), X_OK) == 0) return program.string();
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<OpenedPage> OpenInChromium(const std::string& path, int width) {
  const std::string program = FindChromium();
  if (program.empty()) {
    return absl::NotFoundError(
        "Chromium is not installed, so reports cannot be opened: run script/bootstrap --tests");
  }
  std::string pattern = (fs::temp_directory_path() / "qatlas-chromium-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return absl::InternalError("mkdtemp failed");
  const fs::path work(pattern);
  // --no-sandbox: continuous integration runs as root, where Chromium has no sandbox.
  const std::string command =
      absl::StrCat("timeout --kill-after=5 120 ", program,
                   " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run",
                   " --disable-extensions --disable-background-networking --user-data-dir='",
                   (work / "profile").string(), "' --window-size=", width, ",3000",
                   " --enable-logging=stderr --v=0 --virtual-time-budget=20000 --dump-dom 'file://",
                   fs::absolute(path).string(), "' >'", (work / "dom").string(), "' 2>'",
                   (work / "log").string(), "'");
  const int status = std::system(command.c_str());
  OpenedPage page;
  page.dom = ReadAll(work / "dom");
  const std::string log = ReadAll(work / "log");
  std::error_code ignored;
  fs::remove_all(work, ignored);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 124) {
    return absl::DeadlineExceededError(absl::StrCat("Chromium did not finish with ", path));
  }
  if (status != 0) {
    return absl::InternalError(absl::StrCat("Chromium ended with status ", status, ":\n", log));
  }
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    if (absl::StrContains(line, "CONSOLE")) page.console.emplace_back(line);
  }
  return page;
}

}  // namespace qatlas::report
