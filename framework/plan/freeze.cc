#include "framework/plan/freeze.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/json.h"
#include "framework/fit/stats.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/json_text.h"

namespace qatlas::plan {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "qatlas-frozen-1";

std::string HashOf(json frozen) {
  frozen.erase("sha256");
  return Sha256(frozen.dump(-1, ' ', false, json::error_handler_t::replace));
}

// Whether scoring finds what it reads.
bool WellFormed(const json& frozen) {
  for (const char* key : {"created", "target", "chosen"}) {
    if (!frozen.contains(key) || !frozen[key].is_string()) return false;
  }
  for (const char* key : {"points", "laws"}) {
    if (!frozen.contains(key) || !frozen[key].is_array() || frozen[key].empty()) return false;
  }
  if (!frozen.contains("level") || !frozen["level"].is_number()) return false;
  if (!frozen.contains("fitted_to") || !frozen.contains("provenance")) return false;
  for (const json& point : frozen["points"]) {
    if (!point.is_object()) return false;
  }
  for (const json& law : frozen["laws"]) {
    if (!law.is_object() || !law.contains("name") || !law["name"].is_string() ||
        !law.contains("predictions") || !law["predictions"].is_array() ||
        law["predictions"].size() != frozen["points"].size()) {
      return false;
    }
    for (const json& prediction : law["predictions"]) {
      if (!prediction.is_object() || !prediction.contains("value") ||
          !prediction["value"].is_number()) {
        return false;
      }
    }
  }
  return true;
}

double DrawnError(const RunNoise& noise, fit::Random* random) {
  double z = random->Normal();
  if (noise.heavy) {
    double squares = 0;
    for (int i = 0; i < 4; ++i) {
      const double x = random->Normal();
      squares += x * x;
    }
    z /= std::sqrt(std::max(squares, 1e-12) / 4);
  }
  return noise.scale * z;
}

fit::Interval Middle(std::vector<double> values, double level) {
  std::sort(values.begin(), values.end());
  return {fit::Quantile(values, (1 - level) / 2), fit::Quantile(values, (1 + level) / 2)};
}

json PointJson(const Point& point) {
  json object = json::object();
  for (const auto& [name, value] : point.numbers) object[name] = value;
  for (const auto& [name, text] : point.texts) object[name] = text;
  return object;
}

json LawJson(const Law& law) {
  json parameters = json::object();
  for (size_t i = 0; i < law.parameters.size(); ++i) {
    parameters[law.parameters[i].name] = fit::Number(law.values[i]);
  }
  return {{"name", law.name},
          {"law", law.text.empty() ? law.name : law.text},
          {"source", law.source},
          {"formula", law.form->Spec().formula},
          {"parameters", parameters},
          {"rows", law.rows},
          {"intervals", law.intervals},
          {"identifiable", law.identifiable},
          {"run_noise", law.noise.known ? json{{"scale", law.noise.scale},
                                               {"log", law.noise.log},
                                               {"heavy", law.noise.heavy}}
                                        : json(nullptr)}};
}

}  // namespace

std::string Sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  QATLAS_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) == 1,
               "SHA-256 is built in");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

absl::StatusOr<Forecast> Predict(const Law& law, const std::vector<Point>& points, double level,
                                 uint64_t seed) {
  if (!(level > 0 && level < 1)) {
    return absl::InvalidArgumentError("the level must lie between 0 and 1");
  }
  Forecast forecast;
  const int draws = law.DrawCount();
  for (size_t i = 0; i < points.size(); ++i) {
    QATLAS_ASSIGN_OR_RETURN(const BoundLaw bound, BoundLaw::Create(law, points[i]));
    const double value = bound.Value(-1);
    if (!std::isfinite(value)) {
      return absl::OutOfRangeError(
          absl::StrCat(law.name, " has no finite value at ", Show(points[i])));
    }
    forecast.value.push_back(value);
    std::vector<double> curve;
    for (int draw = 0; draw < draws; ++draw) {
      const double x = bound.Value(draw);
      if (std::isfinite(x)) curve.push_back(x);
    }
    if (curve.size() >= 20) forecast.law.push_back(Middle(curve, level));
    const bool sized = law.noise.known && (!law.noise.log || value > 0);
    if (!sized && law.factors.empty()) continue;
    std::vector<double> runs;
    if (!sized) {
      // A relative error that somebody measured on runs holds the scatter of runs already.
      runs = curve;
    } else {
      fit::Random random(seed + 0x5eed, i);
      if (curve.empty()) curve.assign(2000, value);
      for (const double x : curve) {
        const double error = DrawnError(law.noise, &random);
        runs.push_back(law.noise.log ? x * std::exp(error) : x + error);
      }
    }
    if (runs.size() >= 20) forecast.run.push_back(Middle(std::move(runs), level));
  }
  if (forecast.law.size() != points.size()) forecast.law.clear();
  if (forecast.run.size() != points.size()) forecast.run.clear();
  return forecast;
}

absl::StatusOr<json> Freeze(const FreezeInputs& inputs) {
  if (inputs.points.empty()) return absl::InvalidArgumentError("there are no points to predict");
  if (inputs.laws.empty()) return absl::InvalidArgumentError("there is no law to predict with");
  json points = json::array();
  std::set<std::string> seen;
  for (const Point& point : inputs.points) {
    points.push_back(PointJson(point));
    if (!seen.insert(points.back().dump()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the point ", Show(point), " is there twice; predict each once"));
    }
  }
  json laws = json::array();
  json warnings = json::array();
  for (const Law& law : inputs.laws) {
    if (law.target != inputs.laws[0].target) {
      return absl::InvalidArgumentError(absl::StrCat(law.name, " predicts ", law.target, ", ",
                                                     inputs.laws[0].name, " ",
                                                     inputs.laws[0].target));
    }
    const bool chosen = &law == &inputs.laws[0];
    if (!law.identifiable && chosen && !inputs.allow_unidentified) {
      return absl::FailedPreconditionError(
          absl::StrCat("the fit of ", law.name, " is not identifiable: ", law.reason,
                       ". Nothing is predicted from it unless --allow-unidentified marks it"));
    }
    QATLAS_ASSIGN_OR_RETURN(const Forecast forecast, Predict(law, inputs.points, inputs.level));
    if (chosen && forecast.run.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          law.name,
          " has no interval for a single run, so its coverage could not be scored; give "
          "--relative-error, or fit it to a table"));
    }
    json entry = LawJson(law);
    for (size_t i = 0; i < inputs.points.size(); ++i) {
      json prediction = {{"value", forecast.value[i]}};
      if (!forecast.law.empty()) prediction["law_interval"] = fit::ToJson(forecast.law[i]);
      if (!forecast.run.empty()) prediction["run_interval"] = fit::ToJson(forecast.run[i]);
      entry["predictions"].push_back(std::move(prediction));
    }
    laws.push_back(std::move(entry));
    for (const Point& point : inputs.points) {
      for (const std::string& warning : OutsideRange(law, point)) {
        if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) {
          warnings.push_back(warning);
        }
      }
    }
  }
  json frozen = {{"format", kFormat},
                 {"created", inputs.created},
                 {"target", inputs.laws[0].target},
                 {"level", inputs.level},
                 {"chosen", inputs.laws[0].name},
                 {"points", points},
                 {"laws", laws},
                 {"warnings", warnings},
                 {"fitted_to", TableToJson(inputs.rows)},
                 {"provenance", inputs.provenance.is_null() ? json::object() : inputs.provenance}};
  frozen["sha256"] = HashOf(frozen);
  return frozen;
}

absl::Status WriteFrozen(const std::string& path, const json& frozen) {
  const auto exists = [&] {
    return absl::AlreadyExistsError(absl::StrCat(
        path, " exists, and frozen predictions are never rewritten; give another name"));
  };
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) return exists();
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  const auto failed = [&](int error) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
  };
  if (file < 0) return failed(errno);
  const std::string text = frozen.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  int error = 0;
  for (size_t done = 0; done < text.size() && error == 0;) {
    const ssize_t written = write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) error = errno;
    if (written > 0) done += static_cast<size_t>(written);
  }
  if (error == 0 && fchmod(file, 0444) != 0) error = errno;
  if (error == 0 && fsync(file) != 0) error = errno;
  if (close(file) != 0 && error == 0) error = errno;
  // A link fails where the name is taken, however late somebody took it; a rename would overwrite.
  if (error == 0 && link(temporary.c_str(), path.c_str()) != 0) error = errno;
  unlink(temporary.c_str());
  if (error == EEXIST) return exists();
  if (error != 0) return failed(error);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle >= 0) {
    fsync(handle);  // file systems that cannot sync a folder still have the file
    close(handle);
  }
  return absl::OkStatus();
}

absl::StatusOr<json> ReadFrozen(const std::string& path, const std::string& expected) {
  QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(path));
  json frozen;
  if (observe::ParseJson(text, &frozen) || !frozen.is_object() ||
      frozen.value("format", json()) != kFormat) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is no file of frozen predictions (`qatlas predict --freeze` writes them)"));
  }
  const json stated = frozen.value("sha256", json());
  const std::string found = HashOf(frozen);
  if (!stated.is_string() || stated != found) {
    return absl::DataLossError(
        absl::StrCat(path, " was changed after it was frozen: it states the hash ",
                     stated.is_string() ? stated.get<std::string>().substr(0, 16) : "(none)",
                     "..., but its content has ", found.substr(0, 16), "..."));
  }
  if (!expected.empty() && (expected.size() < 8 || !absl::StartsWith(found, expected))) {
    return absl::DataLossError(absl::StrCat(path, " has the hash ", found, ", not ", expected,
                                            expected.size() < 8 ? " (give 8 digits or more)" : "",
                                            ": it is not the file that was frozen then"));
  }
  if (!WellFormed(frozen)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": parts of the frozen predictions are missing or of the wrong kind"));
  }
  return frozen;
}

json TableToJson(const observe::Table& table) {
  json columns = json::object();
  for (const std::string& name : table.names()) {
    json& list = columns[name] = json::array();
    const bool text = table.FindTexts(name) != nullptr;
    for (size_t row = 0; row < table.rows(); ++row) {
      if (text) {
        list.push_back(std::string(table.TextAt(row, name)));
      } else {
        list.push_back(fit::Number(table.NumberAt(row, name)));
      }
    }
  }
  return {{"columns", columns}};
}

absl::StatusOr<observe::Table> TableFromJson(const json& object) {
  observe::Table table;
  if (!object.is_object() || !object.contains("columns") || !object["columns"].is_object()) {
    return absl::InvalidArgumentError("the rows of the fit are not there");
  }
  for (const auto& [name, list] : object["columns"].items()) {
    if (!list.is_array()) return absl::InvalidArgumentError("a column is no list");
    std::vector<double> numbers;
    std::vector<std::string> texts;
    for (const json& cell : list) {
      if (cell.is_string()) {
        texts.push_back(cell.get<std::string>());
      } else {
        numbers.push_back(cell.is_number() ? cell.get<double>() : observe::kMissing);
      }
    }
    if (!texts.empty() && !numbers.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("column ", name, " mixes numbers and texts"));
    }
    QATLAS_RETURN_IF_ERROR(texts.empty() ? table.SetNumbers(name, std::move(numbers))
                                         : table.SetTexts(name, texts));
  }
  return table;
}

}  // namespace qatlas::plan
