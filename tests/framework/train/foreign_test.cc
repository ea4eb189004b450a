#include "framework/train/foreign.h"

#include <gmock/gmock.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/framework/train/tiny_components.h"

namespace qatlas::train::testing {
namespace {

using ::testing::HasSubstr;
using Tensors = std::map<std::string, at::Tensor>;

constexpr int64_t kWidth = 4;

// Linears as GPT-2's Conv1D has them, [in, out]; those of fc1 in two tensors.
ForeignLayout ConvLayout() {
  ForeignLayout layout;
  layout.name = "Conv1D";
  auto add = [&](std::string parameter, std::vector<ForeignTensor> tensors) {
    layout.parameters.push_back({std::move(parameter), std::move(tensors), {}});
  };
  add("embedding.weight", {{"wte", kVocabulary}});
  add("0.fc1.weight", {{"up", kWidth, true}, {"gate", kWidth, /*transposed=*/true}});
  add("0.fc2.weight", {{"down", kWidth, true}});
  add("head.weight", {{"out", kVocabulary}});
  return layout;
}

Tensors ConvTensors() {
  auto values = [](double phase, int64_t rows, int64_t columns) {
    return at::arange(rows * columns, at::kFloat).mul(1.7).add(phase).sin().view({rows, columns});
  };
  return {{"wte", values(0, kVocabulary, kWidth)},
          {"up", values(1, kWidth, kWidth)},
          {"gate", values(2, kWidth, kWidth)},
          {"down", values(3, 2 * kWidth, kWidth)},
          {"out", values(4, kVocabulary, kWidth)}};
}

class ForeignTest : public ::testing::Test {
 protected:
  std::shared_ptr<const SafetensorsFile> File(const Tensors& tensors) const {
    std::vector<NamedTensor> list;
    for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
    EXPECT_TRUE(WriteSafetensors(folder_ / "model.safetensors", list, {}).ok());
    const auto file = SafetensorsFile::Open(folder_ / "model.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    return *file;
  }
  ScratchFolder folder_;
};

TEST_F(ForeignTest, TransposedTensorsAreTurned) {
  const Tensors tensors = ConvTensors();
  TinyModel model(kWidth, 1, {});
  const absl::Status status = LoadForeign(*File(tensors), {ConvLayout()}, model);
  ASSERT_TRUE(status.ok()) << status;
  const auto linears = model.Linears();
  const at::Tensor fc1 = at::cat({tensors.at("up").t(), tensors.at("gate").t()});
  EXPECT_TRUE(linears[0]->weight().equal(fc1));
  EXPECT_TRUE(linears[1]->weight().equal(tensors.at("down").t()));
  EXPECT_TRUE(linears[0]->weight().is_contiguous());
}

TEST_F(ForeignTest, TransposedTensorsAreTurnedForWeightsThatWerePutOff) {
  const Tensors tensors = ConvTensors();
  BuildContext context;
  context.put_off_weights = true;
  TinyModel model(kWidth, 1, context);
  const auto file = File(tensors);
  ASSERT_TRUE(LoadForeign(*file, {ConvLayout()}, model).ok());
  const at::Tensor fc2 = at::empty({kWidth, 2 * kWidth});
  const absl::Status status = LoadForeignWeight(*file, {ConvLayout()}, *model.Linears()[1], fc2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(fc2.equal(tensors.at("down").t()));
}

TEST_F(ForeignTest, AShapeIsAskedForAsTheFileHasIt) {
  Tensors tensors = ConvTensors();
  tensors["down"] = at::ones({kWidth, 2 * kWidth});  // as a linear has it
  TinyModel model(kWidth, 1, {});
  EXPECT_THAT(std::string(LoadForeign(*File(tensors), {ConvLayout()}, model).message()),
              HasSubstr("'down' has shape [4, 8], [8, 4] is needed"));
}

}  // namespace
}  // namespace qatlas::train::testing
