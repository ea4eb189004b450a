// Laws for planning from files and names: `qatlas fit -o` results and published presets.
#ifndef QATLAS_FRAMEWORK_PLAN_SOURCES_H_
#define QATLAS_FRAMEWORK_PLAN_SOURCES_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "framework/forms/request.h"
#include "framework/observe/table.h"
#include "framework/plan/law.h"
#include "framework/plugin/catalog.h"

namespace qatlas::plan {

// Makes a law from text: a component's name, a sum, a formula, or a table in one line of TOML
// (forms::LawFromText).
using LawFactory = std::function<absl::StatusOr<forms::MadeLaw>(const std::string& text)>;

// Laws of one file: those ranked, best first, with what a reader must know of the ranking.
struct LawFile {
  std::string target;
  std::vector<Law> laws;
  std::vector<std::string> notes;
  // The fit's rows as far as the file tells them: covariates and target, no categories.
  observe::Table rows;
};

// A comparison (`ranking`) or a single fit, as compare::ToJson and fit::ToJson write them.
// InvalidArgument with the file and the key where it is something else. Laws of files without a
// covariance have no draws and say so.
absl::StatusOr<LawFile> LawsFromJson(const std::string& text, const std::string& file,
                                     const LawFactory& make, const DrawOptions& options = {});

// "form:preset", one law; or "study:variant": the preset `study` of a law of the loss, and every
// preset `variant` that cites the same paper (arXiv number). NotFound lists what there is.
// relative_error: see LawFromPreset; a study's law of the loss is taken as it stands.
absl::StatusOr<std::vector<Law>> LawsFromPreset(const plugin::Catalog& catalog,
                                                const LawFactory& make, const std::string& text,
                                                double relative_error = 0, uint64_t seed = 1);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_SOURCES_H_
