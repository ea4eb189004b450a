// Values and codes of `int`: against the plain reference, odd inputs, encode and decode.
#include "plugins/quantizers/int/int.h"

#include <limits>

#include "tests/plugins/quantizers/quantizer_fixture.h"

namespace qatlas::testing {
namespace {

using int_quantizer::IntQuantizer;
using ::testing::HasSubstr;

constexpr float kOne = 1.0f;
const auto kGammaOne = [](int64_t, int64_t) { return kOne; };

double Divisor(const std::string& choice, int bits) {
  const double half_range = std::pow(2.0, bits - 1);
  return choice == "chen" ? half_range : choice == "symmetric" ? half_range - 1 : half_range - 0.5;
}

struct Case {
  std::string granularity;
  int64_t group;
  bool short_last_group;
  std::vector<int64_t> shape;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"group", 32, false, {6, 96}},      {"group", 7, true, {5, 33}},
      {"group", 256, false, {2, 3, 256}}, {"channel", 64, false, {9, 50}},
      {"tensor", 64, false, {7, 40}},     {"group", 1, false, {2, 5}},
      {"channel", 64, false, {1, 1}},     {"group", 100, true, {4, 64}},
  };
  return cases;
}

Options OptionsOf(const Case& c, int64_t bits, const std::string& divisor,
                  const std::string& clip) {
  return With(IntDefaults(), {{"bits", bits},
                              {"granularity", c.granularity},
                              {"group", c.group},
                              {"short_last_group", c.short_last_group},
                              {"divisor", divisor},
                              {"clip", clip}});
}

std::unique_ptr<OperandQuantizer> Attach(const Options& options, const char* operand, int64_t rows,
                                         int64_t features) {
  auto attached =
      Make<IntQuantizer>(options)->AttachOperand(operand, Context(at::zeros({rows, features})));
  EXPECT_TRUE(attached.ok()) << attached.status();
  return *std::move(attached);
}

TEST(IntForward, EqualsTheReferenceBitForBit) {
  for (const Case& c : Cases()) {
    const int64_t features = c.shape.back();
    for (int64_t bits = 2; bits <= 8; ++bits) {
      for (const char* divisor : {"chen", "symmetric", "half"}) {
        for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
          const at::Tensor x = Values(c.shape, bits, dtype);
          auto q = Attach(OptionsOf(c, bits, divisor, "absmax"), "input", 3, features);
          const int64_t group = c.granularity == "group" ? c.group : features;
          EXPECT_TRUE(BitEqual(q->FakeQuantize(x),
                               ReferenceAbsMax(x, bits, group, c.granularity == "tensor",
                                               Divisor(divisor, bits), kGammaOne)))
              << c.granularity << " " << c.group << ", " << bits << " bits, " << divisor;
        }
      }
    }
  }
}

TEST(IntForward, LearnedClippingScalesEachGroupByItsGamma) {
  for (const Case& c : Cases()) {
    const int64_t features = c.shape.back(), rows = Values(c.shape, 1).numel() / features;
    const int64_t group = c.granularity == "group" ? c.group : features;
    for (const char* operand : {"weight", "input"}) {
      for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        auto q = Attach(OptionsOf(c, 4, "chen", "learned"), operand, rows, features);
        at::Tensor gamma = q->Parameters().at(0).tensor;
        gamma.detach().copy_(Values(gamma.sizes(), 9).abs() * 0.2 + 0.5);
        const at::Tensor x = Values(c.shape, 3, dtype);
        const bool per_row = std::string(operand) == "weight";
        auto factor = [&](int64_t row, int64_t index) {
          if (c.granularity == "tensor") return gamma[0][0].item<float>();
          return gamma[per_row ? row : 0][index].item<float>();
        };
        EXPECT_TRUE(BitEqual(q->FakeQuantize(x).detach(),
                             ReferenceAbsMax(x, 4, group, c.granularity == "tensor", 8, factor)))
            << c.granularity << " " << c.group << " " << operand;
      }
    }
  }
}

TEST(IntForward, DecodingEqualsFakeQuantizationBitForBit) {
  for (const Case& c : Cases()) {
    const int64_t features = c.shape.back(), rows = Values(c.shape, 1).numel() / features;
    for (int64_t bits = 2; bits <= 8; ++bits) {
      for (const char* clip : {"absmax", "learned"}) {
        for (const char* operand : {"weight", "input"}) {
          for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
            auto q = Attach(OptionsOf(c, bits, "symmetric", clip), operand, rows, features);
            for (NamedParameter& p : q->Parameters()) p.tensor.detach().mul_(0.83f);
            const at::Tensor x = Values(c.shape, bits + 20, dtype);
            const at::Tensor expected = q->FakeQuantize(x).detach();
            auto encoded = q->Encode(x);
            ASSERT_TRUE(encoded.ok()) << encoded.status();
            EXPECT_EQ(encoded->layout, "int-group");
            auto decoded = q->Decode(*encoded);
            ASSERT_TRUE(decoded.ok()) << decoded.status();
            EXPECT_TRUE(BitEqual(*decoded, expected));
            auto packed = PackInt4(*encoded);
            ASSERT_EQ(packed.ok(), bits <= 4);
            if (!packed.ok()) continue;
            EXPECT_EQ(packed->tensors["codes"].numel(), (x.numel() + 1) / 2);
            decoded = q->Decode(*packed);
            ASSERT_TRUE(decoded.ok()) << decoded.status();
            EXPECT_TRUE(BitEqual(*decoded, expected));
          }
        }
      }
    }
  }
}

TEST(IntForward, NonContiguousInputsGiveTheSame) {
  const at::Tensor x = Values({64, 12}, 4).t();
  for (const char* granularity : {"group", "channel", "tensor"}) {
    for (const char* clip : {"absmax", "learned"}) {
      auto q = Attach(OptionsOf({granularity, 16, false, {}}, 4, "chen", clip), "input", 3, 64);
      EXPECT_TRUE(BitEqual(q->FakeQuantize(x).detach(), q->FakeQuantize(x.contiguous()).detach()));
      EXPECT_TRUE(BitEqual(*q->Decode(*q->Encode(x)), q->FakeQuantize(x).detach()));
    }
  }
}

TEST(IntForward, OddValues) {
  for (const char* granularity : {"group", "channel", "tensor"}) {
    for (const char* clip : {"absmax", "learned"}) {
      auto q = Attach(OptionsOf({granularity, 8, false, {}}, 4, "chen", clip), "input", 3, 8);
      auto run = [&](const at::Tensor& x) {
        const at::Tensor result = q->FakeQuantize(x).detach();
        EXPECT_TRUE(BitEqual(*q->Decode(*q->Encode(x)), result)) << granularity << " " << clip;
        return result;
      };
      EXPECT_TRUE(BitEqual(run(at::zeros({2, 8})), at::zeros({2, 8})));
      EXPECT_TRUE(BitEqual(run(at::full({2, 8}, -0.0)), at::zeros({2, 8})));
      // A negative constant is a code; a positive one is clipped to 7/8 of itself.
      EXPECT_TRUE(BitEqual(run(at::full({2, 8}, -0.75)), at::full({2, 8}, -0.75)));
      EXPECT_TRUE(BitEqual(run(at::full({2, 8}, 0.75)), at::full({2, 8}, 0.75 * 0.875)));
      // A scale that underflows gives zeros, a denormal one finite values.
      EXPECT_TRUE(BitEqual(run(at::full({2, 8}, 1e-45f)), at::zeros({2, 8})));
      EXPECT_TRUE(run(Values({2, 8}, 1) * 1e-39f).isfinite().all().item<bool>());
      EXPECT_TRUE(run(Values({2, 8}, 1) * 1e37f).isfinite().all().item<bool>());
      at::Tensor nan = Values({2, 8}, 2);
      nan[1][3] = std::numeric_limits<float>::quiet_NaN();
      const at::Tensor result = run(nan);
      EXPECT_TRUE(result[1].isnan().all().item<bool>());
      EXPECT_EQ(result[0].isnan().any().item<bool>(), std::string(granularity) == "tensor");
    }
  }
}

TEST(IntForward, CodesStayInRangeAndRoundTiesToEven) {
  auto q = Attach(OptionsOf({"channel", 8, false, {}}, 3, "chen", "absmax"), "weight", 1, 8);
  // max|x| = 4 and the divisor is 4, so s = 1.
  const at::Tensor x = at::tensor({-4.0f, 4.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 3.4f}).view({1, 8});
  auto encoded = q->Encode(x);
  ASSERT_TRUE(encoded.ok());
  EXPECT_TRUE(at::equal(encoded->tensors["codes"],
                        at::tensor({-4, 3, 0, 2, 2, 0, -2, 3}).to(at::kChar).view({1, 8})));
  EXPECT_TRUE(at::equal(encoded->tensors["scales"], at::ones({1, 1})));
}

TEST(IntForward, BitsPerElementCountTheScales) {
  EXPECT_DOUBLE_EQ(Attach(OptionsOf({"group", 32, false, {}}, 4, "chen", "absmax"), "weight", 8, 64)
                       ->BitsPerElement(8, 64),
                   5.0);
  EXPECT_DOUBLE_EQ(Attach(OptionsOf({"group", 32, true, {}}, 4, "chen", "absmax"), "weight", 8, 80)
                       ->BitsPerElement(8, 80),
                   4 + 32.0 * 3 / 80);
  EXPECT_DOUBLE_EQ(
      Attach(OptionsOf({"channel", 32, false, {}}, 3, "chen", "absmax"), "weight", 8, 64)
          ->BitsPerElement(8, 64),
      3.5);
  EXPECT_DOUBLE_EQ(
      Attach(OptionsOf({"tensor", 32, false, {}}, 8, "chen", "absmax"), "weight", 8, 64)
          ->BitsPerElement(8, 64),
      8 + 32.0 / 512);
}

TEST(IntForward, DamagedEncodingsAreErrors) {
  auto q = Attach(OptionsOf({"group", 4, false, {}}, 4, "chen", "absmax"), "weight", 3, 8);
  const Encoded good = *q->Encode(Values({3, 8}, 1));
  Encoded bad = good;
  bad.layout = "two-level-scale";
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("two-level-scale"));
  bad = good;
  bad.tensors.erase("scales");
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("'scales'"));
  bad = good;
  bad.tensors["scales"] = at::ones({3, 3});
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("do not fit"));
  bad = good;
  bad.attributes["group"] = "0";
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("'group'"));
  bad = *PackInt4(good);
  bad.attributes["shape"] = "3,x";
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("cannot be read"));
  bad.attributes["shape"] = "3,9";
  EXPECT_THAT(q->Decode(bad).status().message(), HasSubstr("do not hold"));
}

TEST(IntForward, AGroupThatDoesNotDivideIsAnError) {
  auto q = Make<IntQuantizer>(With(IntDefaults(), {{"group", int64_t{48}}}));
  EXPECT_TRUE(q->Check("weight", 96, 10).ok());
  EXPECT_THAT(q->Check("weight", 128, 10).message(),
              HasSubstr("group = 48 does not divide the 128 input features"));
  EXPECT_FALSE(q->Check("input", 32, 10).ok());
  EXPECT_FALSE(q->AttachOperand("weight", Context(at::zeros({10, 128}))).ok());
  q = Make<IntQuantizer>(With(IntDefaults(), {{"group", int64_t{48}}, {"short_last_group", true}}));
  EXPECT_TRUE(q->Check("weight", 128, 10).ok());
  q = Make<IntQuantizer>(
      With(IntDefaults(), {{"group", int64_t{48}}, {"granularity", std::string("channel")}}));
  EXPECT_TRUE(q->Check("weight", 128, 10).ok());
}

TEST(IntForward, LabelsForObservations) {
  EXPECT_EQ(Make<IntQuantizer>(IntDefaults())->NominalBits(), 4);
  EXPECT_EQ(Make<IntQuantizer>(IntDefaults())->NominalGroup(), 64);
  EXPECT_EQ(Make<IntQuantizer>(With(IntDefaults(), {{"granularity", std::string("channel")}}))
                ->NominalGroup(),
            0);
}

}  // namespace
}  // namespace qatlas::testing
