#include "mixed_fc2.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace qatlas {
namespace {

constexpr qatlas_option kOptions[] = {
    StringOption("quantizer", "int", "Quantizer of weights and inputs."),
    IntOption("bits", "0", 0, 64, "Bits of a code; 0: the quantizer's own."),
    IntOption("weight_bits", "0", 0, 64, "Of weights, where they differ; 0: as `bits`."),
    IntOption("input_bits", "0", 0, 64, "Of inputs, where they differ; 0: as `bits`."),
    StringOption(
        "granularity", "",
        "What shares a scale: tensor, channel (an output channel, a token) or group; empty: "
        "the quantizer's own."),
    IntOption("group", "0", 0, 1 << 24,
              "Neighbouring input features that share a scale; 0: the quantizer's own."),
    TableOption("options", "Further options of the quantizer."),
    StringOption("fc2_quantizer", "", "Of the inputs of FC2; empty: as `quantizer`."),
    IntOption("fc2_bits", "8", 0, 64, "Of the inputs of FC2; 0: the quantizer's own."),
    StringOption("fc2_granularity", "", "Of the inputs of FC2; empty: as `granularity`."),
    IntOption("fc2_group", "0", 0, 1 << 24, "Of the inputs of FC2; 0: as `group`."),
    TableOption("fc2_options", "Further options for the inputs of FC2; they go before `options`."),
};

// What one rule says, before it is written as options of a quantizer.
struct Format {
  std::string quantizer;
  int64_t bits = 0;
  std::string granularity;
  int64_t group = 0;
};

absl::StatusOr<SchemeRule> RuleOf(const char* sites, const Format& format,
                                  const std::vector<const OptionTable*>& further) {
  SchemeRule rule;
  rule.sites = sites;
  rule.quantizer = format.quantizer;
  auto& values = rule.options.values;
  if (format.bits != 0) values.emplace("bits", format.bits);
  if (!format.granularity.empty()) values.emplace("granularity", format.granularity);
  const bool grouped = format.granularity.empty() || format.granularity == "group";
  if (grouped && format.group != 0) values.emplace("group", format.group);
  for (const OptionTable* table : further) {
    for (const auto& [name, value] : table->values) {
      const bool named = name == "bits" || name == "granularity" || name == "group";
      if (!values.emplace(name, value).second && named) {
        return absl::InvalidArgumentError(
            absl::StrCat(sites, ": '", name,
                         "' is set as an option of the scheme and among the further options "
                         "of the quantizer; keep one"));
      }
    }
  }
  return rule;
}

}  // namespace

const ComponentInfo MixedFc2Scheme::kInfo = {
    "mixed-fc2",
    "One quantizer for all linears, with bits and a quantizer of their own for the inputs of FC2",
    "Chen et al. 2025, Scaling Law for Quantization-Aware Training",
    1,
    nullptr,
    kOptions,
    std::size(kOptions),
};

absl::StatusOr<std::unique_ptr<Scheme>> MixedFc2Scheme::Create(const Options& options) {
  const auto first = [](int64_t own, int64_t other) { return own != 0 ? own : other; };
  const Format all = {options.String("quantizer"), options.Int("bits"),
                      options.String("granularity"), options.Int("group")};
  Format weight = all;
  weight.bits = first(options.Int("weight_bits"), all.bits);
  Format input = all;
  input.bits = first(options.Int("input_bits"), all.bits);

  Format fc2 = all;
  if (!options.String("fc2_quantizer").empty()) fc2.quantizer = options.String("fc2_quantizer");
  if (!options.String("fc2_granularity").empty())
    fc2.granularity = options.String("fc2_granularity");
  fc2.bits = options.Int("fc2_bits");
  fc2.group = first(options.Int("fc2_group"), all.group);
  const bool grouped = all.granularity.empty() || all.granularity == "group";
  const bool fc2_grouped = fc2.granularity.empty() || fc2.granularity == "group";
  if (all.group != 0 && !grouped && !fc2_grouped) {
    return absl::InvalidArgumentError(
        absl::StrCat("'group' has no effect: the granularity is '", all.granularity, "'"));
  }
  if (options.Int("fc2_group") != 0 && !fc2_grouped) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'fc2_group' has no effect: the granularity of FC2's input is '", fc2.granularity, "'"));
  }

  const OptionTable* further = &options.Table("options");
  std::vector<const OptionTable*> of_fc2 = {&options.Table("fc2_options")};
  // Options of another quantizer mean nothing to this one.
  if (fc2.quantizer == all.quantizer) of_fc2.push_back(further);

  std::vector<SchemeRule> rules(3);
  QATLAS_ASSIGN_OR_RETURN(rules[0], RuleOf("*.*.weight", weight, {further}));
  QATLAS_ASSIGN_OR_RETURN(rules[1], RuleOf("*.*.input", input, {further}));
  QATLAS_ASSIGN_OR_RETURN(rules[2], RuleOf("*.fc2.input", fc2, of_fc2));
  return std::unique_ptr<Scheme>(new MixedFc2Scheme(std::move(rules)));
}

}  // namespace qatlas
