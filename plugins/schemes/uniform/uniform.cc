#include "uniform.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace qatlas {
namespace {

constexpr qatlas_option kOptions[] = {
    StringOption("quantizer", "int", "Quantizer of weights and inputs."),
    IntOption("bits", "0", 0, 64, "Bits of a code; 0: the quantizer's own."),
    StringOption(
        "granularity", "",
        "What shares a scale: tensor, channel (an output channel, a token) or group; empty: "
        "the quantizer's own."),
    IntOption("group", "0", 0, 1 << 24,
              "Neighbouring input features that share a scale; 0: the quantizer's own."),
    TableOption("options", "Further options of the quantizer, for weights and inputs."),
    BoolOption("weights", "true", "Whether weights are quantized."),
    BoolOption("inputs", "true", "Whether inputs are quantized."),
    StringOption("weight_quantizer", "", "Of weights, where it differs."),
    IntOption("weight_bits", "0", 0, 64, "Of weights, where they differ; 0: as `bits`."),
    StringOption("weight_granularity", "", "Of weights, where it differs."),
    IntOption("weight_group", "0", 0, 1 << 24, "Of weights, where it differs; 0: as `group`."),
    TableOption("weight_options", "Further options of the quantizer of weights."),
    StringOption("input_quantizer", "", "Of inputs, where it differs."),
    IntOption("input_bits", "0", 0, 64, "Of inputs, where they differ; 0: as `bits`."),
    StringOption("input_granularity", "", "Of inputs, where it differs."),
    IntOption("input_group", "0", 0, 1 << 24, "Of inputs, where it differs; 0: as `group`."),
    TableOption("input_options", "Further options of the quantizer of inputs."),
};

// Sets an option of a rule; false where it is there already.
bool Set(const std::string& name, OptionValue value, SchemeRule* rule) {
  return rule->options.values.emplace(name, std::move(value)).second;
}

// Whether `group` reaches weights or inputs.
bool GroupHasEffect(const Options& options) {
  for (const char* operand : {"weight", "input"}) {
    if (!options.Bool(absl::StrCat(operand, "s"))) continue;
    const std::string& own = options.String(absl::StrCat(operand, "_granularity"));
    const std::string& granularity = own.empty() ? options.String("granularity") : own;
    if (granularity.empty() || granularity == "group") return true;
  }
  return false;
}

// The rule of one operand: "weight" or "input".
absl::StatusOr<SchemeRule> RuleOf(const std::string& operand, const Options& options) {
  const auto text = [&](const std::string& name) {
    const std::string& own = options.String(absl::StrCat(operand, "_", name));
    return own.empty() ? options.String(name) : own;
  };
  const auto number = [&](const std::string& name) {
    const int64_t own = options.Int(absl::StrCat(operand, "_", name));
    return own == 0 ? options.Int(name) : own;
  };
  SchemeRule rule;
  rule.sites = absl::StrCat("*.*.", operand);
  rule.quantizer = text("quantizer");

  const std::string granularity = text("granularity");
  const bool grouped = granularity.empty() || granularity == "group";
  for (const std::string& name : {absl::StrCat(operand, "_group"), std::string("group")}) {
    if (grouped || options.Int(name) == 0) continue;
    // One for both may be meant for the other operand alone.
    if (name == "group" && GroupHasEffect(options)) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", name,
                                                   "' has no effect: the granularity "
                                                   "of the ",
                                                   operand, "s is '", granularity, "'"));
  }
  if (number("bits") != 0) Set("bits", number("bits"), &rule);
  if (!granularity.empty()) Set("granularity", granularity, &rule);
  if (grouped && number("group") != 0) Set("group", number("group"), &rule);
  // An operand's own options come first and hide those for both.
  for (const std::string& table : {absl::StrCat(operand, "_options"), std::string("options")}) {
    for (const auto& [name, value] : options.Table(table).values) {
      const bool named = name == "bits" || name == "granularity" || name == "group";
      if (!Set(name, value, &rule) && named) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", name, "' is set as an option of the scheme and in '", table, "'; keep one"));
      }
    }
  }
  return rule;
}

}  // namespace

const ComponentInfo UniformScheme::kInfo = {
    "uniform",
    "One quantizer for the weights of all linears and one for their inputs",
    "",
    1,
    nullptr,
    kOptions,
    std::size(kOptions),
};

absl::StatusOr<std::unique_ptr<Scheme>> UniformScheme::Create(const Options& options) {
  std::vector<SchemeRule> rules;
  for (const std::string operand : {kWeight, kInput}) {
    if (!options.Bool(absl::StrCat(operand, "s"))) continue;
    QATLAS_ASSIGN_OR_RETURN(SchemeRule rule, RuleOf(operand, options));
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) {
    return absl::InvalidArgumentError(
        "'weights' and 'inputs' are both false: nothing is left to quantize; full precision needs "
        "no "
        "scheme");
  }
  return std::unique_ptr<Scheme>(new UniformScheme(std::move(rules)));
}

}  // namespace qatlas
