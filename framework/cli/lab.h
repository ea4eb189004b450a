// The laboratory as the command line uses it: a table and names of laws in, a comparison out.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_H_
#define QATLAS_FRAMEWORK_CLI_LAB_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/session.h"
#include "framework/compare/compare.h"
#include "framework/forms/request.h"
#include "framework/observe/table.h"
#include "nlohmann/json.hpp"

namespace qatlas::cli {

struct LabSettings {
  std::string name = "fit";       // of the comparison: file names and the report's section
  std::string target = "delta";   // "delta", "loss", or another column that a form predicts
  std::vector<std::string> laws;  // as forms::ReadLaw takes them; not read where requests are given
  std::vector<forms::LawRequest> requests;  // laws in full
  std::string full_precision;               // the law that brings loss-forms to the target δ
  std::string loss = fit::kDefaultLoss;  // one of LossNames()
  double huber_delta = 0;                // 0: the loss's own
  std::string search = "own";            // fit::SearchNames()
  std::string intervals = "profile";     // one of IntervalNames()
  bool sandwich = false;                 // the covariance takes noise of unknown size run by run
  std::string resample = "auto";         // one of ResampleNames()
  // Sums of a law of the loss and one of δ are fitted in two stages.
  bool stages = false;
  std::string likelihood = "student-t";
  std::string non_positive = "linear";  // fit::NonPositiveByName
  std::string where;                    // rows to use, of those that fit the target
  std::string noise;                    // column of standard errors of the target
  bool noise_exact = false;             // which are the whole noise
  std::string weight;                   // column of weights
  // For every law that has the parameter, besides what its request says; a parameter that none of
  // them has is an error.
  std::map<std::string, double> fixed;
  std::map<std::string, std::string> tied;
  std::map<std::string, std::vector<std::string>> per;
  forms::ParameterOverrides overrides;
  int bootstraps = 500;  // 0: none
  // Column that counts parameters otherwise, for the ranking's robustness; empty: not examined.
  std::string alternative_size = "N_total";
  bool evidence = true;  // extrapolation, nested forms, win map and robustness, besides the ranking
  uint64_t seed = 1;
};

struct LabResult {
  LabSettings settings;
  observe::Table rows;  // what was compared on
  compare::Comparison comparison;
  std::vector<std::string> notes;  // rows left out and why
  // By the names of the ranking: the law as forms::LawFromText makes it again, with what was said
  // of its parameters.
  std::map<std::string, std::string> laws;
};

// compare::ToJson, with the text of its law in every fit (`law`).
nlohmann::ordered_json ToJson(const LabResult& result);

// Reads a table by its ending and pairs its rows where it has what that needs. `mapping` are
// "column=expression" items, with "where=condition" among them (framework/observe/import.h).
// Without a mapping the file must have the standard columns.
absl::StatusOr<observe::Table> ReadObservations(const std::string& path,
                                                const std::vector<std::string>& mapping,
                                                std::vector<std::string>* notes);

// Fits and compares on the rows of ChooseRows (framework/cli/lab_rows.h). Bootstraps draw groups of
// one model and seed where there are enough. Errors: an unknown law, no rows, settings that
// contradict each other.
absl::StatusOr<LabResult> RunLab(Session& session, const observe::Table& table,
                                 const LabSettings& settings);

// What Problem and Fit are given by the settings. InvalidArgument names what is wrong.
absl::StatusOr<fit::ProblemOptions> ProblemOptionsOf(const LabSettings& settings);
absl::StatusOr<fit::FitOptions> FitOptionsOf(const LabSettings& settings);

// fit::LossNames() and "hoffmann", the procedure of that name: log-huber searched from every start.
std::vector<std::string> LossNames();
std::vector<std::string> IntervalNames();  // "profile", "covariance"
// "auto": groups of one model and seed where the table tells at least five, else pairs.
std::vector<std::string> ResampleNames();  // "auto", "groups", "pairs", "residuals"

// "Law of δ", "Law of the loss": titles of report sections.
std::string TitleOfTarget(const std::string& target);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_H_
