#include "framework/train/foreign.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/train/checkpoint.h"

namespace qatlas::train {
namespace {

// Names of a list that would go on for pages.
constexpr size_t kShownNames = 8;

class Loading {
 public:
  Loading(const SafetensorsFile& file, const ForeignLayout& layout)
      : file_(file), layout_(layout) {}

  void Take(const ForeignParameter& from, at::Tensor target) {
    int64_t row = 0;
    for (const ForeignTensor& tensor : from.tensors) {
      taken_.insert(tensor.name);
      const at::Tensor part = target.dim() == 0 ? target : target.slice(0, row, row + tensor.rows);
      Copy(tensor.name, tensor.transposed ? part.t() : part);
      row += tensor.rows;
    }
    for (const std::string& name : from.same) {
      if (!file_.Has(name)) continue;
      taken_.insert(name);
      CheckSame(name, from.tensors.front().name);
    }
  }

  // Of a weight that is loaded later.
  void Leave(const ForeignParameter& from) {
    for (const ForeignTensor& tensor : from.tensors) taken_.insert(tensor.name);
    taken_.insert(from.same.begin(), from.same.end());
  }

  void Lacks(const std::string& parameter) {
    problems_.push_back(absl::StrCat("the layout has no tensor for the parameter '", parameter,
                                     "'; this is an error of the model's plugin"));
  }

  absl::Status Finish() {
    for (const std::string& name : file_.Names()) {
      bool known = taken_.count(name) != 0;
      for (const std::string& ending : layout_.ignored) known |= absl::EndsWith(name, ending);
      if (!known) others_.push_back(absl::StrCat("'", name, "'"));
    }
    return Problems();
  }

  // All of them, long lists cut.
  absl::Status Problems() const {
    std::vector<std::string> all;
    if (!missing_.empty()) {
      all.push_back(
          absl::StrCat(Listed(missing_, ", "), missing_.size() == 1 ? " is" : " are", " missing"));
    }
    if (!problems_.empty()) all.push_back(Listed(problems_, "; "));
    if (!others_.empty()) {
      all.push_back(absl::StrCat(
          "the model has no place for ", Listed(others_, ", "),
          "; give the model the file's layers, and tied = false where the file has a head"));
    }
    if (all.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path().string(), " (", layout_.name,
                     ") does not fit this model: ", absl::StrJoin(all, "; ")));
  }

 private:
  static std::string Listed(const std::vector<std::string>& texts, const char* separator) {
    const size_t shown = std::min(texts.size(), kShownNames);
    const std::string list =
        absl::StrJoin(texts.begin(), texts.begin() + static_cast<int64_t>(shown), separator);
    if (shown == texts.size()) return list;
    return absl::StrCat(list, " and ", texts.size() - shown, " more");
  }

  void Copy(const std::string& name, at::Tensor target) {
    const absl::StatusOr<at::Tensor> value = file_.Read(name);
    if (!value.ok()) {
      missing_.push_back(absl::StrCat("'", name, "'"));
    } else if (value->sizes() != target.sizes()) {
      problems_.push_back(absl::StrCat("'", name, "' has shape [",
                                       absl::StrJoin(value->sizes(), ", "), "], [",
                                       absl::StrJoin(target.sizes(), ", "), "] is needed"));
    } else if (!at::isFloatingType(value->scalar_type())) {
      problems_.push_back(absl::StrCat("'", name, "' has dtype ",
                                       c10::toString(value->scalar_type()),
                                       ", a floating-point one is needed"));
    } else if (!at::isfinite(value->to(at::kFloat)).all().item<bool>()) {
      problems_.push_back(absl::StrCat("'", name, "' has values that are no finite numbers"));
    } else {
      at::NoGradGuard no_grad;
      target.copy_(*value);
    }
  }

  void CheckSame(const std::string& name, const std::string& as) {
    const absl::StatusOr<at::Tensor> one = file_.Read(name);
    const absl::StatusOr<at::Tensor> other = file_.Read(as);
    if (!one.ok() || !other.ok()) return;  // said already
    if (one->sizes() == other->sizes() && one->scalar_type() == other->scalar_type() &&
        at::equal(*one, *other)) {
      return;
    }
    problems_.push_back(absl::StrCat("'", name, "' differs from '", as,
                                     "', but the model has one tensor for both (tied = true)"));
  }

  const SafetensorsFile& file_;
  const ForeignLayout& layout_;
  std::set<std::string> taken_;
  std::vector<std::string> missing_;   // names in quotes
  std::vector<std::string> problems_;  // sentences
  std::vector<std::string> others_;    // names in quotes
};

std::map<std::string, const ForeignParameter*> Sources(const ForeignLayout& layout) {
  std::map<std::string, const ForeignParameter*> sources;
  for (const ForeignParameter& source : layout.parameters) sources[source.parameter] = &source;
  return sources;
}

// The layout that the file has; null: none of them.
const ForeignLayout* LayoutOf(const SafetensorsFile& file,
                              const std::vector<ForeignLayout>& layouts) {
  for (const ForeignLayout& layout : layouts) {
    if (file.Has(layout.parameters.front().tensors.front().name)) return &layout;
  }
  return nullptr;
}

// A parameter under the model's own name, or as one of our checkpoints has it.
ForeignParameter OwnParameter(const SafetensorsFile& file, const std::string& name, int64_t rows) {
  for (const std::string prefix : {"model.", "", "merged."}) {
    if (file.Has(prefix + name)) return {name, {{prefix + name, rows}}, {}};
  }
  return {name, {{name, rows}}, {}};
}

// The layout of a file in the model's own names; one of our checkpoints has more than the model.
ForeignLayout OwnLayout(const SafetensorsFile& file, Model& model) {
  ForeignLayout layout;
  layout.name = "the model's own names";
  for (const NamedParameter& parameter : model.Parameters()) {
    const int64_t rows = parameter.tensor.dim() == 0 ? 1 : parameter.tensor.size(0);
    layout.parameters.push_back(OwnParameter(file, parameter.name, rows));
  }
  for (const QuantizableLinear* linear : model.Linears()) {
    if (linear->weight().defined()) continue;
    layout.parameters.push_back(
        OwnParameter(file, linear->Name() + ".weight", linear->out_features()));
  }
  if (!ReadCheckpointInfo(file).ok()) return layout;
  for (const std::string& name : file.Names()) {
    for (const char* prefix : {"merged.", "quantizer.", "adam.", "train."}) {
      if (absl::StartsWith(name, prefix)) layout.ignored.push_back(name);
    }
  }
  return layout;
}

}  // namespace

absl::Status LoadForeign(const SafetensorsFile& file, const std::vector<ForeignLayout>& layouts,
                         Model& model) {
  const ForeignLayout* found = LayoutOf(file, layouts);
  const ForeignLayout layout = found == nullptr ? OwnLayout(file, model) : *found;
  const auto sources = Sources(layout);
  Loading loading(file, layout);
  for (const NamedParameter& parameter : model.Parameters()) {
    const auto source = sources.find(parameter.name);
    if (source == sources.end()) {
      loading.Lacks(parameter.name);
    } else {
      loading.Take(*source->second, parameter.tensor.detach());
    }
  }
  for (const QuantizableLinear* linear : model.Linears()) {
    const auto source = sources.find(linear->Name() + ".weight");
    if (!linear->weight().defined() && source != sources.end()) loading.Leave(*source->second);
  }
  return loading.Finish();
}

absl::Status LoadForeignWeight(const SafetensorsFile& file,
                               const std::vector<ForeignLayout>& layouts,
                               const QuantizableLinear& linear, at::Tensor target) {
  const std::string name = linear.Name() + ".weight";
  const ForeignLayout* found = LayoutOf(file, layouts);
  ForeignLayout own;
  own.name = "the model's own names";
  own.parameters = {OwnParameter(file, name, linear.out_features())};
  const ForeignLayout& layout = found == nullptr ? own : *found;
  const auto sources = Sources(layout);
  Loading loading(file, layout);
  const auto source = sources.find(name);
  if (source == sources.end()) {
    loading.Lacks(name);
  } else {
    loading.Take(*source->second, std::move(target));
  }
  return loading.Problems();
}

}  // namespace qatlas::train
