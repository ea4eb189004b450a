#include "framework/report/html.h"

#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "framework/observe/csv.h"
#include "framework/report/assets.h"

namespace qatlas::report {

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

namespace {

// Beyond this a table is not kept inside the page: its file lies beside it.
constexpr size_t kRowsInside = 20000;

// JSON inside a script element, where "<" may end it or open a comment; in JSON it only stands in
// texts.
std::string ScriptJson(const nlohmann::json& json) {
  return absl::StrReplaceAll(json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                             {{"<", "\\u003c"}});
}

std::string DataLink(const std::string& id, const observe::Table& data) {
  const std::string name = EscapeHtml(id);
  if (data.rows() > kRowsInside) {
    return absl::StrCat("<a class=\"data\" href=\"data/", name,
                        ".csv\">data (CSV, beside this page)</a>");
  }
  return absl::StrCat("<a class=\"data\" download=\"", name, ".csv\" href=\"data:text/csv;base64,",
                      absl::Base64Escape(observe::FormatCsv(data)), "\">data (CSV)</a>");
}

void AppendFigure(const Figure& figure, std::string* out) {
  const bool wide = figure.wide || figure.panels.size() > 1;
  absl::StrAppend(out, "<figure", wide ? " class=\"wide\"" : "", ">\n<h3>",
                  EscapeHtml(figure.title), "</h3>\n<div class=\"plot\" id=\"figure-",
                  EscapeHtml(figure.id), "\"></div>\n<figcaption>", EscapeHtml(figure.reading), " ",
                  DataLink(figure.id, figure.data), "</figcaption>\n</figure>\n");
}

void AppendRows(const observe::Table& table, int digits, std::string* out) {
  absl::StrAppend(out, "<thead><tr>");
  for (const std::string& name : table.names()) {
    absl::StrAppend(out, table.FindNumbers(name) != nullptr ? "<th class=\"number\">" : "<th>",
                    EscapeHtml(name), "</th>");
  }
  absl::StrAppend(out, "</tr></thead>\n<tbody>\n");
  for (size_t row = 0; row < table.rows(); ++row) {
    absl::StrAppend(out, "<tr>");
    for (const std::string& name : table.names()) {
      if (const std::vector<double>* numbers = table.FindNumbers(name)) {
        absl::StrAppend(out, "<td class=\"number\">", ShortNumber((*numbers)[row], digits),
                        "</td>");
      } else {
        absl::StrAppend(out, "<td>", EscapeHtml(std::string(table.TextAt(row, name))), "</td>");
      }
    }
    absl::StrAppend(out, "</tr>\n");
  }
  absl::StrAppend(out, "</tbody>");
}

void AppendTable(const ShownTable& table, std::string* out) {
  const std::string title = EscapeHtml(table.title);
  absl::StrAppend(out, "<figure class=\"wide\">\n");
  if (table.collapsed) {
    absl::StrAppend(out, "<details><summary>", title, "</summary>\n");
  } else {
    absl::StrAppend(out, "<h3>", title, "</h3>\n");
  }
  absl::StrAppend(out, "<div class=\"scroll\"><table id=\"table-", EscapeHtml(table.id), "\">\n");
  AppendRows(table.shown.columns() > 0 ? table.shown : table.data, table.digits, out);
  absl::StrAppend(out, "</table></div>\n", table.collapsed ? "</details>\n" : "", "<figcaption>",
                  EscapeHtml(table.reading), " ", DataLink(table.id, table.data),
                  "</figcaption>\n</figure>\n");
}

// Debian's Abseil has a string_view of its own.
absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

nlohmann::json Drawn(const Figure& figure) {
  nlohmann::json panels = nlohmann::json::array();
  for (const std::string& panel : figure.panels) panels.push_back(PlotText(panel));
  nlohmann::json drawn = {{"id", "figure-" + figure.id},
                          {"traces", figure.traces},
                          {"layout", figure.layout},
                          {"panels", std::move(panels)}};
  if (figure.own_y) drawn["own_y"] = true;
  if (figure.height > 0) drawn["height"] = figure.height;
  if (figure.panel_width > 0) drawn["panel_width"] = figure.panel_width;
  return drawn;
}

void AppendSection(const Section& section, nlohmann::json* figures, std::string* out) {
  absl::StrAppend(out, "<section id=\"", EscapeHtml(section.id), "\">\n<h2>",
                  EscapeHtml(section.title), "</h2>\n");
  for (const std::string& paragraph : section.paragraphs) {
    absl::StrAppend(out, "<p>", EscapeHtml(paragraph), "</p>\n");
  }
  if (!section.findings.empty()) {
    absl::StrAppend(out, "<ul>\n");
    for (const std::string& finding : section.findings) {
      absl::StrAppend(out, "<li>", EscapeHtml(finding), "</li>\n");
    }
    absl::StrAppend(out, "</ul>\n");
  }
  absl::StrAppend(out, "<div class=\"figures\">\n");
  for (const Figure& figure : section.figures) {
    AppendFigure(figure, out);
    figures->push_back(Drawn(figure));
  }
  for (const ShownTable& table : section.tables) AppendTable(table, out);
  absl::StrAppend(out, "</div>\n</section>\n");
}

}  // namespace

std::string RenderHtml(const Page& page) {
  std::string out;
  out.reserve(PlotlySource().size() + (1 << 20));
  absl::StrAppend(&out,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<link rel=\"icon\" href=\"data:,\">\n<title>",
                  EscapeHtml(page.title), "</title>\n<style>\n", Absl(StyleSource()),
                  "</style>\n<script>", Absl(PlotlySource()),
                  "</script>\n</head>\n<body>\n<header><h1>", EscapeHtml(page.title),
                  "</h1>\n<p class=\"summary\">", EscapeHtml(page.summary), "</p>\n<nav>\n");
  for (const Section& section : page.sections) {
    absl::StrAppend(&out, "<a href=\"#", EscapeHtml(section.id), "\">", EscapeHtml(section.title),
                    "</a>\n");
  }
  absl::StrAppend(&out, "</nav></header>\n<main>\n");
  nlohmann::json figures = nlohmann::json::array();
  for (const Section& section : page.sections) AppendSection(section, &figures, &out);
  absl::StrAppend(&out, "</main>\n<script type=\"application/json\" id=\"figures\">",
                  ScriptJson(figures), "</script>\n<script>\n", Absl(ScriptSource()),
                  "</script>\n</body>\n</html>\n");
  return out;
}

}  // namespace qatlas::report
