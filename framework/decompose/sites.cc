#include "framework/decompose/sites.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>
#include <nlohmann/json.hpp>

#include "framework/observe/atomic_file.h"
#include "framework/observe/json_text.h"
#include "framework/observe/problems.h"

namespace qatlas::decompose {
namespace {

using Json = nlohmann::ordered_json;
using observe::Table;

constexpr const char* kIdentity[] = {"run", "site", "block", "role", "operand", "expert", "step"};

bool IsIdentity(const std::string& name) {
  return std::find(std::begin(kIdentity), std::end(kIdentity), name) != std::end(kIdentity);
}

struct SiteName {
  double block = observe::kMissing;
  std::string role;
  std::string operand;
  double expert = observe::kMissing;

  std::string Text() const {
    const std::string expert_part =
        std::isnan(expert) ? "" : absl::StrCat("e", observe::FormatNumber(expert), ".");
    return absl::StrCat(observe::FormatNumber(block), ".", role, ".", expert_part, operand);
  }
};

std::optional<SiteName> ParseSite(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  int block = 0, expert = 0;
  if ((parts.size() != 3 && parts.size() != 4) || !absl::SimpleAtoi(parts[0], &block) ||
      block < 0 || parts[1].empty() || parts.back().empty()) {
    return std::nullopt;
  }
  SiteName name{static_cast<double>(block), parts[1], parts.back()};
  if (parts.size() == 4) {
    absl::string_view digits = parts[2];
    if (!absl::ConsumePrefix(&digits, "e") || !absl::SimpleAtoi(digits, &expert) || expert < 0) {
      return std::nullopt;
    }
    name.expert = expert;
  }
  return name;
}

// Fills `name`; empty, or what is wrong with the object.
std::string ReadName(const Json& object, SiteName& name) {
  SiteName members;
  if (object.contains("block") && object["block"].is_number_unsigned()) {
    members.block = object["block"].get<double>();
  }
  if (object.contains("role") && object["role"].is_string()) {
    members.role = object["role"].get<std::string>();
  }
  if (object.contains("operand") && object["operand"].is_string()) {
    members.operand = object["operand"].get<std::string>();
  }
  if (object.contains("expert") && object["expert"].is_number_unsigned()) {
    members.expert = object["expert"].get<double>();
  }
  const bool whole =
      !std::isnan(members.block) && !members.role.empty() && !members.operand.empty();
  if (!object.contains("site")) {
    if (!whole) return "it needs \"site\", or \"block\", \"role\" and \"operand\"";
    name = members;
    return "";
  }
  if (!object["site"].is_string()) return "\"site\" must be a text such as \"3.fc2.input\"";
  const std::string text = object["site"].get<std::string>();
  const std::optional<SiteName> parsed = ParseSite(text);
  if (!parsed.has_value()) {
    return absl::StrCat("site '", text, "' is not <block>.<role>.<operand>, such as 3.fc2.input");
  }
  if (whole && members.Text() != text) {
    return absl::StrCat("site '", text, "' does not agree with its members, which say '",
                        members.Text(), "'");
  }
  name = *parsed;
  return "";
}

double Median(std::vector<double> values) {
  if (values.empty()) return observe::kMissing;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

absl::Status AppendSites(absl::string_view text, const std::string& file, const std::string& run,
                         Table& table) {
  Json json;
  if (const auto problem = observe::ParseJson(text, &json)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": byte ", problem->byte, ": ", problem->what));
  }
  double step = observe::kMissing;
  if (json.is_object() && json.contains("sites")) {
    if (json.contains("step") && json["step"].is_number()) step = json["step"].get<double>();
    Json sites = std::move(json["sites"]);
    json = std::move(sites);
  }
  if (!json.is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": a JSON array of sites is expected, but this is ", json.type_name()));
  }
  observe::Problems problems;
  Table fresh;
  for (size_t i = 0; i < json.size(); ++i) {
    const Json& object = json[i];
    const std::string here = absl::StrCat(file, ": element ", i, ": ");
    if (!object.is_object()) {
      problems.Add(absl::StrCat(here, "an object is expected, but this is ", object.type_name()));
      continue;
    }
    SiteName name;
    if (const std::string wrong = ReadName(object, name); !wrong.empty()) {
      problems.Add(here + wrong);
      continue;
    }
    Table::Row row = {{"run", run},        {"site", name.Text()},     {"block", name.block},
                      {"role", name.role}, {"operand", name.operand}, {"expert", name.expert}};
    if (!std::isnan(step)) row.emplace_back("step", step);
    for (const auto& member : object.items()) {
      if (IsIdentity(member.key())) continue;
      if (member.value().is_number()) {
        row.emplace_back(member.key(), member.value().get<double>());
      } else if (member.value().is_null()) {
        row.emplace_back(member.key(), observe::kMissing);
      } else {
        problems.Add(absl::StrCat(here, "'", member.key(), "' must be a number or null, but is ",
                                  member.value().type_name()));
      }
    }
    // The row names each column once and all statistics are numbers.
    if (absl::Status status = fresh.Append(row, {file, 0}); !status.ok()) {
      problems.Add(absl::StrCat(here, status.message()));
    }
  }
  if (!problems.empty()) return problems.ToStatus();
  return table.AppendTable(fresh);
}

absl::Status AppendSitesFile(const std::string& path, const std::string& run, Table& table) {
  absl::StatusOr<std::string> text = observe::ReadWholeFile(path);
  if (!text.ok()) return text.status();
  absl::string_view whole = absl::StripAsciiWhitespace(*text);
  if (absl::EndsWithIgnoreCase(path, ".jsonl")) {
    const size_t end = whole.rfind('\n');
    if (end != absl::string_view::npos) whole.remove_prefix(end + 1);
  }
  return AppendSites(whole, path, run, table);
}

absl::StatusOr<Table> SummarizeSites(const Table& sites, absl::Span<const std::string> by) {
  const std::vector<std::string> columns = by.empty()
                                               ? std::vector<std::string>{"role", "operand"}
                                               : std::vector<std::string>(by.begin(), by.end());
  const absl::StatusOr<std::vector<observe::Group>> groups = sites.GroupBy(columns);
  if (!groups.ok()) return groups.status();
  Table summary;
  for (const observe::Group& group : *groups) {
    Table::Row row;
    for (size_t i = 0; i < columns.size(); ++i) row.emplace_back(columns[i], group.key[i]);
    row.emplace_back("sites", static_cast<double>(group.rows.size()));
    for (const std::string& name : sites.names()) {
      const std::vector<double>* numbers = sites.FindNumbers(name);
      if (numbers == nullptr || IsIdentity(name)) continue;
      std::vector<double> known;
      for (size_t site : group.rows) {
        if (!std::isnan((*numbers)[site])) known.push_back((*numbers)[site]);
      }
      const auto [least, greatest] = std::minmax_element(known.begin(), known.end());
      row.emplace_back(name, Median(known));
      row.emplace_back(name + "_min", known.empty() ? observe::kMissing : *least);
      row.emplace_back(name + "_max", known.empty() ? observe::kMissing : *greatest);
    }
    if (absl::Status status = summary.Append(row); !status.ok()) return status;
  }
  return summary;
}

}  // namespace qatlas::decompose
