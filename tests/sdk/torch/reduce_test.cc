#include "qatlas/reduce.h"

#include <gmock/gmock.h>

#include <limits>
#include <vector>

#include "ATen/Parallel.h"

namespace qatlas {
namespace {

class Threads {
 public:
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

at::Tensor Values(at::IntArrayRef shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return at::arange(count, at::kDouble).mul(1.7).sin().view(shape);
}

TEST(OrderedSum, IsTheSumOfEveryShape) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, {1}, {7}, {1024}, {1025}, {3, 5}, {2, 3, 4}, {1500, 700}}) {
    const at::Tensor x = Values(shape);
    const at::Tensor sum = OrderedSum(x);
    EXPECT_EQ(sum.dim(), 0);
    EXPECT_EQ(sum.scalar_type(), at::kDouble);
    EXPECT_NEAR(sum.item<double>(), x.sum().item<double>(), 1e-9) << x.sizes();
    EXPECT_NEAR(OrderedMean(x).item<double>(), x.mean().item<double>(), 1e-12) << x.sizes();
  }
  EXPECT_EQ(OrderedSum(at::empty({0, 8})).item<double>(), 0);
  EXPECT_EQ(OrderedMean(at::empty({8, 0})).item<double>(), 0);
}

TEST(OrderedSum, HasTheSameBitsWithAnyNumberOfThreads) {
  const Threads restored;
  // Terms of very different size, in shapes of which one is a single row: ATen's own sum differs.
  bool plain_differs = false;
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{1, 200'003}, {65'536}, {257, 1031}, {40'000, 3}}) {
    const at::Tensor x = Values(shape).mul(17).exp();
    std::vector<double> ordered, plain;
    for (const int threads : {1, 2, 3, 4}) {
      at::set_num_threads(threads);
      ordered.push_back(OrderedSum(x).item<double>());
      plain.push_back(x.sum().item<double>());
    }
    EXPECT_THAT(ordered, ::testing::Each(ordered[0])) << x.sizes();
    for (const double sum : plain) plain_differs |= sum != plain[0];
  }
  EXPECT_TRUE(plain_differs) << "the terms do not tell orders apart";
}

TEST(OrderedSum, OfHugeValuesIsFinite) {
  const float largest = std::numeric_limits<float>::max();
  EXPECT_EQ(OrderedMean(at::full({64, 64}, largest)).to(at::kFloat).item<float>(), largest);
}

TEST(OrderedSum, HasAGradient) {
  const at::Tensor x = at::ones({3, 700}).requires_grad_();
  OrderedMean(x * x).backward();
  EXPECT_TRUE(x.grad().allclose(at::full({3, 700}, 2.0 / 2100))) << x.grad();
}

}  // namespace
}  // namespace qatlas
