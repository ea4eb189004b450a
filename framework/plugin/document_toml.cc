// The side of document.h that reads and writes TOML.
#include "framework/plugin/document.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
// toml++ asserts what a file may break ("[.a]") before it refuses it in words; with NDEBUG Clang
// would take the assertion for the truth.
#define TOML_ASSERT(condition) static_assert(true)
#ifdef __clang__
#define __builtin_assume(condition) static_assert(true)
#endif
#include "toml++/toml.h"

namespace qatlas::plugin {
namespace {

std::string Place(const std::string& file, const toml::source_position& position) {
  return absl::StrCat(file, ":", position.line, ":", position.column);
}

// The first character beyond ASCII that stands neither in a text nor in a comment, where TOML has
// none but a byte-order mark at the beginning; npos where there is none. toml++ has undefined
// behaviour on such characters.
size_t StrayCharacter(absl::string_view text) {
  size_t at = absl::StartsWith(text, "\xef\xbb\xbf") ? 3 : 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      const bool basic = c == '"';  // with escapes
      const std::string three(3, c);
      const bool lines = absl::StartsWith(text.substr(at), three);
      at += lines ? 3 : 1;
      while (at < text.size() &&
             !absl::StartsWith(text.substr(at), lines ? three : three.substr(2))) {
        if (!lines && text[at] == '\n') return absl::string_view::npos;  // refused there
        at += basic && text[at] == '\\' ? 2 : 1;
      }
      at += lines ? 3 : 1;
      // Up to two quotes may stand before those that end it.
      for (int i = 0; lines && i < 2 && at < text.size() && text[at] == c; ++i) ++at;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      return at;
    } else {
      ++at;
    }
  }
  return absl::string_view::npos;
}

absl::Status Stray(absl::string_view text, size_t at, const std::string& where) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return absl::InvalidArgumentError(absl::StrCat(where, ": not TOML: '", text.substr(at, end - at),
                                                 "' stands outside of quotes"));
}

bool Before(const toml::source_position& a, const toml::source_position& b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

// Converts with every value placed in the file, or all at `fixed` where that is given.
class Converter {
 public:
  Converter(std::string file, const std::string* fixed) : file_(std::move(file)), fixed_(fixed) {}

  Node Convert(const toml::node& node) const {
    Node result;
    result.where = At(node.source().begin);
    switch (node.type()) {
      case toml::node_type::boolean:
        result.type = Node::Type::kBool;
        result.boolean = node.as_boolean()->get();
        break;
      case toml::node_type::integer:
        result.type = Node::Type::kInt;
        result.integer = node.as_integer()->get();
        break;
      case toml::node_type::floating_point:
        result.type = Node::Type::kFloat;
        result.number = node.as_floating_point()->get();
        break;
      case toml::node_type::string:
        result.type = Node::Type::kString;
        result.text = node.as_string()->get();
        break;
      case toml::node_type::array:
        result.type = Node::Type::kArray;
        for (const toml::node& element : *node.as_array()) result.array.push_back(Convert(element));
        break;
      case toml::node_type::table:
        ConvertTable(*node.as_table(), &result);
        break;
      default: {
        result.type = Node::Type::kOther;
        std::ostringstream text;
        node.visit([&text](const auto& value) {
          if constexpr (toml::is_value<decltype(value)>) text << value.get();
        });
        result.text = text.str();
      }
    }
    return result;
  }

 private:
  std::string At(const toml::source_position& position) const {
    return fixed_ != nullptr ? *fixed_ : Place(file_, position);
  }

  void ConvertTable(const toml::table& table, Node* result) const {
    result->type = Node::Type::kTable;
    struct Item {
      toml::source_position position;
      Entry entry;
    };
    std::vector<Item> items;
    for (const auto& [key, value] : table) {
      const toml::source_position position = key.source().begin;
      items.push_back({position, {std::string(key.str()), At(position), Convert(value)}});
    }
    // The library sorts by name; people read in the order of the file.
    std::stable_sort(items.begin(), items.end(),
                     [](const Item& a, const Item& b) { return Before(a.position, b.position); });
    for (Item& item : items) result->table.push_back(std::move(item.entry));
  }

  std::string file_;
  const std::string* fixed_;
};

// Text in one line of TOML: a basic string.
std::string Quoted(absl::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\t':
        result += "\\t";
        break;
      case '\r':
        result += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          absl::StrAppendFormat(&result, "\\u%04X", static_cast<unsigned char>(c));
        } else {
          result += c;
        }
    }
  }
  return result + "\"";
}

std::string Number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[40];
  // The shortest text that reads back as the same double.
  const auto end = std::to_chars(text, text + sizeof(text), value);
  std::string result(text, end.ptr);
  if (result.find_first_of(".e") == std::string::npos) result += ".0";
  return result;
}

}  // namespace

absl::StatusOr<Node> ParseToml(absl::string_view text, const std::string& file) {
  if (const size_t at = StrayCharacter(text); at != absl::string_view::npos) {
    const absl::string_view before = text.substr(0, at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t begin = before.rfind('\n') == absl::string_view::npos ? 0 : before.rfind('\n') + 1;
    return Stray(text, at, absl::StrCat(file, ":", line, ":", at - begin + 1));
  }
  const toml::parse_result result = toml::parse(std::string(text), file);
  if (!result) {
    return absl::InvalidArgumentError(
        absl::StrCat(Place(file, result.error().source().begin),
                     ": not TOML: ", std::string(result.error().description())));
  }
  return Converter(file, nullptr).Convert(result.table());
}

absl::StatusOr<Node> ParseTomlFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": is a folder; a file is wanted"));
  }
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  return ParseToml(text, path);
}

absl::StatusOr<Node> ParseTomlValue(absl::string_view text, const std::string& where) {
  const size_t stray = StrayCharacter(text);
  if (stray != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": '", text, "' is not a TOML value; text needs quotes: \"", text, "\""));
  }
  const toml::parse_result result = toml::parse(absl::StrCat("value = ", text));
  if (!result) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' is no value of TOML: ", std::string(result.error().description())));
  }
  if (result.table().size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": more than one value"));
  }
  return Converter("", &where).Convert(*result.table().get("value"));
}

std::string TomlKey(absl::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-';
  });
  return bare ? std::string(key) : Quoted(key);
}

std::string ToToml(const Node& node) {
  switch (node.type) {
    case Node::Type::kBool:
      return node.boolean ? "true" : "false";
    case Node::Type::kInt:
      return absl::StrCat(node.integer);
    case Node::Type::kFloat:
      return Number(node.number);
    case Node::Type::kString:
      return Quoted(node.text);
    case Node::Type::kOther:
      return node.text;
    case Node::Type::kArray: {
      std::string result = "[";
      for (const Node& element : node.array) {
        absl::StrAppend(&result, result.size() > 1 ? ", " : "", ToToml(element));
      }
      return result + "]";
    }
    case Node::Type::kTable: {
      if (node.table.empty()) return "{}";
      std::string result = "{ ";
      for (const Entry& entry : node.table) {
        absl::StrAppend(&result, result.size() > 2 ? ", " : "", TomlKey(entry.key), " = ",
                        ToToml(entry.value));
      }
      return result + " }";
    }
  }
  return "";
}

}  // namespace qatlas::plugin
