#include "framework/train/check.h"

#include "qatlas/check.h"
#include "qatlas/conformance/create.h"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"

namespace qatlas::train {
namespace {

conformance::Kind KindWithTorch(int kind) {
  using conformance::TryFactory;
  if (kind == QATLAS_KIND_QUANTIZER) {
    return {conformance::QuantizerChecks(), TryFactory<Quantizer>};
  }
  if (kind == QATLAS_KIND_MODEL) return {conformance::ModelChecks(), TryFactory<ModelBuilder>};
  return conformance::PlainKind(kind);
}

}  // namespace

absl::Status CheckPlugins(const CheckRequest& request,
                          const std::function<void(const std::string&)>& line) {
  const conformance::Host host = {KindWithTorch, QATLAS_TORCH_VERSION};
  for (const std::string& library : request.libraries) {
    std::vector<conformance::Case> cases = conformance::ListCases(library, host);
    QATLAS_RETURN_IF_ERROR(conformance::Select(request.include, &cases));
    for (const conformance::Case& one : cases) {
      line(conformance::ToJson(request.list ? conformance::Announce(one)
                                            : conformance::RunCase(one, host, request.settings)));
    }
  }
  return absl::OkStatus();
}

}  // namespace qatlas::train
