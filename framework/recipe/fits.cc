// [[fit]]: which laws are fitted to which target, and how.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/forms/request.h"
#include "framework/plugin/nearest.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

// The target that a formula predicts; "" for other laws, whose forms are not known here.
std::string TargetOf(const forms::LawRequest& law, const std::string& target) {
  if (law.formula.empty()) return "";
  const auto text = forms::ParseFormulaText(law.formula);
  if (!text.ok()) return "";
  return text->left.empty() ? target : forms::FormulaTarget(text->left);
}

// A formula must predict the target of the fit; one of the loss may be brought to δ by the
// full-precision law that is taken off.
void CheckTargets(const Values& values, const FitSettings& fit, Reading* reading) {
  std::vector<std::string> known = {kTargetDelta, kTargetLoss, kTargetOptimalFraction};
  bool predicted = std::find(known.begin(), known.end(), fit.target) != known.end();
  for (size_t i = 0; i < fit.requests.size(); ++i) {
    const std::string target = TargetOf(fit.requests[i], fit.target);
    if (target.empty()) continue;
    predicted = predicted || target == fit.target;
    const bool reduced = target == kTargetLoss && fit.target == kTargetDelta &&
                         !values.Text("full_precision").empty();
    if (target == fit.target || reduced) continue;
    reading->problems.Add(
        values.List("laws")[i].where,
        absl::StrCat("law '", fit.requests[i].name, "' predicts ", target, ", not ", fit.target,
                     target == kTargetLoss && fit.target == kTargetDelta
                         ? "; name the full-precision law that is taken off in 'full_precision'"
                         : ""));
  }
  if (predicted) return;
  reading->problems.Add(
      values.Get("target").where,
      absl::StrCat("'target' is \"", fit.target, "\", which no formula of 'laws' predicts",
                   plugin::NearestHint(fit.target, known)));
}

// The names that a fit's files have: its own, or those of its stages.
std::vector<std::string> FileNames(const std::string& name, bool stages) {
  if (!stages) return {name};
  return {name + "-base", name + "-delta"};
}

// A fit's name is the name of a file and of a section of the report.
void CheckFitName(const std::string& name, bool stages, const std::string& where,
                  std::set<std::string>* taken, Reading* reading) {
  CheckName(name, "the name of a fit", where, &reading->problems);
  for (const std::string& file : FileNames(name, stages)) {
    if (taken->insert(file).second) continue;
    reading->problems.Add(
        where, stages ? absl::StrCat("the stages of fit '", name, "' go by the name '", file,
                                     "', which another fit has")
                      : absl::StrCat("two fits have the name '", name, "'"));
  }
}

}  // namespace

void ReadFits(Reading* reading) {
  const Node* list = reading->root.Find("fit");
  if (list == nullptr) return;
  if (!list->Is(Node::Type::kArray)) {
    reading->problems.Add(list->where, "fits are a list: write [[fit]] in place of [fit]");
    return;
  }
  std::set<std::string> taken;
  for (const Node& table : list->array) {
    Values values = ReadSection(Section("fit"), &table, "[[fit]]", &reading->problems);
    FitSettings fit;
    fit.target = values.Text("target");
    fit.loss = values.Text("loss");
    fit.bootstraps = static_cast<int>(values.Int("bootstraps"));
    const std::string name =
        values.Has("name") ? values.Text("name") : absl::StrCat("fit", reading->fits.size() + 1);
    CheckFitName(name, values.Bool("stages"),
                 values.Has("name") ? values.Get("name").where : table.where, &taken, reading);
    fit.extra = {{"name", name},
                 {"where", values.Text("where")},
                 {"full_precision", values.Text("full_precision")},
                 {"non_positive", values.Text("non_positive")},
                 {"likelihood", values.Text("likelihood")},
                 {"seed", values.Int("seed")},
                 {"huber_delta", values.Float("huber_delta")},
                 {"search", values.Text("search")},
                 {"intervals", values.Text("intervals")},
                 {"sandwich", values.Bool("sandwich")},
                 {"resample", values.Text("resample")},
                 {"exact_noise", values.Bool("exact_noise")},
                 {"stages", values.Bool("stages")}};
    if (values.Has("laws") && values.List("laws").empty()) {
      reading->problems.Add(values.Get("laws").where, "'laws' is an empty list");
    }
    for (const Node& law : values.List("laws")) {
      forms::LawRequest request =
          forms::ReadLaw(law, reading->catalog, fit.target, &reading->problems);
      // One without a name is wrong already.
      if (!request.name.empty() &&
          std::find(fit.laws.begin(), fit.laws.end(), request.name) != fit.laws.end()) {
        reading->problems.Add(law.where, absl::StrCat("two laws are called '", request.name,
                                                      "'; give one of them another 'name'"));
      }
      fit.laws.push_back(request.name);
      fit.requests.push_back(std::move(request));
    }
    if (!values.Text("full_precision").empty()) {
      forms::ReadLaw(values.Get("full_precision"), reading->catalog, kTargetLoss,
                     &reading->problems);
    }
    CheckTargets(values, fit, reading);
    reading->recipe.fits.push_back(std::move(fit));
    reading->fits.push_back(std::move(values));
  }
}

}  // namespace qatlas::recipe
