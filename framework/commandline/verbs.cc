#include "framework/commandline/verbs.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/commandline/completion.h"

namespace qatlas::commandline {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string shell, page, output;
};

int Write(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (out) return 0;
  std::fprintf(stderr, "error: cannot write %s: %s\n", path.c_str(), std::strerror(errno));
  return 1;
}

int Print(const std::string& text, const std::string& output) {
  if (!output.empty()) return Write(output, text);
  std::cout << text;
  return 0;
}

int Man(const CLI::App& app, const ManOptions& options, const Arguments& arguments) {
  const std::vector<ManPage> pages = ManPages(app, options);
  if (arguments.page.empty() && !arguments.output.empty()) {
    std::error_code error;
    fs::create_directories(arguments.output, error);
    int code = 0;
    for (const ManPage& page : pages) {
      if (code == 0) code = Write(fs::path(arguments.output) / page.file, page.text);
    }
    return code;
  }
  const std::string file = arguments.page.empty()
                               ? absl::StrCat(app.get_name(), ".1")
                               : absl::StrCat(app.get_name(), "-", arguments.page, ".1");
  for (const ManPage& page : pages) {
    if (page.file != file) continue;
    if (arguments.output.empty()) return Print(page.text, "");
    return Write(fs::path(arguments.output) / page.file, page.text);
  }
  std::fprintf(stderr, "error: there is no page '%s'; `%s --help` lists the verbs\n",
               arguments.page.c_str(), app.get_name().c_str());
  return 2;
}

}  // namespace

void AddVerbs(CLI::App& app, const ManOptions& options, std::function<int()>* chosen) {
  static Arguments arguments;
  const std::string program = app.get_name();
  CLI::App* completion =
      app.add_subcommand("completion", "Print the script that completes in a shell");
  completion->add_option("SHELL", arguments.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember(Shells()));
  completion->add_option("--output,-o", arguments.output, "Write to a file")->type_name("FILE");
  completion->footer(absl::StrCat(
      "In bash: source <(", program, " completion bash)\nIn zsh, after compinit: source <(",
      program, " completion zsh)\nIn fish: ", program,
      " completion fish | source\n\nAn install has the scripts where the shells look "
      "for them."));
  completion->callback([program, chosen] {
    *chosen = [program] {
      return Print(*CompletionScript(arguments.shell, program), arguments.output);
    };
  });
  CLI::App* man = app.add_subcommand("man", "Print a manual page, or write all of them");
  man->add_option("VERB", arguments.page, "Verb that the page is of; none: the program's own");
  man->add_option("--output,-o", arguments.output, "Folder to write to")->type_name("FOLDER");
  man->footer(absl::StrCat("Read one: ", program, " man | man -l -"));
  man->callback([&app, options, chosen] {
    *chosen = [&app, options] { return Man(app, options, arguments); };
  });
}

}  // namespace qatlas::commandline
