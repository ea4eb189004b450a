#include "qatlas/conformance/suite.h"

#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <memory>
#include <regex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "qatlas/component.h"
#include "qatlas/conformance/create.h"
#include "qatlas/conformance/isolate.h"
#include "qatlas/law.h"
#include "qatlas/scheme.h"

namespace qatlas::conformance {
namespace {

constexpr double kListSeconds = 60;

std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

nlohmann::ordered_json FindingJson(const Finding& finding) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& figure : finding.figures) {
    figures.push_back({{"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}});
  }
  return {{"outcome", OutcomeName(finding.outcome)},
          {"message", finding.message},
          {"input", finding.input},
          {"failures", finding.failures},
          {"figures", figures}};
}

// Throws what nlohmann throws where the JSON is not one of ours.
Finding FindingFromJson(const nlohmann::json& json) {
  Finding finding;
  const std::string outcome = json.at("outcome");
  bool known = false;
  for (Outcome each : {Outcome::kPassed, Outcome::kWarning, Outcome::kFailed, Outcome::kSkipped,
                       Outcome::kCrashed}) {
    if (outcome != OutcomeName(each)) continue;
    finding.outcome = each;
    known = true;
  }
  if (!known) throw std::invalid_argument("unknown outcome '" + outcome + "'");
  finding.message = json.at("message");
  finding.input = json.at("input");
  finding.failures = json.at("failures");
  for (const auto& figure : json.at("figures")) {
    const auto& value = figure.at("value");  // JSON has no NaN: null
    finding.figures.push_back({figure.at("name"),
                               value.is_null() ? std::nan("") : value.get<double>(),
                               figure.at("unit")});
  }
  return finding;
}

// The component of a case; null for a library's own.
absl::StatusOr<const qatlas_component*> Component(const Case& one, const Host& host) {
  if (one.kind == 0) return nullptr;
  QATLAS_ASSIGN_OR_RETURN(const qatlas_descriptor* plugin, OpenLibrary(one.library, host.libtorch));
  for (uint64_t i = 0; i < plugin->component_count; ++i) {
    const qatlas_component& component = plugin->components[i];
    if (component.kind == one.kind && component.name != nullptr &&
        component.name == one.component) {
      return &component;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("the library offers no ", KindName(one.kind), " '", one.component, "'"));
}

absl::Status Mismatch(const char* what, const char* plugin, const std::string& host) {
  const std::string theirs = plugin == nullptr ? "(null)" : plugin;
  if (theirs == host) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the library is built for ", what, " ", theirs,
                                                    ", this program has ", host,
                                                    "; rebuild the plugin"));
}

// The line in which a dying process says why: of a sanitizer, or of QATLAS_CHECK; else "".
std::string LastWords(const std::string& output) {
  for (const char* mark : {"SUMMARY: ", "runtime error: ", ": bug: "}) {
    const size_t at = output.rfind(mark);
    if (at == std::string::npos) continue;
    const size_t before = output.rfind('\n', at);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    return output.substr(begin, output.find('\n', at) - begin);
  }
  return "";
}

}  // namespace

Kind PlainKind(int kind) {
  if (kind == QATLAS_KIND_LAW) return {LawChecks(), TryFactory<LawForm>};
  if (kind == QATLAS_KIND_SCHEME) return {SchemeChecks(), TryFactory<Scheme>};
  return {};
}

std::string Case::Id() const {
  const std::string name = kind == 0 ? std::filesystem::path(library).stem().string() : component;
  return absl::StrCat(KindName(kind), "/", name, "/", check.name);
}

absl::StatusOr<const qatlas_descriptor*> OpenLibrary(const std::string& path,
                                                     const std::string& libtorch) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return absl::FailedPreconditionError(dlerror());
  auto entry = reinterpret_cast<qatlas_entry_point>(dlsym(library, QATLAS_ENTRY_POINT));
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        "it exports no function " QATLAS_ENTRY_POINT
        "; QATLAS_PLUGIN() in one source file defines the function");
  }
  const qatlas_descriptor* plugin = nullptr;
  try {
    plugin = entry();
  } catch (...) {
    return absl::FailedPreconditionError(QATLAS_ENTRY_POINT "() threw");
  }
  if (plugin == nullptr) return absl::FailedPreconditionError(QATLAS_ENTRY_POINT "() gave nothing");
  // These three stand at the same place in every version of the descriptor.
  if (plugin->magic != QATLAS_MAGIC) {
    return absl::FailedPreconditionError(absl::StrCat("its descriptor begins with 0x",
                                                      absl::Hex(plugin->magic), ", not with 0x",
                                                      absl::Hex(QATLAS_MAGIC)));
  }
  QATLAS_RETURN_IF_ERROR(
      Mismatch("SDK ABI", absl::StrCat(plugin->sdk_abi).c_str(), absl::StrCat(QATLAS_SDK_ABI)));
  if (plugin->size != sizeof(qatlas_descriptor)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "its descriptor has ", plugin->size, " bytes, this program's ", sizeof(qatlas_descriptor)));
  }
  QATLAS_RETURN_IF_ERROR(Mismatch("C++ library ABI", plugin->cxx_abi, QATLAS_CXX_ABI));
  QATLAS_RETURN_IF_ERROR(Mismatch("Abseil", plugin->abseil, QATLAS_ABSEIL));
  if (plugin->libtorch != nullptr && *plugin->libtorch != '\0') {
    QATLAS_RETURN_IF_ERROR(
        Mismatch("LibTorch", plugin->libtorch, libtorch.empty() ? "none" : libtorch));
  }
  if (plugin->component_count > 0 && plugin->components == nullptr) {
    return absl::FailedPreconditionError("its components are missing");
  }
  return plugin;
}

std::vector<Case> ListCases(const std::string& library, const Host& host) {
  std::vector<Case> cases;
  for (const Check& check : LibraryChecks()) cases.push_back({library, 0, "", check});
  const Isolated asked = Isolate(
      [&](const State&) {
        nlohmann::ordered_json offered = nlohmann::ordered_json::array();
        if (auto plugin = OpenLibrary(library, host.libtorch); plugin.ok()) {
          for (uint64_t i = 0; i < (*plugin)->component_count; ++i) {
            const qatlas_component& component = (*plugin)->components[i];
            if (component.name == nullptr) continue;
            offered.push_back({{"kind", component.kind}, {"name", component.name}});
          }
        }
        return Dump(offered);
      },
      kListSeconds);
  const auto offered = nlohmann::json::parse(asked.answer, nullptr, /*allow_exceptions=*/false);
  if (!offered.is_array()) return cases;
  for (const auto& component : offered) {
    const int kind = component.at("kind");
    const std::string name = component.at("name");
    for (const Check& check : ComponentChecks()) cases.push_back({library, kind, name, check});
    for (const Check& check : host.kind(kind).checks) {
      cases.push_back({library, kind, name, check});
    }
  }
  return cases;
}

absl::Status Select(const std::string& include, std::vector<Case>* cases) {
  if (include.empty()) return absl::OkStatus();
  try {
    const std::regex pattern(include);
    std::erase_if(*cases, [&](const Case& one) { return !std::regex_search(one.Id(), pattern); });
    return absl::OkStatus();
  } catch (const std::regex_error& e) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", include, "' is no regular expression: ", e.what()));
  }
}

Finding RunHere(const Check& check, const Subject& subject, uint64_t seed,
                const std::function<void(const std::string&)>& trying) {
  Probe probe(seed, trying);
  try {
    check.run(subject, probe);
  } catch (const std::exception& e) {
    probe.Fail(absl::StrCat("it threw: ", e.what()));
  } catch (...) {
    probe.Fail("it threw something that is no exception");
  }
  return probe.finding();
}

Report Announce(const Case& one) {
  Report report;
  report.id = one.Id();
  report.library = one.library;
  report.prose = one.check.prose;
  return report;
}

Report RunCase(const Case& one, const Host& host, const RunSettings& settings) {
  const double limit = settings.seconds > 0 ? settings.seconds : one.check.seconds;
  const Isolated run = Isolate(
      [&](const State& state) {
        auto component = Component(one, host);
        Finding finding;
        if (component.ok()) {
          const Subject subject = {*component, one.library, host.libtorch, host.kind(one.kind).make,
                                   host.quantizers};
          finding = RunHere(one.check, subject, settings.seed, state);
        } else {
          finding.outcome = Outcome::kFailed;
          finding.failures = 1;
          finding.message = std::string(component.status().message());
        }
        return Dump(FindingJson(finding));
      },
      limit);
  Report report = {one.Id(),   one.library, one.check.prose, {},
                   run.output, run.seconds, settings.seed};
  if (run.end == Isolated::End::kAnswered) {
    report.finding = FindingFromJson(nlohmann::json::parse(run.answer));
  } else {
    report.finding.outcome = Outcome::kCrashed;
    report.finding.failures = 1;
    report.finding.message = run.Reason(limit);
    if (const std::string words = LastWords(run.output); !words.empty()) {
      absl::StrAppend(&report.finding.message, ": ", words);
    }
    report.finding.input = run.trying;
  }
  return report;
}

std::string ToJson(const Report& report) {
  nlohmann::ordered_json json = {
      {"id", report.id}, {"library", report.library}, {"prose", report.prose}};
  json.update(FindingJson(report.finding));
  json["output"] = report.output;
  json["seconds"] = report.seconds;
  json["seed"] = report.seed;
  return Dump(json);
}

absl::StatusOr<Report> ReportFromJson(const std::string& line) {
  try {
    const nlohmann::json json = nlohmann::json::parse(line);
    return Report{json.at("id"),     json.at("library"), json.at("prose"), FindingFromJson(json),
                  json.at("output"), json.at("seconds"), json.at("seed")};
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("no report of a check: ", e.what()));
  }
}

}  // namespace qatlas::conformance
