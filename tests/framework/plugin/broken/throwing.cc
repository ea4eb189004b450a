// Factories that misbehave in every way that the host must survive.
#include <qatlas/component.h>
#include <qatlas/scheme.h>

#include <stdexcept>

namespace {

using Result = absl::StatusOr<std::unique_ptr<qatlas::Scheme>>;

Result Throw(const qatlas::Options&) { throw std::runtime_error("no memory for that"); }
Result ThrowNumber(const qatlas::Options&) { throw 7; }
Result Nothing(const qatlas::Options&) { return std::unique_ptr<qatlas::Scheme>(); }
Result Fail(const qatlas::Options&) { return absl::OutOfRangeError("bits and group disagree"); }

qatlas_component Make(const char* name, qatlas::Factory<qatlas::Scheme> factory) {
  return {QATLAS_KIND_SCHEME,
          1,
          name,
          "Broken on purpose",
          "",
          qatlas::kNoAbilities,
          nullptr,
          0,
          reinterpret_cast<void (*)()>(factory)};
}

// Throws behind the SDK's own registration.
class Registered : public qatlas::Scheme {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"registered", "Throws", "", 1,
                                                  nullptr,      nullptr,  0};
  static Result Create(const qatlas::Options&) { throw std::logic_error("thrown in Create"); }
  absl::StatusOr<std::vector<qatlas::SchemeRule>> Rules() const override {
    return std::vector<qatlas::SchemeRule>();
  }
};

}  // namespace

QATLAS_PLUGIN("throwing", "1.0.0", Make("throws", Throw), Make("throws-number", ThrowNumber),
              Make("nothing", Nothing), Make("fails", Fail), qatlas::Component<Registered>())
