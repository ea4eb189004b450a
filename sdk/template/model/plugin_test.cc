// Every conformance check that applies, and this model's own promises.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/model.h"

QATLAS_CONFORMANCE_PLUGIN(@type@, qatlas::ModelBuilder, QATLAS_PLUGIN_FILE);

namespace {

const qatlas::OptionTable kSmall = {{{"layers", int64_t{2}},
                                     {"width", int64_t{8}},
                                     {"heads", int64_t{2}},
                                     {"vocabulary", int64_t{11}},
                                     {"context", int64_t{6}}}};

TEST(@type@Model, CountsTwelveSquaresOfTheWidthForEachLayer) {
  const auto builder = qatlas::conformance::Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "@plugin@", kSmall);
  ASSERT_TRUE(builder.ok()) << builder.status();
  EXPECT_EQ((*builder)->Counts(6).block_linears, 12 * 2 * 8 * 8);
  EXPECT_EQ((*builder)->VocabularySize(), 11);
}

TEST(@type@Model, RefusesSequencesBeyondItsContext) {
  const auto builder = qatlas::conformance::Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "@plugin@", kSmall);
  ASSERT_TRUE(builder.ok()) << builder.status();
  qatlas::BuildContext context;
  context.sequence_length = 7;
  EXPECT_EQ((*builder)->Build(context).status().message(),
            "sequences of 7 tokens exceed context = 6");
}

}  // namespace
