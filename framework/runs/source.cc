#include "framework/runs/source.h"

#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/data/batches.h"
#include "framework/data/source.h"
#include "framework/observe/problems.h"
#include "framework/runs/files.h"
#include "framework/runs/machine.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// Takes keys of a JSON object into fields; what is left over or of another type is a problem.
class Fields {
 public:
  Fields(const nlohmann::json& json, observe::Problems* problems)
      : json_(json), problems_(problems) {}

  template <typename T>
  void Take(const char* key, T* field) {
    known_.insert(key);
    if (!json_.contains(key) || json_[key].is_null()) return;
    const nlohmann::json& value = json_[key];
    bool fits = false;
    if constexpr (std::is_same_v<T, std::string>) {
      fits = value.is_string();
    } else if constexpr (std::is_same_v<T, double>) {
      fits = value.is_number();
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      fits = value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
    } else if constexpr (std::is_same_v<T, int64_t>) {
      fits = value.is_number_integer();
    } else {
      fits = value.is_array();
      for (const nlohmann::json& element : value) fits = fits && element.is_string();
    }
    if (fits) {
      *field = value.get<T>();
    } else {
      problems_->Add(absl::StrCat("[data] ", key, " = ", value.dump(), " has another type"));
    }
  }

  void Finish(const std::string& kind) {
    for (const auto& [key, value] : json_.items()) {
      if (known_.count(key) == 0) {
        problems_->Add(absl::StrCat("[data] ", key, " is not known for source \"", kind, "\""));
      }
    }
  }

 private:
  const nlohmann::json& json_;
  observe::Problems* problems_;
  std::set<std::string> known_;
};

}  // namespace

absl::StatusOr<data::SourceSpec> ToSourceSpec(const recipe::DataSettings& settings) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  data::SourceSpec spec;
  observe::Problems problems;
  Fields fields(settings.fields.is_object() ? settings.fields : kEmpty, &problems);
  if (settings.kind == "text") {
    spec.kind = data::SourceKind::kText;
    fields.Take("files", &spec.text.files);
    fields.Take("separator", &spec.text.separator);
    fields.Take("min_document_bytes", &spec.text.min_document_bytes);
    fields.Take("vocabulary", &spec.text.vocabulary);
    fields.Take("normalization", &spec.text.normalization);
    fields.Take("tokenizer_sample_bytes", &spec.text.tokenizer_sample_bytes);
  } else if (settings.kind == "tokens") {
    spec.kind = data::SourceKind::kTokens;
    fields.Take("files", &spec.tokens.files);
    fields.Take("validation_files", &spec.tokens.validation_files);
    fields.Take("format", &spec.tokens.format);
    fields.Take("dtype", &spec.tokens.dtype);
    fields.Take("vocabulary", &spec.tokens.vocabulary);
  } else if (settings.kind == "synthetic") {
    spec.kind = data::SourceKind::kSynthetic;
    fields.Take("vocabulary", &spec.synthetic.vocabulary);
    fields.Take("branching", &spec.synthetic.branching);
    fields.Take("exponent", &spec.synthetic.exponent);
    fields.Take("classes", &spec.synthetic.classes);
    fields.Take("popularity", &spec.synthetic.popularity);
    fields.Take("train_tokens", &spec.synthetic.train_tokens);
    fields.Take("validation_tokens", &spec.synthetic.validation_tokens);
    fields.Take("seed", &spec.synthetic.seed);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "[data] source = \"", settings.kind, "\": must be \"text\", \"tokens\" or \"synthetic\""));
  }
  fields.Take("validation_fraction", &spec.validation_fraction);
  fields.Take("validation_documents", &spec.validation_documents);
  fields.Take("split_seed", &spec.split_seed);
  fields.Finish(settings.kind);
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  return spec;
}

absl::StatusOr<DataFacts> LookUpData(const recipe::DataSettings& settings, const Store& store) {
  QATLAS_ASSIGN_OR_RETURN(const data::SourceSpec spec, ToSourceSpec(settings));
  DataFacts facts;
  std::vector<data::OriginFile> origin;
  QATLAS_ASSIGN_OR_RETURN(facts.identity, data::Identity(spec, {}, &origin));
  facts.folder = store.DataFolder() / facts.identity;
  std::error_code error;
  if (!std::filesystem::exists(facts.folder / "info.json", error)) return facts;
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(facts.folder / "info.json"));
  QATLAS_ASSIGN_OR_RETURN(data::DataInfo info, data::DataInfoFromJson(json));
  info.origin = std::move(origin);
  facts.info = std::move(info);
  return facts;
}

absl::StatusOr<DataFacts> PrepareData(const recipe::DataSettings& settings, const Store& store,
                                      const data::ProgressCallback& progress) {
  QATLAS_ASSIGN_OR_RETURN(const data::SourceSpec spec, ToSourceSpec(settings));
  QATLAS_ASSIGN_OR_RETURN(data::PreparedData prepared,
                          data::Prepare(spec, store.DataFolder(), progress));
  return DataFacts{prepared.identity, prepared.folder, std::move(prepared.info)};
}

absl::Status CheckData(const recipe::ResolvedRecipe& recipe, const data::DataInfo& info) {
  observe::Problems problems;
  for (const recipe::ModelEntry& model : recipe.models) {
    const auto found = model.use.options.values.find("vocabulary");
    if (found == model.use.options.values.end()) continue;
    const int64_t* vocabulary = std::get_if<int64_t>(&found->second);
    if (vocabulary != nullptr && *vocabulary < info.vocabulary) {
      problems.Add(absl::StrCat("model ", model.name, ": vocabulary = ", *vocabulary,
                                ", but the data has token ids up to ", info.vocabulary - 1,
                                "; set it to at least ", info.vocabulary));
    }
  }
  absl::StatusOr<data::BatchOrder> order =
      data::BatchOrder::Create(info.train.tokens, recipe.training.sequence_length, /*seed=*/0);
  if (!order.ok()) {
    problems.Add(std::string(order.status().message()));
    return problems.ToStatus();
  }
  std::set<int64_t> budgets;
  for (const recipe::RunRequest& run : recipe.runs) {
    budgets.insert((recipe.Steps(run) + recipe.ExtraSteps(run)) * recipe.TokensPerStep(run.model));
  }
  for (const int64_t budget : budgets) {
    const absl::Status status = order->CheckBudget(budget, recipe.training.allow_epochs);
    if (!status.ok()) problems.Add(std::string(status.message()));
  }
  if (info.validation.tokens - 1 <
      recipe.training.evaluation.validation_sequences * recipe.training.sequence_length) {
    problems.Add(absl::StrCat(
        "the validation stream has ", info.validation.tokens, " tokens, ",
        (info.validation.tokens - 1) / recipe.training.sequence_length, " sequences of ",
        recipe.training.sequence_length,
        ", fewer than validation_sequences = ", recipe.training.evaluation.validation_sequences,
        "; raise validation_fraction or lower validation_sequences"));
  }
  return problems.ToStatus("the data does not suffice:");
}

}  // namespace qatlas::runs
