// A parsed TOML or JSON document as plain values that know where they were written.
//
// The reader of manifests and the reader of recipes both need every value's place for their
// messages, and nobody else should have to include a TOML library.
#ifndef QATLAS_FRAMEWORK_PLUGIN_DOCUMENT_H_
#define QATLAS_FRAMEWORK_PLUGIN_DOCUMENT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include "absl/strings/string_view.h"

#include <qatlas/options.h>
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qatlas::plugin {

struct Node;
struct Entry;  // a key of a table with its value

using Array = std::vector<Node>;
using Table = std::vector<Entry>;  // in the order of the file

// A value of TOML or JSON. Dates and times, which nothing of ours uses, are kept as kOther.
struct Node {
  enum class Type { kBool, kInt, kFloat, kString, kArray, kTable, kOther };  // Of values.

  Type type = Type::kTable;  // which of the below
  bool boolean = false;      // kBool
  int64_t integer = 0;       // kInt
  double number = 0;         // kFloat
  std::string text;          // kString; for kOther what stood there
  Array array;               // kArray
  Table table;               // kTable
  std::string where;         // "quickstart.toml:12:8" or "override 'training.threads=2'"

  static Node Bool(bool value, std::string where = "");           // kBool
  static Node Int(int64_t value, std::string where = "");         // kInt
  static Node Float(double value, std::string where = "");        // kFloat
  static Node String(std::string value, std::string where = "");  // kString
  static Node MakeArray(Array values, std::string where = "");    // kArray
  static Node MakeTable(std::string where = "");                  // kTable, empty

  bool Is(Type other) const { return type == other; }  // whether of this type
  // Of a table: the value of a key, or nullptr; nullptr also where this is no table.
  const Node* Find(absl::string_view key) const;
  Node* Find(absl::string_view key);
  // Of a table: sets a key, which goes to the end when it is new. Returns the value.
  Node& Set(absl::string_view key, Node value);
};

struct Entry {        // Of a table.
  std::string key;    // as written
  std::string where;  // of the key
  Node value;         // of the key
};

// "a whole number", "text", "a list", ...: for messages.
const char* TypeName(Node::Type type);

// Parses TOML. `file` is the name that places are given with. Errors: one line "file:line:column:
// what".
absl::StatusOr<Node> ParseToml(absl::string_view text, const std::string& file);
// Reads and parses a file. Errors: as above, and NotFound when it cannot be read.
absl::StatusOr<Node> ParseTomlFile(const std::string& path);
// Parses a single TOML value ("4", "[1, 2]", "{ fraction = 0.5 }"); all of it is placed at `where`.
absl::StatusOr<Node> ParseTomlValue(absl::string_view text, const std::string& where);

// A value in one line of TOML that parses to the same value. Doubles keep all digits.
std::string ToToml(const Node& node);
// A key as TOML writes it: bare where it can be, else quoted.
std::string TomlKey(absl::string_view key);

// Everything in the result is placed at `where`. JSON's null becomes kOther.
Node NodeFromJson(const nlohmann::json& json, const std::string& where);
nlohmann::json NodeToJson(const Node& node);

Node NodeFromOption(const OptionValue& value, const std::string& where);     // placed
Node NodeFromOptions(const OptionTable& options, const std::string& where);  // placed
// Errors: lists and dates, which options cannot hold.
absl::StatusOr<OptionValue> OptionFromNode(const Node& node);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_DOCUMENT_H_
