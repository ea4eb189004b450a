// Fits and comparisons that `qatlas plan` and `qatlas predict` read back.
#include "framework/plan/sources.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/laws.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plan::DrawOptions options;
  options.count = 3;
  const auto file =
      plan::LawsFromJson(std::string(fuzz::Text(data, size)), "fit.json", fuzz::MakeLaw, options);
  if (!file.ok()) {
    fuzz::CheckRefusal(file.status());
    return 0;
  }
  plan::Point point;
  point.numbers = {{"N", 1e8}, {"D", 1e10}, {"G", 64}};
  for (const plan::Law& law : file->laws) {
    plan::OutsideRange(law, point);
    const auto bound = plan::BoundLaw::Create(law, point);
    if (!bound.ok()) {
      fuzz::CheckRefusal(bound.status());
      continue;
    }
    for (int draw = -1; draw < law.DrawCount(); ++draw) {
      QATLAS_FUZZ_CHECK(bound->Value(draw) == bound->Value(draw), "a prediction is NaN");
    }
  }
  return 0;
}
