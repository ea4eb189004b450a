#include "framework/plan/sources.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/observe/json_text.h"
#include "framework/observe/names.h"

namespace qatlas::plan {
namespace {

using nlohmann::json;

absl::Status Wrong(const std::string& file, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": ", what, "; expected what `qatlas fit -o` or `qatlas compare -o` write"));
}

// A member that must be a number; NaN where it is null or absent.
double Real(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}
std::string Text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}
int Integer(const json& object, const char* key, int otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int>() : otherwise;
}

absl::Status ReadParameters(const json& fit, const std::string& file, Law* law) {
  const LawSpec& spec = law->form->Spec();
  const auto parameters = fit.find("parameters");
  if (parameters == fit.end() || !parameters->is_array()) {
    return Wrong(file, "'parameters' is no list");
  }
  for (const json& entry : *parameters) {
    if (!entry.is_object()) return Wrong(file, "an entry of 'parameters' is no object");
    LawValue parameter;
    parameter.name = Text(entry, "name");
    parameter.base = spec.ParameterIndex(Text(entry, "parameter"));
    parameter.category = Text(entry, "category");
    if (parameter.base < 0) {
      return Wrong(file, absl::StrCat("law '", law->name, "' has no parameter '",
                                      Text(entry, "parameter"), "' here"));
    }
    const LawParameter& base = spec.parameters[parameter.base];
    parameter.log = base.log;
    parameter.coordinate = Integer(entry, "coordinate", -1);
    if (const auto split = entry.find("split_by"); split != entry.end() && split->is_array()) {
      for (const json& column : *split) {
        if (column.is_string()) parameter.split_by.push_back(column.get<std::string>());
      }
    } else {
      parameter.split_by = base.per;
    }
    if (const auto unused = entry.find("unused"); unused != entry.end()) {
      parameter.unused = *unused == true;
    }
    const double value = parameter.unused ? base.starts.front() : Real(entry, "value");
    if (!std::isfinite(value) || value < base.lower || value > base.upper) {
      return Wrong(file, absl::StrCat("parameter ", parameter.name, " of '", law->name,
                                      "' has no value within the form's bounds"));
    }
    law->values.push_back(value);
    law->parameters.push_back(std::move(parameter));
  }
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    if (std::none_of(law->parameters.begin(), law->parameters.end(),
                     [&](const LawValue& q) { return q.base == static_cast<int>(p); })) {
      return Wrong(file,
                   absl::StrCat("'", law->name, "' lacks the parameter ", spec.parameters[p].name));
    }
  }
  return absl::OkStatus();
}

// Ranges and scatter from the rows that the fit lists; the rows themselves into `rows`.
void ReadRows(const json& fit, Law* law, observe::Table* rows) {
  const auto residuals = fit.find("residuals");
  if (residuals == fit.end() || !residuals->is_array()) return;
  law->noise.log = Text(fit, "residual_space") == "log";
  double squares = 0;
  int64_t used = 0;
  for (const json& row : *residuals) {
    if (!row.is_object()) continue;
    observe::Table::Row cells;
    const auto covariates = row.find("covariates");
    if (covariates != row.end() && covariates->is_object()) {
      for (const auto& [name, value] : covariates->items()) {
        if (!value.is_number()) continue;
        const double x = value.get<double>();
        const int c = law->form->Spec().CovariateIndex(name);
        if (c < 0 || x != law->form->Spec().covariates[c].missing) Widen(law, name, x);
        cells.emplace_back(name, x);
      }
    }
    const double target = Real(row, "target"), prediction = Real(row, "prediction");
    if (!std::isfinite(target) || !std::isfinite(prediction)) continue;
    double r = target - prediction;
    if (law->noise.log) {
      if (!(target > 0) || !(prediction > 0)) continue;
      r = std::log(target / prediction);
    }
    squares += r * r;
    ++used;
    cells.emplace_back(law->target, target);
    if (rows != nullptr) rows->Append(cells, {}).IgnoreError();
  }
  const int64_t left = used - Integer(fit, "free_parameters", 0);
  if (left <= 0) return;
  law->noise.scale = std::sqrt(squares / static_cast<double>(left));
  law->noise.known = true;
}

// Whether draws centre on the fit over the file's rows, as far as these tell points.
bool CentresOnRows(const Law& law, const observe::Table& rows) {
  if (law.draws.empty()) return true;
  std::vector<double> fitted;
  std::vector<std::vector<double>> predictions(law.draws.size());
  const size_t step = std::max<size_t>(1, rows.rows() / 64);
  for (size_t row = 0; row < rows.rows(); row += step) {
    Point point;
    for (const std::string& name : rows.names()) {
      if (rows.FindNumbers(name) != nullptr && std::isfinite(rows.NumberAt(row, name))) {
        point.numbers[name] = rows.NumberAt(row, name);
      }
    }
    const auto bound = BoundLaw::Create(law, point);
    if (!bound.ok()) continue;  // categories are not in the file
    fitted.push_back(bound->Value(-1));
    for (size_t draw = 0; draw < law.draws.size(); ++draw) {
      predictions[draw].push_back(bound->Value(static_cast<int>(draw)));
    }
  }
  return OffCentre(fitted, predictions) <= kOffCentre;
}

absl::StatusOr<Law> ReadLaw(const json& fit, const std::string& file, const std::string& name,
                            const LawFactory& make, const DrawOptions& options,
                            observe::Table* rows) {
  Law law;
  law.name = name;
  law.source = file;
  for (const char* key : {"law", "form"}) {
    if (law.text.empty()) law.text = Text(fit, key);
  }
  if (law.text.empty()) law.text = name;
  if (law.text.empty()) return Wrong(file, "it does not name its form");
  QATLAS_ASSIGN_OR_RETURN(forms::MadeLaw made, make(law.text));
  law.form = std::move(made.form);
  law.target = Text(fit, "target");
  if (law.target.empty()) law.target = law.form->Spec().target;
  QATLAS_RETURN_IF_ERROR(ReadParameters(fit, file, &law));
  law.rows = Integer(fit, "rows", 0);
  const auto identifiable = fit.find("identifiable");
  law.identifiable = identifiable == fit.end() || *identifiable == true;
  if (const auto id = fit.find("identifiability"); id != fit.end() && id->is_object()) {
    law.reason = Text(*id, "reason");
  }
  ReadRows(fit, &law, rows);
  std::vector<double> covariance;
  if (const auto found = fit.find("covariance"); found != fit.end() && found->is_array()) {
    for (const json& value : *found) {
      if (value.is_number()) covariance.push_back(value.get<double>());
    }
  }
  const double degrees =
      static_cast<double>(law.rows) - static_cast<double>(Integer(fit, "free_parameters", 0));
  law.draws = DrawValues(law, covariance, degrees, options.count, options.seed);
  law.intervals = law.draws.empty()
                      ? "none: the file has no covariance of this fit"
                      : absl::StrCat("from the covariance, ", law.draws.size(), " draws");
  if (rows != nullptr && !CentresOnRows(law, *rows)) {
    absl::StrAppend(&law.intervals, kOffCentreNote);
  }
  return law;
}

// "2505.14302" of "Chen et al. 2025, arXiv 2505.14302, table 1"; "" where there is none.
std::string ArxivNumber(const std::string& citation) {
  const size_t at = citation.find("arXiv");
  if (at == std::string::npos) return "";
  size_t begin = at + 5;
  while (begin < citation.size() && !absl::ascii_isdigit(citation[begin])) ++begin;
  size_t end = begin;
  while (end < citation.size() && (absl::ascii_isdigit(citation[end]) || citation[end] == '.')) {
    ++end;
  }
  while (end > begin && citation[end - 1] == '.') --end;
  return citation.substr(begin, end - begin);
}

}  // namespace

absl::StatusOr<LawFile> LawsFromJson(const std::string& text, const std::string& file,
                                     const LawFactory& make, const DrawOptions& options) {
  json root;
  if (const auto problem = observe::ParseJson(text, &root)) return Wrong(file, problem->what);
  if (!root.is_object()) return Wrong(file, "this is no object");
  LawFile result;
  const auto ranking = root.find("ranking");
  if (ranking == root.end()) {
    if (!root.contains("parameters")) return Wrong(file, "there is neither a ranking nor a fit");
    QATLAS_ASSIGN_OR_RETURN(Law law,
                            ReadLaw(root, file, Text(root, "form"), make, options, &result.rows));
    result.target = law.target;
    result.laws.push_back(std::move(law));
    return result;
  }
  if (!ranking->is_array() || ranking->empty()) return Wrong(file, "its ranking is empty");
  result.target = Text(root, "target");
  for (const json& entry : *ranking) {
    if (!entry.is_object() || !entry.contains("fit")) {
      return Wrong(file, "an entry of its ranking has no fit");
    }
    QATLAS_ASSIGN_OR_RETURN(Law law, ReadLaw(entry["fit"], file, Text(entry, "name"), make, options,
                                             result.laws.empty() ? &result.rows : nullptr));
    result.laws.push_back(std::move(law));
  }
  if (result.laws.size() > 1 && Text(root, "verdict") != "decided") {
    result.notes.push_back(absl::StrCat(file, " does not decide between its laws; ",
                                        result.laws[0].name,
                                        " is taken because it ranks first (--law names another)"));
  }
  return result;
}

absl::StatusOr<std::vector<Law>> LawsFromPreset(const plugin::Catalog& catalog,
                                                const LawFactory& make, const std::string& text,
                                                double relative_error, uint64_t seed) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--preset ", text,
                     ": give law:preset (qat-unified:w4a4) or study:variant "
                     "(chen-2025:w4a4)"));
  }
  const std::string first = text.substr(0, colon), second = text.substr(colon + 1);
  std::vector<Law> laws;
  if (catalog.FindDeclaration(QATLAS_KIND_LAW, first) != nullptr) {
    QATLAS_ASSIGN_OR_RETURN(const forms::MadeLaw made, make(first));
    QATLAS_ASSIGN_OR_RETURN(Law law, LawFromPreset(made.form, first, second, relative_error, seed));
    laws.push_back(std::move(law));
    return laws;
  }
  std::vector<std::pair<std::string, std::shared_ptr<const LawForm>>> forms;
  std::set<std::string> papers;
  std::vector<std::string> studies = catalog.Names(QATLAS_KIND_LAW);
  for (const std::string& name : catalog.Names(QATLAS_KIND_LAW)) {
    QATLAS_ASSIGN_OR_RETURN(const forms::MadeLaw made, make(name));
    std::shared_ptr<const LawForm> form = made.form;
    if (form->Spec().target == kTargetLoss) {
      for (const LawPreset& preset : form->Spec().presets) {
        studies.push_back(preset.name);
        if (preset.name == first) papers.insert(ArxivNumber(preset.citation));
      }
    }
    forms.emplace_back(name, std::move(form));
  }
  papers.erase("");
  std::vector<std::string> variants;
  for (const auto& [name, form] : forms) {
    for (const LawPreset& preset : form->Spec().presets) {
      if (papers.count(ArxivNumber(preset.citation)) == 0) continue;
      const bool loss = form->Spec().target == kTargetLoss && preset.name == first;
      if (!loss) variants.push_back(preset.name);
      if (!loss && preset.name != second) continue;
      // A relative error speaks of δ; the full-precision law is taken as it stands.
      QATLAS_ASSIGN_OR_RETURN(
          Law law, LawFromPreset(form, name, preset.name, loss ? 0 : relative_error, seed));
      laws.push_back(std::move(law));
    }
  }
  if (papers.empty()) {
    return absl::NotFoundError(absl::StrCat("--preset ", text, ": there is no law or study '",
                                            first, "'", observe::Suggest(first, studies)));
  }
  if (std::find(variants.begin(), variants.end(), second) == variants.end()) {
    return absl::NotFoundError(absl::StrCat("--preset ", text, ": study '", first,
                                            "' has no variant '", second, "'",
                                            observe::Suggest(second, variants)));
  }
  return laws;
}

}  // namespace qatlas::plan
