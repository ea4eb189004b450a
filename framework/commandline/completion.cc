#include "framework/commandline/completion.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace qatlas::commandline {
namespace {

constexpr char kVerb[] = "__complete";

// The first sentence or line, cut for a list.
std::string Short(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  const size_t end = std::min(line.find(". "), line.find("; "));
  if (end != std::string::npos) line.resize(end);
  return line;
}

// What an option checks its value against itself: "TEXT:{cpu,cuda}".
std::vector<std::string> Choices(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find(":{");
  if (open == std::string::npos || type.back() != '}') return {};
  return absl::StrSplit(type.substr(open + 2, type.size() - open - 3), ',');
}

class Line {
 public:
  Line(const CLI::App& app, const ValueKinds& kinds) : app_(&app), kinds_(kinds) {}

  Completion Complete(const std::vector<std::string>& words) {
    for (size_t i = 0; i + 1 < words.size(); ++i) Take(words[i]);
    word_ = words.empty() ? "" : words.back();
    if (open_ != nullptr && (needed_ > 0 || !absl::StartsWith(word_, "-"))) {
      OfOption(*open_, "");
      // One that takes any number of values does not hide what may follow it.
      if (needed_ > 0) return std::move(result_);
    }
    if (!literal_ && absl::StartsWith(word_, "-")) {
      const size_t equals = word_.find('=');
      if (equals == std::string::npos) {
        Options();
      } else if (const CLI::Option* option = Find(word_.substr(0, equals))) {
        OfOption(*option, word_.substr(0, equals + 1));
      }
      return std::move(result_);
    }
    if (positional_ == 0 && !literal_) Verbs();
    if (const CLI::Option* option = Positional()) OfPositional(*option);
    return std::move(result_);
  }

 private:
  void Take(const std::string& word) {
    if (!literal_ && word == "--") {
      literal_ = true;
      open_ = nullptr;
      return;
    }
    if (needed_ > 0) {
      if (--needed_ == 0 && !more_) open_ = nullptr;
      return;
    }
    if (!literal_ && word.size() > 1 && word[0] == '-') {
      const size_t equals = word.find('=');
      const CLI::Option* option = Find(word.substr(0, equals));
      open_ = nullptr;
      if (option == nullptr || option->get_items_expected_max() == 0) return;
      needed_ = std::max(option->get_items_expected_min(), 1);
      more_ = option->get_items_expected_max() > needed_;
      open_ = option;
      if (equals != std::string::npos) {
        --needed_;
        if (!more_) open_ = nullptr;
      }
      return;
    }
    if (!literal_ && positional_ == 0) {
      for (const CLI::App* verb : Below()) {
        if (verb->get_name() != word) continue;
        app_ = verb;
        path_ = absl::StrCat(path_, path_.empty() ? "" : " ", word);
        open_ = nullptr;
        return;
      }
    }
    if (open_ != nullptr) return;  // another value of it
    ++positional_;
  }

  std::vector<const CLI::App*> Below() const {
    return app_->get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
  }

  // An option of this verb, or of one above.
  const CLI::Option* Find(const std::string& name) const {
    for (const CLI::App* app = app_; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* option : app->get_options()) {
        if (option->nonpositional() && option->check_name(name)) return option;
      }
    }
    return nullptr;
  }

  // The positional that the next word would be; the last one, where it takes several.
  const CLI::Option* Positional() const {
    int index = positional_;
    const CLI::Option* last = nullptr;
    for (const CLI::Option* option : app_->get_options()) {
      if (!option->get_positional()) continue;
      last = option;
      if (index-- == 0) return option;
    }
    return last != nullptr && last->get_items_expected_max() > 1 ? last : nullptr;
  }

  void Offer(const std::string& text, const std::string& help) {
    if (!absl::StartsWith(text, word_)) return;
    for (const Candidate& known : result_.candidates) {
      if (known.text == text) return;
    }
    result_.candidates.push_back({text, Short(help)});
  }

  void Verbs() {
    for (const CLI::App* verb : Below()) Offer(verb->get_name(), verb->get_description());
  }

  void Options() {
    for (const CLI::App* app = app_; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* option : app->get_options()) {
        if (!option->nonpositional() || option->get_group().empty()) continue;
        for (const std::string& name : option->get_lnames()) {
          Offer(absl::StrCat("--", name), option->get_description());
        }
        // Short ones only where nothing else fits the word.
        if (word_.size() < 2 || word_[1] == '-') continue;
        for (const std::string& name : option->get_snames()) {
          Offer(absl::StrCat("-", name), option->get_description());
        }
      }
    }
  }

  void OfOption(const CLI::Option& option, const std::string& prefix) {
    for (const std::string& choice : Choices(option)) Offer(prefix + choice, "");
    for (const std::string& name : option.get_lnames()) {
      if (OfKind(absl::StrCat("--", name), prefix)) return;
    }
    const std::string type = option.get_type_name();
    OfKind(type.substr(0, type.find(':')), prefix);
  }
  void OfPositional(const CLI::Option& option) {
    const std::string name = option.get_name(true);
    if (!OfKind(absl::StrCat(path_, " ", name), "")) OfKind(name, "");
  }

  // False where nothing is known of such a value.
  bool OfKind(const std::string& kind, const std::string& prefix) {
    const auto found = kinds_.find(kind);
    if (found != kinds_.end()) {
      const Values& values = found->second;
      if (values.names) {
        for (const Candidate& one : values.names()) Offer(prefix + one.text, one.help);
      }
      result_.files |= values.files;
      result_.folders |= values.folders;
      return true;
    }
    if (absl::StartsWith(kind, "FILE")) result_.files = true;
    if (absl::StartsWith(kind, "FOLDER")) result_.folders = true;
    return absl::StartsWith(kind, "FILE") || absl::StartsWith(kind, "FOLDER");
  }

  const CLI::App* app_;
  const ValueKinds& kinds_;
  std::string path_;  // of verbs
  std::string word_;
  int positional_ = 0;    // positionals before the word
  bool literal_ = false;  // after "--"
  int needed_ = 0;        // values that the option before still needs
  bool more_ = false;     // and it may have more
  const CLI::Option* open_ = nullptr;
  Completion result_;
};

constexpr char kBash[] = R"(# bash completion for @PROGRAM@
_@FUNCTION@() {
  local line text word=${COMP_WORDS[COMP_CWORD]} add
  COMPREPLY=()
  # bash parts words at '=' and ':'; the program wants them whole, up to the cursor.
  local -a words=()
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  case "${COMP_LINE:0:COMP_POINT}" in *[[:space:]]) words+=("") ;; esac
  local last=${words[-1]}
  # What bash has of the word stays in the line: candidates go on from there.
  local kept=${last%"$word"}
  case "$word" in '=' | ':') kept=$last word= ;; esac
  while IFS= read -r line; do
    case "$line" in
      :files)
        while IFS= read -r text; do COMPREPLY+=("$text"); done < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null ;;
      :folders)
        while IFS= read -r text; do COMPREPLY+=("$text"); done < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null ;;
      *)
        text=${line%%$'\t'*}
        COMPREPLY+=("${text#"$kept"}") ;;
    esac
  done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _@FUNCTION@ @PROGRAM@
)";

constexpr char kZsh[] = R"(#compdef @PROGRAM@
# zsh completion for @PROGRAM@
_@FUNCTION@() {
  local line files folders
  local -a candidates
  while IFS= read -r line; do
    case "$line" in
      :files) files=yes ;;
      :folders) folders=yes ;;
      # _describe parts text and help at a colon.
      *) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done < <("${words[1]/#\~/$HOME}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#candidates )) && _describe -V @PROGRAM@ candidates
  [[ -n $files ]] && _files
  [[ -n $folders ]] && _files -/
  return 0
}
if [[ ${funcstack[1]} == _@FUNCTION@ || ${funcstack[1]} == _@PROGRAM@ ]]; then
  _@FUNCTION@ "$@"
else
  compdef _@FUNCTION@ @PROGRAM@
fi
)";

constexpr char kFish[] = R"(# fish completion for @PROGRAM@
function __@FUNCTION@_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] $word 2>/dev/null)
    switch $line
      case :files
        __fish_complete_path $word
      case :folders
        __fish_complete_directories $word ''
      case '*'
        echo $line
    end
  end
end
complete -c @PROGRAM@ -f -a '(__@FUNCTION@_complete)'
)";

}  // namespace

Completion Complete(const CLI::App& app, const std::vector<std::string>& words,
                    const ValueKinds& kinds) {
  return Line(app, kinds).Complete(words);
}

const std::vector<std::string>& Shells() {
  static const auto* shells = new std::vector<std::string>{"bash", "zsh", "fish"};
  return *shells;
}

std::optional<std::string> CompletionScript(const std::string& shell, const std::string& program) {
  const char* script = shell == "bash"   ? kBash
                       : shell == "zsh"  ? kZsh
                       : shell == "fish" ? kFish
                                         : nullptr;
  if (script == nullptr) return std::nullopt;
  return absl::StrReplaceAll(
      script, {{"@PROGRAM@", program}, {"@FUNCTION@", absl::StrReplaceAll(program, {{"-", "_"}})}});
}

std::optional<int> AnswerCompletion(const CLI::App& app, int argc, const char* const* argv,
                                    const ValueKinds& kinds) {
  if (argc < 2 || std::string(argv[1]) != kVerb) return std::nullopt;
  const Completion completion =
      Complete(app, std::vector<std::string>(argv + 2, argv + argc), kinds);
  for (const Candidate& candidate : completion.candidates) {
    std::printf("%s\t%s\n", candidate.text.c_str(), candidate.help.c_str());
  }
  if (completion.files) std::printf(":files\n");
  if (completion.folders) std::printf(":folders\n");
  return 0;
}

}  // namespace qatlas::commandline
