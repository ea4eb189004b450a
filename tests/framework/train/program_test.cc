// The program as it is started: real plugins, real files, killed at any moment.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "framework/data/source.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/options.h"
#include "framework/train/safetensors.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"
#include "tests/paths.h"

namespace qatlas::train {
namespace {

namespace fs = std::filesystem;
using testing::Bytes;
using testing::ScratchFolder;

struct Ended {
  int exit_code = -1;  // -1: killed
  std::string output;
  std::string errors;
};

// Whether the child has ended; its status is left to waitpid.
bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// Runs the program to its end; with `ready` it gets `signal` as soon as that says so of what the
// program has written to its standard output.
Ended StartProgram(const ScratchFolder& folder, const std::vector<std::string>& arguments,
                   const std::function<bool(const std::string& output)>& ready = {},
                   int signal = SIGKILL) {
  const fs::path out = folder / "stdout", errors = folder / "stderr";
  fs::remove(out);  // `ready` must not see what an earlier program wrote
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (const auto& [file, number] : {std::pair{out, 1}, std::pair{errors, 2}}) {
      ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), number);
    }
    const std::string program = paths::Programs() + "/qatlas-train";
    const std::string plugins = paths::Plugins();
    std::vector<const char*> argv = {program.c_str(), "--plugin-path", plugins.c_str()};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    argv.push_back(nullptr);
    ::execv(program.c_str(), const_cast<char**>(argv.data()));
    ::_exit(127);
  }
  if (ready) {
    while (!HasEnded(pid) && !ready(Bytes(out))) ::usleep(200);
    ::kill(pid, signal);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  Ended ended;
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  ended.output = Bytes(out);
  ended.errors = Bytes(errors);
  return ended;
}

// Trains and sends the signal when the process has said so often that it saved a state (0: as soon
// as it has begun).
Ended KillAfterSaves(const ScratchFolder& folder, const fs::path& segment, size_t saves,
                     int signal) {
  return StartProgram(
      folder, {"run", segment},
      [saves](const std::string& output) {
        const std::vector<std::string> pieces = absl::StrSplit(output, "\"event\":\"checkpoint\"");
        return absl::StrContains(output, "\"event\":\"start\"") && pieces.size() > saves;
      },
      signal);
}

// A component with all of its options, as `qatlas` writes it into a segment.
recipe::ComponentUse Use(int kind, const std::string& name, const OptionTable& options) {
  plugin::Host host;
  host.libtorch = QATLAS_TORCH_VERSION;
  const auto catalog = plugin::Catalog::Scan({paths::Plugins()}, host);
  const plugin::ComponentDeclaration* declaration = catalog.FindDeclaration(kind, name);
  if (declaration == nullptr) return {name, options, 0};
  return {name, *plugin::CompleteOptions(*declaration, options, name), declaration->numerics};
}

recipe::ResolvedRule Rule(const std::string& sites, const std::string& quantizer,
                          const OptionTable& options) {
  return {sites, Use(QATLAS_KIND_QUANTIZER, quantizer, options)};
}

// 0.05M parameters on synthetic tokens, quantized by two plugins with trained state.
recipe::SegmentSpec Spec(const ScratchFolder& folder, int64_t steps) {
  data::SourceSpec source;
  source.kind = data::SourceKind::kSynthetic;
  source.synthetic.vocabulary = 64;
  source.synthetic.train_tokens = 40000;
  source.synthetic.validation_tokens = 3000;
  const auto prepared = data::Prepare(source, folder / "data");
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  recipe::SegmentSpec spec;
  recipe::Trajectory& t = spec.trajectory;
  t.model = Use(QATLAS_KIND_MODEL, "llama",
                {{{"layers", int64_t{2}},
                  {"width", int64_t{32}},
                  {"ffn", int64_t{64}},
                  {"heads", int64_t{2}},
                  {"vocabulary", int64_t{64}}}});
  t.rules = {Rule("*.*.weight", "int", {{{"group", int64_t{16}}}}),
             Rule("*.*.input", "lsq",
                  {{{"granularity", "tensor"}, {"calibration_tokens", int64_t{128}}}})};
  t.data = prepared->identity;
  t.sequence_length = 32;
  t.batch_sequences = t.micro_batch_sequences = 4;
  t.schedule = {{recipe::SchedulePiece::Shape::kLinear, 0, 10, .1, 1},
                {recipe::SchedulePiece::Shape::kCosine, 10, steps, 1, .1}};
  spec.evaluation.validation_sequences = 64;
  spec.end_step = steps;
  spec.id = "segment";
  spec.data_folder = prepared->folder;
  spec.checkpoint_every_seconds = 0;  // after every step
  return spec;
}

void WriteSpec(const fs::path& folder, const recipe::SegmentSpec& spec) {
  fs::create_directories(folder);
  std::ofstream(folder / "spec.json") << spec.ToJson().dump(1);
}

TEST(ProgramTest, KilledAtAnyMomentItEndsWithTheSameBytes) {
  ScratchFolder folder;
  const recipe::SegmentSpec spec = Spec(folder, 60);
  WriteSpec(folder / "whole", spec);
  const Ended whole = StartProgram(folder, {"run", folder / "whole"});
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  EXPECT_TRUE(absl::StrContains(whole.output, "\"event\":\"start\""));
  EXPECT_TRUE(absl::StrContains(whole.output, "\"event\":\"done\""));
  std::mt19937 random(11);
  WriteSpec(folder / "killed", spec);
  int kills = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    const Ended ended = KillAfterSaves(folder, folder / "killed", random() % 12,
                                       attempt % 3 == 2 ? SIGTERM : SIGKILL);
    if (ended.exit_code == 0) break;
    EXPECT_TRUE(ended.exit_code == -1 || ended.exit_code == 75) << ended.errors;
    ++kills;
  }
  EXPECT_GT(kills, 2);
  const Ended last = StartProgram(folder, {"run", folder / "killed"});
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  for (const char* file :
       {"result.json", "sites.json", "metrics.jsonl", "checkpoint.safetensors"}) {
    EXPECT_EQ(Bytes(folder / "whole" / file), Bytes(folder / "killed" / file)) << file;
  }
  EXPECT_FALSE(fs::exists(folder / "killed" / "resume.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "killed" / "resume.safetensors.tmp"));

  // The finished segment can be described and given away.
  const Ended described = StartProgram(folder, {"describe", folder / "whole/spec.json"});
  ASSERT_EQ(described.exit_code, 0) << described.errors;
  const auto json = nlohmann::json::parse(described.output);
  EXPECT_EQ(json["counts"], nlohmann::json::parse(Bytes(folder / "whole/result.json"))["counts"]);
  const Ended exported = StartProgram(folder, {"export", folder / "whole", folder / "out"});
  ASSERT_EQ(exported.exit_code, 0) << exported.errors;
  EXPECT_TRUE(fs::exists(folder / "out/quantized.safetensors"));
  const Ended bench =
      StartProgram(folder, {"bench-step", folder / "whole/spec.json", "--steps", "2"});
  ASSERT_EQ(bench.exit_code, 0) << bench.errors;
  EXPECT_GT(nlohmann::json::parse(bench.output)["tokens_per_second"].get<double>(), 0);
}

// One after the other, all losses of metrics.jsonl.
std::vector<double> Losses(const fs::path& file) {
  std::istringstream lines(Bytes(file));
  std::vector<double> losses;
  for (std::string line; std::getline(lines, line);) {
    losses.push_back(nlohmann::json::parse(line)["loss"]);
  }
  return losses;
}

TEST(ProgramTest, TrainsInBf16WithMasterWeightsInFp32) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = Spec(folder, 60);
  spec.trajectory.precision = "bf16";
  spec.trajectory.peak_learning_rate = 1e-2;
  spec.trajectory.libtorch = QATLAS_TORCH_VERSION;
  WriteSpec(folder / "whole", spec);
  const Ended whole = StartProgram(folder, {"run", folder / "whole"});
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  const std::vector<double> losses = Losses(folder / "whole/metrics.jsonl");
  ASSERT_EQ(losses.size(), 60u);
  EXPECT_NEAR(losses.front(), std::log(64.0), .1);
  EXPECT_LT(losses.back(), losses.front() - .2);
  // It does compute in BF16: the same in FP32 is near, and not equal.
  recipe::SegmentSpec wide = spec;
  wide.trajectory.precision = "fp32";
  WriteSpec(folder / "wide", wide);
  ASSERT_EQ(StartProgram(folder, {"run", folder / "wide"}).exit_code, 0);
  const std::vector<double> others = Losses(folder / "wide/metrics.jsonl");
  EXPECT_NE(losses, others);
  EXPECT_NEAR(losses.back(), others.back(), .1);
  auto file = *SafetensorsFile::Open(folder / "whole/checkpoint.safetensors");
  bool fine = false;  // some weight has digits that BF16 has not
  for (const std::string& name : file->Names()) {
    const at::Tensor tensor = *file->Read(name);
    if (!absl::StartsWith(name, "model.") && !absl::StartsWith(name, "adam.")) continue;
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << name;
    fine |= !at::equal(tensor, tensor.to(at::kBFloat16).to(at::kFloat));
  }
  EXPECT_TRUE(fine);

  // Killed on the way and asked to stop, it ends with the same bytes.
  WriteSpec(folder / "killed", spec);
  for (const int signal : {SIGKILL, SIGTERM, SIGKILL}) {
    const Ended ended = KillAfterSaves(folder, folder / "killed", 1, signal);
    EXPECT_EQ(ended.exit_code, signal == SIGTERM ? 75 : -1) << ended.errors;
  }
  const Ended last = StartProgram(folder, {"run", folder / "killed"});
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  for (const char* name :
       {"result.json", "sites.json", "metrics.jsonl", "checkpoint.safetensors"}) {
    EXPECT_EQ(Bytes(folder / "whole" / name), Bytes(folder / "killed" / name)) << name;
  }
}

TEST(ProgramTest, AnotherLibTorchIsRefused) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = Spec(folder, 4);
  spec.trajectory.libtorch = "2.99.0";
  WriteSpec(folder / "other", spec);
  const Ended other = StartProgram(folder, {"run", folder / "other"});
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_TRUE(absl::StrContains(other.errors, "planned for LibTorch 2.99.0, this worker has"))
      << other.errors;
}

// A trained model written as Hugging Face's Llama names its tensors.
void WriteAsHuggingFace(const fs::path& checkpoint, const fs::path& path, int64_t kv_rows) {
  auto file = *SafetensorsFile::Open(checkpoint);
  const auto read = [&](const std::string& name) { return file->Read("model." + name)->clone(); };
  std::vector<NamedTensor> tensors = {{"model.embed_tokens.weight", read("embedding.weight")},
                                      {"model.norm.weight", read("norm.weight")},
                                      {"lm_head.weight", read("head.weight")}};
  for (const std::string block : {"0", "1"}) {
    const std::string name = "model.layers." + block + ".";
    const at::Tensor qkv = read(block + ".qkv.weight"), fc1 = read(block + ".fc1.weight");
    const int64_t q_rows = qkv.size(0) - 2 * kv_rows, ffn = fc1.size(0) / 2;
    tensors.push_back({name + "self_attn.q_proj.weight", qkv.slice(0, 0, q_rows)});
    tensors.push_back({name + "self_attn.k_proj.weight", qkv.slice(0, q_rows, q_rows + kv_rows)});
    tensors.push_back({name + "self_attn.v_proj.weight", qkv.slice(0, q_rows + kv_rows)});
    tensors.push_back({name + "self_attn.o_proj.weight", read(block + ".o.weight")});
    tensors.push_back({name + "mlp.gate_proj.weight", fc1.slice(0, 0, ffn)});
    tensors.push_back({name + "mlp.up_proj.weight", fc1.slice(0, ffn)});
    tensors.push_back({name + "mlp.down_proj.weight", read(block + ".fc2.weight")});
    tensors.push_back({name + "input_layernorm.weight", read(block + ".attention_norm.weight")});
    tensors.push_back({name + "post_attention_layernorm.weight", read(block + ".ffn_norm.weight")});
  }
  ASSERT_TRUE(WriteSafetensors(path, tensors, {{"format", "pt"}}).ok());
}

TEST(ProgramTest, StartsFromACheckpointInHuggingFacesNames) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = Spec(folder, 20);
  spec.trajectory.rules.clear();
  WriteSpec(folder / "trained", spec);
  ASSERT_EQ(StartProgram(folder, {"run", folder / "trained"}).exit_code, 0);
  WriteAsHuggingFace(folder / "trained/checkpoint.safetensors", folder / "llama.safetensors", 32);
  spec.trajectory.start = "file:llama";
  spec.trajectory.schedule.clear();
  spec.end_step = 0;
  spec.start_is_foreign = true;
  spec.start_checkpoint = folder / "llama.safetensors";
  WriteSpec(folder / "foreign", spec);
  const Ended foreign = StartProgram(folder, {"run", folder / "foreign"});
  ASSERT_EQ(foreign.exit_code, 0) << foreign.errors;
  EXPECT_EQ(nlohmann::json::parse(Bytes(folder / "trained/result.json"))["validation"],
            nlohmann::json::parse(Bytes(folder / "foreign/result.json"))["validation"]);
  // A model of another shape says which tensor does not fit.
  spec.trajectory.model = Use(QATLAS_KIND_MODEL, "llama",
                              {{{"layers", int64_t{1}},
                                {"width", int64_t{32}},
                                {"ffn", int64_t{64}},
                                {"heads", int64_t{2}},
                                {"kv_heads", int64_t{1}},
                                {"vocabulary", int64_t{64}}}});
  WriteSpec(folder / "misfit", spec);
  const Ended misfit = StartProgram(folder, {"run", folder / "misfit"});
  EXPECT_EQ(misfit.exit_code, 3);
  EXPECT_TRUE(absl::StrContains(
      misfit.errors,
      "'model.layers.0.self_attn.k_proj.weight' has shape [32, 32], [16, 32] is needed"))
      << misfit.errors;
  EXPECT_TRUE(absl::StrContains(misfit.errors, "no place for 'model.layers.1.input_layernorm"))
      << misfit.errors;
}

TEST(ProgramTest, SaysItsVersionsInOneLine) {
  ScratchFolder folder;
  const Ended version = StartProgram(folder, {"--version"});
  EXPECT_EQ(version.exit_code, 0) << version.errors;
  EXPECT_EQ(version.output.rfind("qatlas-train ", 0), 0u) << version.output;
  EXPECT_TRUE(absl::StrContains(version.output, ", LibTorch " QATLAS_TORCH_VERSION "\n"));
  EXPECT_EQ(std::count(version.output.begin(), version.output.end(), '\n'), 1);
}

TEST(ProgramTest, AVocabularyTooSmallIsFoundBeforeCalibration) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = Spec(folder, 4);  // lsq calibrates
  spec.trajectory.model.options.values["vocabulary"] = int64_t{32};
  WriteSpec(folder / "small", spec);
  const Ended small = StartProgram(folder, {"run", folder / "small"});
  EXPECT_EQ(small.exit_code, 3);
  EXPECT_TRUE(
      absl::StrContains(small.errors, "the data has a vocabulary of 64, the model one of 32; give"))
      << small.errors;
}

TEST(ProgramTest, SaysWhatIsWrongAndEndsAccordingly) {
  ScratchFolder folder;
  EXPECT_EQ(StartProgram(folder, {"run", folder / "none"}).exit_code, 3);
  EXPECT_EQ(StartProgram(folder, {"fly"}).exit_code, 3);
  recipe::SegmentSpec spec = Spec(folder, 4);
  spec.trajectory.rules = {Rule("*.*.weight", "int", {{{"group", int64_t{24}}}})};
  WriteSpec(folder / "group", spec);
  const Ended group = StartProgram(folder, {"run", folder / "group"});
  EXPECT_EQ(group.exit_code, 3);
  EXPECT_TRUE(absl::StrContains(group.errors, "site 0.qkv.weight: quantizer 'int': group = 24"))
      << group.errors;
  EXPECT_EQ(nlohmann::json::parse(Bytes(folder / "group/failed.json"))["kind"], "user-error");
  EXPECT_EQ(StartProgram(folder, {"describe", folder / "group/spec.json"}).exit_code, 3);

  spec.trajectory.rules = {Rule("*", "unheard-of", {})};
  WriteSpec(folder / "unknown", spec);
  const Ended unknown = StartProgram(folder, {"run", folder / "unknown"});
  EXPECT_EQ(unknown.exit_code, 6);
  EXPECT_TRUE(absl::StrContains(unknown.errors, "unheard-of")) << unknown.errors;
  EXPECT_EQ(nlohmann::json::parse(Bytes(folder / "unknown/failed.json"))["kind"], "plugin");
  std::ofstream(folder / "unknown/specs.json") << nlohmann::json::array({spec.ToJson()});
  const Ended asked = StartProgram(folder, {"describe", folder / "unknown/specs.json"});
  EXPECT_EQ(asked.exit_code, 6);
  EXPECT_TRUE(absl::StrContains(asked.errors, "segment 0: ")) << asked.errors;

  spec.trajectory.rules = {Rule("*.*.weight", "int", {{{"bits", int64_t{4}}}})};
  spec.trajectory.rules[0].quantizer.options.values["bits"] = "four";
  WriteSpec(folder / "option", spec);
  EXPECT_EQ(StartProgram(folder, {"run", folder / "option"}).exit_code, 3);
  spec.trajectory.rules[0] = Rule("*.*.weight", "int", {{{"bits", int64_t{4}}}});
  spec.trajectory.rules[0].quantizer.numerics += 1;
  WriteSpec(folder / "numerics", spec);
  EXPECT_EQ(StartProgram(folder, {"run", folder / "numerics"}).exit_code, 6);

  spec.trajectory.rules.clear();
  spec.trajectory.peak_learning_rate = 1e30;
  spec.trajectory.schedule.clear();
  spec.trajectory.optimizer.clip = 0;
  WriteSpec(folder / "wild", spec);
  const Ended wild = StartProgram(folder, {"run", folder / "wild"});
  EXPECT_EQ(wild.exit_code, 4) << wild.errors;
  const auto failed = nlohmann::json::parse(Bytes(folder / "wild/failed.json"));
  EXPECT_EQ(failed["kind"], "nan");
  EXPECT_TRUE(absl::StrContains(wild.output, "\"event\":\"failed\""));

  spec.trajectory.device = "cuda";
  WriteSpec(folder / "cuda", spec);
  const Ended cuda = StartProgram(folder, {"run", folder / "cuda"});
  if (fs::exists("/dev/nvidiactl")) {
    // It trains there, and fails as it did on the CPU.
    EXPECT_EQ(cuda.exit_code, 4) << cuda.errors;
    EXPECT_EQ(nlohmann::json::parse(Bytes(folder / "cuda/failed.json"))["kind"], "nan");
  } else {
    EXPECT_EQ(cuda.exit_code, 3);
    EXPECT_TRUE(absl::StrContains(cuda.errors, "device 'cuda'")) << cuda.errors;
  }

  spec.trajectory.device = "cpu";
  spec.trajectory.data = "other";
  WriteSpec(folder / "data", spec);
  EXPECT_TRUE(absl::StrContains(StartProgram(folder, {"run", folder / "data"}).errors,
                                "describes the data"));
  // A folder that cannot be written to: a full disk looks the same.
  spec = Spec(folder, 4);
  WriteSpec(folder / "blocked", spec);
  fs::create_directory(folder / "blocked/checkpoint.safetensors.tmp");
  EXPECT_EQ(StartProgram(folder, {"run", folder / "blocked"}).exit_code, 5);
}

}  // namespace
}  // namespace qatlas::train
