#include "framework/cli/session.h"

#include <cstdio>
#include <iostream>
#include <utility>

#include "framework/plugin/search_path.h"

namespace qatlas::cli {

absl::StatusOr<const plugin::Catalog*> Session::Catalog() {
  if (catalog_ == nullptr) {
    auto folders = plugin::DefaultSearchPath(plugin_path);
    if (!folders.ok()) return folders.status();
    catalog_ = std::make_unique<plugin::Catalog>(plugin::Catalog::Scan(*folders));
  }
  return catalog_.get();
}

std::filesystem::path Session::ProgramFolder() {
  return std::filesystem::path(plugin::ExecutablePath()).parent_path();
}

std::vector<std::filesystem::path> Session::RecipeFolders() {
  // An install keeps them in share/qatlas/recipes; a build tree links that folder to the sources.
  return {ProgramFolder().parent_path() / "share" / "qatlas" / "recipes"};
}

int Session::Fail(ExitCode code, const absl::Status& status) const {
  const std::string message(status.message());
  if (json) {
    std::cout << nlohmann::json{{"error", message}, {"exit_code", static_cast<int>(code)}}.dump(
                     2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::fprintf(stderr, "error: %s\n", message.c_str());
  }
  return code;
}

int Session::Answer(const nlohmann::json& answer) {
  std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return kDone;
}

}  // namespace qatlas::cli
