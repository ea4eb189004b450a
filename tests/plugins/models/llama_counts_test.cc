// Parameter counts, FLOPs, option errors.
#include <gmock/gmock.h>

#include "tests/plugins/models/llama_fixture.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

struct PublishedSize {
  int64_t layers, width, ffn, heads, kv_heads;
  double millions;
};

// Chen et al. 2025: N counts the linears of the blocks.
constexpr PublishedSize kSizes[] = {
    {12, 768, 2048, 16, 4, 74.32},   {12, 1024, 3072, 16, 4, 144.70},
    {12, 1536, 4096, 24, 6, 297.27}, {24, 1536, 4096, 24, 6, 594.54},
    {16, 2048, 8192, 32, 8, 973.08}, {28, 3072, 8192, 24, 8, 2818.6},
};

int64_t RealCount(Model& model) {
  int64_t count = 0;
  for (const NamedParameter& parameter : model.Parameters()) count += parameter.tensor.numel();
  return count;
}

TEST(LlamaCounts, ReproducesThePublishedSizes) {
  for (const PublishedSize& size : kSizes) {
    auto builder = Builder(
        LlamaOptions(size.layers, size.width, size.ffn, size.heads, size.kv_heads, 128256, false));
    const double millions = builder->Counts(2048).block_linears / 1e6;
    // Published with two decimals, the largest with one.
    EXPECT_NEAR(millions, size.millions, size.millions > 1000 ? 0.05 : 0.005);
  }
}

TEST(LlamaCounts, ClosedFormEqualsTheParametersOnTheMetaDevice) {
  for (const PublishedSize& size : kSizes) {
    for (bool tied : {false, true}) {
      auto builder = Builder(
          LlamaOptions(size.layers, size.width, size.ffn, size.heads, size.kv_heads, 128256, tied));
      auto model = builder->Build({1, at::kMeta, at::kBFloat16, 2048});
      ASSERT_TRUE(model.ok()) << model.status();
      const ModelCounts counts = builder->Counts(2048);
      EXPECT_EQ(RealCount(**model), counts.Total());
      int64_t linears = 0;
      for (QuantizableLinear* linear : (*model)->Linears()) linears += linear->weight().numel();
      EXPECT_EQ(linears, counts.block_linears);
      EXPECT_EQ((*model)->Linears().size(), size.layers * 4);
    }
  }
}

TEST(LlamaCounts, ClosedFormEqualsTheParametersOnTheCpu) {
  for (bool tied : {false, true}) {
    const Options options = LlamaOptions(3, 24, 40, 6, 2, 37, tied);
    auto model = BuildLlama(options);
    EXPECT_EQ(RealCount(*model), Builder(options)->Counts(32).Total());
    EXPECT_EQ(Builder(options)->Counts(32).head, tied ? 0 : 37 * 24);
  }
}

TEST(LlamaCounts, FlopsAreThoseOfTheMatrixProducts) {
  const int64_t layers = 3, width = 24, ffn = 40, heads = 6, kv_heads = 2, vocabulary = 37,
                time = 8;
  auto builder = Builder(LlamaOptions(layers, width, ffn, heads, kv_heads, vocabulary, true));
  // Counted product by product over one sequence.
  double flops = 0;
  const int64_t size = width / heads;
  for (int64_t layer = 0; layer < layers; ++layer) {
    flops += 2.0 * time * width * (heads + 2 * kv_heads) * size;
    for (int64_t position = 0; position < time; ++position) {
      flops += heads * 2.0 * (2.0 * size * (position + 1));  // scores, then values
    }
    flops += 2.0 * time * width * width + 3 * 2.0 * time * width * ffn;
  }
  flops += 2.0 * time * width * vocabulary;
  EXPECT_DOUBLE_EQ(builder->Counts(time).forward_flops_per_token, flops / time);
}

TEST(LlamaCounts, NamesSitesAndParameters) {
  auto model = BuildLlama(LlamaOptions(2, 24, 40, 6, 2, 37, false));
  std::vector<std::string> names;
  for (const NamedParameter& parameter : model->Parameters()) {
    names.push_back(parameter.name);
    EXPECT_TRUE(parameter.tensor.requires_grad());
    EXPECT_TRUE(parameter.tensor.is_leaf());
    EXPECT_EQ(parameter.tensor.scalar_type(), at::kFloat);
    EXPECT_EQ(parameter.weight_decay, parameter.tensor.dim() == 2) << parameter.name;
  }
  EXPECT_THAT(names,
              ::testing::ElementsAre("embedding.weight", "0.attention_norm.weight", "0.qkv.weight",
                                     "0.o.weight", "0.ffn_norm.weight", "0.fc1.weight",
                                     "0.fc2.weight", "1.attention_norm.weight", "1.qkv.weight",
                                     "1.o.weight", "1.ffn_norm.weight", "1.fc1.weight",
                                     "1.fc2.weight", "norm.weight", "head.weight"));
  std::vector<std::string> sites;
  for (QuantizableLinear* linear : model->Linears()) sites.push_back(linear->InputSite().Name());
  EXPECT_THAT(sites,
              ::testing::ElementsAre("0.qkv.input", "0.o.input", "0.fc1.input", "0.fc2.input",
                                     "1.qkv.input", "1.o.input", "1.fc1.input", "1.fc2.input"));
}

TEST(LlamaOptions, ContradictionsAreErrors) {
  struct Case {
    int64_t width, heads, kv_heads;
    const char* message;
  };
  for (const Case& c : {Case{24, 5, 0, "heads = 5 does not divide width = 24"},
                        Case{24, 6, 4, "kv_heads = 4 does not divide heads = 6"},
                        Case{24, 8, 0, "width / heads = 3 is odd"}}) {
    auto builder =
        llama::LlamaBuilder::Create(LlamaOptions(1, c.width, 8, c.heads, c.kv_heads, 7, true));
    ASSERT_FALSE(builder.ok());
    EXPECT_THAT(builder.status().message(), HasSubstr(c.message));
  }
  auto builder = Builder(LlamaOptions(1, 8, 8, 2, 0, 7, true));
  EXPECT_FALSE(builder->Build({1, at::kCPU, at::kHalf, 8}).ok());
  EXPECT_FALSE(builder->Build({1, at::kCPU, at::kFloat, 0}).ok());
}

}  // namespace
}  // namespace qatlas::testing
