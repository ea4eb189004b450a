#include "framework/train/checkpoint.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// "model.<name>", or what stands for it in this file.
std::string SourceName(const SafetensorsFile& file, const std::string& parameter,
                       const std::string& merged) {
  const std::string name = "model." + parameter;
  if (file.Has(name)) return name;
  return !merged.empty() && file.Has(merged) ? merged : name;
}

std::string MergedName(const QuantizableLinear& linear) {
  return absl::StrCat("merged.", linear.Name(), ".weight");
}

// Copies `name` into `target` after comparing shapes; adds to `problems`.
void CopyInto(const SafetensorsFile& file, const std::string& name, at::Tensor target,
              std::vector<std::string>* problems) {
  absl::StatusOr<at::Tensor> value = file.Read(name);
  if (!value.ok()) {
    problems->push_back(absl::StrCat("'", name, "' is missing"));
    return;
  }
  if (value->sizes() != target.sizes()) {
    problems->push_back(absl::StrCat("'", name, "' has shape [",
                                     absl::StrJoin(value->sizes(), ", "), "], [",
                                     absl::StrJoin(target.sizes(), ", "), "] is needed"));
    return;
  }
  if (at::isFloatingType(value->scalar_type()) != at::isFloatingType(target.scalar_type())) {
    problems->push_back(absl::StrCat("'", name, "' has dtype ", c10::toString(value->scalar_type()),
                                     ", ", c10::toString(target.scalar_type()), " is needed"));
    return;
  }
  at::NoGradGuard no_grad;
  target.copy_(*value);
}

absl::Status Report(const SafetensorsFile& file, const std::vector<std::string>& problems) {
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      file.path().string(), " does not fit this segment: ", absl::StrJoin(problems, "; ")));
}

absl::Status NotOurs(const SafetensorsFile& file, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(file.path().string(), " is no checkpoint of this program: ", what));
}

}  // namespace

absl::StatusOr<CheckpointInfo> ReadCheckpointInfo(const SafetensorsFile& file) {
  const auto& metadata = file.metadata();
  for (const char* key :
       {"format", "step", "trajectory", "segment", "quantizers", "updates", "logs"}) {
    if (metadata.count(key) == 0) {
      return NotOurs(file, absl::StrCat("its metadata has no '", key, "'"));
    }
  }
  CheckpointInfo info;
  if (metadata.at("format") != absl::StrCat(kCheckpointFormat)) {
    return NotOurs(file, absl::StrCat("its format is ", metadata.at("format"), ", this is ",
                                      kCheckpointFormat));
  }
  if (!absl::SimpleAtoi(metadata.at("step"), &info.step))
    return NotOurs(file, "its step is no number");
  info.trajectory = metadata.at("trajectory");
  info.segment = metadata.at("segment");
  const auto quantizers = nlohmann::json::parse(metadata.at("quantizers"), nullptr, false);
  const auto updates = nlohmann::json::parse(metadata.at("updates"), nullptr, false);
  const auto logs = nlohmann::json::parse(metadata.at("logs"), nullptr, false);
  if (!quantizers.is_object() || !updates.is_object() || !logs.is_object()) {
    return NotOurs(file, "its metadata cannot be read");
  }
  for (const auto& [site, entry] : quantizers.items()) {
    if (!entry.is_object() || !entry.value("key", nlohmann::json()).is_string() ||
        !entry.value("step", nlohmann::json()).is_number_integer()) {
      return NotOurs(file, absl::StrCat("the entry of quantizer ", site, " cannot be read"));
    }
    SavedSite& saved = info.quantizers[site];
    saved.key = entry["key"].get<std::string>();
    saved.attached_step = entry["step"].get<int64_t>();
    if (!entry.contains("component")) continue;
    absl::StatusOr<OptionTable> options =
        recipe::OptionsFromJson(entry.value("options", nlohmann::json()));
    if (!options.ok() || !entry["component"].is_string() ||
        !entry.value("numerics", nlohmann::json()).is_number_unsigned()) {
      return NotOurs(file, absl::StrCat("the quantizer of ", site, " cannot be read"));
    }
    saved.use = {entry["component"].get<std::string>(), *std::move(options),
                 entry["numerics"].get<uint32_t>()};
  }
  for (const auto& [name, count] : updates.items()) {
    if (!count.is_number_integer()) return NotOurs(file, "its update counts cannot be read");
    info.updates[name] = count.get<int64_t>();
  }
  for (const auto& [name, bytes] : logs.items()) {
    if (!bytes.is_number_integer()) return NotOurs(file, "its log sizes cannot be read");
    info.logs[name] = bytes.get<int64_t>();
  }
  return info;
}

absl::Status WriteCheckpoint(const std::filesystem::path& path, Trainee& trainee,
                             const recipe::Trajectory& trajectory, const LossTracker& losses,
                             CheckpointInfo info) {
  at::NoGradGuard no_grad;
  std::vector<NamedTensor> tensors;
  std::map<std::string, LinearOperator*> merged;
  for (const NamedParameter& parameter : trainee.model->Parameters()) {
    tensors.push_back({"model." + parameter.name, parameter.tensor});
  }
  nlohmann::json quantizers = nlohmann::json::object();
  for (const AttachedSite& site : trainee.sites) {
    const recipe::ComponentUse& use = trajectory.rules[site.rule].quantizer;
    quantizers[site.site.Name()] = {{"key", site.key},
                                    {"step", site.attached_step},
                                    {"component", use.component},
                                    {"options", recipe::OptionsToJson(use.options)},
                                    {"numerics", use.numerics}};
    if (site.whole != nullptr && !site.whole->KeepsMasterWeight()) {
      // Made when its turn comes: all of them at once would be the model in FP32.
      const std::string name = MergedName(*site.linear);
      merged[name] = site.whole;
      tensors.push_back({name, at::empty({site.linear->out_features(), site.linear->in_features()},
                                         at::TensorOptions(at::kFloat).device(at::kMeta))});
    }
    for (const NamedParameter& parameter : site.instance->Parameters()) {
      tensors.push_back({site.Prefix() + parameter.name, parameter.tensor});
    }
    for (const NamedTensor& buffer : site.instance->Buffers()) {
      tensors.push_back({site.Prefix() + buffer.name, buffer.tensor});
    }
  }
  for (NamedTensor& moment : trainee.optimizer->Moments()) tensors.push_back(std::move(moment));
  tensors.push_back({"train.losses", losses.State()});
  return WriteSafetensors(
      path, tensors,
      {{"format", absl::StrCat(kCheckpointFormat)},
       {"step", absl::StrCat(info.step)},
       {"trajectory", info.trajectory},
       {"segment", info.segment},
       {"quantizers", quantizers.dump()},
       {"updates", nlohmann::json(trainee.optimizer->UpdateCounts()).dump()},
       {"logs", nlohmann::json(info.logs).dump()}},
      [&merged](const std::string& name) { return merged.at(name)->EffectiveWeight(); });
}

absl::Status LoadModel(const SafetensorsFile& file, Model& model) {
  std::map<std::string, std::string> merged;  // parameter → name among the merged weights
  for (const QuantizableLinear* linear : model.Linears()) {
    if (!linear->weight().defined()) continue;
    for (const NamedParameter& parameter : model.Parameters()) {
      if (parameter.tensor.is_same(linear->weight())) merged[parameter.name] = MergedName(*linear);
    }
  }
  std::vector<std::string> problems;
  for (const NamedParameter& parameter : model.Parameters()) {
    CopyInto(file, SourceName(file, parameter.name, merged[parameter.name]), parameter.tensor,
             &problems);
  }
  return Report(file, problems);
}

absl::Status LoadWeight(const SafetensorsFile& file, const QuantizableLinear& linear,
                        at::Tensor target) {
  std::vector<std::string> problems;
  CopyInto(file, SourceName(file, linear.Name() + ".weight", MergedName(linear)), std::move(target),
           &problems);
  return Report(file, problems);
}

absl::Status LoadQuantizers(const SafetensorsFile& file, const CheckpointInfo& info,
                            std::vector<AttachedSite>& sites) {
  std::vector<std::string> problems;
  for (AttachedSite& site : sites) {
    auto saved = info.quantizers.find(site.site.Name());
    if (saved == info.quantizers.end() || saved->second.key != site.key) continue;
    for (const NamedParameter& parameter : site.instance->Parameters()) {
      CopyInto(file, site.Prefix() + parameter.name, parameter.tensor, &problems);
    }
    for (const NamedTensor& buffer : site.instance->Buffers()) {
      CopyInto(file, site.Prefix() + buffer.name, buffer.tensor, &problems);
    }
    if (!problems.empty()) continue;
    const absl::Status status = site.instance->AfterRestore();
    if (!status.ok()) {
      problems.push_back(absl::StrCat("site ", site.site.Name(), ": ", status.message()));
    }
  }
  return Report(file, problems);
}

absl::Status LoadMoments(const SafetensorsFile& file, const CheckpointInfo& info,
                         AdamW& optimizer) {
  std::vector<std::string> problems;
  std::map<std::string, int64_t> counts;
  for (const TrainedParameter& parameter : optimizer.parameters()) {
    if (auto count = info.updates.find(parameter.name); count != info.updates.end()) {
      counts.insert(*count);
    }
  }
  for (const NamedTensor& moment : optimizer.Moments()) {
    // "adam.m." and "adam.v." are equally long.
    if (counts.count(moment.name.substr(7)) == 0) continue;
    CopyInto(file, moment.name, moment.tensor, &problems);
  }
  optimizer.SetUpdateCounts(counts);
  return Report(file, problems);
}

}  // namespace qatlas::train
