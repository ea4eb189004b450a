// Man pages from the tree of verbs and options that --help prints.
#ifndef QATLAS_FRAMEWORK_COMMANDLINE_MAN_H_
#define QATLAS_FRAMEWORK_COMMANDLINE_MAN_H_

#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"

namespace qatlas::commandline {

struct ManPage {
  std::string file;  // "qatlas-run.1"
  std::string text;  // in the macros of man(7); ASCII alone
};

struct ManOptions {
  std::string version;  // of the program
  std::string date;     // "2026-01-31"
  // Sections of the program's own page besides what the tree says: title, paragraphs.
  std::vector<std::pair<std::string, std::vector<std::string>>> sections;
};

// One page of the program, with an overview of its verbs, and one of each verb with what lies below
// it.
std::vector<ManPage> ManPages(const CLI::App& app, const ManOptions& options);

// The day that $SOURCE_DATE_EPOCH says, or today's.
std::string ManDate();

// A text as roff shows it: backslashes, leading dots, dashes and characters beyond ASCII are
// written out.
std::string Roff(const std::string& text);

}  // namespace qatlas::commandline

#endif  // QATLAS_FRAMEWORK_COMMANDLINE_MAN_H_
