// A plugin with nothing wrong: what the broken ones must leave usable.
#include <qatlas/component.h>
#include <qatlas/scheme.h>

namespace {

constexpr const char* kModes[] = {"fast", "exact", nullptr};
constexpr const char* kAbilities[] = {"plain", "bits:1.58", "role:fc1", "role:fc2", nullptr};
constexpr qatlas_option kOptions[] = {
    qatlas::IntOption("bits", nullptr, 2, 8, "Bits of a code."),
    qatlas::FloatOption("ratio", "0.5", 0, qatlas::kNoLimit, "A ratio."),
    qatlas::BoolOption("flag", "true", "A flag."),
    qatlas::StringOption("name", "none", "A name."),
    qatlas::ChoiceOption("mode", "fast", kModes, "A mode."),
    qatlas::TableOption("more", "Further \"options\"."),
};

// Gives back what it was created with.
class Good : public qatlas::Scheme {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"good",     "Works",  "Nobody 2025, eq. 1", 3,
                                                  kAbilities, kOptions, std::size(kOptions)};
  static absl::StatusOr<std::unique_ptr<qatlas::Scheme>> Create(const qatlas::Options& options) {
    auto scheme = std::make_unique<Good>();
    scheme->options = options.table();
    return scheme;
  }
  absl::StatusOr<std::vector<qatlas::SchemeRule>> Rules() const override {
    return std::vector<qatlas::SchemeRule>{{"*", "int", options}};
  }
  qatlas::OptionTable options;
};

}  // namespace

QATLAS_PLUGIN("good", "2.1.0", qatlas::Component<Good>())
