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

// JSON inside a script element: "</" would end the element.
std::string ScriptJson(const nlohmann::json& json) {
  return absl::StrReplaceAll(
      json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), {{"</", "<\\/"}});
}

std::string DataLink(const std::string& id, const observe::Table& data) {
  return absl::StrCat("<a class=\"data\" download=\"", EscapeHtml(id), ".csv\" href=\"data:text/csv;base64,",
                      absl::Base64Escape(observe::FormatCsv(data)), "\">data (CSV)</a>");
}

void AppendFigure(const Figure& figure, std::string* out) {
  const std::string id = EscapeHtml(figure.id);
  absl::StrAppend(out, "<figure>\n<h3>", EscapeHtml(figure.title), "</h3>\n<div class=\"plot\" id=\"figure-",
                  id, "\"></div>\n<figcaption>", EscapeHtml(figure.reading), " ",
                  DataLink(figure.id, figure.data), "</figcaption>\n</figure>\n");
}

void AppendTable(const ShownTable& table, std::string* out) {
  absl::StrAppend(out, "<figure>\n<h3>", EscapeHtml(table.title),
                  "</h3>\n<div class=\"scroll\"><table id=\"table-", EscapeHtml(table.id), "\">\n<thead><tr>");
  for (const std::string& name : table.data.names()) {
    absl::StrAppend(out, "<th>", EscapeHtml(name), "</th>");
  }
  absl::StrAppend(out, "</tr></thead>\n<tbody>\n");
  for (size_t row = 0; row < table.data.rows(); ++row) {
    absl::StrAppend(out, "<tr>");
    for (const std::string& name : table.data.names()) {
      if (const std::vector<double>* numbers = table.data.FindNumbers(name)) {
        absl::StrAppend(out, "<td class=\"number\">", ShortNumber((*numbers)[row], table.digits), "</td>");
      } else {
        absl::StrAppend(out, "<td>", EscapeHtml(std::string(table.data.TextAt(row, name))), "</td>");
      }
    }
    absl::StrAppend(out, "</tr>\n");
  }
  absl::StrAppend(out, "</tbody></table></div>\n<figcaption>", EscapeHtml(table.reading), " ",
                  DataLink(table.id, table.data), "</figcaption>\n</figure>\n");
}

}  // namespace

std::string RenderHtml(const Page& page) {
  std::string out;
  out.reserve(PlotlySource().size() + (1 << 20));
  absl::StrAppend(&out,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<link rel=\"icon\" href=\"data:,\">\n<title>",
                  EscapeHtml(page.title), "</title>\n<style>\n", std::string(StyleSource()), "</style>\n<script>",
                  std::string(PlotlySource()), "</script>\n</head>\n<body>\n<header><h1>", EscapeHtml(page.title),
                  "</h1>\n<p class=\"summary\">", EscapeHtml(page.summary), "</p>\n<nav>");
  for (const Section& section : page.sections) {
    absl::StrAppend(&out, "<a href=\"#", EscapeHtml(section.id), "\">", EscapeHtml(section.title), "</a> ");
  }
  absl::StrAppend(&out, "</nav></header>\n<main>\n");
  nlohmann::json figures = nlohmann::json::array();
  for (const Section& section : page.sections) {
    absl::StrAppend(&out, "<section id=\"", EscapeHtml(section.id), "\">\n<h2>", EscapeHtml(section.title),
                    "</h2>\n");
    for (const std::string& paragraph : section.paragraphs) {
      absl::StrAppend(&out, "<p>", EscapeHtml(paragraph), "</p>\n");
    }
    absl::StrAppend(&out, "<div class=\"figures\">\n");
    for (const Figure& figure : section.figures) {
      AppendFigure(figure, &out);
      figures.push_back({{"id", "figure-" + figure.id}, {"traces", figure.traces}, {"layout", figure.layout}});
    }
    absl::StrAppend(&out, "</div>\n");
    for (const ShownTable& table : section.tables) AppendTable(table, &out);
    absl::StrAppend(&out, "</section>\n");
  }
  absl::StrAppend(&out, "</main>\n<script type=\"application/json\" id=\"figures\">", ScriptJson(figures),
                  "</script>\n<script>\n", ScriptSource(), "</script>\n</body>\n</html>\n");
  return out;
}

}  // namespace qatlas::report
