#include "framework/runs/describe.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <optional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "framework/plugin/search_path.h"
#include "framework/runs/files.h"
#include "framework/runs/process.h"
#include "framework/runs/records.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace fs = std::filesystem;
namespace {

// Name, size and time of every plugin that the worker might take, so that a rebuilt one is asked
// again.
absl::StatusOr<std::string> Plugins(const recipe::SegmentSpec& spec, const std::string& worker) {
  std::error_code error;
  const fs::path program = fs::canonical(worker, error);
  QATLAS_ASSIGN_OR_RETURN(
      const std::vector<std::string> folders,
      plugin::SearchPath(spec.plugin_path, std::getenv("QATLAS_PLUGIN_PATH"), program.string()));
  std::string text;
  for (const std::string& folder : folders) {
    std::vector<std::string> files;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const fs::path& path = it->path();
      if (path.extension() != ".so" && path.extension() != ".toml") continue;
      std::error_code one;
      const auto size = fs::file_size(path, one);
      const auto time = fs::last_write_time(path, one);
      if (!one)
        files.push_back(
            absl::StrCat(path.string(), " ", size, " ", time.time_since_epoch().count(), "\n"));
    }
    std::sort(files.begin(), files.end());
    absl::StrAppend(&text, absl::StrJoin(files, ""));
  }
  return text;
}

// All of a spec that can decide a size, and which worker with which plugins said so.
std::string Key(const recipe::SegmentSpec& spec, const std::string& worker,
                const std::string& plugins) {
  nlohmann::json trajectory = spec.trajectory.ToJson();
  for (const char* key : {"data", "schedule", "peak_learning_rate", "seed", "start", "start_step",
                          "allow_epochs", "carry_optimizer", "libtorch"}) {
    trajectory.erase(key);
  }
  // By its content: what was found good is not read again.
  if (spec.start_is_foreign) trajectory["start"] = spec.trajectory.start;
  std::string times;
  // Of an install the first is a launcher, and the worker lies in libexec.
  for (const fs::path& program :
       {fs::path(worker), fs::path(worker).parent_path().parent_path() / "libexec/qatlas-train"}) {
    std::error_code error;
    const auto time = fs::last_write_time(program, error);
    if (!error) absl::StrAppend(&times, "\n", time.time_since_epoch().count());
  }
  return ShortHash(absl::StrCat(trajectory.dump(), times, "\n", plugins));
}

absl::StatusOr<Description> Parse(const nlohmann::json& json) {
  auto number = [](const nlohmann::json& object, const char* key, double* value) {
    if (!object.is_object() || !object.contains(key) || !object[key].is_number()) return false;
    *value = object[key].get<double>();
    return true;
  };
  Description description;
  double linears = 0, total = 0, memory = 0, checkpoint = 0;
  const nlohmann::json counts = json.is_object() ? json.value("counts", nlohmann::json()) : json;
  if (!number(counts, "block_linears", &linears) ||
      !number(json, "flops_per_token", &description.flops_per_token) ||
      !number(json, "memory_bytes", &memory) || !number(json, "checkpoint_bytes", &checkpoint)) {
    return absl::InternalError(
        "the worker's description lacks counts.block_linears, flops_per_token, memory_bytes or "
        "checkpoint_bytes; it is of another version than this program");
  }
  if (!number(counts, "total", &total)) {
    for (const char* key : {"block_linears", "embedding", "head", "other"}) {
      double part = 0;
      if (number(counts, key, &part)) total += part;
    }
  }
  description.block_linears = static_cast<int64_t>(linears);
  description.total = static_cast<int64_t>(total);
  description.memory_bytes = static_cast<int64_t>(memory);
  description.checkpoint_bytes = static_cast<int64_t>(checkpoint);
  description.sites = json.value("sites", nlohmann::json::array());
  for (const nlohmann::json& group : json.value("groups", nlohmann::json::array())) {
    if (group.is_string()) description.groups.push_back(group);
  }
  return description;
}

// One answer a spec. The specs reach the worker through memory, so that nothing is written.
// What the worker answers where it refuses specs (framework/train/describe.h).
std::vector<Refusal> RefusalsFrom(const std::string& text) {
  std::vector<Refusal> refusals;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("problems") || !json["problems"].is_array()) return {};
  for (const nlohmann::json& problem : json["problems"]) {
    const double segment = NumberAt(problem, "segment");
    const double rule = NumberAt(problem, "rule");
    if (!(segment >= 0)) return {};
    refusals.push_back({static_cast<size_t>(segment), rule >= 0 ? static_cast<int>(rule) : -1,
                        TextAt(problem, "site"), TextAt(problem, "what")});
  }
  return refusals;
}

absl::StatusOr<nlohmann::json> Ask(const std::string& worker, const nlohmann::json& specs,
                                   std::vector<Refusal>* refusals) {
  const int fd = memfd_create("specs.json", MFD_CLOEXEC);
  if (fd < 0) return FileError("hold the specs for", worker, errno);
  const std::string text = specs.dump();
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    if (count < 0) {
      const int error = errno;
      close(fd);
      return FileError("hold the specs for", worker, error);
    }
    done += count;
  }
  absl::StatusOr<Finished> finished =
      RunToEnd({worker, "describe", absl::StrCat("/proc/self/fd/", fd)}, {fd});
  close(fd);
  if (!finished.ok()) return finished.status();
  // The worker puts its name before each line; to the reader it is one program.
  std::string errors =
      absl::StrReplaceAll(absl::StrCat("\n", finished->errors), {{"\nqatlas-train: ", "\n"}});
  errors = std::string(absl::StripAsciiWhitespace(errors));
  if (finished->exit_code == 3) {
    *refusals = RefusalsFrom(finished->output);
    return absl::InvalidArgumentError(errors.empty() ? "the worker refuses the recipe" : errors);
  }
  if (finished->exit_code == 6) {
    return absl::FailedPreconditionError(errors.empty() ? "a plugin cannot be used" : errors);
  }
  if (finished->exit_code != 0) {
    return absl::InternalError(absl::StrCat(worker, " describe ended with ",
                                            finished->exit_code >= 0
                                                ? absl::StrCat("exit code ", finished->exit_code)
                                                : absl::StrCat("signal ", finished->signal),
                                            errors.empty() ? "" : ": ", errors));
  }
  nlohmann::json answer =
      nlohmann::json::parse(finished->output, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_array() || answer.size() != specs.size()) {
    return absl::InternalError(
        absl::StrCat(worker, " describe did not answer with one object a segment"));
  }
  return answer;
}

}  // namespace

absl::StatusOr<std::string> FindWorker(const std::string& given) {
  std::vector<std::string> tried;
  auto usable = [&](const std::string& path, const std::string& why) {
    if (access(path.c_str(), X_OK) == 0) return true;
    tried.push_back(absl::StrCat(path, " (", why, ")"));
    return false;
  };
  if (!given.empty()) {
    if (usable(given, "as given")) return given;
  } else if (const char* named = std::getenv("QATLAS_TRAIN"); named != nullptr && *named != '\0') {
    if (usable(named, "QATLAS_TRAIN")) return std::string(named);
  } else {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    const std::string beside = (self.parent_path() / "qatlas-train").string();
    if (usable(beside, "beside this program")) return beside;
  }
  return absl::NotFoundError(
      absl::StrCat("the worker qatlas-train cannot be run: ", absl::StrJoin(tried, ", "),
                   "; install the package qatlas-training, build it with "
                   "-DQATLAS_TRAINING=ON, or name it in QATLAS_TRAIN"));
}

absl::StatusOr<std::vector<Description>> Describe(const std::vector<recipe::SegmentSpec>& specs,
                                                  const Store& store,
                                                  const DescribeOptions& options,
                                                  std::vector<Refusal>* refusals) {
  std::vector<Description> descriptions(specs.size());
  if (specs.empty()) return descriptions;
  QATLAS_ASSIGN_OR_RETURN(const std::string worker, FindWorker(options.worker));
  std::map<std::string, std::optional<Description>> known;
  std::vector<std::string> keys, asked;
  std::vector<size_t> asked_of;  // index of the spec that stands for it
  nlohmann::json questions = nlohmann::json::array();
  std::map<std::vector<std::string>, std::string> plugins;  // by the spec's folders
  for (size_t i = 0; i < specs.size(); ++i) {
    const recipe::SegmentSpec& spec = specs[i];
    auto found = plugins.find(spec.plugin_path);
    if (found == plugins.end()) {
      QATLAS_ASSIGN_OR_RETURN(std::string text, Plugins(spec, worker));
      found = plugins.emplace(spec.plugin_path, std::move(text)).first;
    }
    keys.push_back(Key(spec, worker, found->second));
    const std::string& key = keys.back();
    if (known.count(key) != 0) continue;
    known[key] = std::nullopt;
    const fs::path path = store.DescribeFolder() / absl::StrCat(key, ".json");
    std::error_code error;
    if (fs::exists(path, error)) {
      absl::StatusOr<nlohmann::json> json = ReadJson(path);
      if (json.ok()) {
        absl::StatusOr<Description> cached = Parse(*json);
        if (cached.ok()) known[key] = *std::move(cached);
      }
    }
    if (!known[key].has_value()) {
      asked.push_back(key);
      asked_of.push_back(i);
      questions.push_back(spec.ToJson());
    }
  }
  if (!asked.empty()) {
    std::vector<Refusal> refused;
    const absl::StatusOr<nlohmann::json> answers = Ask(worker, questions, &refused);
    if (!answers.ok()) {
      for (Refusal& refusal : refused) {
        if (refusal.spec >= asked_of.size()) continue;
        refusal.spec = asked_of[refusal.spec];
        if (refusals != nullptr) refusals->push_back(std::move(refusal));
      }
      return answers.status();
    }
    for (size_t i = 0; i < asked.size(); ++i) {
      QATLAS_ASSIGN_OR_RETURN(known[asked[i]], Parse((*answers)[i]));
      if (options.keep) {
        QATLAS_RETURN_IF_ERROR(MakeFolders(store.DescribeFolder()));
        QATLAS_RETURN_IF_ERROR(
            WriteJson(store.DescribeFolder() / absl::StrCat(asked[i], ".json"), (*answers)[i]));
      }
    }
  }
  for (size_t i = 0; i < specs.size(); ++i) descriptions[i] = *known[keys[i]];
  return descriptions;
}

}  // namespace qatlas::runs
