#include "framework/commandline/man.h"

#include <cstdint>
#include <cstdlib>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace qatlas::commandline {
namespace {

// The code point at `at` of UTF-8, which is moved beyond it; U+FFFD where there is none.
uint32_t CodePoint(const std::string& text, size_t* at) {
  const auto first = static_cast<unsigned char>(text[(*at)++]);
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  uint32_t code = more == 0 ? first : first & (0x3f >> more);
  if (first >= 0x80 && more == 0) return 0xfffd;
  for (int i = 0; i < more; ++i) {
    if (*at >= text.size() || (static_cast<unsigned char>(text[*at]) & 0xc0) != 0x80) return 0xfffd;
    code = code << 6 | (static_cast<unsigned char>(text[(*at)++]) & 0x3f);
  }
  return code;
}

std::string Bold(const std::string& text) { return absl::StrCat("\\fB", Roff(text), "\\fR"); }
std::string Italic(const std::string& text) { return absl::StrCat("\\fI", Roff(text), "\\fR"); }

// Paragraphs; lines that are indented stand as they are.
std::string Prose(const std::string& text) {
  std::string out;
  bool example = false, begun = false;
  for (absl::string_view view : absl::StrSplit(text, '\n')) {
    const std::string line(absl::StripTrailingAsciiWhitespace(view));
    const bool indented = absl::StartsWith(line, "  ");
    if (example != indented && !line.empty()) {
      if (example) out += ".EE\n.RE\n";
      if (indented) out += ".PP\n.RS 2\n.EX\n";
      if (!indented && begun) out += ".PP\n";
      example = indented;
    }
    if (line.empty()) {
      if (begun && !example) out += ".PP\n";
      continue;
    }
    begun = true;
    absl::StrAppend(&out, Roff(indented ? line.substr(2) : line), "\n");
  }
  if (example) out += ".EE\n.RE\n";
  // No paragraph may end what follows nothing.
  while (absl::EndsWith(out, ".PP\n")) out.resize(out.size() - 4);
  return absl::StrReplaceAll(out, {{".PP\n.PP\n", ".PP\n"}});
}

// "--law,--laws LAW ...": names in bold, values in italics.
std::string Heading(const CLI::Option& option) {
  if (option.get_positional() && !option.nonpositional()) return Italic(option.get_name(true));
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(Bold("-" + name));
  for (const std::string& name : option.get_lnames()) names.push_back(Bold("--" + name));
  std::string text = absl::StrJoin(names, ", ");
  if (option.get_items_expected_max() == 0) return text;
  const std::string type = option.get_type_name();
  const size_t colon = type.find(':');
  absl::StrAppend(&text, " ", Italic(type.substr(0, colon)));
  if (option.get_items_expected_max() > 1) absl::StrAppend(&text, " ...");
  if (colon != std::string::npos && type[colon + 1] == '{') {
    absl::StrAppend(&text, " ", Roff(type.substr(colon + 1)));
  }
  return text;
}

std::string OptionsText(const CLI::App& app, bool positionals) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if ((option->get_positional() && !option->nonpositional()) != positionals) continue;
    std::string help = option->get_description();
    if (!option->get_default_str().empty()) {
      absl::StrAppend(&help, absl::EndsWith(help, ".") ? " " : ". ",
                      "Default: ", option->get_default_str(), ".");
    }
    absl::StrAppend(&out, ".TP\n", Heading(*option), "\n", help.empty() ? "\\&\n" : Prose(help));
  }
  return out;
}

std::string Synopsis(const CLI::App& app, const std::string& path) {
  std::string out = absl::StrCat(Bold(path), " [", Italic("OPTIONS"), "]");
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() || option->nonpositional()) continue;
    std::string name = Italic(option->get_name(true));
    if (option->get_items_expected_max() > 1) name += "...";
    absl::StrAppend(&out, " ", option->get_required() ? name : absl::StrCat("[", name, "]"));
  }
  if (!app.get_subcommands({}).empty()) absl::StrAppend(&out, " ", Italic("VERB"), " ...");
  return out;
}

std::vector<const CLI::App*> Verbs(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

// Arguments, options and footer of a verb, and the verbs below it as subsections.
std::string Body(const CLI::App& app, const std::string& path, const char* macro) {
  std::string out;
  const std::string arguments = OptionsText(app, true), options = OptionsText(app, false);
  const bool top = std::string(macro) == ".SH";
  if (!arguments.empty()) absl::StrAppend(&out, top ? ".SH ARGUMENTS\n" : "", arguments);
  if (!options.empty()) absl::StrAppend(&out, top ? ".SH OPTIONS\n" : "", options);
  if (!app.get_footer().empty()) {
    absl::StrAppend(&out, top ? ".SH NOTES\n" : ".PP\n", Prose(app.get_footer()));
  }
  for (const CLI::App* verb : Verbs(app)) {
    const std::string below = absl::StrCat(path, " ", verb->get_name());
    absl::StrAppend(&out, macro, " \"", Roff(below), "\"\n", Synopsis(*verb, below), "\n.PP\n",
                    Prose(verb->get_description()), Body(*verb, below, ".SS"));
  }
  return out;
}

std::string Head(const std::string& page, const ManOptions& options, const std::string& about) {
  return absl::StrCat(".TH ", absl::AsciiStrToUpper(Roff(page)), " 1 ", options.date, " \"",
                      Roff(page.substr(0, page.find(' '))), " ", Roff(options.version),
                      "\" \"Qatlas\"\n.SH NAME\n", Roff(page), " \\- ", Roff(about), "\n");
}

std::string OneLine(const std::string& text) {
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
}

}  // namespace

std::string Roff(const std::string& text) {
  std::string out;
  bool first = true;
  for (size_t at = 0; at < text.size();) {
    const uint32_t code = CodePoint(text, &at);
    if (first && (code == '.' || code == '\'')) out += "\\&";
    first = code == '\n';
    if (code == '\\') {
      out += "\\e";
    } else if (code == '-') {
      out += "\\-";
    } else if (code == '\'') {
      out += "\\(aq";
    } else if (code == '`') {
      out += "\\(ga";
    } else if (code == '^') {
      out += "\\(ha";
    } else if (code == '~') {
      out += "\\(ti";
    } else if (code == '"') {
      out += "\\(dq";
    } else if (code < 0x80) {
      out += static_cast<char>(code);
    } else {
      absl::StrAppendFormat(&out, "\\[u%04X]", code);
    }
  }
  return out;
}

std::string ManDate() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) now = std::atoll(epoch);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", std::gmtime(&now));
  return text;
}

std::vector<ManPage> ManPages(const CLI::App& app, const ManOptions& options) {
  const std::string program = app.get_name();
  const std::string about = app.get_description();
  // "qatlas measures how ..." names the program itself.
  std::string line = about.substr(0, about.find(':'));
  if (absl::StartsWith(line, program + " ")) line = line.substr(program.size() + 1);
  std::vector<ManPage> pages;
  std::string text = Head(program, options, OneLine(line));
  absl::StrAppend(&text, ".SH SYNOPSIS\n", Synopsis(app, program), "\n.SH DESCRIPTION\n",
                  Prose(about), ".SH VERBS\n");
  std::vector<std::string> others;
  for (const CLI::App* verb : Verbs(app)) {
    absl::StrAppend(&text, ".TP\n", Bold(verb->get_name()), "\n", Prose(verb->get_description()));
    others.push_back(absl::StrCat(program, "-", verb->get_name()));
  }
  absl::StrAppend(&text, ".SH OPTIONS\n", OptionsText(app, false));
  if (!app.get_footer().empty()) {
    absl::StrAppend(&text, ".SH EXIT STATUS\n", Prose(app.get_footer()));
  }
  for (const auto& [title, paragraphs] : options.sections) {
    absl::StrAppend(&text, ".SH ", Roff(title), "\n", Prose(absl::StrJoin(paragraphs, "\n\n")));
  }
  text += ".SH SEE ALSO\n";
  for (size_t i = 0; i < others.size(); ++i) {
    absl::StrAppend(&text, ".BR ", Roff(others[i]), " (1)", i + 1 < others.size() ? "," : "", "\n");
  }
  pages.push_back({absl::StrCat(program, ".1"), std::move(text)});
  for (const CLI::App* verb : Verbs(app)) {
    const std::string name = absl::StrCat(program, "-", verb->get_name());
    const std::string path = absl::StrCat(program, " ", verb->get_name());
    std::string page = Head(name, options, OneLine(verb->get_description()));
    absl::StrAppend(&page, ".SH SYNOPSIS\n", Synopsis(*verb, path), "\n.SH DESCRIPTION\n",
                    Prose(verb->get_description()), Body(*verb, path, ".SH"), ".SH SEE ALSO\n.BR ",
                    Roff(program), " (1)\n");
    pages.push_back({absl::StrCat(name, ".1"), std::move(page)});
  }
  return pages;
}

}  // namespace qatlas::commandline
