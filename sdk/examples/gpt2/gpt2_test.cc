// Every conformance check that applies, GPT-2's published size, and logits beside a plain
// implementation in loops.
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/model.h"

QATLAS_CONFORMANCE_PLUGIN(Gpt2, qatlas::ModelBuilder, QATLAS_PLUGIN_FILE);

namespace {

using qatlas::conformance::Load;

qatlas::OptionTable Options(int64_t layers, int64_t width, int64_t heads, int64_t vocabulary,
                            int64_t context, bool tied, int64_t ffn = 0) {
  return {{{"layers", layers},
           {"width", width},
           {"heads", heads},
           {"vocabulary", vocabulary},
           {"context", context},
           {"tied", tied},
           {"ffn", ffn}}};
}

// --- GPT-2 by hand: FP64, one token after the other, every sum written out. ---

using Vector = std::vector<double>;
using Tensors = std::map<std::string, at::Tensor>;

double At(const at::Tensor& tensor, int64_t i) { return tensor.data_ptr<float>()[i]; }

Vector LayerNorm(const Tensors& p, const std::string& name, const Vector& x) {
  double mean = 0, variance = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t k = static_cast<int64_t>(i);
    y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * At(p.at(name + ".weight"), k) +
           At(p.at(name + ".bias"), k);
  }
  return y;
}

Vector Multiply(const at::Tensor& weight, const Vector& x) {
  Vector y(static_cast<size_t>(weight.size(0)));
  for (size_t o = 0; o < y.size(); ++o) {
    for (size_t i = 0; i < x.size(); ++i) {
      y[o] += At(weight, static_cast<int64_t>(o * x.size() + i)) * x[i];
    }
  }
  return y;
}

Vector Linear(const Tensors& p, const std::string& name, const Vector& x) {
  Vector y = Multiply(p.at(name + ".weight"), x);
  for (size_t o = 0; o < y.size(); ++o) y[o] += At(p.at(name + ".bias"), static_cast<int64_t>(o));
  return y;
}

void Add(const Vector& y, Vector* x) {
  for (size_t i = 0; i < y.size(); ++i) (*x)[i] += y[i];
}

std::vector<Vector> PlainLogits(const Tensors& p, const std::vector<int64_t>& tokens, size_t layers,
                                size_t width, size_t heads, bool tied) {
  const size_t size = width / heads;
  std::vector<Vector> stream;
  for (size_t t = 0; t < tokens.size(); ++t) {
    stream.emplace_back(width);
    for (size_t i = 0; i < width; ++i) {
      const int64_t w = static_cast<int64_t>(width), k = static_cast<int64_t>(i);
      stream[t][i] = At(p.at("embedding.weight"), tokens[t] * w + k) +
                     At(p.at("positions.weight"), static_cast<int64_t>(t) * w + k);
    }
  }
  for (size_t layer = 0; layer < layers; ++layer) {
    const std::string block = std::to_string(layer) + ".";
    std::vector<Vector> qkv;  // of each token: query, key, value
    for (const Vector& x : stream) {
      qkv.push_back(Linear(p, block + "qkv", LayerNorm(p, block + "attention_norm", x)));
    }
    for (size_t t = 0; t < stream.size(); ++t) {
      Vector mixed(width);
      for (size_t h = 0; h < heads; ++h) {
        Vector share(t + 1);  // of attention, to this token and those before it
        double total = 0;
        for (size_t s = 0; s <= t; ++s) {
          double score = 0;
          for (size_t i = h * size; i < (h + 1) * size; ++i) score += qkv[t][i] * qkv[s][width + i];
          share[s] = std::exp(score / std::sqrt(static_cast<double>(size)));
          total += share[s];
        }
        for (size_t s = 0; s <= t; ++s) {
          for (size_t i = h * size; i < (h + 1) * size; ++i) {
            mixed[i] += share[s] / total * qkv[s][2 * width + i];
          }
        }
      }
      Add(Linear(p, block + "o", mixed), &stream[t]);
    }
    for (Vector& x : stream) {
      Vector hidden = Linear(p, block + "fc1", LayerNorm(p, block + "ffn_norm", x));
      for (double& v : hidden) {
        v = .5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + .044715 * v * v * v)));
      }
      Add(Linear(p, block + "fc2", hidden), &x);
    }
  }
  std::vector<Vector> logits;
  for (const Vector& x : stream) {
    logits.push_back(
        Multiply(p.at(tied ? "embedding.weight" : "head.weight"), LayerNorm(p, "norm", x)));
  }
  return logits;
}

class Gpt2Logits : public ::testing::TestWithParam<bool> {};

TEST_P(Gpt2Logits, AreThoseOfPlainLoops) {
  const bool tied = GetParam();
  const auto builder = Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2",
                                                  Options(2, 12, 3, 17, 8, tied, /*ffn=*/20));
  ASSERT_TRUE(builder.ok()) << builder.status();
  const auto model = (*builder)->Build({});
  ASSERT_TRUE(model.ok()) << model.status();
  // Biases start at 0 and gains at 1, and small weights make GELU a line: values of another size,
  // so that leaving one out would show.
  Tensors parameters;
  const at::NoGradGuard no_grad;
  for (qatlas::NamedParameter& parameter : (*model)->Parameters()) {
    const double phase = static_cast<double>(parameters.size());
    const at::Tensor wave = at::arange(parameter.tensor.numel(), at::kFloat).add(phase);
    parameter.tensor.copy_(wave.square().mul(.37).sin().mul(.6).view(parameter.tensor.sizes()));
    parameters[parameter.name] = parameter.tensor;
  }
  const std::vector<int64_t> tokens = {3, 16, 0, 7, 7, 11, 2};
  const std::vector<Vector> expected = PlainLogits(parameters, tokens, 2, 12, 3, tied);
  const at::Tensor logits = (*model)->Logits(at::tensor(tokens).view({1, -1}));
  ASSERT_EQ(logits.sizes(), at::IntArrayRef({1, 7, 17}));
  for (int64_t t = 0; t < 7; ++t) {
    for (int64_t v = 0; v < 17; ++v) {
      EXPECT_NEAR(logits[0][t][v].item<float>(),
                  expected[static_cast<size_t>(t)][static_cast<size_t>(v)], 2e-5)
          << "token " << t << ", logit " << v;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Heads, Gpt2Logits, ::testing::Bool());

// --- Sizes. ---

TEST(Gpt2Sizes, SmallHasThePublishedParameters) {
  const auto builder = Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2",
                                                  Options(12, 768, 12, 50257, 1024, true));
  ASSERT_TRUE(builder.ok()) << builder.status();
  const qatlas::ModelCounts counts = (*builder)->Counts(1024);
  EXPECT_EQ(counts.Total(), 124'439'808);
  EXPECT_EQ(counts.block_linears, 12 * 12 * 768 * 768);
  EXPECT_EQ(counts.head, 0);
  // What is built has as many; on the meta device that takes no memory.
  qatlas::BuildContext context;
  context.device = at::kMeta;
  const auto model = (*builder)->Build(context);
  ASSERT_TRUE(model.ok()) << model.status();
  int64_t built = 0;
  for (const qatlas::NamedParameter& parameter : (*model)->Parameters()) {
    built += parameter.tensor.numel();
  }
  EXPECT_EQ(built, 124'439'808);
  EXPECT_EQ((*model)->Linears().size(), 4u * 12);
}

TEST(Gpt2Sizes, OfTheFamilyAreThePublishedOnes) {
  const struct {
    int64_t layers, width, heads, parameters;
  } family[] = {
      {24, 1024, 16, 354'823'168}, {36, 1280, 20, 774'030'080}, {48, 1600, 25, 1'557'611'200}};
  for (const auto& size : family) {
    const auto builder =
        Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2",
                                   Options(size.layers, size.width, size.heads, 50257, 1024, true));
    ASSERT_TRUE(builder.ok()) << builder.status();
    EXPECT_EQ((*builder)->Counts(1024).Total(), size.parameters);
  }
}

TEST(Gpt2Sizes, AHeadOfItsOwnCountsAsHeadAndCostsNoMoreFlops) {
  const auto tied =
      Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2", Options(1, 4, 2, 10, 8, true));
  const auto untied =
      Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2", Options(1, 4, 2, 10, 8, false));
  ASSERT_TRUE(tied.ok() && untied.ok());
  EXPECT_EQ((*untied)->Counts(3).head, 40);
  EXPECT_EQ((*untied)->Counts(3).Total() - (*tied)->Counts(3).Total(), 40);
  // 2 · (192 weights of linears + 40 of the head) + 4 · 2 positions · 4 features.
  EXPECT_EQ((*tied)->Counts(3).forward_flops_per_token, 496);
  EXPECT_EQ((*untied)->Counts(3).forward_flops_per_token, 496);
}

TEST(Gpt2Start, ShrinksWithDepthWhereTheResidualStreamIsAddedTo) {
  const auto builder =
      Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2", Options(8, 64, 2, 64, 64, true));
  ASSERT_TRUE(builder.ok()) << builder.status();
  const auto model = (*builder)->Build({});
  ASSERT_TRUE(model.ok()) << model.status();
  const std::map<std::string, double> expected = {
      {"0.qkv.weight", .02},  {"0.o.weight", .005},      {"0.fc1.weight", .02},
      {"0.fc2.weight", .005}, {"embedding.weight", .02}, {"positions.weight", .01}};
  for (const qatlas::NamedParameter& parameter : (*model)->Parameters()) {
    const auto it = expected.find(parameter.name);
    if (it == expected.end()) continue;
    const double std = parameter.tensor.detach().std().item<double>();
    EXPECT_NEAR(std / it->second, 1, .05) << parameter.name;
  }
}

TEST(Gpt2Foreign, IsThePublishedFile) {
  const auto builder = Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2",
                                                  Options(12, 768, 12, 50257, 1024, true));
  ASSERT_TRUE(builder.ok()) << builder.status();
  const std::vector<qatlas::ForeignLayout> layouts = (*builder)->ForeignLayouts();
  ASSERT_EQ(layouts.size(), 2u);
  // model.safetensors of openai-community/gpt2 has 160 tensors: 12 are masks, `h.<i>.attn.bias`.
  EXPECT_EQ(layouts[0].parameters.size(), 160u - 12);
  std::map<std::string, qatlas::ForeignTensor> tensors;
  for (const qatlas::ForeignParameter& parameter : layouts[0].parameters) {
    tensors[parameter.tensors[0].name] = parameter.tensors[0];
  }
  EXPECT_EQ(tensors.at("h.11.attn.c_attn.weight").rows, 3 * 768);
  EXPECT_TRUE(tensors.at("h.11.attn.c_attn.weight").transposed);
  EXPECT_TRUE(tensors.at("h.0.mlp.c_fc.weight").transposed);
  EXPECT_FALSE(tensors.at("h.0.mlp.c_fc.bias").transposed);
  EXPECT_FALSE(tensors.at("wpe.weight").transposed);
  EXPECT_EQ(layouts[1].parameters[0].tensors[0].name, "transformer.wte.weight");
}

TEST(Gpt2Refusals, SayWhatToDo) {
  const auto odd =
      Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2", Options(1, 8, 3, 10, 8, true));
  EXPECT_EQ(odd.status().message(), "heads = 3 does not divide width = 8");
  const auto builder =
      Load<qatlas::ModelBuilder>(QATLAS_PLUGIN_FILE, "gpt2", Options(1, 8, 2, 10, 6, true));
  ASSERT_TRUE(builder.ok()) << builder.status();
  qatlas::BuildContext context;
  context.sequence_length = 7;
  EXPECT_EQ((*builder)->Build(context).status().message(),
            "sequences of 7 tokens exceed context = 6, for which there are positions; raise "
            "context");
}

}  // namespace
