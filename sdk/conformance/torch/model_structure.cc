#include "sdk/conformance/torch/model_structure.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ATen/Parallel.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sdk/conformance/torch/model_cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

bool IsSiteWeight(Model& model, const at::Tensor& tensor) {
  for (const QuantizableLinear* linear : model.Linears()) {
    if (linear->weight().is_same(tensor)) return true;
  }
  return false;
}

struct Tables {
  int64_t sparse = 0;        // elements of tables in which some rows get no gradient
  int64_t sparse_words = 0;  // those of them that have a row for each token id
  int64_t dense_words = 0;   // elements of tables of the vocabulary with gradients everywhere
};

// After a backward pass that saw half of the token ids and half of the positions.
Tables Classify(Model& model, int64_t vocabulary) {
  Tables tables;
  for (const NamedParameter& parameter : model.Parameters()) {
    const at::Tensor& tensor = parameter.tensor;
    if (tensor.dim() != 2 || IsSiteWeight(model, tensor)) continue;
    const bool words = tensor.size(0) == vocabulary;
    const at::Tensor gradient = tensor.grad();
    const bool sparse =
        gradient.defined() && gradient.ne(0).any(1).logical_not().any().item<bool>();
    if (sparse) {
      tables.sparse += tensor.numel();
      if (words) tables.sparse_words += tensor.numel();
    } else if (words) {
      tables.dense_words += tensor.numel();
    }
  }
  return tables;
}

// "" where every parameter of `a` that `b` has too, by name and shape, is the same up to one
// factor.
std::string Unlike(Model& a, Model& b) {
  std::map<std::string, at::Tensor> others;
  for (const NamedParameter& parameter : b.Parameters()) others[parameter.name] = parameter.tensor;
  for (const NamedParameter& parameter : a.Parameters()) {
    auto found = others.find(parameter.name);
    if (found == others.end() || found->second.sizes() != parameter.tensor.sizes()) continue;
    const at::Tensor x = parameter.tensor.detach().to(at::kDouble);
    const at::Tensor y = found->second.detach().to(at::kDouble);
    const double square = x.square().sum().item<double>();
    const double factor = square > 0 ? (x * y).sum().item<double>() / square : 0;
    const std::string difference = Difference(x * factor, y, 1e-5);
    // A scale of zero says nothing of the values.
    if (!difference.empty() && square > 0) {
      return absl::StrCat("'", parameter.name, "': ", difference);
    }
  }
  return "";
}

std::string Same(Model& a, Model& b) {
  const auto left = a.Parameters(), right = b.Parameters();
  if (left.size() != right.size()) return "another number of parameters";
  for (size_t i = 0; i < left.size(); ++i) {
    const std::string difference = BitDifference(left[i].tensor, right[i].tensor);
    if (!difference.empty()) return absl::StrCat("'", left[i].name, "': ", difference);
  }
  return "";
}

}  // namespace

void CheckModelParameters(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
      BuildSettings settings;
      settings.compute = compute;
      probe.Trying(absl::StrCat(one.Words(), ", computing in ", DtypeText(compute)));
      const auto model = BuildModel(one, probe, settings);
      if (model == nullptr) return;
      std::set<std::string> names;
      std::set<const void*> memory;
      for (const NamedParameter& parameter : model->Parameters()) {
        const at::Tensor& tensor = parameter.tensor;
        if (parameter.name.empty() || !names.insert(parameter.name).second) {
          probe.Fail(absl::StrCat("the name '", parameter.name, "' is empty or stands twice"));
        }
        if (!tensor.defined() || tensor.scalar_type() != at::kFloat || !tensor.is_leaf() ||
            !tensor.requires_grad()) {
          probe.Fail(absl::StrCat("'", parameter.name,
                                  "' must be a float32 leaf that requires a gradient"));
          continue;
        }
        if (!memory.insert(tensor.data_ptr()).second) {
          probe.Fail(absl::StrCat("'", parameter.name,
                                  "' lies in the memory of another parameter; a tied tensor is "
                                  "listed once"));
        }
        if (!AllFinite(tensor)) {
          probe.Fail(absl::StrCat("'", parameter.name, "' starts with a value that is not finite"));
        }
      }
    }
  });
}

void CheckCounts(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    const int64_t vocabulary = one.builder->VocabularySize();
    const ModelCounts counts = one.builder->Counts(kTime);
    int64_t linears = 0, total = 0;
    for (const QuantizableLinear* linear : model->Linears()) linears += linear->weight().numel();
    for (const NamedParameter& parameter : model->Parameters()) total += parameter.tensor.numel();
    auto compare = [&](const char* name, int64_t declared, int64_t real) {
      if (declared == real) return;
      probe.Fail(absl::StrCat("Counts().", name, " is ", declared, ", the built model has ", real));
    };
    compare("block_linears", counts.block_linears, linears);
    compare("Total()", counts.Total(), total);
    const Tokens tokens =
        RandomTokens(kBatch, kTime / 2, std::max<int64_t>(1, vocabulary / 2), probe.seed() + 3);
    probe.Trying(absl::StrCat(one.Words(), "; ", tokens.words));
    const at::Tensor logits = model->Logits(tokens.ids);
    compare("VocabularySize()", vocabulary, logits.size(-1));
    model->Loss(tokens.ids, tokens.ids.roll(1, 1), LossReduction::kMean).backward();
    // With weights of 0 no gradient says anything; with few tokens none is left out.
    if (one.extreme || vocabulary < 4) return;
    Tables tables = Classify(*model, vocabulary);
    if (tables.sparse_words == 0) {  // tied
      tables.sparse += tables.dense_words;
      tables.dense_words = 0;
    }
    compare("embedding", counts.embedding, tables.sparse);
    compare("head", counts.head, tables.dense_words);
    compare("other", counts.other, total - linears - tables.sparse - tables.dense_words);
  });
}

void CheckSites(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    std::map<std::string, at::Tensor> parameters;
    for (const NamedParameter& p : model->Parameters()) parameters[p.name] = p.tensor;
    const std::vector<QuantizableLinear*> linears = model->Linears();
    if (linears.empty()) probe.Fail("the model has no quantizable linear");
    std::set<std::string> names, roles, declared;
    std::set<int> blocks;
    std::vector<std::string> listed, called;
    for (QuantizableLinear* linear : linears) {
      const std::string name = linear->Name();
      listed.push_back(name);
      blocks.insert(linear->block());
      roles.insert(linear->role());
      if (!names.insert(name).second) probe.Fail(absl::StrCat("site ", name, " is named twice"));
      auto parameter = parameters.find(name + ".weight");
      if (parameter == parameters.end() || !parameter->second.is_same(linear->weight())) {
        probe.Fail(absl::StrCat("Parameters() must list the weight of site ", name, " as '", name,
                                ".weight'"));
      }
      linear->SetInputObserver([&called](const QuantizableLinear& seen, const at::Tensor& x) {
        // An expert without tokens is skipped by some models.
        if (x.numel() > 0) called.push_back(seen.Name());
      });
    }
    if (!blocks.empty() &&
        (*blocks.begin() != 0 || *blocks.rbegin() + 1 != static_cast<int>(blocks.size()))) {
      probe.Fail(absl::StrCat("blocks must be counted from 0 without gaps, not ",
                              absl::StrJoin(blocks, ", ")));
    }
    for (const char* const* ability = subject.component->abilities;
         ability != nullptr && *ability != nullptr; ++ability) {
      absl::string_view text = *ability;
      if (absl::ConsumePrefix(&text, "role:")) declared.insert(std::string(text));
    }
    if (!declared.empty() && declared != roles) {
      probe.Fail(absl::StrCat("abilities declare the roles ", absl::StrJoin(declared, ", "),
                              "; the model has ", absl::StrJoin(roles, ", ")));
    }
    const Tokens tokens =
        RandomTokens(kBatch, kTime, one.builder->VocabularySize(), probe.seed() + 5);
    probe.Trying(absl::StrCat(one.Words(), "; one forward pass of ", tokens.words));
    model->Logits(tokens.ids);
    for (QuantizableLinear* linear : linears) linear->SetInputObserver({});
    if (called == listed) return;
    const bool experts = std::any_of(linears.begin(), linears.end(),
                                     [](const QuantizableLinear* l) { return l->expert() >= 0; });
    if (experts && called.size() <= listed.size()) return;
    probe.Fail(absl::StrCat("Linears() lists ", absl::StrJoin(listed, ", "),
                            "; a forward pass calls ", absl::StrJoin(called, ", ")));
  });
}

void CheckModelMeta(const Subject& subject, Probe& probe) {
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    BuildSettings settings;
    settings.device = at::kMeta;
    probe.Trying(absl::StrCat(one.Words(), ", on the meta device"));
    const auto meta = BuildModel(one, probe, settings);
    if (model == nullptr || meta == nullptr) return;
    const auto real = model->Parameters(), shapes = meta->Parameters();
    if (real.size() != shapes.size()) {
      probe.Fail(absl::StrCat(shapes.size(), " parameters on meta, ", real.size(), " on the CPU"));
      return;
    }
    for (size_t i = 0; i < real.size(); ++i) {
      if (real[i].name != shapes[i].name || real[i].tensor.sizes() != shapes[i].tensor.sizes()) {
        probe.Fail(absl::StrCat("'", shapes[i].name, "' ", ShapeText(shapes[i].tensor.sizes()),
                                " on meta is '", real[i].name, "' ",
                                ShapeText(real[i].tensor.sizes()), " on the CPU"));
      }
      if (!shapes[i].tensor.is_meta()) {
        probe.Fail(absl::StrCat("'", shapes[i].name, "' is allocated"));
      }
    }
    const auto linears = model->Linears(), sites = meta->Linears();
    for (size_t i = 0; i < linears.size() || i < sites.size(); ++i) {
      if (i < linears.size() && i < sites.size() && linears[i]->Name() == sites[i]->Name())
        continue;
      probe.Fail("the sites on meta and on the CPU are not the same");
      return;
    }
  });
}

void CheckInitialValues(const Subject& subject, Probe& probe) {
  const std::vector<ModelCase> cases = ModelCases(subject, probe.seed());
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const std::string again = absl::StrCat(one.Words(), ", built twice with seed 3");
    probe.Trying(again);
    BuildSettings settings;
    settings.seed = 3;
    const auto first = BuildModel(one, probe, settings);
    // Whatever else draws numbers in between, and however many threads there are.
    at::manual_seed(12345);
    at::randn({17});
    const int threads = at::get_num_threads();
    at::set_num_threads(threads == 1 ? 2 : 1);
    const auto second = BuildModel(one, probe, settings);
    at::set_num_threads(threads);
    settings.seed = 4;
    const auto other = BuildModel(one, probe, settings);
    if (first == nullptr || second == nullptr || other == nullptr) return;
    if (const std::string difference = Same(*first, *second); !difference.empty()) {
      probe.Fail(absl::StrCat("two builds with the same seed, ", difference));
    }
    if (!one.extreme && Same(*first, *other).empty()) {
      probe.Fail("builds with the seeds 3 and 4 have the same values");
    }
    settings.seed = 3;
    const auto plain = BuildModel(cases.front(), probe, settings);
    probe.Trying(absl::StrCat(one.Words(), " and ", cases.front().Words(), ", both with seed 3"));
    if (plain == nullptr) return;
    if (const std::string difference = Unlike(*plain, *first); !difference.empty()) {
      probe.Fail(absl::StrCat("values of the same name and shape differ by more than a scale, ",
                              difference));
    }
  });
}

void CheckForeignLayouts(const Subject& subject, Probe& probe) {
  bool any = false;
  ForEachModel(subject, probe, Which::kAll, [&](const ModelCase& one) {
    const auto model = BuildModel(one, probe);
    if (model == nullptr) return;
    std::map<std::string, at::Tensor> parameters;
    for (const NamedParameter& p : model->Parameters()) parameters[p.name] = p.tensor;
    for (const ForeignLayout& layout : one.builder->ForeignLayouts()) {
      any = true;
      probe.Trying(absl::StrCat(one.Words(), ", layout '", layout.name, "'"));
      std::set<std::string> named, files;
      for (const ForeignParameter& foreign : layout.parameters) {
        named.insert(foreign.parameter);
        int64_t rows = 0;
        bool transposed = false;
        for (const ForeignTensor& tensor : foreign.tensors) {
          rows += tensor.rows;
          transposed = transposed || tensor.transposed;
          if (!files.insert(tensor.name).second) {
            probe.Fail(absl::StrCat("the tensor '", tensor.name, "' is used twice"));
          }
        }
        auto found = parameters.find(foreign.parameter);
        if (found == parameters.end()) {
          probe.Fail(absl::StrCat("the model has no parameter '", foreign.parameter, "'"));
        } else if (found->second.size(0) != rows) {
          probe.Fail(absl::StrCat("'", foreign.parameter, "' has ", found->second.size(0),
                                  " rows, its foreign tensors ", rows));
        } else if (found->second.dim() != 2 && transposed) {
          probe.Fail(absl::StrCat("'", foreign.parameter,
                                  "' is no matrix, but a foreign tensor of it is transposed"));
        }
      }
      for (const auto& [name, tensor] : parameters) {
        if (named.count(name) == 0) {
          probe.Fail(absl::StrCat("no foreign tensor makes up '", name, "'"));
        }
      }
    }
  });
  if (!any) probe.Skip("ForeignLayouts() names none");
}

}  // namespace qatlas::conformance
