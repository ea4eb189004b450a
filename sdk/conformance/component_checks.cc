// What must hold of any component: how it describes itself, its options, and its factory.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "qatlas/abi.h"
#include "qatlas/conformance/check.h"
#include "qatlas/conformance/create.h"
#include "qatlas/options.h"
#include "sdk/conformance/names.h"

#if defined(__SANITIZE_ADDRESS__)
#define QATLAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QATLAS_ASAN 1
#endif
#endif
#ifdef QATLAS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace qatlas::conformance {
namespace {

constexpr int kCombinations = 64;
constexpr int kRounds = 20;  // of creating and destroying

// What is wrong with a factory's error: no message, or a sign that it threw; "" where nothing is.
std::string WrongRefusal(const absl::Status& status) {
  if (status.ok()) return "";
  if (status.message().empty()) return "the factory refuses without a message";
  if (absl::IsInternal(status)) {
    return absl::StrCat("not an error that a user caused: ", status.message());
  }
  return "";
}

// Whether the kind's factories can be called in this program; the check is skipped else.
bool CanMake(const Subject& subject, Probe& probe) {
  if (subject.make == nullptr) probe.Skip("this program cannot make components of this kind");
  return subject.make != nullptr;
}

const qatlas_option* Option(const qatlas_component& component, uint64_t i) {
  return component.options == nullptr ? nullptr : &component.options[i];
}

void Described(const Subject& subject, Probe& probe) {
  const qatlas_component& component = *subject.component;
  probe.Trying("the component's descriptor");
  if (component.factory == nullptr) probe.Fail("it has no factory (a null pointer)");
  if (component.name == nullptr || !IsName(component.name)) {
    probe.Fail(absl::StrCat("its name '", component.name == nullptr ? "" : component.name,
                            "' is not in ", kNameRule));
  }
  for (const auto& [text, what] :
       {std::pair{component.summary, "summary"}, {component.citation, "citation"}}) {
    if (text == nullptr) {
      probe.Fail(absl::StrCat("it has no ", what, " (a null pointer; \"\" where there is none)"));
    } else if (absl::StrContains(text, "\n")) {
      probe.Fail(absl::StrCat("its ", what, " is more than a line: '", text, "'"));
    }
  }
  if (component.summary != nullptr && absl::StripAsciiWhitespace(component.summary).empty()) {
    probe.Fail("its summary is empty; `qatlas plugin ls` shows it");
  }
  if (component.numerics_version == 0) {
    probe.Fail("its numerics version is 0; it begins at 1 and is raised when results change");
  }
  if (component.abilities == nullptr) {
    probe.Fail("its list of abilities is a null pointer; kNoAbilities is the empty one");
    return;
  }
  std::set<std::string> seen;
  for (const char* const* ability = component.abilities; *ability != nullptr; ++ability) {
    const std::string key = std::string(*ability).substr(0, std::string(*ability).find(':'));
    if (!IsName(key)) {
      probe.Fail(absl::StrCat("its ability '", *ability, "' is not in ", kNameRule));
    }
    if (!seen.insert(*ability).second) {
      probe.Fail(absl::StrCat("it declares the ability '", *ability, "' twice"));
    }
  }
}

void CheckRange(const qatlas_option& option, const std::string& who, Probe& probe) {
  const bool number = option.type == QATLAS_OPTION_INT || option.type == QATLAS_OPTION_FLOAT;
  const bool limited = !std::isnan(option.minimum) || !std::isnan(option.maximum);
  if (!number && limited) probe.Fail(absl::StrCat(who, " has limits, and is no number"));
  if (option.minimum > option.maximum) {
    probe.Fail(absl::StrCat(who, " has the least value ", option.minimum, " above its greatest, ",
                            option.maximum));
  }
  if (option.type == QATLAS_OPTION_INT) {
    for (double limit : {option.minimum, option.maximum}) {
      if (!std::isnan(limit) && limit != std::floor(limit)) {
        probe.Fail(absl::StrCat(who, " is a whole number with the limit ", limit));
      }
    }
  }
  if (option.choices == nullptr) return;
  if (option.type != QATLAS_OPTION_STRING) {
    probe.Fail(absl::StrCat(who, " has choices, and is no text"));
  }
  std::set<std::string> seen;
  for (const char* const* choice = option.choices; *choice != nullptr; ++choice) {
    if (!seen.insert(*choice).second) {
      probe.Fail(absl::StrCat(who, " has the choice '", *choice, "' twice"));
    }
  }
  if (seen.empty()) probe.Fail(absl::StrCat(who, " has an empty list of choices"));
}

void OptionsDeclared(const Subject& subject, Probe& probe) {
  const qatlas_component& component = *subject.component;
  if (component.option_count == 0) return probe.Skip("it has no options");
  if (component.options == nullptr) return probe.Fail("its options are a null pointer");
  std::set<std::string> seen;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = *Option(component, i);
    if (option.name == nullptr) {
      probe.Fail(absl::StrCat("option ", i, " has no name (a null pointer)"));
      continue;
    }
    const std::string who = absl::StrCat("option '", option.name, "'");
    probe.Trying(who);
    if (!IsName(option.name)) probe.Fail(absl::StrCat(who, " is not in ", kNameRule));
    if (!seen.insert(option.name).second) probe.Fail(absl::StrCat(who, " is declared twice"));
    if (option.help == nullptr || absl::StripAsciiWhitespace(option.help).empty()) {
      probe.Fail(absl::StrCat(who, " has no help; `qatlas plugin info` shows it"));
    }
    if (option.type < QATLAS_OPTION_BOOL || option.type > QATLAS_OPTION_TABLE) {
      probe.Fail(absl::StrCat(who, " has the unknown type ", option.type));
      continue;
    }
    CheckRange(option, who, probe);
    if (option.default_value == nullptr) continue;
    auto value = ParseDefault(option);
    const absl::Status status = value.ok() ? CheckValue(option, *value) : value.status();
    if (!status.ok()) {
      probe.Fail(absl::StrCat("its default does not fit: ", std::string(status.message())));
    }
  }
}

// Numbers that a recipe may hold in place of what is meant; of floats, those just outside the
// limits.
std::vector<int64_t> OddIntegers(const qatlas_option& option) {
  std::vector<int64_t> values = {0, -1, 1, std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max()};
  // Beyond 2^53 a limit and its neighbour are the same double.
  if (std::abs(option.minimum) < 9e15) values.push_back(static_cast<int64_t>(option.minimum) - 1);
  if (std::abs(option.maximum) < 9e15) values.push_back(static_cast<int64_t>(option.maximum) + 1);
  return values;
}
std::vector<double> OddNumbers(const qatlas_option& option) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> values = {0, -1, .5, 1e300, -1e300, kInfinity, -kInfinity, std::nan("")};
  if (!std::isnan(option.minimum)) values.push_back(std::nextafter(option.minimum, -kInfinity));
  if (!std::isnan(option.maximum)) values.push_back(std::nextafter(option.maximum, kInfinity));
  return values;
}
std::vector<std::string> OddTexts() {
  return {"", "true", "no such thing", "\"quoted\"\nand a line\t\\", std::string(1000, 'x')};
}
std::vector<std::shared_ptr<const OptionTable>> OddTables() {
  OptionTable unknown;
  unknown.values["no such option"].emplace<bool>(true);
  return {std::make_shared<const OptionTable>(),
          std::make_shared<const OptionTable>(std::move(unknown))};
}

// How the values of a check were taken.
struct Taken {
  int refused = 0;
  int taken = 0;
};

template <typename T>
void TryValues(const Subject& subject, const qatlas_option& option, const std::vector<T>& values,
               Probe& probe, Taken* counts) {
  for (const T& value : values) {
    OptionTable given;
    given.values[option.name].template emplace<T>(value);
    probe.Trying(CanonicalText(given));
    const auto options = CompleteOptions(*subject.component, given);
    // Else the declaration refuses it, and the host says so.
    const absl::Status status =
        options.ok() ? subject.make(*subject.component, *options) : options.status();
    const std::string wrong = options.ok() ? WrongRefusal(status) : "";
    if (!wrong.empty()) probe.Fail(wrong);
    ++(status.ok() ? counts->taken : counts->refused);
    if constexpr (std::is_same_v<T, double>) {
      if (status.ok() && std::isnan(value)) {
        probe.Warn(absl::StrCat("neither the declaration nor the factory refuses NaN for '",
                                option.name, "'; declare limits"));
      }
    }
  }
}

void OptionsRefused(const Subject& subject, Probe& probe) {
  const qatlas_component& component = *subject.component;
  if (component.option_count == 0) return probe.Skip("it has no options");
  if (!CanMake(subject, probe)) return;
  Taken counts;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = *Option(component, i);
    TryValues<bool>(subject, option, {false, true}, probe, &counts);
    TryValues(subject, option, OddIntegers(option), probe, &counts);
    TryValues(subject, option, OddNumbers(option), probe, &counts);
    TryValues(subject, option, OddTexts(), probe, &counts);
    TryValues(subject, option, OddTables(), probe, &counts);
  }
  probe.Measured("refused", counts.refused, "values");
  probe.Measured("taken", counts.taken, "values");
}

// A value within the declaration.
OptionValue Drawn(const qatlas_option& option, std::mt19937_64& random) {
  const bool from_below = !std::isnan(option.minimum);
  const bool from_above = !std::isnan(option.maximum);
  const double low = from_below ? option.minimum : from_above ? option.maximum - 1000 : 0;
  const double high = from_above ? option.maximum : low + 1000;
  double number = low;
  switch (random() % 4) {
    case 0:
      break;
    case 1:
      number = high;
      break;
    case 2:  // one that is small beside the range
      number = std::min(high, low + std::exp2(static_cast<double>(random() % 11)));
      break;
    default:
      number = low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  }
  switch (option.type) {
    case QATLAS_OPTION_BOOL:
      return random() % 2 == 0;
    case QATLAS_OPTION_INT:
      return static_cast<int64_t>(std::floor(number));
    case QATLAS_OPTION_FLOAT:
      return number;
    case QATLAS_OPTION_TABLE:
      return std::make_shared<const OptionTable>();
    default:
      break;
  }
  std::vector<std::string> texts = {"", "x"};
  if (option.default_value != nullptr) texts.push_back(option.default_value);
  if (option.choices != nullptr) {
    texts.clear();
    for (const char* const* choice = option.choices; *choice != nullptr; ++choice) {
      texts.push_back(*choice);
    }
  }
  return texts[random() % texts.size()];
}

void FactoryAnswers(const Subject& subject, Probe& probe) {
  if (!CanMake(subject, probe)) return;
  const qatlas_component& component = *subject.component;
  std::mt19937_64 random(probe.seed());
  bool required = false;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    required = required || Option(component, i)->default_value == nullptr;
  }
  int made = 0;
  for (int round = 0; round < kCombinations; ++round) {
    OptionTable given;
    for (uint64_t i = 0; round > 0 && i < component.option_count; ++i) {
      const qatlas_option& option = *Option(component, i);
      // A few at a time: all of them at once mostly contradict each other.
      if (option.default_value == nullptr || random() % 3 == 0) {
        given.values[option.name] = Drawn(option, random);
      }
    }
    const auto options = CompleteOptions(component, given);
    if (!options.ok()) return probe.Fail(std::string(options.status().message()));
    probe.Trying(absl::StrCat("options ", Text(*options)));
    const absl::Status status = subject.make(component, *options);
    if (const std::string wrong = WrongRefusal(status); !wrong.empty()) probe.Fail(wrong);
    if (round == 0 && !status.ok() && !required) {
      probe.Fail(absl::StrCat("the factory refuses the defaults: ", status.message()));
    }
    made += status.ok();
    if (component.option_count == 0) break;
  }
  probe.Measured("made", made, "of combinations");
}

void SanitizerClean([[maybe_unused]] const Subject& subject, Probe& probe) {
#ifdef QATLAS_ASAN
  if (!CanMake(subject, probe)) return;
  const qatlas_component& component = *subject.component;
  const auto options = CompleteOptions(component);
  if (!options.ok()) return probe.Fail(std::string(options.status().message()));
  probe.Trying(absl::StrCat("created and destroyed ", kRounds, " times, options ", Text(*options)));
  __lsan_do_recoverable_leak_check();  // what others lost is told once, here
  for (int round = 0; round < kRounds; ++round) (void)subject.make(component, *options);
  if (__lsan_do_recoverable_leak_check() != 0) {
    probe.Fail("memory was lost between creating and destroying it");
  }
#else
  probe.Skip("this program was built without AddressSanitizer (-DQATLAS_SANITIZE=address)");
#endif
}

}  // namespace

absl::Span<const Check> ComponentChecks() {
  static constexpr Check kChecks[] = {
      {"described",
       "The component has a name in kebab or snake case, a summary of one line, a citation (which "
       "may be empty), a numerics version and abilities.",
       Described},
      {"options-declared",
       "Every option has a name, a help text, a known type, limits and choices that make sense, "
       "and a default that fits them.",
       OptionsDeclared},
      {"options-refused",
       "Values of another type or out of range are refused with a message, by the declaration or "
       "by the factory; no value crashes it.",
       OptionsRefused},
      {"factory-answers",
       "Whatever the options within their declarations, the factory makes a component or says why "
       "not; it never throws and never gives nothing.",
       FactoryAnswers},
      {"sanitizer-clean",
       "Creating and destroying the component loses no memory and touches none that is not its "
       "own.",
       SanitizerClean},
  };
  return kChecks;
}

}  // namespace qatlas::conformance
