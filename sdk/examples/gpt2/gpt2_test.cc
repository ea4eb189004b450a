// Every conformance check that applies, and the published size.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/model.h"

QATLAS_CONFORMANCE_PLUGIN(Gpt2, qatlas::ModelBuilder, QATLAS_PLUGIN_FILE);

namespace {

absl::StatusOr<std::unique_ptr<qatlas::ModelBuilder>> Builder(int64_t layers, int64_t width,
                                                              int64_t heads, int64_t vocabulary) {
  return qatlas::conformance::Load<qatlas::ModelBuilder>(
      QATLAS_PLUGIN_FILE, "gpt2",
      {{{"layers", layers}, {"width", width}, {"heads", heads}, {"vocabulary", vocabulary}}});
}

TEST(Gpt2Counts, TheSmallestHasItsKnownSize) {
  const auto builder = Builder(12, 768, 12, 50257);
  ASSERT_TRUE(builder.ok()) << builder.status();
  EXPECT_EQ((*builder)->Counts(1024).Total(), 124439808);
}

TEST(Gpt2Build, RefusesSequencesBeyondItsPositions) {
  const auto builder = Builder(1, 8, 2, 11);
  ASSERT_TRUE(builder.ok()) << builder.status();
  qatlas::BuildContext context;
  context.sequence_length = 1025;
  EXPECT_EQ((*builder)->Build(context).status().message(),
            "sequences of 1025 tokens exceed context = 1024");
}

}  // namespace
