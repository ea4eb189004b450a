// Frozen predictions. Whoever changes one can give it a new hash, so the target does.
#include <nlohmann/json.hpp>

#include "framework/plan/freeze.h"
#include "framework/plan/score.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/laws.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(fuzz::Text(data, size));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_object()) {
    json.erase("sha256");
    json["sha256"] =
        plan::Sha256(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    text = json.dump();
  }
  const fuzz::MemoryFile file(text);
  const auto frozen = plan::ReadFrozen(file.path());
  if (!frozen.ok()) {
    fuzz::CheckRefusal(frozen.status());
    return 0;
  }
  static const observe::Table table = [] {
    observe::Table made;
    QATLAS_FUZZ_CHECK(made.SetNumbers("N", {1e8, 2e8}).ok(), "");
    QATLAS_FUZZ_CHECK(made.SetNumbers("D", {1e10, 1e10}).ok(), "");
    QATLAS_FUZZ_CHECK(made.SetNumbers("loss", {2.5, 2.4}).ok(), "");
    return made;
  }();
  // Refits are no reading; without a form there are none.
  const plan::LawFactory none = [](const std::string& name) {
    return absl::NotFoundError(absl::StrCat("there is no law '", name, "'"));
  };
  const auto score = plan::ScoreFrozen(*frozen, table, none, {});
  if (!score.ok()) {
    fuzz::CheckRefusal(score.status());
    return 0;
  }
  plan::ToJson(*score);
  return 0;
}
