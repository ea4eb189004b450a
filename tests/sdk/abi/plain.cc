// Names every public type of the headers without LibTorch, so that the compiler writes down its layout.
#include "qatlas/abi.h"
#include "qatlas/component.h"
#include "qatlas/law.h"
#include "qatlas/options.h"
#include "qatlas/scheme.h"
#include "qatlas/site.h"

namespace {
template <typename... T>
struct Layouts {
  void (*take)(T...) = nullptr;
};
}  // namespace

using namespace qatlas;
extern const Layouts<qatlas_kind, qatlas_option_type, qatlas_option, qatlas_component,
                     qatlas_descriptor, ComponentInfo, LawCovariate, LawPin, LawParameter,
                     LawPreset, LawSpec, LawBatch, LawForm*, LawPoints, OptionTable, Options,
                     SchemeRule, Scheme*, Site, SitePattern>
    kLayouts;
const decltype(kLayouts) kLayouts = {};
