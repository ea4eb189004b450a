#include "framework/train/export.h"

#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/train/atomic_file.h"
#include "framework/train/checkpoint.h"
#include "framework/train/outcome.h"
#include "framework/train/trainee.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// Bit for bit: NaNs and the sign of zero count.
bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const at::ScalarType integer = a.element_size() == 4 ? at::kInt : at::kShort;
  return at::equal(a.contiguous().view(integer), b.contiguous().view(integer));
}

struct WeightExport {
  Encoded encoded;
  at::Tensor used;  // the weight as the forward pass uses it, FP32
};

absl::StatusOr<WeightExport> EncodeWeight(const AttachedSite& site) {
  WeightExport result;
  absl::StatusOr<at::Tensor> decoded = at::Tensor();
  if (site.whole != nullptr) {
    QATLAS_ASSIGN_OR_RETURN(result.encoded, site.whole->EncodeWeight());
    decoded = site.whole->Decode(result.encoded);
  } else {
    QATLAS_ASSIGN_OR_RETURN(result.encoded, site.operand->Encode(site.linear->weight()));
    decoded = site.operand->Decode(result.encoded);
  }
  if (!decoded.ok()) return decoded.status();
  result.used = site.linear->QuantizedWeight();
  if (!SameBits(*decoded, result.used)) {
    const bool shaped = decoded->sizes() == result.used.sizes();
    const at::Tensor gap = shaped ? (*decoded - result.used).abs() : at::Tensor();
    return absl::InternalError(absl::StrCat(
        "site ", site.site.Name(), ": decode(encode(w)) is not the fake-quantized weight (",
        shaped ? absl::StrCat(gap.count_nonzero().item<int64_t>(), " values differ, by up to ",
                              gap.max().item<double>(), "; the sign of zero counts as well")
               : "another shape",
        "); nothing was exported"));
  }
  return result;
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> Export(const std::filesystem::path& folder,
                                              const std::filesystem::path& out,
                                              const recipe::SegmentSpec& spec,
                                              Components& components) {
  at::NoGradGuard no_grad;
  Start start;
  QATLAS_ASSIGN_OR_RETURN(start.file, SafetensorsFile::Open(folder / "checkpoint.safetensors"));
  QATLAS_ASSIGN_OR_RETURN(const CheckpointInfo info, ReadCheckpointInfo(*start.file));
  if (info.segment != spec.id || info.step != spec.end_step) {
    return absl::FailedPreconditionError(
        absl::StrCat(start.file->path().string(), " is not the end of segment ", spec.id));
  }
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Trainee> trainee,
                          MakeTrainee(spec, components, start, /*calibration=*/{}));

  std::map<const QuantizableLinear*, at::Tensor> merged;
  std::vector<NamedTensor> quantized;
  nlohmann::ordered_json sites = nlohmann::ordered_json::array();
  for (const AttachedSite& site : trainee->sites) {
    const recipe::ComponentUse& use = spec.trajectory.rules[site.rule].quantizer;
    nlohmann::ordered_json entry = {{"site", site.site.Name()},
                                    {"quantizer", use.component},
                                    {"options", recipe::OptionsToJson(use.options)}};
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    auto add = [&](const std::string& name, const at::Tensor& tensor) {
      quantized.push_back({absl::StrCat(site.site.Name(), ".", name), tensor});
      names.push_back(quantized.back().name);
    };
    if (site.site.operand == kWeight) {
      QATLAS_ASSIGN_OR_RETURN(WeightExport weight, EncodeWeight(site));
      merged[site.linear] = weight.used;
      entry["layout"] = weight.encoded.layout;
      entry["attributes"] = weight.encoded.attributes;
      for (const auto& [name, tensor] : weight.encoded.tensors) add(name, tensor);
    } else {
      for (const NamedParameter& parameter : site.instance->Parameters()) {
        add(parameter.name, parameter.tensor);
      }
      for (const NamedTensor& buffer : site.instance->Buffers()) add(buffer.name, buffer.tensor);
    }
    entry["tensors"] = std::move(names);
    sites.push_back(std::move(entry));
  }

  std::vector<NamedTensor> model;
  for (const NamedParameter& parameter : trainee->model->Parameters()) {
    at::Tensor value = parameter.tensor;
    for (auto it = merged.begin(); it != merged.end(); ++it) {
      if (!it->first->weight().is_same(parameter.tensor)) continue;
      value = it->second;
      merged.erase(it);
      break;
    }
    model.push_back({parameter.name, value});
  }
  // What is left replaced its master weight, which is on the model's list no more.
  for (const auto& [linear, weight] : merged) {
    model.push_back({absl::StrCat(linear->Name(), ".weight"), weight});
  }

  nlohmann::ordered_json layout = {
      {"format", 1},
      {"segment", spec.id},
      {"tokens", spec.end_step * spec.trajectory.batch_sequences * spec.trajectory.sequence_length},
      {"model",
       {{"component", spec.trajectory.model.component},
        {"options", recipe::OptionsToJson(spec.trajectory.model.options)}}},
      {"precision", spec.trajectory.precision},
      {"sites", std::move(sites)}};
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) return IoError("make the folder", out, error.value());
  const std::map<std::string, std::string> metadata = {{"segment", spec.id}};
  QATLAS_RETURN_IF_ERROR(WriteSafetensors(out / "quantized.safetensors", quantized, metadata));
  QATLAS_RETURN_IF_ERROR(WriteSafetensors(out / "merged.safetensors", model, metadata));
  QATLAS_RETURN_IF_ERROR(WriteFileAtomically(out / "layout.json", layout.dump(2) + "\n"));
  return layout;
}

}  // namespace qatlas::train
