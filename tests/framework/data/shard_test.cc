#include "framework/data/shard.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ShardTest : public DataTest {};

TEST_F(ShardTest, WritesTheNarrowestType) {
  for (const int64_t vocabulary : {65536, 65537}) {
    const auto path = root_ / std::to_string(vocabulary);
    auto shard = ShardWriter::Create(path, vocabulary);
    ASSERT_TRUE(shard.ok());
    ASSERT_TRUE((*shard)->Append({0, 65535}).ok());
    ASSERT_TRUE((*shard)->Append({}).ok());
    ASSERT_TRUE((*shard)->Append({7, 7}).ok());
    EXPECT_EQ((*shard)->tokens(), 4);
    EXPECT_EQ((*shard)->counts()[7], 2);
    const auto hash = (*shard)->Close();
    ASSERT_TRUE(hash.ok());
    EXPECT_EQ(std::filesystem::file_size(path), vocabulary == 65536 ? 8u : 16u);
    const auto store = OpenShard(path, ShardType(vocabulary), 4, *hash, {});
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_THAT(ReadAll(*store), ElementsAre(0, 65535, 7, 7));
  }
}

TEST_F(ShardTest, RefusesIdsBeyondTheVocabulary) {
  auto shard = ShardWriter::Create(root_ / "a", 10);
  EXPECT_THAT(Message((*shard)->Append({10})), HasSubstr("token id 10"));
  EXPECT_FALSE((*shard)->Append({-1}).ok());
}

TEST_F(ShardTest, TruncatedAndDamagedShardsAreTold) {
  auto shard = ShardWriter::Create(root_ / "a", 10);
  ASSERT_TRUE((*shard)->Append({1, 2, 3}).ok());
  const std::string hash = *(*shard)->Close();
  EXPECT_THAT(Message(OpenShard(root_ / "a", TokenType::kUint16, 4, hash, {}).status()),
              AllOf(HasSubstr("6 bytes"), HasSubstr("truncated"), HasSubstr("prepare")));
  EXPECT_THAT(Message(OpenShard(root_ / "a", TokenType::kUint16, 2, hash, {}).status()),
              HasSubstr("not as written"));
  EXPECT_THAT(Message(OpenShard(root_ / "none", TokenType::kUint16, 2, hash, {}).status()),
              HasSubstr("none"));
  PutIds<uint16_t>("a", {1, 2, 4});
  EXPECT_THAT(Message(OpenShard(root_ / "a", TokenType::kUint16, 3, hash, {}).status()),
              HasSubstr("damaged"));
}

TEST_F(ShardTest, EntropyOfCounts) {
  EXPECT_DOUBLE_EQ(Entropy({1, 1, 0, 2}), 1.5 * std::log(2.));
  EXPECT_EQ(Entropy({5}), 0);
  EXPECT_EQ(Entropy({}), 0);
  EXPECT_EQ(CountUsed({1, 0, 2}), 2);
}

}  // namespace
}  // namespace qatlas::data
