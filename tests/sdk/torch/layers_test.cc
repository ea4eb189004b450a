#include "qatlas/layers.h"

#include <gmock/gmock.h>

namespace qatlas {
namespace {

BuildContext Context(bool put_off = false) {
  BuildContext context;
  context.seed = 5;
  context.put_off_weights = put_off;
  return context;
}

TEST(MakeLinear, DrawsTheWeightUnderItsNameAndABiasOfZeros) {
  const auto linear = MakeLinear(Context(), 3, "fc2", 6, 4, .02, /*bias=*/true);
  EXPECT_EQ(linear->Name(), "3.fc2");
  EXPECT_TRUE(linear->weight().equal(NormalParameter(5, "3.fc2.weight", {6, 4}, .02, at::kCPU)));
  EXPECT_TRUE(linear->weight().requires_grad());
  EXPECT_TRUE(linear->bias().equal(at::zeros({6})));
  EXPECT_TRUE(linear->bias().requires_grad());
  EXPECT_FALSE(MakeLinear(Context(), 3, "fc2", 6, 4, .02)->bias().defined());
  const auto expert = MakeLinear(Context(), 0, "fc1", 6, 4, .02, /*bias=*/false, /*expert=*/2);
  EXPECT_EQ(expert->Name(), "0.fc1.e2");
  EXPECT_TRUE(expert->weight().equal(NormalParameter(5, "0.fc1.e2.weight", {6, 4}, .02, at::kCPU)));
}

TEST(MakeLinear, PutsTheWeightOff) {
  const auto linear = MakeLinear(Context(/*put_off=*/true), 0, "o", 4, 4, .02);
  EXPECT_FALSE(linear->weight().defined());
  linear->MakeWeight();
  EXPECT_TRUE(linear->weight().equal(MakeLinear(Context(), 0, "o", 4, 4, .02)->weight()));
}

TEST(AddLinears, ListsWhatIsThereAndLetsMatricesDecay) {
  const auto whole = MakeLinear(Context(), 0, "fc1", 6, 4, .02, /*bias=*/true);
  const auto put_off = MakeLinear(Context(/*put_off=*/true), 0, "fc2", 4, 6, .02, /*bias=*/true);
  std::vector<NamedParameter> parameters;
  AddParameter("embedding.weight", at::zeros({7, 4}), &parameters);
  AddParameter("head.weight", at::Tensor(), &parameters);
  AddLinears({whole.get(), put_off.get()}, &parameters);
  std::vector<std::pair<std::string, bool>> listed;
  for (const NamedParameter& parameter : parameters) {
    listed.emplace_back(parameter.name, parameter.weight_decay);
    EXPECT_EQ(parameter.group, "model");
  }
  EXPECT_THAT(listed, ::testing::ElementsAre(
                          std::pair("embedding.weight", true), std::pair("0.fc1.weight", true),
                          std::pair("0.fc1.bias", false), std::pair("0.fc2.bias", false)));
}

}  // namespace
}  // namespace qatlas
