// Tables as CSV and as JSON lines. The first byte chooses: c, t (tab-separated) or j, in upper case
// without the standard columns' kinds; after the first line end follows the table. Text between the
// two is a mapping (`N=a*b`), items parted by ';'.
#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>
#include <cmath>

#include "framework/observe/csv.h"
#include "framework/observe/import.h"
#include "framework/observe/pairs.h"
#include "framework/observe/validate.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

namespace {

void CheckSame(const observe::Table& a, const observe::Table& b, const std::string& text) {
  QATLAS_FUZZ_CHECK(a.rows() == b.rows() && a.names() == b.names(), text);
  for (const std::string& name : a.names()) {
    const auto* numbers = a.FindNumbers(name);
    const auto* others = b.FindNumbers(name);
    if (numbers == nullptr || others == nullptr) continue;
    for (size_t row = 0; row < a.rows(); ++row) {
      const double x = (*numbers)[row], y = (*others)[row];
      QATLAS_FUZZ_CHECK(x == y || (std::isnan(x) && std::isnan(y)), absl::StrCat(name, "\n", text));
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = fuzz::Text(data, size);
  const size_t end = text.find('\n');
  if (size < 2 || end == absl::string_view::npos) return 0;
  const char kind = text[0];
  const absl::string_view mapping = text.substr(1, end - 1), body = text.substr(end + 1);
  const bool schema = absl::ascii_islower(kind);
  observe::CsvOptions options;
  options.use_schema = schema;
  options.separator = absl::ascii_tolower(kind) == 't' ? '\t' : ',';
  const auto table = absl::ascii_tolower(kind) == 'j'
                         ? observe::ParseJsonLines(body, "runs.jsonl", schema)
                         : observe::ParseCsv(body, "runs.csv", options);
  if (!table.ok()) {
    fuzz::CheckRefusal(table.status());
    return 0;
  }
  if (table->rows() > 0 && table->columns() > 0) {
    const std::string written = observe::FormatCsv(*table);
    observe::CsvOptions plain;
    plain.use_schema = schema;
    for (const std::string& name : table->names()) {
      (table->FindTexts(name) != nullptr ? plain.texts : plain.numbers).push_back(name);
    }
    const auto again = observe::ParseCsv(written, "again.csv", plain);
    QATLAS_FUZZ_CHECK(again.ok(), absl::StrCat(written, "\n", again.status().ToString()));
    CheckSame(*table, *again, written);
  }
  if (!mapping.empty()) {
    const std::vector<std::string> items = absl::StrSplit(mapping, ';');
    const auto spec = observe::ParseImportSpec(items);
    if (!spec.ok()) {
      fuzz::CheckRefusal(spec.status());
      return 0;
    }
    const auto imported = observe::Import(*table, *spec);
    if (!imported.ok()) fuzz::CheckRefusal(imported.status());
  }
  return 0;
}
