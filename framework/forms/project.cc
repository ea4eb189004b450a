#include "framework/forms/project.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "framework/forms/formula_names.h"
#include "framework/observe/atomic_file.h"

namespace qatlas::forms {
namespace {

namespace fs = std::filesystem;

// A placeholder is a lower-case word with '_' between two '@'; any other '@' is itself (a mail
// address, actions/checkout@v4).
absl::StatusOr<std::string> Fill(const std::string& text, const TemplateValues& values,
                                 const std::string& path) {
  std::string filled;
  size_t at = 0;
  while (true) {
    const size_t open = text.find('@', at);
    if (open == std::string::npos) return filled + text.substr(at);
    size_t close = open + 1;
    while (close < text.size() && (absl::ascii_islower(text[close]) || text[close] == '_')) ++close;
    if (close == text.size() || text[close] != '@' || close == open + 1) {
      filled += text.substr(at, open + 1 - at);
      at = open + 1;
      continue;
    }
    const std::string name = text.substr(open + 1, close - open - 1);
    const auto value = values.find(name);
    if (value == values.end()) {
      return absl::InternalError(
          absl::StrCat(path, ": the template's placeholder @", name, "@ has no value"));
    }
    absl::StrAppend(&filled, text.substr(at, open - at), value->second);
    at = close + 1;
  }
}

// Where a line of C++ is to be cut so that its beginning fits, outside of literals; npos: nowhere.
size_t CutOf(const std::string& line, size_t begin, size_t limit) {
  size_t cut = std::string::npos;
  bool literal = false;
  for (size_t i = begin; i < line.size() && i <= limit; ++i) {
    if (line[i] == '\\' && literal) {
      ++i;
    } else if (line[i] == '"') {
      literal = !literal;
    } else if (line[i] == ' ' && !literal) {
      cut = i;
    }
  }
  return cut;
}

// Names and formulas of any length make lines of a template too long: such are cut at a space, a
// comment goes on as one, and a literal as two that the compiler joins.
std::string WithShortLines(const std::string& text) {
  constexpr size_t kWidth = 100;
  std::string result;
  for (absl::string_view given : absl::StrSplit(text, '\n')) {
    std::string line(given);
    const size_t first = line.find_first_not_of(' ');
    const size_t indent = first == std::string::npos ? 0 : first;
    const bool comment = line.compare(indent, 2, "//") == 0;
    const std::string next = std::string(indent, ' ') + (comment ? "// " : "    ");
    size_t begin = indent;  // of what is not the indentation of this line
    while (line.size() > kWidth) {
      const size_t end = begin + (comment ? 3 : 0);
      size_t cut = comment ? line.rfind(' ', kWidth) : CutOf(line, begin, kWidth);
      if (cut != std::string::npos && cut > end) {
        absl::StrAppend(&result, line.substr(0, cut), "\n");
        line = next + line.substr(cut + 1);
      } else if (cut = line.rfind(' ', kWidth - 2); !comment && line[begin] == '"' && cut > begin) {
        absl::StrAppend(&result, line.substr(0, cut + 1), "\"\n");
        line = absl::StrCat(line.substr(0, begin), "\"", line.substr(cut + 1));
        continue;
      } else {
        break;
      }
      begin = next.size() - (comment ? 3 : 0);
    }
    absl::StrAppend(&result, line, "\n");
  }
  result.pop_back();  // the text's last line end made one line too many
  return result;
}

// Commands of any length with comments behind them: in each block these stand in one column.
std::string WithCommentsAligned(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (size_t begin = 0; begin < lines.size(); ++begin) {
    size_t end = begin, column = 0;
    for (; end < lines.size() && !lines[end].empty() && lines[end].rfind("```", 0) != 0; ++end) {
      const size_t mark = lines[end].find("  # ");
      if (mark == std::string::npos) continue;
      column = std::max(column, lines[end].find_last_not_of(' ', mark) + 1);
    }
    for (; begin < end && column > 0; ++begin) {
      const size_t mark = lines[begin].find("  # ");
      if (mark == std::string::npos) continue;
      const std::string command =
          lines[begin].substr(0, lines[begin].find_last_not_of(' ', mark) + 1);
      const std::string remark = lines[begin].substr(lines[begin].find("# ", mark));
      lines[begin] = absl::StrCat(command, std::string(column + 4 - command.size(), ' '), remark);
    }
    begin = end;
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace

absl::StatusOr<TemplateValues> NameValues(const std::string& kind, const std::string& name) {
  std::string file, type;
  bool good = !name.empty() && absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
              name.back() != '-';
  bool upper = true;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    good = good &&
           (absl::ascii_islower(letter) || absl::ascii_isdigit(letter) || (c == '-' && !upper));
    file += c == '-' ? '_' : c;
    if (c != '-') type += upper ? static_cast<char>(absl::ascii_toupper(letter)) : c;
    upper = c == '-';
  }
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name,
                     "' cannot name a plugin: small letters, digits and single '-' between them, "
                     "beginning with a letter"));
  }
  // What the template calls without a namespace, or has itself, the class must not hide.
  static constexpr const char* kTaken[] = {"Exp", "Log", "Log2", "Pow", "Shape"};
  if (std::find(std::begin(kTaken), std::end(kTaken), type) != std::end(kTaken)) {
    type += kind == "model" ? "Builder" : "Form";
  }
  return TemplateValues{{"plugin", name}, {"file", file}, {"type", type}, {"kind", kind}};
}

absl::StatusOr<std::vector<ProjectFile>> FillTemplate(const std::vector<fs::path>& folders,
                                                      const TemplateValues& values) {
  std::vector<ProjectFile> files;
  const std::string file = values.at("file");
  for (const fs::path& folder : folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
      return absl::NotFoundError(absl::StrCat(
          "the template ", folder.string(), " is missing; install Qatlas again, with its share/"));
    }
    for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
      if (!it->is_regular_file()) continue;
      std::ifstream in(it->path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(in)),
                             std::istreambuf_iterator<char>());
      if (!in) return absl::UnavailableError(absl::StrCat(it->path().string(), " cannot be read"));
      fs::path path = it->path().lexically_relative(folder);
      const std::string name = path.filename().string();
      if (name.rfind("plugin.", 0) == 0 || name.rfind("plugin_", 0) == 0) {
        path.replace_filename(absl::StrCat(file, name.substr(std::string("plugin").size())));
      }
      auto filled = Fill(text, values, it->path().string());
      if (!filled.ok()) return filled.status();
      if (path.extension() == ".cc") filled = WithShortLines(*filled);
      if (path.extension() == ".md") filled = WithCommentsAligned(*filled);
      files.push_back({path.string(), *std::move(filled)});
    }
    if (error) {
      return absl::UnavailableError(absl::StrCat(folder.string(), ": ", error.message()));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const ProjectFile& a, const ProjectFile& b) { return a.path < b.path; });
  return files;
}

absl::Status WriteProject(const fs::path& folder, const std::vector<ProjectFile>& files) {
  std::error_code error;
  const bool there = fs::exists(folder, error);
  if (there && !(fs::is_directory(folder, error) && fs::is_empty(folder, error))) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder.string(), " is there already; name another with --output"));
  }
  for (const ProjectFile& file : files) {
    const fs::path path = folder / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat(path.parent_path().string(), ": ", error.message()));
    }
    if (absl::Status status = observe::WriteFileAtomically(path.string(), file.text);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace qatlas::forms
