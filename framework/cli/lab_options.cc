#include "framework/cli/lab_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/fit/procedure.h"

namespace qatlas::cli {

const char kLawHelp[] =
    "A law: the name of a form (`qatlas plugin ls`), the sum of one for the loss and one for "
    "delta,\n"
    "or a formula; several are parted by commas (repeatable)";
const char kLawExamples[] =
    "A formula's names that are columns of the table (or N, D, G, weight_bits, ...) are read from "
    "it;\n"
    "all others are parameters. Examples:\n"
    "  --law qat-unified,qat-no-data\n"
    "  --law 'chinchilla + qat-unified' --target loss --per k=precision\n"
    "  --law 'L = E + A/N^a + B/D^b' --target loss --tie b=a --start a=0.1..1\n"
    "  --law 'mine: delta = k * D^g * (log2 G)^h / N^n' --fix h=0.8\n"
    "`qatlas plugin new law NAME --from FORMULA` makes a plugin of a formula.";

std::vector<std::string> LawsOf(const std::vector<std::string>& items) {
  std::vector<std::string> laws;
  for (const std::string& item : items) {
    for (std::string& law : forms::SplitLaws(item)) laws.push_back(std::move(law));
  }
  return laws;
}

void AddParameterOptions(CLI::App* verb, ParameterItems& items) {
  verb->add_option("--fix", items.fixed,
                   "parameter=value, held; 'eff[W4A4]=0.8' for one category (repeatable, as all "
                   "below)")
      ->type_name("NAME=VALUE");
  verb->add_option("--tie", items.tied, "parameter=parameter: it takes the other's value")
      ->type_name("NAME=NAME");
  verb->add_option("--per", items.per,
                   "parameter=columns: a value of its own for every combination; 'k=' for one "
                   "value. As all of "
                   "these, for the laws that have the parameter; one that no law has is an error")
      ->type_name("NAME=COLUMNS");
  verb->add_option("--start", items.start, "parameter=0.1,1,10 or parameter=0.1..10")
      ->type_name("NAME=VALUES");
  verb->add_option("--bounds", items.bounds, "parameter=low..high")->type_name("NAME=RANGE");
  verb->add_option("--positive", items.positive, "Parameter above 0, searched as its logarithm")
      ->type_name("NAME");
}

void AddFitOptions(CLI::App* verb, LabSettings& settings) {
  verb->add_option("--loss", settings.loss,
                   absl::StrCat("What is minimized: ", absl::StrJoin(LossNames(), ", "),
                                ";\nhoffmann is log-huber searched from every start"))
      ->capture_default_str();
  verb->add_option("--huber-delta", settings.huber_delta,
                   "Where Huber turns linear; 0: the loss's own")
      ->capture_default_str();
  verb->add_option("--non-positive", settings.non_positive,
                   "Rows whose target is 0 or less, where its logarithm is taken: refuse, drop, or "
                   "fit all rows\n"
                   "in linear space")
      ->capture_default_str();
  verb->add_option("--noise", settings.noise, "Column of standard errors of the target")
      ->type_name("COLUMN");
  verb->add_option("--weight", settings.weight, "Column of weights")->type_name("COLUMN");
  verb->add_flag("--exact-noise", settings.noise_exact,
                 "The standard errors of --noise are the whole noise: intervals are not scaled by "
                 "the residuals");
  verb->add_flag("--sandwich", settings.sandwich,
                 "Intervals for noise that differs from run to run by an unknown factor (HC3)");
  verb->add_option(
          "--search", settings.search,
          absl::StrCat("How the optimum is searched: ", absl::StrJoin(fit::SearchNames(), ", "),
                       ";\nlbfgs to isres are NLopt's"))
      ->capture_default_str();
  verb->add_flag("--stages", settings.stages,
                 "Fit the sum of a law of the loss and one of delta in two stages: the loss on "
                 "full-precision\nrows, then delta on pairs; without it both at once on all rows");
}

void AddLabOptions(CLI::App* verb, std::vector<std::string>& mapping, LabSettings& settings,
                   ParameterItems& parameters) {
  verb->add_option(
          "--map", mapping,
          "column=expression over the file's columns, such as N=params_nonembedding or\n"
          "D='flop / (6*params)'; where=condition keeps rows (repeatable).\n"
          "Of these, delta takes rows whose part is both or missing, the loss those in full "
          "precision")
      ->type_name("COLUMN=EXPRESSION");
  verb->add_option("--target", settings.target,
                   "What the laws predict: delta, loss, or the column on a formula's left side")
      ->capture_default_str();
  verb->add_option("--full-precision", settings.full_precision,
                   "Law that is fitted to the full-precision rows and taken off, so that forms for "
                   "the loss\n"
                   "can be compared for delta")
      ->type_name("LAW");
  verb->add_option("--likelihood", settings.likelihood, "student-t, gaussian or huber")
      ->capture_default_str();
  AddFitOptions(verb, settings);
  AddParameterOptions(verb, parameters);
  verb->add_option("--bootstraps", settings.bootstraps, "Resamples; 0: none")
      ->capture_default_str();
  verb->add_option("--resample", settings.resample,
                   absl::StrCat("What bootstraps draw: ", absl::StrJoin(ResampleNames(), ", "),
                                ";\nauto: groups of one model and seed where the table tells at "
                                "least five, else pairs"))
      ->capture_default_str();
  verb->add_option("--intervals", settings.intervals,
                   "profile (profile likelihood, asymmetric) or covariance")
      ->capture_default_str();
  verb->add_option("--alternative-size", settings.alternative_size,
                   "Column that counts parameters otherwise: does the ranking stand with it as N?")
      ->type_name("COLUMN")
      ->capture_default_str();
  verb->add_flag_callback(
      "--no-evidence", [&settings] { settings.evidence = false; },
      "Rank only: no extrapolation, nested forms, win map or robustness");
  verb->add_option("--seed", settings.seed, "Of resamples and folds")->capture_default_str();
}

}  // namespace qatlas::cli
