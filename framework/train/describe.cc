#include "framework/train/describe.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/attach.h"
#include "framework/train/evaluate.h"
#include "framework/train/foreign.h"
#include "framework/train/outcome.h"
#include "framework/train/result_files.h"
#include "framework/train/safetensors.h"
#include "framework/train/segment_run.h"
#include "framework/train/trainee.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// Resident memory of a worker before it builds anything: what it touches of LibTorch.
constexpr int64_t kProcessBytes = int64_t{150} << 20;

int64_t BytesOfAll(const std::vector<NamedParameter>& parameters) {
  int64_t bytes = 0;
  for (const NamedParameter& parameter : parameters) {
    bytes += static_cast<int64_t>(parameter.tensor.nbytes());
  }
  return bytes;
}

// What is held for the backward pass of one micro batch, and the largest evaluation batch, roughly:
// each linear keeps its input (and a fake-quantized one), its output and the nonlinearity after it;
// the loss keeps logits and their gradient.
nlohmann::ordered_json EstimateMemory(const Trainee& trainee, const recipe::Trajectory& trajectory,
                                      int64_t parameter_bytes, int64_t buffer_bytes,
                                      int64_t trained_bytes) {
  const int64_t width = trajectory.precision == "bf16" ? 2 : 4;
  int64_t per_token = 0;
  int64_t widest = 0;
  for (const LinearPlan& plan : trainee.plans) {
    const int64_t in = plan.linear->in_features();
    const int64_t out = plan.linear->out_features();
    per_token += width * (in + out) * 3 / 2;
    if (plan.input_rule != kFullPrecision || plan.whole) per_token += width * in / 2;
    widest = std::max(widest, width * (in + out));
  }
  const int64_t logits = trainee.builder->VocabularySize() * 4;
  const int64_t tokens = trajectory.micro_batch_sequences * trajectory.sequence_length;
  const int64_t evaluated =
      EvaluationBatch(trajectory.sequence_length) * trajectory.sequence_length;
  const int64_t activations =
      std::max(tokens * (per_token + logits * 3 / 2), evaluated * (4 * widest + 2 * logits));
  const int64_t optimizer = 2 * trained_bytes;
  const int64_t gradients = trained_bytes;
  return {{"process_bytes", kProcessBytes},
          {"parameter_bytes", parameter_bytes + buffer_bytes},
          {"optimizer_bytes", optimizer},
          {"gradient_bytes", gradients},
          {"activation_bytes", activations},
          {"total_bytes",
           kProcessBytes + parameter_bytes + buffer_bytes + optimizer + gradients + activations}};
}

// Of the merged weights that a checkpoint holds for freed ones.
int64_t MergedBytes(const Trainee& trainee) {
  int64_t bytes = 0;
  for (const AttachedSite& site : trainee.sites) {
    if (site.whole == nullptr || site.whole->KeepsMasterWeight()) continue;
    bytes += 4 * site.linear->out_features() * site.linear->in_features();
  }
  return bytes;
}

// Attaches on the meta device; instances tell their bits and parameters. A site that cannot be
// attached is told in `problems`.
void AttachMeta(Trainee& trainee, const recipe::Trajectory& trajectory,
                std::vector<SiteProblem>* problems) {
  AttachRequest request;
  request.rules = &trajectory.rules;
  request.quantizers = &trainee.quantizers;
  request.seed = trajectory.seed;
  request.step = trajectory.start_step;
  request.end_step = TrajectoryEnd(trajectory);
  absl::StatusOr<std::vector<AttachedSite>> sites = std::vector<AttachedSite>();
  const absl::Status status = CatchTorch([&] {
    sites = AttachQuantizers(*trainee.model, trainee.plans, request);
    return sites.status();
  });
  if (!status.ok()) {
    problems->push_back(
        {kFullPrecision, "", absl::StrCat("attaching on the meta device: ", status.message())});
    return;
  }
  trainee.sites = *std::move(sites);
}

nlohmann::ordered_json SiteJson(const LinearPlan& plan, const char* operand,
                                const recipe::Trajectory& trajectory, const Trainee& trainee,
                                const std::map<std::string, double>& bits,
                                std::vector<SiteProblem>* problems) {
  const bool weight = operand == kWeight;
  const Site site = weight ? plan.linear->WeightSite() : plan.linear->InputSite();
  nlohmann::ordered_json json = {{"site", site.Name()},
                                 {"block", site.block},
                                 {"role", site.role},
                                 {"operand", site.operand},
                                 {"in_features", plan.linear->in_features()},
                                 {"out_features", plan.linear->out_features()},
                                 {"quantizer", nullptr},
                                 {"nominal_bits", nullptr},
                                 {"nominal_group", nullptr},
                                 {"bits", nullptr},
                                 {"check", nullptr}};
  if (site.expert >= 0) json["expert"] = site.expert;
  const int rule = weight ? plan.weight_rule : plan.input_rule;
  if (rule == kFullPrecision) return json;
  json["quantizer"] = trajectory.rules[rule].quantizer.component;
  json["nominal_bits"] = trainee.quantizers[rule].quantizer->NominalBits();
  json["nominal_group"] = trainee.quantizers[rule].quantizer->NominalGroup();
  if (auto known = bits.find(site.Name()); known != bits.end()) json["bits"] = known->second;
  if (auto problem = CheckSite(plan, operand, trajectory.rules, trainee.quantizers)) {
    json["check"] = problem->Show();
    problems->push_back(*std::move(problem));
  }
  return json;
}

// Everything that a file of somebody else's is refused for, before it is loaded to train on.
void CheckForeign(const recipe::SegmentSpec& spec, Trainee& trainee,
                  std::vector<SiteProblem>* problems) {
  if (!spec.start_is_foreign || spec.start_checkpoint.empty()) return;
  const absl::StatusOr<std::shared_ptr<const SafetensorsFile>> file =
      SafetensorsFile::Open(spec.start_checkpoint);
  absl::Status status = file.status();
  if (status.ok()) {
    status = LoadForeign(**file, trainee.builder->ForeignLayouts(), *trainee.model);
  }
  if (!status.ok()) problems->push_back({kFullPrecision, "", std::string(status.message())});
}

// What decides an answer: specs that agree in it are described once.
std::string AnswerKey(const recipe::SegmentSpec& spec) {
  const recipe::Trajectory& t = spec.trajectory;
  std::string key = absl::StrCat(QuantizerKey(t.model), "|", t.sequence_length, "|",
                                 t.micro_batch_sequences, "|", t.precision, "|", t.device, "|",
                                 spec.start_is_foreign ? spec.start_checkpoint : "");
  for (const recipe::ResolvedRule& rule : t.rules) {
    absl::StrAppend(&key, "|", rule.sites, "=", QuantizerKey(rule.quantizer));
  }
  for (const std::string& group : t.frozen) absl::StrAppend(&key, "|frozen ", group);
  return key;
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> Describe(const recipe::SegmentSpec& spec,
                                                Components& components,
                                                std::vector<SiteProblem>* problems) {
  const recipe::Trajectory& trajectory = spec.trajectory;
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Trainee> trainee,
                          MakeMetaTrainee(trajectory, components));
  CheckForeign(spec, *trainee, problems);
  const bool fits = CheckSites(trainee->plans, trajectory.rules, trainee->quantizers).ok();
  // An instance may rely on its check: where one fails none is attached.
  if (fits) AttachMeta(*trainee, trajectory, problems);
  if (fits && spec.end_step > spec.begin_step && problems->empty()) {
    const absl::Status frozen = CheckFrozen(*trainee, trajectory);
    if (!frozen.ok()) problems->push_back({kFullPrecision, "", std::string(frozen.message())});
  }
  std::map<std::string, double> bits;
  for (const auto& site : QuantizedSitesToJson(*trainee, trajectory)) {
    bits[site["site"].get<std::string>()] = site["bits"].get<double>();
  }
  nlohmann::ordered_json sites = nlohmann::ordered_json::array();
  for (const LinearPlan& plan : trainee->plans) {
    for (const char* operand : {kWeight, kInput}) {
      sites.push_back(SiteJson(plan, operand, trajectory, *trainee, bits, problems));
    }
  }
  int64_t quantizer_bytes = 0;
  int64_t buffer_bytes = 0;
  for (const AttachedSite& site : trainee->sites) {
    quantizer_bytes += BytesOfAll(site.instance->Parameters());
    for (const NamedTensor& buffer : site.instance->Buffers()) {
      buffer_bytes += static_cast<int64_t>(buffer.tensor.nbytes());
    }
  }
  const int64_t parameter_bytes = BytesOfAll(trainee->model->Parameters()) + quantizer_bytes;
  int64_t trained_bytes = 0;
  for (const TrainedParameter& parameter : TrainedParameters(*trainee, trajectory)) {
    trained_bytes += static_cast<int64_t>(parameter.tensor.nbytes());
  }
  const ModelCounts counts = trainee->builder->Counts(trajectory.sequence_length);
  nlohmann::ordered_json memory =
      EstimateMemory(*trainee, trajectory, parameter_bytes, buffer_bytes, trained_bytes);
  return nlohmann::ordered_json{
      {"id", spec.id},
      {"model", trajectory.model.component},
      {"counts", CountsToJson(counts)},
      {"forward_flops_per_token", counts.forward_flops_per_token},
      {"flops_per_token", kTrainingFlops * counts.forward_flops_per_token},
      {"vocabulary", trainee->builder->VocabularySize()},
      {"sites", std::move(sites)},
      {"quantizer_parameters", quantizer_bytes / 4},
      {"groups", OptimizerGroups(*trainee)},
      {"memory_bytes", memory["total_bytes"]},
      {"memory", memory},
      // Parameters and two moments, and what replaces freed weights; the header is small beside
      // them.
      {"checkpoint_bytes",
       parameter_bytes + 2 * trained_bytes + buffer_bytes + MergedBytes(*trainee) + 4096}};
}

absl::StatusOr<nlohmann::ordered_json> DescribeText(
    const std::string& text,
    const std::function<Components&(const recipe::SegmentSpec&)>& components,
    std::vector<SegmentProblem>* problems) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() && !json.is_array()) {
    return absl::InvalidArgumentError("a segment (an object) or an array of them is wanted");
  }
  const auto entries = json.is_array() ? json : nlohmann::json::array({json});
  std::map<std::string, nlohmann::ordered_json> known;
  std::set<std::string> read;  // model and foreign checkpoint: large ones are read once
  nlohmann::ordered_json answers = nlohmann::ordered_json::array();
  for (size_t i = 0; i < entries.size(); ++i) {
    std::vector<SiteProblem> own;
    absl::StatusOr<recipe::SegmentSpec> spec = recipe::SegmentSpec::FromJson(entries[i]);
    absl::Status status = spec.ok() ? CheckSpec(*spec) : spec.status();
    nlohmann::ordered_json answer;
    if (status.ok()) {
      const auto [found, is_new] = known.try_emplace(AnswerKey(*spec));
      if (is_new) {
        const std::string file =
            absl::StrCat(QuantizerKey(spec->trajectory.model), "|", spec->start_checkpoint);
        if (spec->start_is_foreign) spec->start_is_foreign = read.insert(file).second;
        absl::StatusOr<nlohmann::ordered_json> made = Describe(*spec, components(*spec), &own);
        status = made.status();
        if (made.ok()) {
          found->second = *std::move(made);
        } else if (ExitCode(status) != kExitUserError) {
          return json.is_array() ? WithPrefix(absl::StrCat("segment ", i, ": "), status) : status;
        }
      }
      answer = found->second;
      if (answer.is_object()) answer["id"] = spec->id;
    }
    answers.push_back(std::move(answer));
    for (SiteProblem& problem : ProblemsOf(status)) own.push_back(std::move(problem));
    for (SiteProblem& problem : own) problems->push_back({i, std::move(problem)});
  }
  return json.is_array() ? answers : answers[0];
}

nlohmann::ordered_json ToJson(const std::vector<SegmentProblem>& problems) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [segment, problem] : problems) {
    nlohmann::ordered_json entry = {{"segment", segment}, {"rule", nullptr}};
    if (problem.rule >= 0) entry["rule"] = problem.rule;
    entry["site"] = problem.site;
    entry["what"] = problem.what;
    list.push_back(std::move(entry));
  }
  return {{"problems", std::move(list)}};
}

}  // namespace qatlas::train
