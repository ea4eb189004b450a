#include "qatlas/int_format.h"

#include <gmock/gmock.h>

namespace qatlas {
namespace {

constexpr IntFormat kTensor{.bits = 2, .granularity = Granularity::kTensor};

TEST(MakeIntEncoded, TakesAScalarForTheScaleOfATensor) {
  const at::Tensor codes = at::tensor({-1, 0, 1, 1}, at::kChar).view({2, 2});
  const Encoded encoded = MakeIntEncoded(kTensor, codes, at::scalar_tensor(.5), at::kFloat);
  EXPECT_EQ(encoded.tensors.at("scales").sizes(), at::IntArrayRef({1, 1}));
  const auto decoded = DecodeInt(encoded);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(decoded->equal(at::tensor({-.5f, 0.f, .5f, .5f}).view({2, 2}))) << *decoded;
}

TEST(DecodeInt, GivesNoValuesOfNoCodes) {
  for (const auto granularity :
       {Granularity::kTensor, Granularity::kChannel, Granularity::kGroup}) {
    const IntFormat format{.bits = 4, .granularity = granularity, .group = 8};
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{0, 8}, {8, 0}, {2, 0, 8}}) {
      const at::Tensor codes = at::empty(shape, at::kChar);
      const int64_t rows = shape.back() == 0 ? shape[0] : 0;
      const at::Tensor scales = at::empty(format.ScaleShape(rows, shape.back()));
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const auto decoded = DecodeInt(MakeIntEncoded(format, codes, scales, dtype));
        ASSERT_TRUE(decoded.ok()) << decoded.status();
        EXPECT_EQ(decoded->sizes(), codes.sizes());
        EXPECT_EQ(decoded->scalar_type(), dtype);
      }
    }
  }
}

TEST(DecodeInt, RefusesScalesOfAnotherShape) {
  const at::Tensor codes = at::ones({2, 4}, at::kChar);
  const auto decoded = DecodeInt(MakeIntEncoded(kTensor, codes, at::ones({3, 1}), at::kFloat));
  EXPECT_THAT(std::string(decoded.status().message()),
              ::testing::HasSubstr("scales of shape [3,1] do not fit codes of shape [2,4]"));
}

}  // namespace
}  // namespace qatlas
