#include "framework/observe/load.h"

#include <glob.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/csv.h"
#include "framework/observe/quantized.h"

namespace qatlas::observe {
namespace {

absl::Status At(const std::string& place, const absl::Status& status) {
  if (place.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

// Of many problems the first, with how many there are.
std::string FirstLineOf(absl::string_view message) {
  const size_t lines = static_cast<size_t>(std::count(message.begin(), message.end(), '\n'));
  std::string first(message.substr(0, message.find('\n')));
  if (lines > 0) absl::StrAppend(&first, " (and ", lines, " more)");
  return first;
}

bool IsPattern(const std::string& name) { return name.find_first_of("*?[") != std::string::npos; }

absl::StatusOr<std::vector<std::string>> Expand(const LoadSpec& spec) {
  std::vector<std::string> files;
  for (const std::string& name : spec.files) {
    if (!IsPattern(name)) {
      files.push_back(name);
      continue;
    }
    glob_t found = {};
    const int code = glob(name.c_str(), 0, nullptr, &found);
    for (size_t i = 0; code == 0 && i < found.gl_pathc; ++i) files.push_back(found.gl_pathv[i]);
    globfree(&found);
    if (code != 0) {
      return At(spec.files_place,
                absl::NotFoundError(absl::StrCat("no file fits the pattern '", name, "'")));
    }
  }
  if (files.empty()) {
    return At(spec.files_place, absl::InvalidArgumentError("no file of observations is named"));
  }
  return files;
}

// Columns of the file that a mapping leaves out still tell its rows apart: two seeds with the same
// rounded loss are no duplicates. They come along under this prefix, as texts, which several files
// can agree on, until duplicates have been found.
constexpr absl::string_view kLeftOut = "left out: ";

void KeepLeftOut(const Table& file, ImportSpec* import) {
  std::set<std::string> taken;
  for (const auto& [ours, source] : import->columns) taken.insert(source);
  for (const std::string& name : file.names()) {
    if (taken.count(name) != 0 || absl::StrContains(name, '`')) continue;
    import->columns.emplace_back(
        absl::StrCat(kLeftOut, name),
        file.FindNumbers(name) != nullptr ? absl::StrCat("text(`", name, "`)") : name);
  }
}

absl::Status DropLeftOut(Table* table) {
  const std::vector<std::string> names = table->names();
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kLeftOut)) continue;
    if (absl::Status status = table->Drop(name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Table> ReadOne(const std::string& path, const LoadSpec& spec, size_t* rows) {
  const bool mapped = !spec.import.columns.empty();
  absl::StatusOr<Table> file = ReadTable(path, /*use_schema=*/!mapped);
  if (!file.ok()) return At(spec.files_place, file.status());
  *rows += file->rows();
  const ImportSpec& import = spec.import;
  if (!mapped && import.units.empty() && import.derived.empty() && import.where.empty()) {
    return file;
  }
  absl::StatusOr<Table> table = absl::UnknownError("");
  if (mapped) {
    ImportSpec wide = import;
    if (!import.keep_others && spec.duplicates != DuplicateRule::kKeep) KeepLeftOut(*file, &wide);
    table = Import(*file, wide);
  } else {
    ImportSpec keep = import;
    keep.keep_others = true;
    table = Import(*file, keep);
  }
  if (table.ok()) return table;
  return absl::Status(table.status().code(), absl::StrCat(path, ": ", table.status().message()));
}

}  // namespace

absl::StatusOr<Loaded> Load(const LoadSpec& spec) {
  Loaded loaded;
  absl::StatusOr<std::vector<std::string>> files = Expand(spec);
  if (!files.ok()) return files.status();
  loaded.files = *std::move(files);
  for (size_t i = 0; i < loaded.files.size(); ++i) {
    absl::StatusOr<Table> one = ReadOne(loaded.files[i], spec, &loaded.rows_read);
    if (!one.ok()) return one.status();
    if (i == 0) {
      loaded.table = *std::move(one);
    } else if (absl::Status status = loaded.table.AppendTable(*one); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(loaded.files[i], ": ", status.message()));
    }
  }
  if (loaded.table.rows() == 0 && loaded.rows_read > 0) {
    const auto place = spec.import.places.find("where");
    return At(place == spec.import.places.end() ? "" : place->second,
              absl::InvalidArgumentError(absl::StrCat("where = ", spec.import.where, ": none of ",
                                                      loaded.rows_read, " rows meets it")));
  }
  absl::StatusOr<Deduplicated> single =
      ApplyDuplicateRule(std::move(loaded.table), spec.duplicates);
  if (!single.ok()) return single.status();
  loaded.table = std::move(single->table);
  if (absl::Status status = DropLeftOut(&loaded.table); !status.ok()) return status;
  loaded.notes = std::move(single->notes);

  const Table& table = loaded.table;
  const bool told = table.Has("scheme") || table.Has("part") || !spec.pair.full_precision.empty();
  // Else bits and labels tell, where no δ is given; they may be wrong, and need not be heard.
  const bool guessed = !told && TellsQuantized(table) && !table.Has("delta");
  const bool can_pair = table.Has(spec.pair.loss) && (told || guessed);
  const bool pair =
      spec.pairing == PairingMode::kAlways || (spec.pairing == PairingMode::kAuto && can_pair);
  if (!pair) return loaded;
  absl::StatusOr<Pairing> pairing = PairRuns(table, spec.pair);
  if (!pairing.ok() && guessed && spec.pairing == PairingMode::kAuto) {
    loaded.notes.push_back(
        absl::StrCat("No δ was computed: ", FirstLineOf(pairing.status().message())));
    return loaded;
  }
  if (!pairing.ok()) return At(spec.pair_place, pairing.status());
  loaded.table = std::move(pairing->table);
  loaded.unpaired = std::move(pairing->unpaired);
  loaded.matched_by = std::move(pairing->matched_by);
  loaded.paired = true;
  if (pairing->full_precision.empty() && !loaded.unpaired.empty()) {
    loaded.notes.push_back(absl::StrCat(
        "No row is of full precision, so no δ can be computed. Such rows have scheme or precision "
        "'fp', part 'none', or no bits below 16; a condition can name them (full_precision of "
        "pair in a recipe)",
        spec.import.where.empty() ? "." : "; where may have left them out."));
  } else if (!loaded.unpaired.empty()) {
    const size_t count = loaded.unpaired.size();
    loaded.notes.push_back(absl::StrCat(count,
                                        count == 1 ? " row has no full-precision pair: "
                                                   : " rows have no full-precision "
                                                     "pair; the first: ",
                                        loaded.unpaired.front().reason));
  }
  return loaded;
}

}  // namespace qatlas::observe
