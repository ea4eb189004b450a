#include <algorithm>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/observe/json_text.h"
#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

using Json = nlohmann::ordered_json;

class LineReader {
 public:
  LineReader(std::string file, bool use_schema) : file_(std::move(file)), use_schema_(use_schema) {}

  void Read(absl::string_view line, int64_t number) {
    number_ = number;
    Json object;
    if (const auto problem = ParseJson(line, &object)) {
      problems_.Add(absl::StrCat(file_, ":", number, ":", problem->byte, ": ", problem->what,
                                 " (one object a line)"));
      return;
    }
    if (!object.is_object()) {
      problems_.Add(absl::StrCat(Here(), "a JSON object is expected, but this is ",
                                 object.type_name(), " (one object a line)"));
      return;
    }
    row_.clear();
    AddMembers(object, "");
    const absl::Status status = table_.Append(row_, {file_, number});
    if (!status.ok()) problems_.Add(absl::StrCat(Here(), status.message()));
  }

  absl::StatusOr<Table> Finish() {
    if (!problems_.empty()) return problems_.ToStatus();
    // Columns that were null throughout.
    for (const std::string& name : nulls_) {
      if (table_.Has(name)) continue;
      const StandardColumn* standard = use_schema_ ? FindStandardColumn(name) : nullptr;
      TextColumn texts;
      texts.AppendMissing(table_.rows());
      const absl::Status status =
          standard != nullptr && standard->kind == ColumnKind::kText
              ? table_.SetTexts(name, std::move(texts))
              : table_.SetNumbers(name, std::vector<double>(table_.rows(), kMissing));
      if (!status.ok()) return status;
    }
    return std::move(table_);
  }

 private:
  std::string Here() const { return absl::StrCat(file_, ":", number_, ": "); }

  std::optional<ColumnKind> KindOf(const std::string& name) const {
    if (const absl::StatusOr<ColumnKind> kind = table_.Kind(name); kind.ok()) return *kind;
    const StandardColumn* standard = use_schema_ ? FindStandardColumn(name) : nullptr;
    if (standard == nullptr) return std::nullopt;
    return standard->kind;
  }

  void AddMembers(const Json& object, const std::string& prefix) {
    for (const auto& member : object.items()) {
      const std::string name = prefix + member.key();
      const Json& value = member.value();
      if (value.is_object()) {
        AddMembers(value, name + ".");
      } else if (value.is_array()) {
        problems_.Add(absl::StrCat(Here(), "'", name, "' is an array; a table holds one number ",
                                   "or text a cell"));
      } else if (value.is_null()) {
        if (null_names_.insert(name).second) nulls_.push_back(name);
      } else if (value.is_string()) {
        AddText(name, value.get<std::string>());
      } else {
        AddNumber(name, value.is_boolean() ? (value.get<bool>() ? 1.0 : 0.0) : value.get<double>());
      }
    }
  }

  void AddNumber(const std::string& name, double number) {
    const StandardColumn* standard = use_schema_ ? FindStandardColumn(name) : nullptr;
    if (standard != nullptr && standard->kind == ColumnKind::kText) {
      row_.emplace_back(name, FormatNumber(number));
      return;
    }
    if (KindOf(name) == ColumnKind::kText) {
      problems_.Add(absl::StrCat(Here(), "column '", name, "' holds texts above, but here is ",
                                 FormatNumber(number)));
      return;
    }
    row_.emplace_back(name, number);
  }

  void AddText(const std::string& name, const std::string& text) {
    if (KindOf(name) == ColumnKind::kNumber) {
      problems_.Add(
          absl::StrCat(Here(), "column '", name, "' holds numbers, but here is '", text, "'"));
      return;
    }
    row_.emplace_back(name, text);
  }

  std::string file_;
  bool use_schema_;
  int64_t number_ = 0;
  Table table_;
  Table::Row row_;
  std::vector<std::string> nulls_;  // In order of appearance, each once.
  absl::flat_hash_set<std::string> null_names_;
  Problems problems_;
};

}  // namespace

absl::StatusOr<Table> ParseJsonLines(absl::string_view text, const std::string& file,
                                     bool use_schema) {
  LineReader reader(file, use_schema);
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const absl::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!absl::StripAsciiWhitespace(line).empty()) reader.Read(line, number);
  }
  return reader.Finish();
}

absl::StatusOr<Table> ReadJsonLines(const std::string& path, bool use_schema) {
  absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) return text.status();
  return ParseJsonLines(*text, path, use_schema);
}

}  // namespace qatlas::observe
