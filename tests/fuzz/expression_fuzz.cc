// Expressions of mappings and filters.
#include "framework/observe/expression.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const observe::Table table = [] {
    observe::Table made;
    QATLAS_FUZZ_CHECK(made.SetNumbers("N", {1e6, 0, -3, observe::kMissing}).ok(), "");
    QATLAS_FUZZ_CHECK(made.SetNumbers("D", {1e9, 1e308, 2, 5}).ok(), "");
    QATLAS_FUZZ_CHECK(made.SetTexts("kind", std::vector<std::string>{"a", "", "fp", "ü"}).ok(), "");
    return made;
  }();
  const auto expression = observe::Expression::Parse(fuzz::Text(data, size));
  if (!expression.ok()) {
    fuzz::CheckRefusal(expression.status());
    return 0;
  }
  const auto kind = expression->Check(table);
  if (!kind.ok()) fuzz::CheckRefusal(kind.status());
  const auto numbers = expression->Numbers(table);
  const auto texts = expression->Texts(table);
  const auto conditions = expression->Conditions(table);
  for (const absl::Status& status : {numbers.status(), texts.status(), conditions.status()}) {
    if (!status.ok()) fuzz::CheckRefusal(status);
  }
  // What Check() says is what can be computed.
  using Kind = observe::Expression::Kind;
  if (kind.ok()) {
    QATLAS_FUZZ_CHECK(numbers.ok() == (*kind == Kind::kNumber), expression->text());
    QATLAS_FUZZ_CHECK(texts.ok() == (*kind == Kind::kText), expression->text());
    QATLAS_FUZZ_CHECK(conditions.ok() == (*kind == Kind::kCondition), expression->text());
  }
  return 0;
}
