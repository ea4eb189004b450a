#include "framework/data/synthetic.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

SyntheticSpec Small() {
  SyntheticSpec spec;
  spec.vocabulary = 16;
  spec.branching = 4;
  spec.classes = 3;
  spec.exponent = 1;
  spec.popularity = .5;
  spec.seed = 11;
  return spec;
}

std::vector<int32_t> Draw(const SyntheticSpec& spec, int64_t count, uint64_t number = 0) {
  const auto chain = SyntheticChain::Create(spec);
  EXPECT_TRUE(chain.ok());
  auto stream = chain->Start(number);
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = stream.Next();
  return ids;
}

// Entropy in nats of the next token given what `context` says of the two before it, from counts.
template <typename Context>
double CountedEntropy(const std::vector<int32_t>& ids, Context context) {
  std::map<int64_t, std::map<int32_t, double>> counts;
  for (size_t i = 2; i < ids.size(); ++i) ++counts[context(ids[i - 2], ids[i - 1])][ids[i]];
  double entropy = 0;
  for (const auto& [key, next] : counts) {
    double total = 0;
    for (const auto& [id, count] : next) total += count;
    for (const auto& [id, count] : next) entropy -= count * std::log(count / total);
  }
  return entropy / static_cast<double>(ids.size() - 2);
}

TEST(SyntheticChainTest, EntropyRateIsThatOfTheBranches) {
  // 1, 1/2, 1/3, 1/4 over 25/12.
  const double z = 25. / 12;
  double expected = 0;
  for (int i = 1; i <= 4; ++i) expected += std::log(i * z) / (i * z);
  EXPECT_NEAR(SyntheticChain::Create(Small())->EntropyRate(), expected, 1e-12);
  SyntheticSpec flat = Small();
  flat.exponent = 0;
  EXPECT_NEAR(SyntheticChain::Create(flat)->EntropyRate(), std::log(4.), 1e-12);
}

TEST(SyntheticChainTest, CountsOfTheTokensGiveTheEntropyRate) {
  // Knows nothing of the chain but that two tokens back suffice. Counting biases the estimate down
  // by (branches - 1) / 2 for each of the 256 contexts: 4e-4 here.
  constexpr int64_t kTokens = 1'000'000;
  const double rate = SyntheticChain::Create(Small())->EntropyRate();
  const std::vector<int32_t> ids = Draw(Small(), kTokens);
  const double second = CountedEntropy(ids, [](int32_t a, int32_t b) { return a * 16 + b; });
  EXPECT_NEAR(second, rate, 3e-3);
  // The last token alone says much less.
  EXPECT_GT(CountedEntropy(ids, [](int32_t, int32_t b) { return b; }), rate + .2);
  // With one class it says all.
  SyntheticSpec first_order = Small();
  first_order.classes = 1;
  const std::vector<int32_t> simple = Draw(first_order, kTokens);
  EXPECT_NEAR(CountedEntropy(simple, [](int32_t, int32_t b) { return b; }), rate, 3e-3);
}

TEST(SyntheticChainTest, TrueModelsLossIsTheEntropyRate) {
  SyntheticSpec spec;  // the default: vocabulary 1,024
  spec.seed = 3;
  const auto chain = SyntheticChain::Create(spec);
  const std::vector<int32_t> ids = Draw(spec, 400'000, 1);
  double loss = 0, squares = 0;
  const auto count = static_cast<double>(ids.size() - 2);
  for (size_t i = 2; i < ids.size(); ++i) {
    const double nats = -chain->LogProbability(ids[i - 2], ids[i - 1], ids[i]);
    loss += nats / count;
    squares += nats * nats / count;
  }
  const double error = std::sqrt((squares - loss * loss) / count);
  EXPECT_NEAR(loss, chain->EntropyRate(), 5 * error);
  EXPECT_LT(error, 2e-3);
}

TEST(SyntheticChainTest, ContextsAreOfUnequalFrequency) {
  SyntheticSpec spec;
  const std::vector<int32_t> ids = Draw(spec, 200'000);
  std::vector<int64_t> counts(1024, 0);
  for (const int32_t id : ids) ++counts[id];
  std::sort(counts.rbegin(), counts.rend());
  EXPECT_GT(counts[0], 20 * counts[200]);
  // And yet no few tokens swallow the stream.
  EXPECT_GT(counts[500], 0);
  EXPECT_LT(counts[0], 40'000);
}

TEST(SyntheticChainTest, EveryContextHasDistinctSuccessors) {
  for (const int64_t branching : {1, 4, 15, 16}) {
    SyntheticSpec spec = Small();
    spec.branching = branching;
    spec.popularity = 8;  // the rare ones are hardly ever drawn
    const auto chain = SyntheticChain::Create(spec);
    for (int32_t a = 0; a < 16; ++a) {
      for (int32_t b = 0; b < 16; ++b) {
        int64_t successors = 0;
        double total = 0;
        for (int32_t next = 0; next < 16; ++next) {
          const double log_p = chain->LogProbability(a, b, next);
          successors += std::isfinite(log_p);
          total += std::exp(log_p);
        }
        ASSERT_EQ(successors, branching);
        ASSERT_NEAR(total, 1, 1e-12);
      }
    }
  }
}

TEST(SyntheticChainTest, SeedAndStreamDecideTheTokens) {
  EXPECT_EQ(Draw(Small(), 1000), Draw(Small(), 1000));
  EXPECT_NE(Draw(Small(), 1000), Draw(Small(), 1000, 1));
  SyntheticSpec other = Small();
  other.seed = 12;
  EXPECT_NE(Draw(Small(), 1000), Draw(other, 1000));
  // A longer stream begins with a shorter one.
  std::vector<int32_t> longer = Draw(Small(), 2000);
  longer.resize(1000);
  EXPECT_EQ(longer, Draw(Small(), 1000));
}

TEST(SyntheticChainTest, RefusesTablesThatDoNotFit) {
  SyntheticSpec spec;
  spec.vocabulary = 1 << 20;
  spec.branching = 64;
  EXPECT_FALSE(SyntheticChain::Create(spec).ok());
}

}  // namespace
}  // namespace qatlas::data
