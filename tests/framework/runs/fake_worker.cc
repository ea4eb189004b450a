// A worker whose "training" is a chain of hashes: the state after a step is the hash of the state
// before it and of everything that decides the step. So the end state tells whether all steps were
// taken once, in order, from the right start, however often the worker was killed.
//
// Environment: FAKE_LOG, a file that gets one line at each start and end; FAKE_SCRIPT, a JSON array
// of
// {"when": {key: value, ...}, "do": action, "at": step, "once": file} (the first that fits counts;
// keys: seed, end_step, quantized, evaluate); FAKE_STEP_MS; FAKE_MEMORY and FAKE_CHECKPOINT, bytes
// to claim.
#include <fcntl.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "framework/recipe/segment.h"
#include "framework/train/serve.h"
#include "nlohmann/json.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using qatlas::recipe::SegmentSpec;

volatile sig_atomic_t stop = 0;

std::string Hash(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  char hex[33];
  for (int i = 0; i < 16; ++i) std::snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return hex;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".tmp";
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
  }
  fs::rename(temporary, path);
}

// A checkpoint as a safetensors file without tensors, and back.
void WriteCheckpoint(const fs::path& path, int64_t step, const std::string& state) {
  const std::string header =
      json{{"__metadata__", {{"step", std::to_string(step)}, {"state", state}}}}.dump();
  const uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof(length));
  WriteFile(path, text + header);
}
json ReadCheckpoint(const fs::path& path) {
  return json::parse(ReadFile(path).substr(8)).at("__metadata__");
}

long Environment(const char* name, long fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::atol(text);
}

void Log(const std::string& line) {
  const char* path = std::getenv("FAKE_LOG");
  if (path == nullptr) return;
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  const std::string text = line + "\n";
  if (write(fd, text.data(), text.size()) < 0) std::abort();
  close(fd);
}

json Counts(const SegmentSpec& spec) {
  const int64_t width = std::get<int64_t>(spec.trajectory.model.options.values.at("width"));
  return {{"block_linears", 12 * width * width},
          {"total", 12 * width * width + 100},
          {"flops_per_token", 72.0 * width * width}};
}

json Refused(size_t segment, const json& rule, const std::string& site, const std::string& what) {
  return {{"segment", segment}, {"rule", rule}, {"site", site}, {"what", what}};
}

// W4 has a group of its own.
json Groups(const SegmentSpec& spec) {
  json groups = {"model"};
  for (const auto& rule : spec.trajectory.rules) {
    const auto& values = rule.quantizer.options.values;
    const auto bits = values.find("bits");
    if (bits != values.end() && std::get<int64_t>(bits->second) == 4) groups.push_back("clip");
  }
  return groups;
}

int Describe(const std::string& path) {
  json answers = json::array(), problems = json::array();
  for (const json& element : json::parse(ReadFile(path))) {
    const SegmentSpec spec = SegmentSpec::FromJson(element).value();
    if (spec.start_is_foreign && ReadFile(spec.start_checkpoint).empty()) {
      problems.push_back(
          Refused(answers.size(), json(), "", spec.start_checkpoint + " is no safetensors file"));
    }
    for (const auto& rule : spec.trajectory.rules) {
      if (rule.quantizer.component == "refused") {
        for (const char* site : {"0.fc1.weight", "0.fc1.input", "1.fc1.weight"}) {
          problems.push_back(Refused(answers.size(), 0, site, "group 5 does not divide 8"));
        }
      }
      if (rule.quantizer.component == "missing") {
        std::fprintf(stderr, "qatlas-train: there is no quantizer 'missing'\n");
        return 6;
      }
    }
    json sites = json::array();
    json nominal_bits, nominal_group;
    if (!spec.trajectory.rules.empty()) {
      // "outside" names its options otherwise: levels and run.
      const auto& values = spec.trajectory.rules[0].quantizer.options.values;
      const bool outside = values.count("levels") != 0;
      nominal_bits = outside ? std::log2(std::get<int64_t>(values.at("levels")))
                             : std::get<int64_t>(values.at("bits"));
      nominal_group = outside ? std::get<int64_t>(values.at("run")) : 0;
    }
    for (const char* operand : {"weight", "input"}) {
      sites.push_back({{"role", "fc1"},
                       {"nominal_bits", nominal_bits},
                       {"nominal_group", nominal_group},
                       {"site", std::string("0.fc1.") + operand},
                       {"operand", operand},
                       {"in_features", Environment("FAKE_FEATURES", 8)},
                       {"out_features", Environment("FAKE_OUTPUTS", 16)},
                       {"quantizer", spec.trajectory.rules.empty() ? json() : json("int")}});
    }
    answers.push_back({{"counts", Counts(spec)},
                       {"flops_per_token", Counts(spec)["flops_per_token"]},
                       {"sites", sites},
                       {"groups", Groups(spec)},
                       {"memory_bytes", Environment("FAKE_MEMORY", 1 << 20)},
                       {"checkpoint_bytes", Environment("FAKE_CHECKPOINT", 1 << 10)}});
  }
  Log("describe " + std::to_string(answers.size()));
  if (!problems.empty()) {
    std::printf("%s\n", json{{"problems", problems}}.dump().c_str());
    return 3;
  }
  std::printf("%s\n", answers.dump().c_str());
  return 0;
}

// The scripted action for the segment, if any.
json Scripted(const SegmentSpec& spec) {
  const char* text = std::getenv("FAKE_SCRIPT");
  if (text == nullptr) return nullptr;
  const json facts = {{"seed", spec.trajectory.seed},
                      {"end_step", spec.end_step},
                      {"quantized", !spec.trajectory.rules.empty()},
                      {"evaluate", spec.evaluate}};
  for (const json& rule : json::parse(text)) {
    bool fits = true;
    for (const auto& [key, value] : rule["when"].items()) fits = fits && facts[key] == value;
    if (!fits) continue;
    if (rule.contains("once")) {
      const std::string marker = rule["once"];
      // Only the first worker that comes by.
      const int fd = open(marker.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0666);
      if (fd < 0) continue;
      close(fd);
    }
    return rule;
  }
  return nullptr;
}

int Fail(const fs::path& folder, const char* kind, int64_t step, int code) {
  WriteFile(folder / "failed.json",
            json{{"kind", kind}, {"message", "as scripted"}, {"step", step}}.dump());
  return code;
}

std::string Step(const SegmentSpec& spec, const std::string& state, int64_t step) {
  std::ostringstream text;
  text << state << '|' << step << '|' << spec.trajectory.seed << '|'
       << qatlas::recipe::ScheduleAt(spec.trajectory.schedule, step);
  for (const auto& rule : spec.trajectory.rules) {
    text << '|' << rule.sites << CanonicalText(rule.quantizer.options);
  }
  return Hash(text.str());
}

int Run(const fs::path& folder) {
  const SegmentSpec spec =
      SegmentSpec::FromJson(json::parse(ReadFile(folder / "spec.json"))).value();
  Log("start " + spec.id + " " + std::to_string(getpid()));
  const json script = Scripted(spec);
  const std::string action = script.is_null() ? "" : script["do"].get<std::string>();
  const int64_t at = script.is_null() ? -1 : script.value("at", spec.begin_step);
  if (!fs::exists(fs::path(spec.data_folder) / "info.json")) return Fail(folder, "io", -1, 5);

  int64_t step = spec.begin_step;
  std::string state;
  const fs::path resume = folder / "resume.safetensors";
  if (fs::exists(resume)) {
    const json saved = json::parse(ReadFile(resume));
    step = saved["step"];
    state = saved["state"];
  } else if (!spec.start_checkpoint.empty()) {
    if (spec.start_is_foreign) {
      state = Hash(ReadFile(spec.start_checkpoint));
    } else {
      const json start = ReadCheckpoint(spec.start_checkpoint);
      if (start["step"] != std::to_string(spec.begin_step))
        return Fail(folder, "user-error", step, 3);
      state = start["state"];
    }
  } else {
    state = Hash("initial " + std::to_string(spec.trajectory.seed));
  }
  auto save = [&] { WriteFile(resume, json{{"step", step}, {"state", state}}.dump()); };
  const auto pause = std::chrono::milliseconds(Environment("FAKE_STEP_MS", 0));
  while (true) {
    if (step >= at && !action.empty()) {
      if (action == "nan") return Fail(folder, "nan", step, 4);
      if (action == "out-of-memory") return Fail(folder, "out-of-memory", step, 4);
      if (action == "kill") kill(getpid(), SIGKILL);
      // The program that forks workers; the kernel then sends SIGTERM to this one.
      if (action == "kill-host" && stop == 0) {
        kill(getppid(), SIGKILL);
        while (stop == 0) usleep(1000);
      }
      if (action == "crash") std::abort();
      if (action == "exit") return script["code"];
      // Where failed.json cannot be written, its words are on the pipe alone.
      if (action == "say") {
        const json words = {
            {"event", "failed"}, {"step", step}, {"kind", "io"}, {"message", "No space left"}};
        std::printf("%s\n", words.dump().c_str());
        std::fflush(stdout);
        return 5;
      }
      if (action == "lie") return 0;
      if (action == "hang") {
        signal(SIGTERM, SIG_IGN);
        Log("hang " + spec.id + " " + std::to_string(getpid()));
        while (true) pause.count() == 0 ? (void)usleep(10000) : std::this_thread::sleep_for(pause);
      }
    }
    if (stop != 0) {
      save();
      Log("stop " + spec.id + " " + std::to_string(step));
      return 75;
    }
    if (step == spec.end_step) break;
    state = Step(spec, state, step);
    ++step;
    if (step % 3 == 0) save();
    std::printf("%s\n", json{{"event", "progress"},
                             {"step", step},
                             {"end_step", spec.end_step},
                             {"tokens", step},
                             {"loss", 1.5},
                             {"tokens_per_second", 1000.0},
                             {"seconds_left", 0.0}}
                            .dump()
                            .c_str());
    std::fflush(stdout);
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
  }
  WriteCheckpoint(folder / "checkpoint.safetensors", step, state);
  json result = {{"id", spec.id},  {"end_step", spec.end_step}, {"train_loss_smoothed", 2.0},
                 {"state", state}, {"validation", nullptr},     {"counts", Counts(spec)}};
  if (spec.evaluate) {
    // Losses of four sequences: hard ones are hard for every run, the gap differs a little.
    const double gap = spec.trajectory.rules.empty() ? 0 : .25;
    std::vector<double> losses = {2 + gap, 3 + gap, 4 + 2 * gap, 5 + 2 * gap};
    double mean = 0;
    for (double loss : losses) mean += loss / 4;
    // Quantized, it trained one step less.
    result["train_losses"] = spec.trajectory.rules.empty() ? json{9.0, 2.0, 3.0} : json{2.5, 3.75};
    result["validation"] = {{"sequences", 4}, {"loss", mean}, {"se", .5}, {"per_sequence", losses}};
    const json site = {{"site", "0.fc1.weight"},
                       {"block", 0},
                       {"role", "fc1"},
                       {"operand", "weight"},
                       {"kurtosis", std::stoul(state.substr(0, 8), nullptr, 16)}};
    WriteFile(folder / "sites.json", json::array({site}).dump());
    if (spec.evaluation.site_statistics_every > 0) {
      const json record = {{"step", spec.begin_step}, {"sites", json::array({site})}};
      WriteFile(folder / "sites.jsonl", record.dump() + "\n");
    }
  }
  WriteFile(folder / "machine.json", json{{"tokens_per_second", 1000.0}, {"pid", getpid()}}.dump());
  std::fprintf(stderr, "worker %d done\n", getpid());
  WriteFile(folder / "result.json", result.dump());
  Log("end " + spec.id);
  return 0;
}

}  // namespace

int Train(const std::string& folder) {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = 1; };
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Run(folder);
}

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "serve" && argc == 4) {
    Log("serve " + std::to_string(getpid()));
    return qatlas::train::Serve(std::atoi(argv[3]), Train);
  }
  if (argc != 3) return 2;
  return verb == "describe" ? Describe(argv[2]) : Train(argv[2]);
}
