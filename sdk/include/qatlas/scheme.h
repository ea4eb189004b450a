// Schemes: rules that assign quantizers with options to sites.
#ifndef QATLAS_SCHEME_H_
#define QATLAS_SCHEME_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "qatlas/abi.h"
#include "qatlas/component.h"
#include "qatlas/options.h"
#include "qatlas/site.h"

namespace qatlas {

// One rule: the sites that match get this quantizer with these options (those not given take the
// quantizer's defaults). Later rules override earlier ones, site by site. The quantizer "none" leaves a
// site in full precision.
struct SchemeRule {
  std::string sites;      // a SitePattern
  std::string quantizer;  // a component's name
  OptionTable options;  // of the quantizer
};

// A scheme component produces rules from a few options. Full precision is the empty list of rules.
class Scheme {
 public:
  static constexpr int kKind = QATLAS_KIND_SCHEME;  // of the descriptor
  using Base = Scheme;  // what factories return
  virtual ~Scheme() = default;

  // The rules in order. An error says which options contradict each other.
  virtual absl::StatusOr<std::vector<SchemeRule>> Rules() const = 0;
};

}  // namespace qatlas

#endif  // QATLAS_SCHEME_H_
