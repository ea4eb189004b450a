// Completion in bash, zsh and fish from the tree of verbs and options that --help prints.
//
// The scripts are thin: they hand the words of the line to the hidden verb `__complete` of the
// program, which answers with candidates. So a completion never disagrees with the program, and
// names of installed plugins and recipes are those of the moment.
#ifndef QATLAS_FRAMEWORK_COMMANDLINE_COMPLETION_H_
#define QATLAS_FRAMEWORK_COMMANDLINE_COMPLETION_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "CLI/App.hpp"

namespace qatlas::commandline {

struct Candidate {
  std::string text;
  std::string help;  // one line; may be empty
};

// What a value can be.
struct Values {
  std::function<std::vector<Candidate>()> names;  // may be empty
  bool files = false;
  bool folders = false;
};

// Values by what --help calls them: an option's long name ("--loss"), else its type ("FOLDER",
// "LAW"), or a positional's name ("RECIPE"). A name after a verb ("plugin info NAME") goes before.
// FILE, FILE.csv, FOLDER and the like need no entry, nor do choices that an option checks itself.
using ValueKinds = std::map<std::string, Values>;

struct Completion {
  std::vector<Candidate> candidates;
  bool files = false;    // and names of files
  bool folders = false;  // and names of folders
};

// Candidates for the last of `words`, which may be empty; the words before it, without the
// program's name, decide what they are. Only candidates that begin with it are returned.
Completion Complete(const CLI::App& app, const std::vector<std::string>& words,
                    const ValueKinds& kinds);

// The script that a shell reads; nullopt for an unknown shell.
std::optional<std::string> CompletionScript(const std::string& shell, const std::string& program);
// "bash", "zsh", "fish".
const std::vector<std::string>& Shells();

// Answers `PROGRAM __complete WORDS...`: a candidate a line, text and help parted by a tab; then
// ":files" or ":folders" where such names count too. nullopt: the line asks for something else.
std::optional<int> AnswerCompletion(const CLI::App& app, int argc, const char* const* argv,
                                    const ValueKinds& kinds);

}  // namespace qatlas::commandline

#endif  // QATLAS_FRAMEWORK_COMMANDLINE_COMPLETION_H_
