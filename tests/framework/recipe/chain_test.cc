// Schemes that start after another, freeze groups, and tune a finished model.
#include "fixture.h"
#include "gmock/gmock.h"

namespace qatlas::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kChain[] = R"(
[scheme.first]
rules = [{ sites = "*.*.weight", use = "int", bits = 4, granularity = "channel" }]

[scheme.second]
rules = [{ sites = "*.*.weight", use = "lsq", bits = 4 }]
after = "first"
frozen = ["step", "model"]

[[grid]]
models = ["a"]
tokens = [1024]
schemes = ["second"]
options = { bits = [4, 3] }
qat = { extra_tokens = 640, learning_rate = 1e-3 }
)";

TEST(SchemeChain, VariesBothAndKeepsWhatIsFrozen) {
  const auto recipe = Read(std::string(kHead) + kChain);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  ASSERT_THAT(recipe->schemes, SizeIs(3));
  for (const int index : {1, 2}) {
    const SchemeVariant& scheme = recipe->schemes[static_cast<size_t>(index)];
    const OptionValue bits = int64_t{5 - index};
    EXPECT_THAT(scheme.frozen, ElementsAre("model", "step"));
    ASSERT_THAT(scheme.after, SizeIs(1));
    EXPECT_EQ(scheme.after[0].quantizer.component, "int");
    EXPECT_EQ(scheme.after[0].quantizer.options.values.at("bits"), bits);
    EXPECT_EQ(scheme.rules[0].quantizer.component, "lsq");
    EXPECT_EQ(scheme.rules[0].quantizer.options.values.at("bits"), bits);
  }
  EXPECT_TRUE(recipe->schemes[0].after.empty());
  ASSERT_THAT(recipe->runs, SizeIs(3));
  EXPECT_EQ(recipe->ExtraSteps(recipe->runs[0]), 0);
  EXPECT_EQ(recipe->ExtraSteps(recipe->runs[1]), 10);
  EXPECT_EQ(recipe->QuantizedFrom(recipe->runs[1].start, 16), 16);
  EXPECT_EQ(recipe->runs[1].start.learning_rate, 1e-3);

  // The resolved text is the same recipe.
  const auto again = Read(recipe->text);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << recipe->text;
  EXPECT_EQ(again->text, recipe->text);
  EXPECT_THAT(again->schemes[2].frozen, ElementsAre("model", "step"));
  EXPECT_THAT(again->schemes[2].after, SizeIs(1));
}

TEST(SchemeChain, RefusesWhatCannotBe) {
  const auto wrong = [](const std::string& override) {
    return Wrong(std::string(kHead) + kChain, {override});
  };
  EXPECT_THAT(wrong("scheme.second.after='frist'"),
              ElementsAre(HasSubstr("another scheme that has no 'after'; nearest valid name: "
                                    "'first'")));
  EXPECT_THAT(wrong("scheme.second.after='second'"), ElementsAre(HasSubstr("'after' is 'second'")));
  EXPECT_THAT(wrong("scheme.first.after='second'"), SizeIs(2));
  EXPECT_THAT(wrong("scheme.second.frozen=[]"),
              ElementsAre(HasSubstr("'frozen' is an empty list")));
  EXPECT_THAT(wrong("scheme.second.frozen=['model', 'model']"),
              ElementsAre(HasSubstr("'frozen' names a group twice")));
  EXPECT_THAT(wrong("scheme.second.frozen='model'"), IsEmpty());
}

}  // namespace
}  // namespace qatlas::recipe
