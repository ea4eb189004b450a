// Schemes with one defect each, and components whose description, options or factory is wrong.
#include <stdexcept>
#include <string>
#include <vector>

#include "defective.h"
#include "qatlas/check.h"
#include "qatlas/scheme.h"

namespace defective {
namespace {

using qatlas::Options;
using qatlas::Scheme;
using qatlas::SchemeRule;
using Made = absl::StatusOr<std::unique_ptr<Scheme>>;

constexpr qatlas_option kBits[] = {qatlas::IntOption("bits", "4", 2, 8, "Bits of a code.")};

// Weights with the given bits; each class below gets a part of it wrong.
struct Sound : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*.*.weight", "int", table}};
  }
  static Made Create(const Options& options) {
    auto scheme = std::make_unique<Sound>();
    scheme->table = options.table();
    return scheme;
  }
  qatlas::OptionTable table;
};

struct RulesRead : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*.{fc1,fc2.weight", "int", {}}};
  }
};

struct QuantizersKnown : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*", "imt", {}}};
  }
};

struct PatternsMatch : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*.fc2.inputs", "int", {}}};
  }
};

// Its first rule never holds.
struct Overridden : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*.fc2.input", "int", {}}, {"*", "int", {}}};
  }
};

struct Deterministic : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    const bool odd = ++calls % 2 == 1;
    return std::vector<SchemeRule>{{odd ? "*.fc1.weight" : "*.fc2.weight", "int", {}}};
  }
  mutable int calls = 0;
};

struct OptionsMatter : Scheme {
  absl::StatusOr<std::vector<SchemeRule>> Rules() const override {
    return std::vector<SchemeRule>{{"*", "int", {}}};
  }
};

// Descriptions that are wrong.
qatlas_component Described() {
  qatlas_component component = Make<OptionsMatter>("described");
  component.summary = "two\nlines";
  return component;
}

constexpr qatlas_option kOutside[] = {qatlas::IntOption("bits", "9", 2, 8, "Bits of a code.")};
constexpr qatlas_option kUnlimited[] = {
    qatlas::IntOption("bits", "4", qatlas::kNoLimit, qatlas::kNoLimit, "Bits of a code.")};
constexpr qatlas_option kRatio[] = {
    qatlas::FloatOption("ratio", "0.5", qatlas::kNoLimit, qatlas::kNoLimit, "A share.")};

// Bits without limits, of which the factory wants few.
struct OptionsRefused : Sound {
  static Made Create(const Options& options) {
    QATLAS_CHECK(options.Int("bits") >= 0, "bits below 0");
    return Sound::Create(options);
  }
};
// Takes NaN for a share.
struct TakesNan : Sound {};
// Refuses without saying why.
struct Silent : Sound {
  static Made Create(const Options& options) {
    if (options.Int("bits") == 3) return absl::InvalidArgumentError("");
    return Sound::Create(options);
  }
};
struct Throws : Sound {
  static Made Create(const Options& options) {
    if (options.Int("bits") == 8) throw std::runtime_error("no table for 8 bits");
    return Sound::Create(options);
  }
};
struct Nothing : Sound {
  static Made Create(const Options& options) {
    if (options.Int("bits") == 2) return std::unique_ptr<Scheme>();
    return Sound::Create(options);
  }
};
// Forgets what it allocated.
struct SanitizerClean : Sound {
  static Made Create(const Options& options) {
    volatile double* lost = new double[1000];
    lost[0] = 1;
    return Sound::Create(options);
  }
};

template <typename T>
qatlas_component WithBits(const char* name) {
  return Make<T>(name, kBits, 1);
}

}  // namespace
}  // namespace defective

QATLAS_PLUGIN("defective-schemes", "1.0.0", defective::WithBits<defective::Sound>("sound-scheme"),
              defective::Make<defective::RulesRead>("rules-read"),
              defective::Make<defective::QuantizersKnown>("quantizers-known"),
              defective::Make<defective::PatternsMatch>("patterns-match"),
              defective::Make<defective::Overridden>("overridden"),
              defective::Make<defective::Deterministic>("deterministic"),
              defective::WithBits<defective::OptionsMatter>("options-matter"),
              defective::Described(),
              defective::Make<defective::Sound>("options-declared", defective::kOutside, 1),
              defective::Make<defective::OptionsRefused>("options-refused", defective::kUnlimited,
                                                         1),
              defective::Make<defective::TakesNan>("takes-nan", defective::kRatio, 1),
              defective::WithBits<defective::Silent>("silent"),
              defective::WithBits<defective::Throws>("throws"),
              defective::WithBits<defective::Nothing>("nothing"),
              defective::WithBits<defective::SanitizerClean>("sanitizer-clean"))
