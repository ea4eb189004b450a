#include "framework/observe/table.h"

#include <bit>
#include <cmath>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/names.h"

namespace qatlas::observe {
namespace {

const char* KindName(ColumnKind kind) { return kind == ColumnKind::kNumber ? "number" : "text"; }

}  // namespace

std::string ShowValue(const Value& value) {
  if (const std::string* text = std::get_if<std::string>(&value)) {
    return text->empty() ? "missing" : absl::StrCat("'", *text, "'");
  }
  const double number = std::get<double>(value);
  return std::isnan(number) ? "missing" : FormatNumber(number);
}

absl::Status Table::NoSuchColumn(absl::string_view name) const {
  return absl::NotFoundError(absl::StrCat("no column '", name, "'", Suggest(name, names_)));
}

absl::StatusOr<ColumnKind> Table::Kind(absl::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return NoSuchColumn(name);
  return static_cast<ColumnKind>(data_[found->second].index());
}

absl::StatusOr<absl::Span<const double>> Table::Numbers(absl::string_view name) const {
  if (const std::vector<double>* numbers = FindNumbers(name)) return absl::MakeConstSpan(*numbers);
  const TextColumn* texts = FindTexts(name);
  if (texts == nullptr) return NoSuchColumn(name);
  for (size_t row = 0; row < texts->size(); ++row) {
    if (!ParseNumber((*texts)[row]).has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          Where(row), ": column '", name, "' must hold numbers, but holds '", (*texts)[row], "'"));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("column '", name, "' must hold numbers, but is a column of texts"));
}

absl::StatusOr<const TextColumn*> Table::Texts(absl::string_view name) const {
  if (const TextColumn* texts = FindTexts(name)) return texts;
  if (!Has(name)) return NoSuchColumn(name);
  return absl::InvalidArgumentError(
      absl::StrCat("column '", name, "' must hold texts, but is a column of numbers"));
}

const std::vector<double>* Table::FindNumbers(absl::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : std::get_if<std::vector<double>>(&data_[found->second]);
}

const TextColumn* Table::FindTexts(absl::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : std::get_if<TextColumn>(&data_[found->second]);
}

Value Table::At(size_t row, absl::string_view name) const {
  if (const TextColumn* texts = FindTexts(name)) return std::string((*texts)[row]);
  return NumberAt(row, name);
}

double Table::NumberAt(size_t row, absl::string_view name) const {
  const std::vector<double>* numbers = FindNumbers(name);
  return numbers == nullptr ? kMissing : (*numbers)[row];
}

absl::string_view Table::TextAt(size_t row, absl::string_view name) const {
  const TextColumn* texts = FindTexts(name);
  return texts == nullptr ? absl::string_view() : (*texts)[row];
}

absl::Status Table::Put(absl::string_view name, Column column) {
  if (name.empty()) return absl::InvalidArgumentError("a column must have a name");
  const size_t length = std::visit([](const auto& values) { return values.size(); }, column);
  if (names_.empty() && rows_ == 0) {
    rows_ = length;
  } else if (length != rows_) {
    return absl::InvalidArgumentError(absl::StrCat("column '", name, "' has ", length,
                                                   " values, but the table has ", rows_, " rows"));
  }
  const auto found = index_.find(name);
  if (found != index_.end()) {
    data_[found->second] = std::move(column);
    return absl::OkStatus();
  }
  index_.emplace(std::string(name), names_.size());
  names_.emplace_back(name);
  data_.push_back(std::move(column));
  return absl::OkStatus();
}

absl::Status Table::SetNumbers(absl::string_view name, std::vector<double> values) {
  return Put(name, std::move(values));
}

absl::Status Table::SetTexts(absl::string_view name, TextColumn values) {
  return Put(name, std::move(values));
}

absl::Status Table::SetTexts(absl::string_view name, absl::Span<const std::string> values) {
  TextColumn column;
  column.Reserve(values.size());
  for (const std::string& value : values) column.Append(value);
  return Put(name, std::move(column));
}

absl::Status Table::SetNumber(size_t row, absl::string_view name, double value) {
  if (absl::StatusOr<absl::Span<const double>> numbers = Numbers(name); !numbers.ok()) {
    return numbers.status();
  }
  if (row >= rows_) return absl::OutOfRangeError(absl::StrCat("no row ", row + 1));
  std::get<std::vector<double>>(data_[index_.find(name)->second])[row] = value;
  return absl::OkStatus();
}

absl::Status Table::SetText(size_t row, absl::string_view name, absl::string_view value) {
  if (absl::StatusOr<const TextColumn*> texts = Texts(name); !texts.ok()) return texts.status();
  if (row >= rows_) return absl::OutOfRangeError(absl::StrCat("no row ", row + 1));
  std::get<TextColumn>(data_[index_.find(name)->second]).Set(row, value);
  return absl::OkStatus();
}

absl::Status Table::Drop(absl::string_view name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return NoSuchColumn(name);
  const size_t place = found->second;
  index_.erase(found);
  names_.erase(names_.begin() + place);
  data_.erase(data_.begin() + place);
  for (size_t i = place; i < names_.size(); ++i) index_[names_[i]] = i;
  return absl::OkStatus();
}

absl::Status Table::Rename(absl::string_view from, absl::string_view to) {
  const auto found = index_.find(from);
  if (found == index_.end()) return NoSuchColumn(from);
  if (from == to) return absl::OkStatus();
  if (to.empty() || Has(to)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot rename column '", from, "' to '", to,
                     to.empty() ? "': a column must have a name" : "': there is such a column"));
  }
  const size_t place = found->second;
  index_.erase(found);
  names_[place] = std::string(to);
  index_.emplace(names_[place], place);
  return absl::OkStatus();
}

absl::Status Table::Append(const Row& row, Origin origin) {
  absl::flat_hash_set<absl::string_view> seen;
  for (const auto& [name, value] : row) {
    if (name.empty()) return absl::InvalidArgumentError("a column must have a name");
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(absl::StrCat("a row names column '", name, "' twice"));
    }
    const auto found = index_.find(name);
    if (found == index_.end()) continue;
    const ColumnKind kind = static_cast<ColumnKind>(data_[found->second].index());
    if (static_cast<size_t>(kind) != value.index()) {
      return absl::InvalidArgumentError(absl::StrCat("column '", name, "' holds ", KindName(kind),
                                                     "s, but a row has ", ShowValue(value)));
    }
  }
  for (const auto& [name, value] : row) {
    if (Has(name)) continue;
    index_.emplace(name, names_.size());
    names_.push_back(name);
    if (std::holds_alternative<double>(value)) {
      data_.emplace_back(std::vector<double>(rows_, kMissing));
    } else {
      TextColumn texts;
      texts.AppendMissing(rows_);
      data_.emplace_back(std::move(texts));
    }
  }
  for (Column& column : data_) {
    if (std::vector<double>* numbers = std::get_if<std::vector<double>>(&column)) {
      numbers->push_back(kMissing);
    } else {
      std::get<TextColumn>(column).Append("");
    }
  }
  for (const auto& [name, value] : row) {
    Column& column = data_[index_.find(name)->second];
    if (const double* number = std::get_if<double>(&value)) {
      std::get<std::vector<double>>(column).back() = *number;
    } else {
      std::get<TextColumn>(column).Set(rows_, std::get<std::string>(value));
    }
  }
  ++rows_;
  if (origin.line != 0 || !origin.file.empty()) {
    --rows_;
    PadOrigins();
    ++rows_;
    origin_files_.Append(origin.file);
    origin_lines_.push_back(origin.line);
  }
  return absl::OkStatus();
}

absl::Status Table::AppendTable(const Table& other) {
  for (size_t i = 0; i < other.names_.size(); ++i) {
    const auto found = index_.find(other.names_[i]);
    if (found == index_.end() || data_[found->second].index() == other.data_[i].index()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "column '", other.names_[i], "' holds ",
        KindName(static_cast<ColumnKind>(data_[found->second].index())), "s in one table and ",
        KindName(static_cast<ColumnKind>(other.data_[i].index())), "s in the other"));
  }
  if (&other == this) return AppendTable(Table(other));
  for (size_t i = 0; i < other.names_.size(); ++i) {
    if (Has(other.names_[i])) continue;
    index_.emplace(other.names_[i], names_.size());
    names_.push_back(other.names_[i]);
    if (other.data_[i].index() == 0) {
      data_.emplace_back(std::vector<double>(rows_, kMissing));
    } else {
      TextColumn texts;
      texts.AppendMissing(rows_);
      data_.emplace_back(std::move(texts));
    }
  }
  for (size_t i = 0; i < names_.size(); ++i) {
    if (std::vector<double>* numbers = std::get_if<std::vector<double>>(&data_[i])) {
      const std::vector<double>* more = other.FindNumbers(names_[i]);
      if (more != nullptr) {
        numbers->insert(numbers->end(), more->begin(), more->end());
      } else {
        numbers->resize(rows_ + other.rows_, kMissing);
      }
      continue;
    }
    TextColumn& texts = std::get<TextColumn>(data_[i]);
    const TextColumn* more = other.FindTexts(names_[i]);
    if (more == nullptr) {
      texts.AppendMissing(other.rows_);
      continue;
    }
    for (size_t row = 0; row < other.rows_; ++row) texts.Append((*more)[row]);
  }
  if (!other.origin_lines_.empty()) {
    PadOrigins();
    for (size_t row = 0; row < other.origin_lines_.size(); ++row) {
      origin_files_.Append(other.origin_files_[row]);
      origin_lines_.push_back(other.origin_lines_[row]);
    }
  }
  rows_ += other.rows_;
  return absl::OkStatus();
}

Table Table::Take(absl::Span<const size_t> rows) const {
  Table taken;
  taken.names_ = names_;
  taken.index_ = index_;
  taken.rows_ = rows.size();
  taken.data_.reserve(data_.size());
  for (const Column& column : data_) {
    if (const std::vector<double>* numbers = std::get_if<std::vector<double>>(&column)) {
      std::vector<double> values;
      values.reserve(rows.size());
      for (size_t row : rows) values.push_back((*numbers)[row]);
      taken.data_.emplace_back(std::move(values));
    } else {
      const TextColumn& texts = std::get<TextColumn>(column);
      TextColumn values;
      values.Reserve(rows.size());
      for (size_t row : rows) values.Append(texts[row]);
      taken.data_.emplace_back(std::move(values));
    }
  }
  if (!origin_lines_.empty()) {
    for (size_t row : rows) {
      const bool known = row < origin_lines_.size();
      taken.origin_files_.Append(known ? origin_files_[row] : "");
      taken.origin_lines_.push_back(known ? origin_lines_[row] : 0);
    }
  }
  return taken;
}

Table Table::Filter(absl::FunctionRef<bool(size_t row)> keep) const {
  std::vector<size_t> rows;
  for (size_t row = 0; row < rows_; ++row) {
    if (keep(row)) rows.push_back(row);
  }
  return Take(rows);
}

absl::StatusOr<std::vector<uint32_t>> Table::GroupLabels(
    absl::Span<const std::string> columns) const {
  for (const std::string& name : columns) {
    if (!Has(name)) return NoSuchColumn(name);
  }
  // Refines one column at a time: (group so far, value) -> group. Numbers are compared by their
  // bits once -0 and all NaNs are made one.
  std::vector<uint32_t> labels(rows_, 0);
  size_t count = rows_ == 0 ? 0 : 1;
  for (const std::string& name : columns) {
    if (count == rows_) break;  // Every row is a group of its own; nothing refines that.
    const std::vector<double>* numbers = FindNumbers(name);
    const TextColumn* texts = FindTexts(name);
    absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> refined;
    for (size_t row = 0; row < rows_; ++row) {
      uint64_t value;
      if (texts != nullptr) {
        value = texts->code(row);
      } else {
        const double number = (*numbers)[row];
        value = std::bit_cast<uint64_t>(std::isnan(number) ? kMissing : number + 0.0);
      }
      const uint32_t next = static_cast<uint32_t>(refined.size());
      labels[row] = refined.try_emplace({labels[row], value}, next).first->second;
    }
    count = refined.size();
  }
  return labels;
}

absl::StatusOr<std::vector<Group>> Table::GroupBy(absl::Span<const std::string> columns) const {
  const absl::StatusOr<std::vector<uint32_t>> labels = GroupLabels(columns);
  if (!labels.ok()) return labels.status();
  std::vector<Group> groups;
  for (size_t row = 0; row < rows_; ++row) {
    if ((*labels)[row] >= groups.size()) groups.resize((*labels)[row] + 1);
    groups[(*labels)[row]].rows.push_back(row);
  }
  for (Group& group : groups) {
    for (const std::string& name : columns) group.key.push_back(At(group.rows[0], name));
  }
  return groups;
}

Origin Table::origin(size_t row) const {
  if (row >= origin_lines_.size()) return {};
  return {std::string(origin_files_[row]), origin_lines_[row]};
}

std::string Table::Where(size_t row) const {
  const Origin from = origin(row);
  if (from.line == 0) return absl::StrCat("row ", row + 1);
  return absl::StrCat(from.file, ":", from.line);
}

absl::Status Table::SetOrigins(absl::string_view file, std::vector<int64_t> lines) {
  if (lines.size() != rows_) {
    return absl::InvalidArgumentError(
        absl::StrCat(lines.size(), " origins for a table of ", rows_, " rows"));
  }
  origin_files_ = TextColumn();
  for (size_t row = 0; row < rows_; ++row) origin_files_.Append(file);
  origin_lines_ = std::move(lines);
  return absl::OkStatus();
}

void Table::PadOrigins() {
  origin_files_.AppendMissing(rows_ - origin_lines_.size());
  origin_lines_.resize(rows_, 0);
}

}  // namespace qatlas::observe
