#include "framework/recipe/schema.h"

#include <qatlas/check.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/recipe/observations_section.h"
#include "framework/recipe/parts.h"

namespace qatlas::recipe {
namespace {

KeySpec Key(const char* name, KeyType type, const char* fallback, const char* help) {
  KeySpec key;
  key.name = name;
  key.type = type;
  if (fallback != nullptr) key.fallback = fallback;
  key.help = help;
  return key;
}
KeySpec Bool(const char* name, const char* fallback, const char* help) {
  return Key(name, KeyType::kBool, fallback, help);
}
KeySpec Int(const char* name, const char* fallback, double minimum, const char* help) {
  KeySpec key = Key(name, KeyType::kInt, fallback, help);
  key.minimum = minimum;
  return key;
}
KeySpec Float(const char* name, const char* fallback, std::optional<double> minimum,
              std::optional<double> maximum, const char* help) {
  KeySpec key = Key(name, KeyType::kFloat, fallback, help);
  key.minimum = minimum;
  key.maximum = maximum;
  return key;
}
KeySpec Text(const char* name, const char* fallback, const char* help) {
  return Key(name, KeyType::kText, fallback, help);
}
KeySpec Choice(const char* name, const char* fallback, std::vector<std::string> choices,
               const char* help) {
  KeySpec key = Key(name, KeyType::kText, fallback, help);
  key.choices = std::move(choices);
  return key;
}
KeySpec Texts(const char* name, const char* fallback, const char* help) {
  return Key(name, KeyType::kTexts, fallback, help);
}
KeySpec Part(KeySpec key) {
  key.pattern = kPartPattern;
  return key;
}
KeySpec Required(KeySpec key) {
  key.required = true;
  return key;
}
KeySpec Above(KeySpec key) {
  key.above = true;
  return key;
}
KeySpec Below(KeySpec key) {
  key.below = true;
  return key;
}

KeySpec Fraction() {
  return Above(Below(Float("validation_fraction", "0.01", 0, 1,
                           "Share of the documents, or of the tokens, kept for validation.")));
}

SectionSpec RecipeSection() {
  return {
      "recipe",
      "",
      SectionSpec::Form::kTable,
      false,
      "What the recipe is called.",
      {Text("name", nullptr, "Names the study's folder; default: the file's name without .toml."),
       Text("description", "\"\"", "One line for lists and reports.")}};
}

// The sections [data], one for each kind of source; keys are the fields of data::SourceSpec.
std::vector<SectionSpec> DataSections() {
  const KeySpec source = Required(Choice("source", nullptr, {"text", "tokens", "synthetic"},
                                         "Kind of source; it decides which other keys there are."));
  const auto form = SectionSpec::Form::kTable;
  return {
      {"data",
       "text",
       form,
       false,
       "Text that a tokenizer is trained on and that it splits into tokens.",
       {source,
        Required(
            Texts("files", nullptr,
                  "Files, folders or globs; gzip and dictzip are recognized. Relative paths start "
                  "at the current folder.")),
        Text("separator", "\"\"",
             "Splits a file into documents (\"\\n\\n\": at blank lines); empty: one document a "
             "file."),
        Int("min_document_bytes", "1", 0, "Shorter documents are left out."),
        Int("vocabulary", "1024", 258,
            "Ids of the tokenizer: end, unknown, 256 bytes, learned pieces."),
        Choice("normalization", "\"nmt_nfkc\"",
               {"identity", "nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf"},
               "SentencePiece's normalization; \"identity\" keeps every byte."),
        Int("tokenizer_sample_bytes", "8388608", 1,
            "Text that the tokenizer is trained on, bytes."),
        Fraction(),
        Int("validation_documents", "0", 0, "Above 0: so many documents instead of a share."),
        Int("split_seed", "0", 0, "Decides which documents are kept for validation.")}},
      {"data",
       "tokens",
       form,
       false,
       "Token ids in files of somebody else's.",
       {source,
        Required(Texts("files", nullptr, "Files, folders or globs; one stream in this order.")),
        Texts("validation_files", "[]", "The validation stream; empty: the tail of `files`."),
        Choice("format", "\"auto\"", {"auto", "raw", "llmc", "npy"},
               "\"auto\" tells .npy and llm.c files by their first bytes."),
        Choice("dtype", "\"uint16\"", {"uint16", "uint32"}, "Of raw files, little-endian."),
        Required(Int("vocabulary", nullptr, 1, "Every id must be below.")), Fraction()}},
      {"data",
       "synthetic",
       form,
       false,
       "A Markov source whose entropy rate is known in closed form.",
       {source, Int("vocabulary", "1024", 2, "Different tokens."),
        Int("branching", "16", 1, "Successors of each context; at most `vocabulary`."),
        Float("exponent", "1.0", 0, std::nullopt,
              "Successor i has probability proportional to (i + 1)^-exponent."),
        Int("classes", "8", 1, "Classes of the token before last; 1: a first-order chain."),
        Float("popularity", "1.0", 0, std::nullopt,
              "How unequally often contexts occur; 0: all alike."),
        Required(Int("train_tokens", nullptr, 1, "Length of the training stream.")),
        Required(Int("validation_tokens", nullptr, 1, "Length of the validation stream.")),
        Int("seed", "0", 0, "Decides the chain and the tokens drawn from it.")}},
  };
}

std::vector<SectionSpec> TrainingSections() {
  return {
      {"training",
       "",
       SectionSpec::Form::kTable,
       false,
       "What all runs have in common.",
       {Int("sequence_length", "256", 1, "Tokens of a sequence."),
        Int("batch_sequences", "8", 1, "Sequences of one optimizer step."),
        Int("micro_batch_sequences", "0", 0,
            "Sequences of one forward pass, which must divide the batch; 0: the whole batch."),
        Above(Float("learning_rate", "0.001", 0, std::nullopt, "Peak; a model may have its own.")),
        Choice("schedule", "\"wsd\"", {"wsd", "cosine", "constant"},
               "Warm-up, then: constant and a cooldown; a cosine; constant."),
        Int("warmup_tokens", "0", 0, "Tokens of the linear warm-up; whole steps of them are used."),
        Int("warmup_steps", "0", 0, "Above 0: steps of the warm-up in place of `warmup_tokens`."),
        Float("final_fraction", "0.1", 0, 1, "Of the peak, at the end of the cosine or cooldown."),
        Float("cooldown_fraction", "0.25", 0, 1, "Share of the budget that \"wsd\" cools down in."),
        Choice("cooldown_shape", "\"linear\"", {"linear", "cosine", "one-minus-sqrt"},
               "How the rate falls in the cooldown."),
        Choice("precision", "\"auto\"", {"auto", "fp32", "bf16"},
               "Of activations and matrix products; \"auto\": BF16 where the device multiplies it "
               "faster and every linear of every model has at least 128 features."),
        Int("threads", "1", 1, "Of each worker; they are part of what decides a result."),
        Bool("allow_epochs", "false", "Lets a budget be larger than the data."),
        Int("validation_sequences", "512", 1, "Sequences that the validation loss is measured on."),
        Int("site_statistics_every", "0", 0,
            "Steps between records of site statistics; 0: at the end only."),
        Int("smoothing_tokens", "65536", 1,
            "The smoothed training loss is the mean over the last so many."),
        Choice(
            "delta_of", "\"validation\"", {"validation", "training"},
            "Loss that δ is a difference of: of the validation, or the smoothed training loss.")}},
      {"training.optimizer",
       "",
       SectionSpec::Form::kTable,
       false,
       "AdamW with decoupled weight decay.",
       {Below(Float("beta1", "0.9", 0, 1, "Decay of the first moment.")),
        Below(Float("beta2", "0.95", 0, 1, "Decay of the second moment.")),
        Above(Float("epsilon", "1e-8", 0, std::nullopt, "Added to the root of the second moment.")),
        Float("weight_decay", "0.1", 0, std::nullopt, "Times the learning rate, each step."),
        Float("clip", "1.0", 0, std::nullopt, "Largest global gradient norm; 0: no clipping.")}},
      {"training.groups",
       "",
       SectionSpec::Form::kNamed,
       false,
       "Values for an optimizer group that a quantizer or a model names.",
       {Above(Float("learning_rate", nullptr, 0, std::nullopt, "Peak for the group.")),
        Bool("weight_decay", nullptr, "Whether the group decays.")}},
  };
}

std::vector<SectionSpec> GridSections() {
  const char* part_help =
      "Which operands and roles are quantized: both, weights, inputs, <role>-<n>bit, only:<role>, "
      "not:<role>.";
  KeySpec tokens = Required(Key("tokens", KeyType::kInts, nullptr,
                                "Budgets in tokens; whole steps of them are trained."));
  tokens.minimum = 1;
  KeySpec seeds =
      Key("seeds", KeyType::kInts, "[0]", "Of initial values, token order, quantizers.");
  seeds.minimum = 0;
  return {
      {"model",
       "",
       SectionSpec::Form::kNamed,
       true,
       "A model: a builder with its options.",
       {Required(Text("use", nullptr, "The model builder.")),
        Above(Float("learning_rate", nullptr, 0, std::nullopt, "Peak of this model.")),
        Int("batch_sequences", nullptr, 1, "Sequences of one optimizer step of this model.")}},
      {"scheme",
       "",
       SectionSpec::Form::kNamed,
       true,
       "A scheme: a scheme component with its options, or rules.",
       {Text("use", nullptr, "The scheme component."),
        Key("rules", KeyType::kRules, nullptr,
            "Rules in place of `use`: tables with sites, use and the quantizer's options."),
        Part(Text("part", nullptr, part_help)),
        Text("after", nullptr,
             "Another scheme, which quantizes without training where this one starts; this one "
             "takes over from it."),
        Texts("frozen", nullptr,
              "Optimizer groups that are not trained: \"model\" is all but the quantizers.")}},
      {"grid",
       "",
       SectionSpec::Form::kList,
       false,
       "Runs: every model on every budget with every seed under every scheme.",
       {Text("name", nullptr, "Names the grid in observations; default: grid1, grid2, ..."),
        Required(Texts("models", nullptr, "Names of [model.<name>].")), tokens, seeds,
        Texts("schemes", "[]", "Names of [scheme.<name>]; full precision is always added."),
        Key("options", KeyType::kOptions, nullptr,
            "Options that vary, each with its list of values; all combinations. A list of such "
            "tables: one after the other."),
        Part(Texts("parts", "[\"both\"]", part_help)),
        Key("qat", KeyType::kStart, "\"scratch\"",
            "Where quantization starts: \"scratch\", \"cooldown\", { fraction = 0.5 } of the "
            "budget, counted from its end, { extra_tokens = 65536, learning_rate = 1e-3 } after "
            "it; or a list of these."),
        Bool("carry_optimizer", "true",
             "Keeps the optimizer's moments when quantization starts in the middle.")}},
  };
}

std::vector<SectionSpec> OtherSections() {
  return {
      {"start",
       "",
       SectionSpec::Form::kTable,
       false,
       "Where all runs start from.",
       {Required(Text("checkpoint", nullptr, "A safetensors file with the model's weights."))}},
      {"fit",
       "",
       SectionSpec::Form::kList,
       false,
       "A fit of law forms to the observations.",
       {Text("name", nullptr, "Names the fit; default: fit1, fit2, ..."),
        Text("target", "\"delta\"",
             "What is predicted: delta, loss, optimal_fraction, or the column that a formula of "
             "`laws` has on its left side."),
        Required(Key("laws", KeyType::kLaws, nullptr,
                     "Laws that are fitted and compared: names, sums, formulas, or tables (see "
                     "below).")),
        Text("full_precision", "\"\"",
             "Law of the full-precision loss that is taken off laws of the loss when the target is "
             "delta; empty: none."),
        Choice(
            "loss", "\"log-student-t\"",
            {"log-huber", "huber", "log-least-squares", "least-squares", "log-student-t",
             "student-t", "hoffmann"},
            "What is minimized; \"hoffmann\": log-huber from every start, as Hoffmann et al. and "
            "Besiroglu et al. fit."),
        Float("huber_delta", "0", 0, std::nullopt,
              "Where Huber's loss turns linear; 0: the loss's own value."),
        Choice("search", "\"own\"",
               {"own", "projected", "every-start", "lbfgs", "slsqp", "mlsl", "crs2", "isres"},
               "How the optimum is searched (docs/laws.md); lbfgs to isres are NLopt's."),
        Bool("stages", "false",
             "Fits the sum of a law of the loss and one of delta in two stages: the loss on "
             "full-precision rows, then delta on pairs. The report compares the stages apart."),
        Choice("intervals", "\"profile\"", {"profile", "covariance"},
               "Of parameters: profile likelihood, asymmetric; or the covariance."),
        Bool("sandwich", "false",
             "Intervals for noise that differs from run to run by an unknown factor (HC3)."),
        Bool("exact_noise", "false",
             "The observations' noise is the whole noise: intervals are not scaled by the "
             "residuals."),
        Choice("resample", "\"auto\"", {"auto", "groups", "pairs", "residuals"},
               "What bootstraps draw; \"auto\": groups of one model and seed where there are at "
               "least five, else pairs."),
        Choice(
            "non_positive", "\"linear\"", {"linear", "drop", "refuse"},
            "Rows of 0 or less under a logarithm: all rows without it, without these, an error."),
        Choice("likelihood", "\"student-t\"", {"student-t", "gaussian", "huber"},
               "Of the residuals, in the criteria that rank laws."),
        Int("bootstraps", "500", 0, "Resamples for the intervals; 0: none."),
        Int("seed", "1", 0, "Of the resamples and of the starting points."),
        Text("where", "\"\"",
             "Which observations count, such as \"D > 1e6\"; empty: all. Of these, rows whose part "
             "is both or missing are used for delta and full-precision rows for the loss, unless "
             "the condition itself names part (for the loss: part or scheme).")}},
      {"report",
       "",
       SectionSpec::Form::kTable,
       false,
       "The report.",
       {Text("title", nullptr, "Its headline; default: the recipe's name.")}},
  };
}

void Append(std::vector<SectionSpec> from, std::vector<SectionSpec>* to) {
  for (SectionSpec& section : from) to->push_back(std::move(section));
}

std::string TypeText(const KeySpec& key) {
  switch (key.type) {
    case KeyType::kBool:
      return "bool";
    case KeyType::kInt:
      return "int";
    case KeyType::kFloat:
      return "float";
    case KeyType::kText:
      return "text";
    case KeyType::kTexts:
      return "list of texts";
    case KeyType::kInts:
      return "list of ints";
    case KeyType::kRules:
      return "list of rules";
    case KeyType::kOptions:
      return "table of lists";
    case KeyType::kStart:
      return "text or table";
    case KeyType::kLaws:
      return "list of texts or tables";
    case KeyType::kExpressions:
      return "table of expressions";
  }
  return "";
}

std::string RangeText(const KeySpec& key) {
  if (!key.choices.empty()) return absl::StrJoin(key.choices, ", ");
  std::string result;
  if (key.minimum) absl::StrAppend(&result, key.above ? "> " : "≥ ", *key.minimum);
  if (key.maximum) {
    absl::StrAppend(&result, result.empty() ? "" : ", ", key.below ? "< " : "≤ ", *key.maximum);
  }
  return result;
}

}  // namespace

std::string SectionSpec::Title() const {
  switch (form) {
    case Form::kNamed:
      return absl::StrCat("[", name, ".<name>]");
    case Form::kList:
      return absl::StrCat("[[", name, "]]");
    case Form::kTable:
      return absl::StrCat("[", name, "]");
  }
  return name;
}

const KeySpec* SectionSpec::Find(absl::string_view key) const {
  for (const KeySpec& spec : keys) {
    if (spec.name == key) return &spec;
  }
  return nullptr;
}

std::vector<std::string> SectionSpec::KeyNames() const {
  std::vector<std::string> names;
  for (const KeySpec& key : keys) names.push_back(key.name);
  return names;
}

const std::vector<SectionSpec>& Schema() {
  static const auto* schema = [] {
    auto* sections = new std::vector<SectionSpec>{RecipeSection()};
    Append(DataSections(), sections);
    Append(TrainingSections(), sections);
    Append(GridSections(), sections);
    Append(ObservationsSections(), sections);
    Append(OtherSections(), sections);
    return sections;
  }();
  return *schema;
}

const SectionSpec& Section(absl::string_view name, absl::string_view variant) {
  for (const SectionSpec& section : Schema()) {
    if (section.name == name && (variant.empty() || section.variant == variant)) return section;
  }
  QATLAS_CHECK(false, "a section that the schema does not have");
  return Schema().front();
}

std::vector<std::string> DataSources() { return Section("data").Find("source")->choices; }

std::string KeysAsMarkdown(const SectionSpec& section) {
  std::string result = "| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const KeySpec& key : section.keys) {
    absl::StrAppend(&result, "| `", key.name, "` | ", TypeText(key), " | ");
    if (key.required) {
      absl::StrAppend(&result, "required");
    } else if (key.fallback) {
      absl::StrAppend(&result, "`", *key.fallback, "`");
    }
    absl::StrAppend(&result, " | ", RangeText(key), " | ", key.help, " |\n");
  }
  return result;
}

}  // namespace qatlas::recipe
