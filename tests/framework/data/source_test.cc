#include "framework/data/source.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "framework/data/synthetic.h"
#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SourceTest : public DataTest {
 protected:
  SourceSpec Text(const std::string& name = "corpus.txt") const {
    SourceSpec spec;
    spec.text.files = {Put(name, MakeCorpus(200, 1)).string()};
    spec.text.separator = "\n\n";
    spec.text.vocabulary = 320;
    return spec;
  }
  static SourceSpec Synthetic(int64_t tokens) {
    SourceSpec spec;
    spec.kind = SourceKind::kSynthetic;
    spec.synthetic.vocabulary = 64;
    spec.synthetic.train_tokens = tokens;
    spec.synthetic.validation_tokens = 1000;
    return spec;
  }
  SourceSpec Tokens() const {
    SourceSpec spec;
    spec.kind = SourceKind::kTokens;
    spec.tokens.files = {PutIds<uint16_t>("a.bin", {0, 1, 2, 3, 0, 1, 2, 3}).string()};
    spec.tokens.vocabulary = 4;
    spec.validation_fraction = .25;
    return spec;
  }
  static std::string Id(const SourceSpec& spec) {
    const auto identity = Identity(spec);
    EXPECT_TRUE(identity.ok()) << identity.status();
    return identity.ok() ? *identity : "";
  }
};

TEST_F(SourceTest, IdentityFollowsEverythingThatDecidesTheTokens) {
  const SourceSpec base = Text();
  std::set<std::string> seen = {Id(base)};
  EXPECT_EQ(seen.begin()->size(), 64u);
  const std::vector<std::function<void(SourceSpec*)>> changes = {
      [](SourceSpec* s) { s->text.separator = "\n"; },
      [](SourceSpec* s) { s->text.separator = ""; },
      [](SourceSpec* s) { s->text.min_document_bytes = 5; },
      [](SourceSpec* s) { s->text.vocabulary = 321; },
      [](SourceSpec* s) { s->text.normalization = "identity"; },
      [](SourceSpec* s) { s->text.tokenizer_sample_bytes = 1000; },
      [](SourceSpec* s) { s->validation_fraction = .02; },
      [](SourceSpec* s) { s->validation_documents = 3; },
      [](SourceSpec* s) { s->split_seed = 1; },
      [](SourceSpec* s) { s->text.files.push_back(s->text.files[0]); },
      [this](SourceSpec* s) { s->text.files = {Put("c.txt", MakeCorpus(200, 2)).string()}; },
      [this](SourceSpec* s) { *s = Tokens(); },
      [this](SourceSpec* s) { *s = Tokens(), s->tokens.vocabulary = 5; },
      [this](SourceSpec* s) { *s = Tokens(), s->tokens.dtype = "uint32"; },
      [this](SourceSpec* s) { *s = Tokens(), s->validation_fraction = .5; },
      [this](SourceSpec* s) { *s = Tokens(), s->tokens.validation_files = s->tokens.files; },
      [](SourceSpec* s) { *s = Synthetic(1000); },
      [](SourceSpec* s) { *s = Synthetic(1001); },
      [](SourceSpec* s) { *s = Synthetic(1000), s->synthetic.seed = 1; },
      [](SourceSpec* s) { *s = Synthetic(1000), s->synthetic.exponent = 1.0000000000000002; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    SourceSpec changed = base;
    changes[i](&changed);
    EXPECT_TRUE(seen.insert(Id(changed)).second) << "change " << i;
  }
}

TEST_F(SourceTest, IdentityFollowsNothingElse) {
  const std::string base = Id(Text());
  EXPECT_EQ(Id(Text("elsewhere/other-name.md")), base);
  SourceSpec spec = Text();
  spec.text.files = {(root_ / "corp*").string()};
  EXPECT_EQ(Id(spec), base);
  spec.tokens.vocabulary = 99;  // of another kind
  spec.synthetic.seed = 99;
  EXPECT_EQ(Id(spec), base);
  spec.validation_documents = 3;
  const std::string counted = Id(spec);
  spec.validation_fraction = .5;  // not used with a count
  EXPECT_EQ(Id(spec), counted);
  const auto cached = Identity(Text(), cache());
  EXPECT_EQ(*cached, base);
}

TEST_F(SourceTest, SecondStartOpensWhatTheFirstPrepared) {
  int told = 0;
  const auto progress = [&](const Progress&) { ++told; };
  const auto first = Prepare(Text(), cache(), progress);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(told, 0);
  told = 0;
  const auto second = Prepare(Text("moved.txt"), cache(), progress);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(told, 0);
  EXPECT_EQ(first->identity, second->identity);
  EXPECT_EQ(ReadAll(first->train), ReadAll(second->train));
  EXPECT_THAT(CacheNames(), ElementsAre(first->identity));
  // The origin is told as the caller found it.
  ASSERT_EQ(second->info.origin.size(), 1u);
  EXPECT_THAT(second->info.origin[0].path, HasSubstr("moved.txt"));
}

TEST_F(SourceTest, TokenFilesAreUsedInPlace) {
  const auto data = Prepare(Tokens(), cache());
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(ReadAll(data->train), ElementsAre(0, 1, 2, 3, 0, 1));
  EXPECT_THAT(ReadAll(data->validation), ElementsAre(2, 3));
  EXPECT_EQ(std::distance(fs::directory_iterator(data->folder), {}), 2)
      << "info.json and files.json alone";
  EXPECT_EQ(data->info.used_ids, 4);
  SourceSpec bad = Tokens();
  bad.tokens.vocabulary = 3;
  EXPECT_THAT(Message(Prepare(bad, cache()).status()), HasSubstr("a.bin: token 3 has id 3"));
  EXPECT_THAT(CacheNames(), ElementsAre(data->identity));
}

TEST_F(SourceTest, SyntheticTokensAreThoseOfTheChain) {
  const SourceSpec spec = Synthetic(5000);
  const auto data = Prepare(spec, cache());
  ASSERT_TRUE(data.ok()) << data.status();
  const auto chain = SyntheticChain::Create(spec.synthetic);
  for (const auto& [store, number] : {std::pair(data->train, 0), std::pair(data->validation, 1)}) {
    auto stream = chain->Start(number);
    for (const int64_t id : ReadAll(store)) ASSERT_EQ(id, stream.Next());
  }
  EXPECT_EQ(data->train.size(), 5000);
  EXPECT_EQ(data->validation.size(), 1000);
  EXPECT_EQ(data->info.entropy_rate, chain->EntropyRate());
  EXPECT_GT(data->info.unigram_entropy, chain->EntropyRate());
}

TEST_F(SourceTest, InfoComesBackFromJson) {
  for (const SourceSpec& spec : {Text(), Tokens(), Synthetic(1000)}) {
    const auto data = Prepare(spec, cache());
    ASSERT_TRUE(data.ok());
    const auto json = ToJson(data->info);
    const auto back = DataInfoFromJson(nlohmann::ordered_json::parse(json.dump()));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(ToJson(*back), json);
    for (const auto& item : json.items()) {
      if (item.key() == "origin" || !item.value().is_number()) continue;
      auto broken = json;
      broken[item.key()] = "text";
      EXPECT_THAT(Message(DataInfoFromJson(broken).status()), HasSubstr(item.key()));
    }
  }
  EXPECT_FALSE(DataInfoFromJson(nlohmann::ordered_json::array()).ok());
}

TEST_F(SourceTest, EveryBadValueIsNamedAtOnce) {
  SourceSpec spec;
  spec.text.vocabulary = 100;
  spec.text.normalization = "none";
  spec.validation_fraction = 1;
  EXPECT_THAT(Message(Validate(spec)),
              AllOf(HasSubstr("files is empty"), HasSubstr("vocabulary = 100"),
                    HasSubstr("normalization = \"none\""), HasSubstr("validation_fraction = 1")));
  spec.kind = SourceKind::kTokens;
  spec.tokens.format = "parquet";
  spec.validation_fraction = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Message(Validate(spec)),
              AllOf(HasSubstr("vocabulary = 0"), HasSubstr("parquet"), HasSubstr("nan")));
  spec = Synthetic(0);
  spec.synthetic.branching = 65;
  spec.synthetic.exponent = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Message(Validate(spec)), AllOf(HasSubstr("train_tokens = 0"),
                                             HasSubstr("branching = 65"), HasSubstr("exponent")));
  EXPECT_FALSE(Prepare(spec, cache()).ok());
  EXPECT_FALSE(Identity(spec).ok());
}

TEST_F(SourceTest, MissingFilesAreNamed) {
  SourceSpec spec = Text();
  spec.text.files.push_back((root_ / "gone.txt").string());
  EXPECT_THAT(Message(Identity(spec).status()), HasSubstr("gone.txt"));
  EXPECT_THAT(Message(Prepare(spec, cache()).status()), HasSubstr("gone.txt"));
}

TEST_F(SourceTest, DamagedPreparedDataIsToldAndNotUsed) {
  const SourceSpec spec = Synthetic(5000);
  const fs::path folder = Prepare(spec, cache())->folder;
  const std::string shard = Content(folder / "train.bin");
  const std::string relative = fs::relative(folder, root_).string();
  Put(relative + "/train.bin", shard.substr(0, 4001));
  EXPECT_THAT(
      Message(Prepare(spec, cache()).status()),
      AllOf(HasSubstr("train.bin"), HasSubstr("truncated"), HasSubstr("remove the folder")));
  std::string flipped = shard;
  flipped[100] ^= 1;
  Put(relative + "/train.bin", flipped);
  EXPECT_THAT(Message(Prepare(spec, cache()).status()), HasSubstr("damaged"));
  Put(relative + "/train.bin", shard);
  EXPECT_TRUE(Prepare(spec, cache()).ok());
  const std::string info = Content(folder / "info.json");
  Put(relative + "/info.json", info.substr(0, info.size() / 2));
  EXPECT_THAT(Message(Prepare(spec, cache()).status()),
              AllOf(HasSubstr("info.json is damaged"), HasSubstr("remove the folder")));
}

TEST_F(SourceTest, FailedWritesLeaveNothing) {
  // A limit on the size of files stands in for a full disk: write() fails in the middle of a shard.
  const SourceSpec spec = Synthetic(3'000'000);
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = before;
  limit.rlim_cur = 3 << 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto data = Prepare(spec, cache());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(data.ok());
  EXPECT_THAT(Message(data.status()), HasSubstr("cannot write"));
  EXPECT_TRUE(CacheNames().empty());
  EXPECT_TRUE(Prepare(spec, cache()).ok());
}

TEST_F(SourceTest, ProcessesThatPrepareAtOnceDoNotCollide) {
  const SourceSpec spec = Synthetic(400'000);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto data = Prepare(spec, cache());
      ::_exit(data.ok() && data->train.size() == 400'000 ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto data = Prepare(spec, cache());
  ASSERT_TRUE(data.ok());
  EXPECT_THAT(CacheNames(), ElementsAre(data->identity));
}

TEST_F(SourceTest, KilledPreparationIsTakenOver) {
  const SourceSpec spec = Synthetic(4'000'000);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Dies as by kill -9 in the middle of the second mebibyte of tokens.
    (void)Prepare(spec, cache(), [](const Progress&) { ::kill(::getpid(), SIGKILL); });
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(CacheNames().size(), 2u) << "a lock and a part";
  const auto data = Prepare(spec, cache());
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(CacheNames(), ElementsAre(data->identity));
}

}  // namespace
}  // namespace qatlas::data
