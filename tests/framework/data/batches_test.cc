#include "framework/data/batches.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>

#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BatchesTest : public DataTest {
 protected:
  // A stream 0, 1, 2, ...
  TokenStore Counting(int64_t tokens) const {
    std::vector<uint32_t> ids(static_cast<size_t>(tokens));
    std::iota(ids.begin(), ids.end(), 0);
    const auto path = PutIds("counting.bin", ids);
    return TokenStore({TokenRun{*MappedFile::Open(path), 0, tokens, TokenType::kUint32, 0}});
  }
};

TEST(BatchOrderTest, EachEpochVisitsEveryWindowOnce) {
  for (const int64_t windows : {1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097}) {
    const auto order = BatchOrder::Create(windows * 8 + 1, 8, 7);
    ASSERT_TRUE(order.ok());
    ASSERT_EQ(order->windows(), windows);
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      std::set<int64_t> seen;
      for (int64_t s = 0; s < windows; ++s) {
        const int64_t offset = order->Offset(epoch * windows + s);
        EXPECT_EQ(offset % 8, 0);
        EXPECT_GE(offset, 0);
        EXPECT_LE(offset + 8, windows * 8);
        seen.insert(offset);
      }
      EXPECT_EQ(static_cast<int64_t>(seen.size()), windows) << "epoch " << epoch;
    }
  }
}

TEST(BatchOrderTest, SeedAndEpochDecideTheOrder) {
  const auto first = BatchOrder::Create(100'001, 10, 1);
  const auto again = BatchOrder::Create(100'001, 10, 1);
  const auto other = BatchOrder::Create(100'001, 10, 2);
  int64_t same_seed = 0, other_seed = 0, other_epoch = 0, in_place = 0;
  for (int64_t s = 0; s < 10'000; ++s) {
    same_seed += first->Offset(s) == again->Offset(s);
    other_seed += first->Offset(s) == other->Offset(s);
    other_epoch += first->Offset(s) == first->Offset(s + 10'000);
    in_place += first->Offset(s) == s * 10;
  }
  EXPECT_EQ(same_seed, 10'000);
  // Two random permutations agree in one place on average.
  EXPECT_LT(other_seed, 10);
  EXPECT_LT(other_epoch, 10);
  EXPECT_LT(in_place, 10);
}

TEST(BatchOrderTest, OrderLooksRandom) {
  // Neighbours in the order are uncorrelated, and the first tenth is spread over the whole.
  constexpr int64_t kWindows = 20'000;
  const auto order = BatchOrder::Create(kWindows + 1, 1, 3);
  double sum = 0, first_tenth = 0;
  for (int64_t s = 0; s + 1 < kWindows; ++s) {
    const double a = static_cast<double>(order->Offset(s)) / kWindows - .5;
    const double b = static_cast<double>(order->Offset(s + 1)) / kWindows - .5;
    sum += a * b * 12;
    if (s < kWindows / 10) first_tenth += a;
  }
  EXPECT_LT(std::abs(sum / kWindows), 5 / std::sqrt(kWindows));
  EXPECT_LT(std::abs(first_tenth / (kWindows / 10)), 5 * std::sqrt(1 / 12. / (kWindows / 10)));
}

// The order is part of every result: it must not change unnoticed. The values are those of a second
// program, written from the description in batches.h.
TEST(BatchOrderTest, OrderIsPinned) {
  const auto order = BatchOrder::Create(1001, 10, 42);
  EXPECT_THAT(order->Offsets(0, 8), ElementsAre(790, 850, 140, 420, 290, 30, 520, 40));
}

TEST(BatchOrderTest, BatchSizeOnlyCutsTheSameOrder) {
  const auto order = BatchOrder::Create(4001, 10, 5);
  std::vector<int64_t> by_eight, by_three;
  for (int64_t step = 0; step < 30; ++step) {
    for (const int64_t offset : order->Offsets(step, 8)) by_eight.push_back(offset);
  }
  for (int64_t step = 0; step < 80; ++step) {
    for (const int64_t offset : order->Offsets(step, 3)) by_three.push_back(offset);
  }
  EXPECT_EQ(by_eight, by_three);
}

TEST(BatchOrderTest, BudgetsAboveTheDataSayTheEpochs) {
  const auto order = BatchOrder::Create(1001, 10, 0);
  EXPECT_DOUBLE_EQ(order->Epochs(500), .5);
  EXPECT_DOUBLE_EQ(order->Epochs(2500), 2.5);
  EXPECT_TRUE(order->CheckBudget(1000, false).ok());
  EXPECT_TRUE(order->CheckBudget(2500, true).ok());
  const absl::Status status = order->CheckBudget(2500, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("2.5 epochs"));
  EXPECT_THAT(Message(status), HasSubstr("allow_epochs"));
  EXPECT_FALSE(order->CheckBudget(1001, false).ok());
  EXPECT_FALSE(order->CheckBudget(-1, true).ok());
}

TEST(BatchOrderTest, RefusesSequencesLongerThanTheData) {
  EXPECT_TRUE(BatchOrder::Create(11, 10, 0).ok());
  const auto order = BatchOrder::Create(10, 10, 0);
  ASSERT_FALSE(order.ok());
  EXPECT_THAT(Message(order.status()), HasSubstr("10 tokens"));
  EXPECT_THAT(Message(order.status()), HasSubstr("needs 11"));
  EXPECT_FALSE(BatchOrder::Create(0, 10, 0).ok());
  EXPECT_FALSE(BatchOrder::Create(100, 0, 0).ok());
}

TEST_F(BatchesTest, FillGivesInputsAndTargets) {
  const auto batches = TrainBatches::Create(Counting(95), 10, 9);
  ASSERT_TRUE(batches.ok());
  EXPECT_EQ(batches->order().windows(), 9);
  for (int64_t s = 0; s < 20; ++s) {
    std::vector<int64_t> ids(13, -7);
    batches->Fill(s, ids.data() + 1);
    EXPECT_EQ(ids.front(), -7);
    EXPECT_EQ(ids.back(), -7);
    for (int64_t i = 0; i <= 10; ++i) EXPECT_EQ(ids[i + 1], batches->order().Offset(s) + i);
  }
}

TEST_F(BatchesTest, ValidationIsSpreadEvenlyWithoutOverlap) {
  for (const int64_t tokens : {41, 45, 100, 1000}) {
    const auto set = ValidationSet::Create(Counting(tokens), 10, 4);
    ASSERT_TRUE(set.ok()) << tokens;
    ASSERT_EQ(set->size(), 4);
    EXPECT_EQ(set->Offset(0), 0);
    for (int64_t i = 0; i < 4; ++i) {
      if (i > 0) {
        EXPECT_GE(set->Offset(i), set->Offset(i - 1) + 10);
      }
      EXPECT_NEAR(static_cast<double>(set->Offset(i)), static_cast<double>(i * (tokens - 1)) / 4,
                  1);
      std::vector<int64_t> ids(11);
      set->Fill(i, ids.data());
      EXPECT_EQ(ids.front(), set->Offset(i));
      EXPECT_EQ(ids.back(), set->Offset(i) + 10);
      EXPECT_LT(ids.back(), tokens);
    }
  }
}

TEST_F(BatchesTest, ValidationThatIsTooSmallSaysHowManyThereAre) {
  const auto set = ValidationSet::Create(Counting(40), 10, 4);
  ASSERT_FALSE(set.ok());
  EXPECT_THAT(Message(set.status()), HasSubstr("asks for 4"));
  EXPECT_THAT(Message(set.status()), HasSubstr("has 3"));
  EXPECT_FALSE(ValidationSet::Create(Counting(40), 10, 0).ok());
}

TEST_F(BatchesTest, StoresJoinRunsOfDifferentTypes) {
  const auto narrow = PutIds<uint16_t>("a.bin", {1, 2, 65535});
  const auto wide = PutIds<int64_t>("b.bin", {4, int64_t{1} << 40}, "x");  // odd address
  const TokenStore store({TokenRun{*MappedFile::Open(narrow), 0, 3, TokenType::kUint16, 0},
                          TokenRun{*MappedFile::Open(narrow), 0, 0, TokenType::kUint16, 0},
                          TokenRun{*MappedFile::Open(wide), 1, 2, TokenType::kInt64, 0}});
  EXPECT_THAT(ReadAll(store), ElementsAre(1, 2, 65535, 4, int64_t{1} << 40));
  EXPECT_THAT(ReadAll(store.Slice(2, 4)), ElementsAre(65535, 4));
  EXPECT_THAT(ReadAll(store.Slice(1, 5).Slice(2, 4)), ElementsAre(4, int64_t{1} << 40));
  EXPECT_EQ(store.Slice(3, 3).size(), 0);
  int64_t one = 0;
  store.Read(3, 1, &one);
  EXPECT_EQ(one, 4);
}

}  // namespace
}  // namespace qatlas::data
