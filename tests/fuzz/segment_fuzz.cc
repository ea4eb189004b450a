// Specs of segments, which the worker reads and the store reads back.
#include "framework/recipe/segment.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const nlohmann::json json =
      nlohmann::json::parse(fuzz::Text(data, size).begin(), fuzz::Text(data, size).end(), nullptr,
                            /*allow_exceptions=*/false);
  const auto spec = recipe::SegmentSpec::FromJson(json);
  if (!spec.ok()) {
    fuzz::CheckRefusal(spec.status());
    return 0;
  }
  const auto again = recipe::SegmentSpec::FromJson(spec->ToJson());
  QATLAS_FUZZ_CHECK(again.ok(), again.status().ToString());
  QATLAS_FUZZ_CHECK(recipe::SegmentIdentity(*again) == recipe::SegmentIdentity(*spec), json.dump());
  recipe::ScheduleAt(spec->trajectory.schedule, spec->begin_step);
  return 0;
}
