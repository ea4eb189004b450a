#include "tests/framework/train/tiny.h"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "framework/train/attach.h"
#include "tests/framework/train/tiny_components.h"

namespace qatlas::train::testing {
namespace fs = std::filesystem;
namespace {

int64_t IntOr(const recipe::ComponentUse& use, const char* name, int64_t fallback) {
  auto it = use.options.values.find(name);
  return it == use.options.values.end() ? fallback : std::get<int64_t>(it->second);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelBuilder>> TinyComponents::MakeModel(
    const recipe::ComponentUse& use) {
  return std::make_unique<TinyBuilder>(IntOr(use, "width", 8), IntOr(use, "blocks", 2));
}

absl::StatusOr<QuantizerComponent> TinyComponents::MakeQuantizer(const recipe::ComponentUse& use) {
  QuantizerComponent result;
  result.abilities = {"weight", "input"};
  const int64_t bits = IntOr(use, "bits", 4);
  if (use.component == "absmax") {
    result.quantizer = std::make_shared<AbsMaxQuantizer>(bits);
  } else if (use.component == "lossy") {
    result.quantizer = std::make_shared<LossyQuantizer>(bits);
  } else if (use.component == "watched") {
    result.quantizer = std::make_shared<WatchedQuantizer>(bits);
  } else if (use.component == "step") {
    result.quantizer = std::make_shared<StepQuantizer>(0, 0);
  } else if (use.component == "noisy") {
    result.quantizer = std::make_shared<StepQuantizer>(.05, 0);
  } else if (use.component == "poison") {
    result.quantizer = std::make_shared<StepQuantizer>(0, std::numeric_limits<double>::infinity());
  } else if (use.component == "picky") {
    result.quantizer = std::make_shared<PickyQuantizer>(bits);
  } else if (use.component == "adapter") {
    result.quantizer = std::make_shared<AdapterQuantizer>();
    result.abilities = {"weight", "linear", kFreesWeight};
  } else {
    return absl::NotFoundError(absl::StrCat("no quantizer '", use.component, "'"));
  }
  return result;
}

recipe::ResolvedRule Rule(const std::string& sites, const std::string& quantizer, int64_t bits) {
  recipe::ResolvedRule rule;
  rule.sites = sites;
  rule.quantizer.component = quantizer;
  rule.quantizer.options.values["bits"] = bits;
  return rule;
}

data::TokenStore MakeTokens(const fs::path& folder, const std::string& name, int64_t tokens) {
  const fs::path path = folder / (name + ".bin");
  if (!fs::exists(path)) {
    std::ofstream out(path, std::ios::binary);
    uint64_t token = 1;
    for (int64_t i = 0; i < tokens; ++i) {
      // Each token has three likely successors.
      token = (token * 5 + SiteSeed(static_cast<uint64_t>(i), name) % 3) % kVocabulary;
      const uint16_t value = static_cast<uint16_t>(token);
      out.write(reinterpret_cast<const char*>(&value), 2);
    }
  }
  data::TokenRun run;
  run.file = *data::MappedFile::Open(path);
  run.tokens = tokens;
  run.type = data::TokenType::kUint16;
  return data::TokenStore({run});
}

recipe::SegmentSpec TinySpec(int64_t steps) {
  recipe::SegmentSpec spec;
  recipe::Trajectory& t = spec.trajectory;
  t.model.component = "tiny";
  t.data = "test";
  t.sequence_length = 6;
  t.batch_sequences = 4;
  t.micro_batch_sequences = 2;
  t.peak_learning_rate = 2e-2;
  t.schedule = {{recipe::SchedulePiece::Shape::kLinear, 0, 3, .1, 1},
                {recipe::SchedulePiece::Shape::kConstant, 3, 100, 1, 1}};
  t.seed = 7;
  spec.evaluation.validation_sequences = 9;
  spec.evaluation.smoothing_tokens = 4 * 24;
  spec.end_step = steps;
  spec.checkpoint_every_seconds = 3600;
  Identify(&spec);
  return spec;
}

void Identify(recipe::SegmentSpec* spec) {
  spec->id = absl::StrCat(spec->trajectory.Identity(), "-", spec->end_step);
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (fs::temp_directory_path() / "qatlas-train-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

absl::Status RunTiny(const fs::path& folder, const recipe::SegmentSpec& spec,
                     const SegmentHooks& hooks, int64_t* step) {
  TinyComponents components;
  return RunTinyWith(components, folder, spec, hooks, step);
}

absl::Status RunTinyWith(Components& components, const fs::path& folder,
                         const recipe::SegmentSpec& spec, const SegmentHooks& hooks,
                         int64_t* step) {
  // The rest of the tests' machine is left alone.
  at::set_num_threads(1);
  SegmentInputs inputs;
  inputs.spec = spec;
  inputs.train = MakeTokens(folder, "train", 4000);
  inputs.validation = MakeTokens(folder, "validation", 200);
  inputs.vocabulary = kVocabulary;
  fs::create_directories(folder / spec.id);
  int64_t reached = 0;
  return RunSegment(folder / spec.id, inputs, components, hooks, step != nullptr ? step : &reached);
}

std::string Bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

}  // namespace qatlas::train::testing
