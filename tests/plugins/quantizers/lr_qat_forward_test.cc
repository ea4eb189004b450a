// `lr-qat`: frozen weights, where training starts, the merged weight, odd inputs.
#include <ATen/Parallel.h>

#include <limits>

#include "tests/plugins/quantizers/lr_qat_fixture.h"

namespace qatlas::testing {
namespace {

using lr_qat::LrQatQuantizer;
using lr_qat::Storage;
using ::testing::HasSubstr;

// Rounded AbsMax weights, element by element: s = max|w| / (2^(b-1) - 1) over the group.
at::Tensor Rounded(const at::Tensor& weight, int bits, int64_t group) {
  return ReferenceAbsMax(weight, bits, group, false, static_cast<float>((1 << (bits - 1)) - 1),
                         [](int64_t, int64_t) { return 1.0f; });
}

TEST(LrQatFrozen, FixedPointIsTheNearestMultipleOfItsUnitWithinAByte) {
  const at::Tensor v = at::tensor({0.03f, -1.3f, 7.96f, -8.2f, 0.09375f, 2.0f}).view({1, 6});
  at::Tensor codes = v.clone();
  lr_qat::RoundToCodes(codes, 4);
  const at::Tensor stored = lr_qat::Downcast(v, codes, Storage::kFixed, 4);
  EXPECT_EQ(stored.scalar_type(), at::kChar);
  // Q4.4: multiples of 1/16; 1.5/16 goes to the even 2/16.
  EXPECT_TRUE(at::equal(stored, at::tensor({0, -21, 127, -128, 2, 32}, at::kChar).view({1, 6})));
  at::Tensor back = at::empty({1, 6});
  lr_qat::Upcast(stored, Storage::kFixed, 4, back);
  EXPECT_TRUE(at::equal(back, stored.to(at::kFloat) / 16));
}

TEST(LrQatFrozen, ACastNeverMovesAValueToAnotherCode) {
  // Around every middle between two codes: just below it, on it, just above it.
  for (const int bits : {2, 3, 4, 5, 6, 7, 8}) {
    std::vector<float> values;
    for (int code = -(1 << (bits - 1)); code < (1 << (bits - 1)); ++code) {
      for (const float offset : {-.5f, -.4999f, -.49f, -.01f, 0.f, .26f, .497f, .4999f, .5f}) {
        values.push_back(static_cast<float>(code) + offset);
      }
    }
    const at::Tensor v = at::tensor(values).view({1, -1});
    at::Tensor codes = v.clone();
    lr_qat::RoundToCodes(codes, bits);
    for (const Storage storage :
         {Storage::kFp32, Storage::kFp16, Storage::kBf16, Storage::kFixed, Storage::kInt4}) {
      if (storage == Storage::kInt4 && bits > 4) continue;
      const at::Tensor stored = lr_qat::Downcast(v, codes, storage, bits);
      EXPECT_EQ(stored.sizes(), at::IntArrayRef(lr_qat::StoredShape(storage, 1, v.size(1))));
      at::Tensor back = at::empty_like(v);
      lr_qat::Upcast(stored, storage, bits, back);
      // Values beyond the outermost codes may be clipped to them.
      const double half = std::ldexp(1.0, bits - 1);
      const double far = (back - v).masked_select(v.abs().lt(half - .5)).abs().max().item<double>();
      EXPECT_TRUE(at::equal(lr_qat::RoundToCodes(back, bits), codes))
          << "storage " << static_cast<int>(storage) << ", " << bits << " bits";
      if (storage == Storage::kFixed && bits < 8) {
        EXPECT_LE(far, std::ldexp(1.0, bits - 8)) << bits;
      }
      if (storage == Storage::kFp32) EXPECT_EQ(far, 0);
    }
  }
}

TEST(LrQat, StartsAtTheRoundedWeightBitForBit) {
  for (const LrQatGeometry& g : LrQatGeometries()) {
    const at::Tensor weight = Values({g.rows, g.features}, 3);
    for (const char* storage : {"fp32", "fp16", "bf16", "fixed", "int4"}) {
      for (const int64_t bits : {2, 3, 4, 8}) {
        if (std::string(storage) == "int4" && bits > 4) continue;
        OptionValues options = g.Values();
        options["frozen"] = std::string(storage);
        options["bits"] = bits;
        auto op = AttachLrQat(options, weight);
        const int64_t group = g.granularity == "group" ? g.group : g.features;
        EXPECT_TRUE(BitEqual(op->EffectiveWeight(), Rounded(weight, static_cast<int>(bits), group)))
            << g.granularity << " " << storage << " " << bits;
        EXPECT_EQ(ParameterOf(*op, "adapter.a").abs().max().item<float>(), 0);
      }
    }
  }
}

TEST(LrQat, BStartsUniformAndDependsOnTheSiteOnly) {
  const at::Tensor weight = Values({64, 400}, 3);
  AttachContext context = Context(weight);
  context.seed = 7;
  auto one = AttachLrQat({}, context);
  auto same = AttachLrQat({{"frozen", std::string("fp16")}}, context);
  context.seed = 8;
  auto other = AttachLrQat({}, context);
  const at::Tensor b = ParameterOf(*one, "adapter.b");
  EXPECT_TRUE(BitEqual(b, ParameterOf(*same, "adapter.b")));
  EXPECT_FALSE(at::equal(b, ParameterOf(*other, "adapter.b")));
  EXPECT_LE(b.abs().max().item<double>(), 1 / std::sqrt(400.0));
  EXPECT_NEAR(b.std().item<double>(), 1 / std::sqrt(3 * 400.0), 0.002);
}

TEST(LrQat, ForwardIsTheLinearOfTheMergedWeightBitForBit) {
  for (const LrQatGeometry& g : LrQatGeometries()) {
    const at::Tensor weight = Values({g.rows, g.features}, 3);
    for (const char* storage : {"fp16", "fixed", "int4"}) {
      OptionValues options = g.Values();
      options["frozen"] = std::string(storage);
      auto op = AttachLrQat(options, weight);
      Disturb(*op);
      const auto encoded = op->EncodeWeight();
      ASSERT_TRUE(encoded.ok()) << encoded.status();
      const at::Tensor merged = *op->Decode(*encoded);
      EXPECT_TRUE(BitEqual(merged, op->EffectiveWeight()));
      EXPECT_FALSE(at::equal(merged, Rounded(weight, 4, g.features)));
      const at::Tensor packed = *DecodeInt(*PackInt4(*encoded));
      EXPECT_TRUE(BitEqual(packed, merged));
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const at::Tensor x = Values({3, 5, g.features}, 4, dtype);
        const at::Tensor bias = Values({g.rows}, 5);
        EXPECT_TRUE(BitEqual(op->Forward(x, {}).detach(), at::linear(x, merged.to(dtype))));
        EXPECT_TRUE(BitEqual(op->Forward(x, bias).detach(),
                             at::linear(x, merged.to(dtype), bias.to(dtype))));
        // Strides do not matter.
        const at::Tensor turned = x.transpose(0, 1);
        EXPECT_TRUE(
            BitEqual(op->Forward(turned, {}).detach(), at::linear(turned, merged.to(dtype))));
      }
    }
  }
}

TEST(LrQat, CodesAreInRangeAndThePublishedFormula) {
  const at::Tensor weight = Values({9, 40}, 3);
  for (const int64_t bits : {2, 3, 4, 6, 8}) {
    auto op = AttachLrQat({{"bits", bits}, {"frozen", std::string("fp32")}}, weight);
    Disturb(*op);
    const at::Tensor a = ParameterOf(*op, "adapter.a").detach();
    const at::Tensor b = ParameterOf(*op, "adapter.b").detach();
    const at::Tensor s = ParameterOf(*op, "scale.value").detach();
    const at::Tensor phi = BufferOf(*op, "frozen");
    EXPECT_TRUE(at::allclose(op->UnroundedWeight(), phi + 2.0 * a.mm(b), 1e-5, 1e-5));
    const at::Tensor v = phi.to(at::kDouble) + 2.0 * a.to(at::kDouble).mm(b.to(at::kDouble));
    const double high = std::pow(2.0, bits - 1) - 1;
    const at::Tensor codes = op->EncodeWeight()->tensors.at("codes").to(at::kDouble);
    // Away from the middles, where single precision may round to the other side.
    const at::Tensor clear = (v - v.floor() - .5).abs().gt(1e-4);
    EXPECT_TRUE(at::equal(codes.masked_select(clear),
                          v.round().clamp(-high - 1, high).masked_select(clear)));
    EXPECT_GT(clear.to(at::kFloat).mean().item<double>(), .99);
    EXPECT_TRUE(at::allclose(op->EffectiveWeight(), (codes * s.to(at::kDouble)).to(at::kFloat)));
    EXPECT_DOUBLE_EQ(op->BitsPerWeight(), static_cast<double>(bits) + 32.0 / 40);
  }
}

TEST(LrQat, TheNumberOfThreadsChangesNoBit) {
  const at::Tensor weight = Values({700, 512}, 3);
  auto op = AttachLrQat({{"rank", int64_t{32}}}, weight);
  Disturb(*op);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = op->EffectiveWeight();
  at::set_num_threads(2);
  const at::Tensor two = op->EffectiveWeight();
  at::set_num_threads(before);
  EXPECT_TRUE(BitEqual(one, two));
}

TEST(LrQat, AParentMayHaveCodesFarFromItsWeight) {
  const at::Tensor weight = Values({6, 40}, 3);
  const at::Tensor scales = weight.abs().amax(1, true) / 127;
  const at::Tensor codes = (weight / scales).round().neg();
  IntFormat format{.bits = 8, .granularity = Granularity::kChannel};
  const Encoded stored = MakeIntEncoded(format, codes.to(at::kChar), scales, at::kFloat);
  AttachContext context = Context(weight);
  context.parent = [&]() -> absl::StatusOr<Encoded> { return stored; };
  for (const char* storage : {"fp32", "fp16", "bf16", "fixed"}) {
    auto op = AttachLrQat(
        {{"range", std::string("parent")}, {"bits", int64_t{8}}, {"frozen", std::string(storage)}},
        context);
    EXPECT_TRUE(BitEqual(op->EffectiveWeight(), *DecodeInt(stored))) << storage;
  }
}

TEST(LrQat, TheRangeOfLeastErrorIsFoundByPlainSearch) {
  const int64_t group = 20;
  const at::Tensor weight = Values({4, 40}, 9);
  const OptionValues options = {{"granularity", std::string("group")},
                                {"group", group},
                                {"bits", int64_t{3}},
                                {"range", std::string("mse")}};
  auto op = AttachLrQat(options, weight);
  const at::Tensor found = BufferOf(*op, "scale.initial");
  bool narrower = false;
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t g = 0; g < 2; ++g) {
      const float* w = weight.data_ptr<float>() + row * 40 + g * group;
      float widest = 0;
      for (int i = 0; i < group; ++i) widest = std::max(widest, std::fabs(w[i]));
      double least = std::numeric_limits<double>::infinity();
      double best = 0;
      for (int k = 80; k >= 24; --k) {
        const float s = widest / 3 * static_cast<float>(k) / 80;
        double error = 0;
        for (int i = 0; i < group; ++i) {
          error += std::pow(s * ReferenceCode(w[i], s, 3) - w[i], 2);
        }
        if (error < least * (1 - 1e-6)) {
          least = error;
          best = s;
        }
      }
      EXPECT_NEAR(found[row][g].item<double>(), best, 1e-6 * best) << row << " " << g;
      narrower |= best < widest / 3 * .99;
    }
  }
  EXPECT_TRUE(narrower);
}

TEST(LrQat, StartsWhereAQuantizedParentStopped) {
  const at::Tensor weight = Values({6, 40}, 3);
  // As a method other than rounding might leave it: some codes are not the nearest ones.
  const at::Tensor scales = weight.abs().amax(1, true) / 7;
  at::Tensor codes = (weight / scales).round();
  codes.narrow(1, 0, 3).add_(1).clamp_(-8, 7);
  IntFormat format{.bits = 4, .granularity = Granularity::kChannel};
  const Encoded stored = MakeIntEncoded(format, codes.to(at::kChar), scales, at::kFloat);
  AttachContext context = Context(weight);
  for (const bool packed : {false, true}) {
    context.parent = [&]() -> absl::StatusOr<Encoded> {
      if (packed) return PackInt4(stored);
      return stored;
    };
    for (const char* storage : {"fp32", "fp16", "bf16", "fixed", "int4"}) {
      auto op = AttachLrQat({{"range", std::string("parent")}, {"frozen", std::string(storage)}},
                            context);
      EXPECT_TRUE(BitEqual(op->EffectiveWeight(), *DecodeInt(stored))) << storage;
    }
  }
  // What lies between the codes is kept where the weight itself is there.
  auto op =
      AttachLrQat({{"range", std::string("parent")}, {"frozen", std::string("fp32")}}, context);
  const at::Tensor phi = BufferOf(*op, "frozen").narrow(1, 3, 37);
  EXPECT_TRUE(at::allclose(phi, (weight / scales).narrow(1, 3, 37)));

  const auto attach = [&](const OptionValues& options) {
    return Make<LrQatQuantizer>(With(LrQatDefaults(), options))
        ->AttachLinear(context, false)
        .status()
        .ToString();
  };
  EXPECT_THAT(attach({{"range", std::string("parent")}, {"bits", int64_t{3}}}),
              HasSubstr("codes of 4 bits, lr-qat has bits = 3"));
  context.parent = nullptr;
  EXPECT_THAT(attach({{"range", std::string("parent")}}), HasSubstr("there is none"));
}

TEST(LrQat, ScalesStayPositiveAndNothingElseIsTouched) {
  const at::Tensor weight = Values({6, 40}, 3);
  auto op = AttachLrQat({}, weight);
  Disturb(*op);
  at::Tensor s = ParameterOf(*op, "scale.value");
  const at::Tensor a = ParameterOf(*op, "adapter.a").detach().clone();
  const float kept = s[1][0].item<float>();
  {
    const at::NoGradGuard no_grad;
    s[0].fill_(-1);
    op->AfterStep({});
  }
  EXPECT_FLOAT_EQ(s[0][0].item<float>(),
                  1e-3f * BufferOf(*op, "scale.initial")[0][0].item<float>());
  EXPECT_EQ(s[1][0].item<float>(), kept);
  EXPECT_TRUE(at::equal(a, ParameterOf(*op, "adapter.a")));
}

TEST(LrQat, StateIsRestoredWithoutTheWeight) {
  const at::Tensor weight = Values({6, 41}, 3);
  for (const char* storage : {"fp16", "fixed", "int4"}) {
    auto op = AttachLrQat({{"frozen", std::string(storage)}}, weight);
    Disturb(*op);
    AttachContext context = Context(at::full_like(weight, NAN));
    context.restoring = true;
    auto restored = AttachLrQat({{"frozen", std::string(storage)}}, context);
    const at::NoGradGuard no_grad;
    const auto from = op->Parameters();
    const auto to = restored->Parameters();
    for (size_t i = 0; i < from.size(); ++i) {
      at::Tensor(to[i].tensor).copy_(from[i].tensor);
      EXPECT_FALSE(to[i].weight_decay);
    }
    const auto from_buffers = op->Buffers();
    for (size_t i = 0; i < from_buffers.size(); ++i) {
      restored->Buffers()[i].tensor.copy_(from_buffers[i].tensor);
    }
    ASSERT_TRUE(restored->AfterRestore().ok());
    EXPECT_TRUE(BitEqual(restored->EffectiveWeight(), op->EffectiveWeight()));
    ParameterOf(*restored, "scale.value")[0].fill_(0);
    EXPECT_FALSE(restored->AfterRestore().ok());
  }
}

TEST(LrQat, OddWeights) {
  at::Tensor weight = Values({4, 40}, 3);
  weight[1].fill_(0);
  weight[2].mul_(1e-30);
  auto op = AttachLrQat({}, weight);
  const at::Tensor merged = op->EffectiveWeight();
  EXPECT_TRUE(merged.isfinite().all().item<bool>());
  EXPECT_TRUE(BitEqual(merged[1], at::zeros({40})));
  {
    const at::NoGradGuard no_grad;
    ParameterOf(*op, "adapter.a").fill_(NAN);
  }
  EXPECT_TRUE(op->EffectiveWeight().isnan().any().item<bool>());
  EXPECT_THAT(op->EncodeWeight().status().ToString(), HasSubstr("NaN"));

  auto quantizer = Make<LrQatQuantizer>(LrQatDefaults());
  for (const float bad : {NAN, INFINITY}) {
    at::Tensor broken = Values({4, 40}, 3);
    broken[2][3] = bad;
    EXPECT_THAT(quantizer->AttachLinear(Context(broken), false).status().ToString(),
                HasSubstr("not finite"));
  }
}

TEST(LrQat, RefusesWhatDoesNotFit) {
  EXPECT_THAT(LrQatQuantizer::Create(
                  With(LrQatDefaults(), {{"frozen", std::string("int4")}, {"bits", int64_t{5}}}))
                  .status()
                  .ToString(),
              HasSubstr("up to 4 bits, and bits is 5"));
  auto quantizer = Make<LrQatQuantizer>(LrQatDefaults());
  EXPECT_THAT(quantizer->Check("weight", 40, 3).ToString(), HasSubstr("rank = 4 exceeds"));
  EXPECT_THAT(quantizer->Check("input", 40, 40).ToString(), HasSubstr("quantizes weights"));
  auto grouped = Make<LrQatQuantizer>(
      With(LrQatDefaults(), {{"granularity", std::string("group")}, {"group", int64_t{48}}}));
  EXPECT_THAT(grouped->Check("weight", 128, 64).ToString(), HasSubstr("does not divide"));
  EXPECT_THAT(quantizer->AttachLinear(Context(Values({8, 40}, 1)), true).status().ToString(),
              HasSubstr("quantizes weights"));
}

TEST(LrQat, OnTheMetaDeviceShapesAndBitsAreKnown) {
  const at::Tensor weight = at::empty({64, 256}, at::TensorOptions(at::kFloat).device(at::kMeta));
  auto op = AttachLrQat({{"frozen", std::string("int4")},
                         {"granularity", std::string("group")},
                         {"group", int64_t{32}}},
                        weight);
  EXPECT_EQ(BufferOf(*op, "frozen").sizes(), at::IntArrayRef({64, 128}));
  EXPECT_EQ(ParameterOf(*op, "adapter.a").sizes(), at::IntArrayRef({64, 4}));
  EXPECT_EQ(ParameterOf(*op, "scale.value").sizes(), at::IntArrayRef({64, 8}));
  EXPECT_DOUBLE_EQ(op->BitsPerWeight(), 5);
  EXPECT_FALSE(op->KeepsMasterWeight());
}

}  // namespace
}  // namespace qatlas::testing
