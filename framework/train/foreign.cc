#include "framework/train/foreign.h"

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
      const at::Tensor part = target.slice(0, row, row + tensor.rows);
      CopyRows(tensor, tensor.transposed ? part.t() : part);
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
    std::vector<std::string> others;
    for (const std::string& name : file_.Names()) {
      bool known = taken_.count(name) != 0;
      for (const std::string& ending : layout_.ignored) known |= absl::EndsWith(name, ending);
      if (!known) others.push_back(absl::StrCat("'", name, "'"));
    }
    if (!others.empty()) {
      const size_t more = others.size() > kShownNames ? others.size() - kShownNames : 0;
      others.resize(others.size() - more);
      problems_.push_back(absl::StrCat(
          "the model has no place for ", absl::StrJoin(others, ", "),
          more > 0 ? absl::StrCat(" and ", more, " more") : "",
          "; give the model the file's layers, and tied = false where the file has a head"));
    }
    return Problems();
  }

  absl::Status Problems() const {
    if (problems_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path().string(), " (", layout_.name,
                     ") does not fit this model: ", absl::StrJoin(problems_, "; ")));
  }

 private:
  void CopyRows(const ForeignTensor& tensor, at::Tensor target) {
    const absl::StatusOr<at::Tensor> value = file_.Read(tensor.name);
    if (!value.ok()) {
      problems_.push_back(absl::StrCat("'", tensor.name, "' is missing"));
    } else if (value->sizes() != target.sizes()) {
      problems_.push_back(absl::StrCat("'", tensor.name, "' has shape [",
                                       absl::StrJoin(value->sizes(), ", "), "], [",
                                       absl::StrJoin(target.sizes(), ", "), "] is needed"));
    } else if (!at::isFloatingType(value->scalar_type())) {
      problems_.push_back(absl::StrCat("'", tensor.name, "' has dtype ",
                                       c10::toString(value->scalar_type()),
                                       ", a floating-point one is needed"));
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
  std::vector<std::string> problems_;
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

}  // namespace

absl::Status LoadForeign(const SafetensorsFile& file, const std::vector<ForeignLayout>& layouts,
                         Model& model) {
  const ForeignLayout* layout = LayoutOf(file, layouts);
  if (layout == nullptr) return LoadModel(file, /*foreign=*/true, model);
  const auto sources = Sources(*layout);
  Loading loading(file, *layout);
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
  const ForeignLayout* layout = LayoutOf(file, layouts);
  if (layout == nullptr) return LoadWeight(file, /*foreign=*/true, linear, std::move(target));
  const auto sources = Sources(*layout);
  Loading loading(file, *layout);
  const std::string name = linear.Name() + ".weight";
  const auto source = sources.find(name);
  if (source == sources.end()) {
    loading.Lacks(name);
  } else {
    loading.Take(*source->second, std::move(target));
  }
  return loading.Problems();
}

}  // namespace qatlas::train
